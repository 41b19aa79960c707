/* gpu_model: what training costs on a GPU that nobody has asked: a prediction.
 *
 * The bytes and flops of each kernel are those that the engine of trainer/cuda
 * makes, counted when it runs on the emulator (tests/cuda/test_counts.cpp
 * compares them with the table in gpu_model.c, kernel by kernel).  Speeds are
 * those of the chips' data sheets times an efficiency that one H100 showed. */
#ifndef LOGLOG_SWEEP_GPU_MODEL_H
#define LOGLOG_SWEEP_GPU_MODEL_H

#include "base/err.h"
#include "sweep/spec.h"

#include <stddef.h>

struct gpu_chip {
    const char *name;
    double flops;     /* a second: bf16 operands, fp32 sums, dense */
    double bandwidth; /* of its memory, bytes a second */
    double memory;    /* bytes */
    double link;      /* to the GPUs of its node, one way, bytes a second */
    double net;       /* to other nodes */
};

/* "a100", "h100", "h200", "b200"; -1 with ERR_USAGE for another. */
int gpu_chip_find(const struct gpu_chip **chip, const char *name,
                  struct err *e);

/* The one whose name is part of a device's ("NVIDIA H100 80GB HBM3"), or NULL.
 */
const struct gpu_chip *gpu_chip_of(const char *device);

#define GPU_NODE 8 /* GPUs that `link` joins */

/* What of the peak is reached: by cuBLASLt, by attention with mma.sync, by
 * memory (an H100, d_model 1024, kernel by kernel; docs/gpu.md), by NCCL (not
 * measured); and the seconds that a kernel takes however little it does. */
#define GPU_EFF_GEMM 0.70
#define GPU_EFF_FLASH 0.135
#define GPU_EFF_MEMORY 0.85
#define GPU_EFF_LINK 0.75
#define GPU_LAUNCH 4e-6

/* One kernel's share of a micro-batch, or of the end of a step. */
struct gpu_kernel {
    const char *name;
    int per_step; /* once a step, not for each micro-batch */
    double launches, bytes, flops;
};
#define GPU_KERNELS 32

/* The kernels of a micro-batch of `rows` sequences, and of the end of a step,
 * for one of `gang` GPUs; how many.  Attention by flash where head_dim is 32,
 * 64 or 128, else by materialised scores, whose kernels are not told apart. */
size_t gpu_kernels(struct gpu_kernel out[GPU_KERNELS], const struct run_spec *s,
                   int64_t rows, int gang, int recompute);

/* Bytes of device memory, as the engine takes them. */
struct gpu_memory {
    double weights;     /* bf16 */
    double gradient;    /* fp32 */
    double state;       /* masters and AdamW's moments, this GPU's share */
    double activations; /* kept for the way back */
    double scratch;     /* everything else */
    double total;
};
void gpu_bytes(struct gpu_memory *b, const struct run_spec *s, int64_t rows,
               int gang, int recompute);

/* A step of a run on `gang` GPUs. */
struct gpu_prediction {
    int64_t micro_rows; /* sequences of a micro-batch */
    int64_t micros;     /* of each GPU */
    int recompute;
    struct gpu_memory bytes;
    double compute;       /* seconds of kernels */
    double communication; /* seconds of NCCL ... */
    double exposed;       /* ... that nothing hides */
    double seconds;       /* of a step */
    double flops;         /* of the model, a step, all GPUs (flops.h, exact) */
    double mfu;           /* flops / (seconds x peak x gang) */
};

/* -1 with ERR_USAGE when a model cannot be had on a GPU, ERR_ENV when it does
 * not fit (the bytes are said). */
int gpu_predict(struct gpu_prediction *p, const struct gpu_chip *chip,
                const struct run_spec *s, int gang, struct err *e);

#endif
