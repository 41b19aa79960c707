/* cost: predicted seconds of a run. */
#ifndef LOGLOG_SWEEP_COST_H
#define LOGLOG_SWEEP_COST_H

#include "sweep/plan.h"

/* Throughput of one slot as a function of width: exact flops a second at a
 * few widths, interpolated in log-log, constant beyond the ends.  Measured by
 * `loglog bench` or given. */
#define COST_POINTS 16
struct cost_model {
    int n;
    double d_model[COST_POINTS]; /* increasing */
    double flops_per_s[COST_POINTS];
    double startup; /* seconds per run */
};

/* A conservative table for when nothing was measured. */
void cost_default(struct cost_model *c);
double cost_seconds(const struct cost_model *c, const struct run_spec *s);
/* The same without the steps that its trunk takes for it. */
double cost_planned(const struct cost_model *c, const struct planned *r);
/* Fill planned.seconds for all runs. */
void cost_plan(struct plan *p, const struct cost_model *c);

#endif
