/* attention: flash, or cuDNN's (fused.h), or with the scores of one sequence
 * at a time in memory.  The last is the reference for the others, and serves
 * head sizes that have no flash kernel. */
#include "trainer/cuda/engine_impl.h"

#include <math.h>

static struct flash_shape flash_shape_of(const struct engine *g, int64_t rows)
{
    return {static_cast<int>(rows), g->T, g->H, g->KV, g->D};
}

/* For each group a product of its member-th head: out[T, T] = x y^T, where x
 * is heads of leading dimension ldx and y is keys or values. */
static void scores(struct engine *g, float *out, const bf16 *x, int64_t ldx,
                   const bf16 *y, int heads)
{
    struct gemm_shape s = {1,
                           0,
                           g->T,
                           g->T,
                           g->D,
                           g->Q,
                           ldx,
                           g->T,
                           g->KV,
                           g->D,
                           static_cast<int64_t>(heads) * g->D,
                           static_cast<int64_t>(heads) * g->T * g->T,
                           1};

    gemm(g, out, y, x, nullptr, &s);
}

/* out[T, D] of each group from w[T, T] and y[T, D], or from w^T with `turned`.
 */
static void weighted(struct engine *g, void *out, int64_t ldo, int64_t between,
                     const bf16 *w, int turned, int heads, const bf16 *y,
                     int64_t ldy, int64_t between_y, int fp32, int add)
{
    struct gemm_shape s = {0,
                           turned,
                           g->D,
                           g->T,
                           g->T,
                           ldy,
                           g->T,
                           ldo,
                           g->KV,
                           between_y,
                           static_cast<int64_t>(heads) * g->T * g->T,
                           between,
                           fp32};

    gemm(g, out, y, w, add ? out : nullptr, &s);
}

struct one {
    const bf16 *q, *k, *v;
    int heads;       /* of a group */
    int64_t C, each; /* floats of a row of o; of a score matrix */
};

static struct one one_of(const struct engine *g, const bf16 *qkv, int64_t row)
{
    const bf16 *q = qkv + row * g->T * g->Q;

    return {q,
            q + static_cast<int64_t>(g->H) * g->D,
            q + static_cast<int64_t>(g->H + g->KV) * g->D,
            g->H / g->KV,
            static_cast<int64_t>(g->H) * g->D,
            static_cast<int64_t>(g->T) * g->T};
}

/* g->weight of the sequence */
static void weights(struct engine *g, const struct one *s)
{
    for (int h = 0; h < s->heads; h++)
        scores(g, g->score + h * s->each, s->q + h * g->D, g->Q, s->k,
               s->heads);
    softmax_forward(g->weight, g->score, 1 / sqrtf(static_cast<float>(g->D)),
                    static_cast<int64_t>(g->H) * g->T, g->T, g->main);
}

static void materialised(struct engine *g, bf16 *o, const bf16 *qkv,
                         int64_t row)
{
    struct one s = one_of(g, qkv, row);

    weights(g, &s);
    for (int h = 0; h < s.heads; h++)
        weighted(g, o + row * g->T * s.C + h * g->D, s.C, s.heads * g->D,
                 g->weight + h * s.each, 0, s.heads, s.v, g->Q, g->D, 0, 0);
}

static void materialised_back(struct engine *g, const bf16 *qkv, int64_t row)
{
    struct one s = one_of(g, qkv, row);
    const bf16 *dout = g->dn + row * g->T * s.C;
    bf16 *dq = g->dqkv + row * g->T * g->Q;
    int64_t width = static_cast<int64_t>(g->KV) * g->D;
    float *dk = g->dkv, *dv = g->dkv + g->T * width;

    weights(g, &s);
    for (int h = 0; h < s.heads; h++) /* dp, in the place of the scores */
        scores(g, g->score + h * s.each, dout + h * g->D, s.C, s.v, s.heads);
    softmax_backward(g->dscore, g->weight, g->score,
                     1 / sqrtf(static_cast<float>(g->D)),
                     static_cast<int64_t>(g->H) * g->T, g->T, g->main);
    for (int h = 0; h < s.heads; h++) {
        const bf16 *w = g->weight + h * s.each, *ds = g->dscore + h * s.each;

        weighted(g, dv, width, g->D, w, 1, s.heads, dout + h * g->D, s.C,
                 s.heads * g->D, 1, h > 0);
        weighted(g, dq + h * g->D, g->Q, s.heads * g->D, ds, 0, s.heads, s.k,
                 g->Q, g->D, 0, 0);
        weighted(g, dk, width, g->D, ds, 1, s.heads, s.q + h * g->D, g->Q,
                 s.heads * g->D, 1, h > 0);
    }
    copy_columns(dq + s.C, g->Q, dk, g->T, static_cast<int>(width), g->main);
    copy_columns(dq + s.C + width, g->Q, dv, g->T, static_cast<int>(width),
                 g->main);
}

static int wants_fused(const struct engine *g)
{
    return g->opt.attention == ENGINE_ATTENTION_CUDNN;
}

void attention_open(struct engine *g)
{
    const char *instead =
        g->flash ? "flash attention" : "materialised attention";

    if (!wants_fused(g))
        return;
    if (!g->flash)
        err_set(&g->note, ERR_ENV, "head_dim is not 8, 16, 32, 64 or 128");
    else if (!fused_open(&g->fused, flash_shape_of(g, g->rows), &g->note))
        return;
    err_prefix(&g->note, "no attention by cuDNN, %s instead: ", instead);
}

void attention_close(struct engine *g)
{
    if (g->fused)
        fused_close(g->fused);
}

size_t attention_bytes(const struct engine *g, int64_t rows)
{
    return wants_fused(g) && g->flash ? fused_estimate(flash_shape_of(g, rows))
                                      : 0;
}

/* An error of cuDNN's is one of the engine. */
static void fused_done(struct engine *g, int r, const struct err *e)
{
    if (r)
        engine_fail(g, "%s", e->text);
}

void attention_forward(struct engine *g, struct kept *k, int64_t rows)
{
    struct err e;

    if (g->fused)
        fused_done(g,
                   fused_forward(g->fused, k->o, k->lse, k->qkv,
                                 flash_shape_of(g, rows), g->main, &e),
                   &e);
    else if (g->flash)
        flash_forward(k->o, k->lse, k->qkv, flash_shape_of(g, rows), g->main);
    else
        for (int64_t r = 0; r < rows; r++)
            materialised(g, k->o, k->qkv, r);
}

void attention_backward(struct engine *g, struct kept *k, int64_t rows)
{
    struct err e;

    if (g->fused)
        fused_done(g,
                   fused_backward(g->fused, g->dqkv, g->dot, g->dn, k->o,
                                  k->lse, k->qkv, flash_shape_of(g, rows),
                                  g->main, &e),
                   &e);
    else if (g->flash)
        flash_backward(g->dqkv, g->dot, g->dn, k->o, k->lse, k->qkv,
                       flash_shape_of(g, rows), g->main);
    else
        for (int64_t r = 0; r < rows; r++)
            materialised_back(g, k->qkv, r);
}
