/* plan_device: one run on GPUs that nobody has asked, from sweep/gpu_model: the
 * part of `loglog plan --device` that needs no study. */
#ifndef LOGLOG_RUNNER_PLAN_DEVICE_H
#define LOGLOG_RUNNER_PLAN_DEVICE_H

#include "base/err.h"

#include <stdint.h>

struct plan_device_opts {
    const char *device; /* "h100" */
    int64_t gpus;
    double flops;           /* budget, M D; with it what is 0 below is chosen */
    double batch;           /* tokens; 0: DeepSeek LLM Eq. 1 */
    int64_t width, layers;  /* 0: by Eq. 4 and the shape rule of the paper */
    int64_t seq_len, vocab; /* 0: 4096 and 102400 */
    int json;
};

/* Print it.  -1 when the model is impossible, unknown or does not fit. */
int plan_device(const struct plan_device_opts *o, struct err *e);

#endif
