/* trunk: runs that take their first steps together.
 *
 * Runs that differ in nothing but their number of steps are the same run until
 * the shorter one leaves the plateau of its schedule (schedule.h).  They are a
 * family; its longest run is the trunk, leaves a checkpoint where each other
 * one branches off, and the others train the rest only.  Three budgets of
 * ratio 2 under DeepSeek's 80 % plateau so cost 0.8 * 4 + 0.2 * (1 + 2 + 4) =
 * 4.6 instead of 7: 1.15 times the largest and not 1.75 times.  The bits are
 * those of training each from scratch. */
#ifndef LOGLOG_SWEEP_TRUNK_H
#define LOGLOG_SWEEP_TRUNK_H

#include "sweep/plan.h"

/* Sharing less of a run than this is not worth a checkpoint and a wait. */
#define TRUNK_LEAST 0.1

/* Find the families of the runs [from, n) of a plan.  With `use`, each of them
 * that is not its family's longest gets the longest of its stage, among all
 * runs of the plan, as its trunk; the first of equals wins.  Trunks have no
 * trunk themselves. */
void trunk_plan(struct plan *p, size_t from, int use);

/* Flops (M D) of the steps that another run takes for this one. */
double trunk_saved(const struct planned *r);

#endif
