/* bench_gpu: how fast this machine's GPU trains, beside what `plan --device`
 * predicts of it. */
#ifndef LOGLOG_RUNNER_BENCH_GPU_H
#define LOGLOG_RUNNER_BENCH_GPU_H

#include "base/err.h"
#include "sweep/device_kind.h"

/* Time `steps` steps (gradient, norm, AdamW; median, least and most of wall
 * time) at six widths on device 0, after two that are not counted, and print a
 * table on stdout, or a JSON object a row.  On the emulator one small model.
 * -1 where there is no device. */
int bench_gpu(enum device_kind kind, int steps, int json, struct err *e);

#endif
