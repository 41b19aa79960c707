/* bench_fits: the mode `bench --fit`. */
#ifndef LOGLOG_RUNNER_BENCH_FITS_H
#define LOGLOG_RUNNER_BENCH_FITS_H

#include "base/err.h"

/* Time the fits (analysis/bench_fit.h) and print a row of each as it is
 * measured: text, or one JSON object a line with name, points, fits, threads,
 * seconds (CPU) and wall. */
int bench_fits(int json, struct err *e);

#endif
