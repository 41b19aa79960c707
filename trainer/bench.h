/* bench: how fast this machine trains, against what it could do.
 *
 * A step is what train() does for one batch with one thread: gradient of every
 * sequence, its norm, clipping, AdamW, packing of the weights; data and
 * evaluation are not in it.  Work is counted exactly: 6 flops a token for each
 * weight of a matrix of the layers and the head (forward, and twice that
 * backward) and 6 n_layer seq_len d_model a token for causal attention.  The
 * peak is that of fused multiply-adds on registers alone, measured between
 * the steps. */
#ifndef LOGLOG_TRAINER_BENCH_H
#define LOGLOG_TRAINER_BENCH_H

#include "base/err.h"
#include "sweep/cost.h"
#include "sweep/spec.h"
#include "trainer/model.h"

#include <stdint.h>

/* A model and the tokens of a step. */
struct bench_case {
    struct model_spec model;
    int64_t tokens; /* a multiple of model.seq_len */
    int64_t dtype;  /* enum dtype */
};

/* Kinds of work in a step: the model's (enum model_op), then these. */
enum { BENCH_CLIP = OP_KINDS, BENCH_ADAMW, BENCH_KINDS };
const char *bench_kind_name(int kind);

/* The kinds in four groups; what is done to rows (norms, SwiGLU, cross
 * entropy, embedding) is elementwise, what is done to parameters (clipping
 * gradients, AdamW, packing) the optimiser's. */
enum bench_group {
    BENCH_GEMM,
    BENCH_ATTENTION,
    BENCH_ELEMENTWISE,
    BENCH_OPTIMISER,
    BENCH_GROUPS
};
enum bench_group bench_group_of(int kind);
extern const char *const bench_group_name[BENCH_GROUPS];

struct bench_step {
    const char *backend;
    double flops;              /* of one step */
    double ms, ms_min, ms_max; /* wall time; the median of the steps */
    double cpu_ms;             /* the median of their processor time */
    double startup_ms;         /* memory, initial weights, their packing */
    double peak_flops;         /* a second, of this dtype's operands */
    double share[BENCH_KINDS]; /* of the time; they add up to 1 */
    double group_share[BENCH_GROUPS];
    /* Flops a second of the products, of attention; 0 for the others. */
    double group_speed[BENCH_GROUPS];
};

/* The default table: five widths from 32 to 768 at seq_len 256, then the
 * model that examples/quickstart.yaml verifies with: heads of 8
 * channels, seq_len 64. */
#define BENCH_WIDTHS 5
#define BENCH_CASES 6
extern const struct bench_case bench_cases[BENCH_CASES];

/* The case of the table with this width, or a case of another width: the
 * shape rule of the table (head_dim 16 to 64, d_ff 8/3 d_model rounded up to
 * 32), and n_layer, vocab, tokens from the nearest of its widths. */
void bench_case_for(struct bench_case *c, int64_t d_model);

/* Time `steps` steps after one that is not counted.  -1 when the model does
 * not fit. */
int bench_step(struct bench_step *r, const struct bench_case *c, int steps,
               struct err *e);

/* `ranks` processes (1, 2, 4 or 8) at once: one data-parallel run of them all,
 * whose batch has a sequence for each at least, or each a run of its own.  The
 * rest of the machine should be idle. */
struct bench_ranks {
    double ms;       /* a step: the median, of the slowest member */
    double tokens_s; /* of all ranks */
};
int bench_ranks(struct bench_ranks *r, const struct bench_case *c, int ranks,
                int one_run, int steps, struct err *e);

/* One product of one linear layer of a case, over a sequence: forward, dX,
 * dW. */
struct bench_gemm {
    char layer[16];
    int64_t m, n, k;
    double flops_per_s[3]; /* forward, dX, dW: the median of the calls */
    double peak_flops;
};
#define BENCH_LAYERS 5
/* Fills rows[0, BENCH_LAYERS). */
int bench_gemm(struct bench_gemm *rows, const struct bench_case *c,
               struct err *e);

/* The peak alone, in flops a second of one core; under a millisecond. */
double bench_peak(int64_t dtype);

/* Flops a second of processor time, in model_count's exact flops, of the steps
 * of this run on one slot: a few steps of at most four sequences. */
int bench_rate(double *flops_per_s, const struct run_spec *spec, struct err *e);

/* bench_rate at a few widths, for predicting times when there are no runs to
 * ask; takes under a second.  startup is left as it is. */
int bench_throughput(struct cost_model *cost, int64_t dtype, struct err *e);

/* For qsort of times. */
int bench_by_value(const void *a, const void *b);
/* Of n sorted numbers. */
double bench_median(const double *x, int n);

#endif
