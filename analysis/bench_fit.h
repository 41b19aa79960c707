/* bench_fit: how long the fits take on this machine.
 *
 * One thread unless said; synthetic runs, so that the numbers of two machines
 * can be compared. */
#ifndef LOGLOG_ANALYSIS_BENCH_FIT_H
#define LOGLOG_ANALYSIS_BENCH_FIT_H

#include "base/err.h"

struct bench_fit_row {
    const char *name; /* "4500 starts, L-BFGS and Newton" */
    int points, fits; /* points of a fit; fits or refits made */
    int threads;
    double seconds; /* CPU of all threads together, the least of `repeats` */
    double wall;    /* of the same run */
};

#define BENCH_FIT_ROWS 10

/* Run them all, each `repeats` times (the best is kept), and call row after
 * each.  threads: for the threaded ones. */
int bench_fit(int threads, int repeats,
              void (*row)(const struct bench_fit_row *r, void *ctx), void *ctx,
              struct err *e);

#endif
