/* retain: see retain.h. */
#include "sweep/retain.h"

#include <math.h>

int retain_some(const struct retain *r)
{
    return r->every > 0 || r->per_decade > 0;
}

/* The part of a decade that a step is in; the first step of each is kept. */
static double place(const struct retain *r, int64_t step)
{
    return floor((double)r->per_decade * log10((double)step));
}

int retain_step(const struct retain *r, int64_t step)
{
    if (r->every > 0 && step % r->every == 0)
        return 1;
    return r->per_decade > 0 &&
           (step < 2 || place(r, step) > place(r, step - 1));
}
