/* adamw: Loshchilov and Hutter's decoupled AdamW over a range of the flat
 * block, and the gradient norm, both in a fixed order of summation. */
#ifndef LOGLOG_TRAINER_ADAMW_H
#define LOGLOG_TRAINER_ADAMW_H

#include "sweep/spec.h"
#include "trainer/params.h"

#include <stddef.h>

/* Blocks of the flat array over which partial sums are taken; the sum of
 * squares of a block is computed the same way whoever computes it, so a gang
 * that splits at multiples of ADAMW_BLOCK floats gets the same norm. */
#define ADAMW_BLOCK 4096

/* sum[b] = sum of squares of block b, for blocks [b0, b1). */
void grad_block_norms(double *sum, const float *grad, size_t n, size_t b0,
                      size_t b1);

/* Update floats [from, to) at step t (1-based): grad is multiplied by
 * grad_scale (clipping) first; lr is this step's rate. */
void adamw_update(float *params, float *m, float *v, const float *grad,
                  const struct param_table *table, const struct optim_spec *o,
                  double lr, double grad_scale, int64_t t, size_t from,
                  size_t to);

#endif
