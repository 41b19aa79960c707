/* doctor_cudnn: is cuDNN's attention, an option of the engine, what flash
 * attention is, and which is the faster? */
#ifndef LOGLOG_RUNNER_DOCTOR_CUDNN_H
#define LOGLOG_RUNNER_DOCTOR_CUDNN_H

#include "base/err.h"
#include "trainer/cuda/engine.h"

/* Print a table of some shapes on stdout, one small one on the emulator.
 * 0: it is.  1: cuDNN is not to be had here, *e says why.  -1: it is not, or
 * cannot be tried. */
int doctor_cudnn(const struct engine_api *api, int emulated, struct err *e);

#endif
