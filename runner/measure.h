/* measure: the throughput that a plan is priced with, of this machine. */
#ifndef LOGLOG_RUNNER_MEASURE_H
#define LOGLOG_RUNNER_MEASURE_H

#include "sweep/cost.h"

/* No widths yet; start-up as runs of this program have it. */
void measure_init(struct cost_model *c);

/* Time a few steps of the plan's own models: of each width that is not within
 * a third of one that was timed before, until the table is full.  Seconds for
 * widths up to 512.  Processor time: that other work takes turns with it is
 * not seen, that it empties the caches is. */
int measure_plan(struct cost_model *c, const struct plan *p, struct err *e);

#endif
