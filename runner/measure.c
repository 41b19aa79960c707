/* measure: see measure.h. */
#include "runner/measure.h"

#include "trainer/bench.h"

#include <math.h>
#include <string.h>

#define NEAR 1.34

void measure_init(struct cost_model *c)
{
    *c = (struct cost_model){.startup = 0.05};
}

static int known(const struct cost_model *c, double width)
{
    for (int i = 0; i < c->n; i++)
        if (fabs(log(c->d_model[i] / width)) < log(NEAR))
            return 1;
    return c->n == COST_POINTS;
}

/* Keep the widths ascending. */
static void insert(struct cost_model *c, double width, double rate)
{
    int i = c->n++;

    for (; i > 0 && c->d_model[i - 1] > width; i--) {
        c->d_model[i] = c->d_model[i - 1];
        c->flops_per_s[i] = c->flops_per_s[i - 1];
    }
    c->d_model[i] = width;
    c->flops_per_s[i] = rate;
}

int measure_plan(struct cost_model *c, const struct plan *p, struct err *e)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct run_spec *s = &p->run[i].spec;
        double rate;

        if (known(c, (double)s->model.d_model))
            continue;
        if (bench_rate(&rate, s, e))
            return -1;
        insert(c, (double)s->model.d_model, rate);
    }
    return 0;
}
