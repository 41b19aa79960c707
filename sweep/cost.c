/* cost: see cost.h. */
#include "sweep/cost.h"

#include "base/mem.h"
#include "sweep/flops.h"

#include <math.h>

void cost_default(struct cost_model *c)
{
    /* What one core with AVX2 of two that were both training gave: up to 64
     * over the runs of examples/quickstart.yaml, beyond in `loglog bench
     * --train`.  `loglog plan --measure` times yours. */
    *c = (struct cost_model){
        .n = 7,
        .d_model = {16, 24, 32, 64, 128, 256, 512},
        .flops_per_s = {3.2e10, 3.8e10, 4.6e10, 4.7e10, 6e10, 6.5e10, 6.5e10},
        .startup = 0.1,
    };
}

/* Flops a second at this width: straight lines on log-log paper. */
static double rate(const struct cost_model *c, double d_model)
{
    double t;
    int i = 1;

    BUG_ON(c->n < 1);
    if (d_model <= c->d_model[0])
        return c->flops_per_s[0];
    if (d_model >= c->d_model[c->n - 1])
        return c->flops_per_s[c->n - 1];
    while (c->d_model[i] < d_model)
        i++;
    t = log(d_model / c->d_model[i - 1]) /
        log(c->d_model[i] / c->d_model[i - 1]);
    return c->flops_per_s[i - 1] *
           pow(c->flops_per_s[i] / c->flops_per_s[i - 1], t);
}

double cost_seconds(const struct cost_model *c, const struct run_spec *s)
{
    return c->startup + run_flops_exact(s) / rate(c, (double)s->model.d_model);
}

double cost_planned(const struct cost_model *c, const struct planned *r)
{
    double whole = cost_seconds(c, &r->spec);

    return whole -
           (whole - c->startup) * (double)r->trunk_step / (double)r->spec.steps;
}

void cost_plan(struct plan *p, const struct cost_model *c)
{
    for (size_t i = 0; i < p->n; i++)
        p->run[i].seconds = cost_planned(c, &p->run[i]);
}
