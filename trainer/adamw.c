/* adamw: see adamw.h.  Loshchilov and Hutter, Decoupled Weight Decay
 * Regularization, algorithm 2, with the decay of each tensor from the table.
 * The arithmetic is the backend's; what is here is which floats, in which
 * order, at which rate. */
#include "trainer/adamw.h"

#include "trainer/backend.h"

#include <math.h>

void grad_block_norms(double *sum, const float *grad, size_t n, size_t b0,
                      size_t b1)
{
    const struct backend *be = backend_pick(DTYPE_FP32);

    for (size_t b = b0; b < b1; b++) {
        size_t from = b * ADAMW_BLOCK, len = ADAMW_BLOCK;

        if (from + len > n)
            len = from < n ? n - from : 0;
        sum[b] = be->sum_squares(grad + from, len);
    }
}

void adamw_update(float *params, float *m, float *v, const float *grad,
                  const struct param_table *table, const struct optim_spec *o,
                  double lr, double grad_scale, int64_t t, size_t from,
                  size_t to)
{
    const struct backend *be = backend_pick(DTYPE_FP32);
    const struct adamw_step step = {
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .eps = (float)o->eps,
        .grad_scale = (float)grad_scale,
        .rate = (float)(lr / (1 - pow(o->beta1, (double)t))),
        .inv_sqrt = (float)(1 / sqrt(1 - pow(o->beta2, (double)t)))};

    for (int i = 0; i < table->n; i++) {
        const struct param *p = &table->param[i];
        size_t end = i + 1 < table->n ? p[1].offset : table->size;
        size_t a = p->offset > from ? p->offset : from;
        size_t b = end < to ? end : to;

        if (a < b)
            be->adamw(params + a, m + a, v + a, grad + a, &step,
                      p->decay ? (float)(1 - lr * o->weight_decay) : 1, b - a);
    }
}
