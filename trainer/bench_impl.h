/* bench_impl: what the files of bench share. */
#ifndef LOGLOG_TRAINER_BENCH_IMPL_H
#define LOGLOG_TRAINER_BENCH_IMPL_H

#include "trainer/backend.h"
#include "trainer/bench.h"
#include "trainer/comm.h"
#include "trainer/reduce.h"

#define BENCH_SEQ_LEN 256

/* A model in training, as train_cpu has it: the members of a gang take equal
 * parts of a batch of random tokens. */
struct bench {
    struct comm *comm;
    struct model *m;
    struct reduce reduce; /* a leaf a member */
    size_t n;
    /* A gradient a member, their sum, its norms; parameters and moments. */
    struct comm_array nodes, grad, norms, params, m1, v1;
    int32_t *tokens;
    int64_t rows, t;
    float scale; /* 1 / tokens of the batch */
    double seconds[BENCH_KINDS];
};

/* Collective over comm, which stays the caller's.  -1 when the model does not
 * fit. */
int bench_open(struct bench *b, const struct bench_case *c, struct comm *comm,
               struct err *e);
void bench_release(struct bench *b);
/* Collective. */
int bench_one_step(struct bench *b, struct err *e);

/* The highest of a few short runs: the peak is what nothing can exceed. */
double bench_peak_of(const struct backend *be);

#endif
