/* bench_sched: the mode --sched of bench.  How long the scheduler takes a run,
 * and how well it packs: simulated studies of runs that last from seconds to
 * hours, on 8, 64 and 256 slots. */
#ifndef LOGLOG_RUNNER_BENCH_SCHED_H
#define LOGLOG_RUNNER_BENCH_SCHED_H

/* Print a table, or JSON lines. */
void bench_sched(int json);

#endif
