/* width: how wide each run should be, so that a study ends soon.
 *
 * One member a run is the cheapest: a gang pays for its barriers.  But a run
 * that is long against the whole study's ideal makespan becomes its tail, with
 * most slots idle.  So runs are widened against a limit on their length, and
 * the limit is chosen by packing the whole plan with each candidate. */
#ifndef LOGLOG_RUNNER_WIDTH_H
#define LOGLOG_RUNNER_WIDTH_H

#include "runner/scheduler.h"

/* Where the jobs will run. */
struct width_slots {
    int n_slots, n_nodes;
    const int *node; /* (n_slots) */
};

/* Seconds of a run of `seconds` alone on g members: each member beyond the
 * first costs GANG_LOSS of the ideal time, for barriers and uneven shares. */
#define GANG_LOSS 0.05
double width_seconds(double seconds, int g);

/* The makespan of these jobs (their seconds and gangs as they are) when the
 * scheduler starts them and the predictions come true. */
double width_makespan(const struct sched_job *job, size_t n,
                      const struct width_slots *on);

/* Set gang and seconds of every job; seconds holds the time alone when called.
 * most[i]: the widest gang job i can use.  Gangs are powers of two.  Runs of
 * less than GANG_MIN_SECONDS alone stay alone.  Narrow plans are preferred
 * unless a wider one is at least 1 % shorter. */
#define GANG_MIN_SECONDS 20.0
void width_choose(struct sched_job *job, const int *most, size_t n,
                  const struct width_slots *on);

#endif
