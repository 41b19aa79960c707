/* doctor_gpu: is the GPU code right on this machine's GPUs?  The kernels' own
 * tests, a training comparison with the CPU, a gang over NCCL and a table of
 * throughput, each in processes of their own with a time-out, and one verdict.
 * docs/gpu.md has what it said on an H100. */
#ifndef LOGLOG_RUNNER_DOCTOR_GPU_H
#define LOGLOG_RUNNER_DOCTOR_GPU_H

#include "base/err.h"
#include "sweep/device_kind.h"

/* Print all of it on stdout.  0: the GPU code is right here; 1: it is not;
 * -1: there is no such device, or it cannot be tried. */
int doctor_gpu(enum device_kind kind, struct err *e);

#endif
