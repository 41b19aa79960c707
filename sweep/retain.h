/* retain: which training steps of a finished run a database keeps.  Its
 * evaluations always stay, and so do its first and its last step. */
#ifndef LOGLOG_SWEEP_RETAIN_H
#define LOGLOG_SWEEP_RETAIN_H

#include <stdint.h>

struct retain {
    int64_t every;      /* every k-th step; 0: no such rule */
    int64_t per_decade; /* so many a decade, evenly in log(step); 0: none */
};

/* Is there a rule at all?  Without one every step stays. */
int retain_some(const struct retain *r);
/* Does a rule keep this step?  step >= 1. */
int retain_step(const struct retain *r, int64_t step);

#endif
