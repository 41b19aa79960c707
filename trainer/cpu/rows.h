/* rows: what is done to rows of floats: norms, SwiGLU, cross entropy, the
 * embedding, AdamW.
 *
 * A row is walked 16 floats at a time, whatever the width of a vec, and sums
 * are kept in 16 lanes (or four times 16) that are added in one fixed tree, so
 * that every target gives the same bits.  Rows need not be a multiple of 16:
 * the missing lanes of the last piece are zero. */
#ifndef LOGLOG_TRAINER_CPU_ROWS_H
#define LOGLOG_TRAINER_CPU_ROWS_H

#include "trainer/backend.h"
#include "trainer/cpu/simd.h"

#include <math.h>

/* For each vec v at row position i: at most VW floats, `left` of them. */
#define EACH_VEC(i, n) (int64_t i = 0; i < (n); i += VW)
/* piece(..., j, left, whole) for each 16 floats of a row from j on; `left`
 * remain there, and are 16 when whole is 1. */
#define EACH_16(n, piece, ...)                                                 \
    do {                                                                       \
        int64_t j_ = 0;                                                        \
                                                                               \
        for (; j_ + 16 <= (n); j_ += 16)                                       \
            piece(__VA_ARGS__, j_, 16, 1);                                     \
        if (j_ < (n))                                                          \
            piece(__VA_ARGS__, j_, (n)-j_, 0);                                 \
    } while (0)

static void fast_embed(float *x, const float *table, const int32_t *token,
                       int64_t m, int64_t c)
{
    for (int64_t i = 0; i < m; i++)
        memcpy(x + i * c, table + token[i] * c, (size_t)c * sizeof *x);
}

static void fast_embed_bwd(float *dtable, const float *dx, const int32_t *token,
                           int64_t m, int64_t c)
{
    for (int64_t i = 0; i < m; i++, dx += c) {
        float *d = dtable + token[i] * c;

        for
            EACH_VEC(j, c)
        vstore_n(d + j, vload_n(d + j, c - j) + vload_n(dx + j, c - j), c - j);
    }
}

INLINE void add_squares(vec sum[V16], const float *x, int64_t j, int64_t left,
                        const int whole)
{
    UNROLL
    for (int i = 0; i < V16; i++) {
        vec v = vget(x + j + i * VW, left - i * VW, whole);

        sum[i] = vfma(v, v, sum[i]);
    }
}

INLINE void scale_piece(float *y, const float *x, const float *g, vec r,
                        int64_t j, int64_t left, const int whole)
{
    UNROLL
    for (int i = 0; i < V16; i++) {
        int64_t at = j + i * VW, l = left - i * VW;

        vput(y + at, vget(x + at, l, whole) * r * vget(g + at, l, whole), l,
             whole);
    }
}

static void fast_rmsnorm(float *y, float *rstd, const float *x, const float *g,
                         float eps, int64_t m, int64_t c)
{
    for (int64_t i = 0; i < m; i++, x += c, y += c) {
        vec sum[V16] = {{0}}, r;

        EACH_16(c, add_squares, sum, x);
        rstd[i] = 1 / sqrtf(vsum16(sum) / (float)c + eps);
        r = vset(rstd[i]);
        EACH_16(c, scale_piece, y, x, g, r);
    }
}

/* A row on the way back: u = x r is the row over its rms. */
struct norm_row {
    float *dx, *dg, *y;
    const float *dy, *x, *g;
    vec r, mean, sum[V16];
};

INLINE void norm_sums(struct norm_row *n, int64_t j, int64_t left,
                      const int whole)
{
    UNROLL
    for (int i = 0; i < V16; i++) {
        int64_t at = j + i * VW, l = left - i * VW;
        vec u = vget(n->x + at, l, whole) * n->r;
        vec w = vget(n->g + at, l, whole);
        vec p = u * vget(n->dy + at, l, whole);

        vput(n->y + at, u * w, l, whole);
        vput(n->dg + at, vget(n->dg + at, l, whole) + p, l, whole);
        n->sum[i] = vfma(p, w, n->sum[i]);
    }
}

INLINE void norm_add(const struct norm_row *n, int64_t j, int64_t left,
                     const int whole)
{
    UNROLL
    for (int i = 0; i < V16; i++) {
        int64_t at = j + i * VW, l = left - i * VW;
        vec u = vget(n->x + at, l, whole) * n->r;
        vec d = vget(n->dy + at, l, whole) * vget(n->g + at, l, whole);
        vec dx = vget(n->dx + at, l, whole);

        vput(n->dx + at, vfma(vfma(u, n->mean, d), n->r, dx), l, whole);
    }
}

static void fast_rmsnorm_bwd(float *dx, float *dg, float *y, const float *dy,
                             const float *x, const float *g, const float *rstd,
                             int64_t m, int64_t c)
{
    struct norm_row n = {.dx = dx, .dg = dg, .y = y, .dy = dy, .x = x, .g = g};

    for (int64_t i = 0; i < m; i++) {
        n.r = vset(rstd[i]);
        for (int k = 0; k < V16; k++)
            n.sum[k] = vset(0);
        EACH_16(c, norm_sums, &n);
        n.mean = vset(-vsum16(n.sum) / (float)c);
        EACH_16(c, norm_add, &n);
        n.dx += c;
        n.y += c;
        n.dy += c;
        n.x += c;
    }
}

/* x[i] = 1 / (1 + exp(-x[i])), n vecs */
INLINE void vsigmoids(vec *x, const int n)
{
    UNROLL
    for (int i = 0; i < n; i++)
        x[i] = vmin(vset(126), x[i] * vset(-LOG2E));
    vexp2s(x, n);
    UNROLL
    for (int i = 0; i < n; i++)
        x[i] = vset(1) / (vset(1) + x[i]);
}

/* n vecs of a row, the last one perhaps not whole: `left` floats in all. */
INLINE void swiglu_vecs(float *act, const float *gu, int64_t f, int64_t left,
                        const int n)
{
    vec g[4], s[4];

    UNROLL
    for (int i = 0; i < n; i++)
        s[i] = g[i] = vload_n(gu + i * VW, left - i * VW);
    vsigmoids(s, n);
    UNROLL
    for (int i = 0; i < n; i++)
        vstore_n(act + i * VW,
                 g[i] * s[i] * vload_n(gu + f + i * VW, left - i * VW),
                 left - i * VW);
}

static void fast_swiglu(float *act, const float *gu, int64_t m, int64_t f)
{
    for (int64_t i = 0; i < m; i++, act += f, gu += 2 * f) {
        int64_t j = 0;

        for (; j + 4 * VW <= f; j += 4 * VW)
            swiglu_vecs(act + j, gu + j, f, 4 * VW, 4);
        for (; j < f; j += VW)
            swiglu_vecs(act + j, gu + j, f, f - j, 1);
    }
}

INLINE void swiglu_bwd_vecs(float *dgu, float *act, const float *dact,
                            const float *gu, int64_t f, int64_t left,
                            const int n)
{
    vec s[4];

    UNROLL
    for (int i = 0; i < n; i++)
        s[i] = vload_n(gu + i * VW, left - i * VW);
    vsigmoids(s, n);
    UNROLL
    for (int i = 0; i < n; i++) {
        int64_t at = i * VW, l = left - at;
        vec h = vload_n(gu + at, l) * s[i], u = vload_n(gu + f + at, l);
        vec d = vload_n(dact + at, l);

        vstore_n(act + at, h * u, l);
        /* silu'(g) = s + g s (1 - s) */
        vstore_n(dgu + at, d * u * vfma(h, vset(1) - s[i], s[i]), l);
        vstore_n(dgu + f + at, d * h, l);
    }
}

static void fast_swiglu_bwd(float *dgu, float *act, const float *dact,
                            const float *gu, int64_t m, int64_t f)
{
    for (int64_t i = 0; i < m; i++, act += f, dact += f) {
        int64_t j = 0;

        for (; j + 4 * VW <= f; j += 4 * VW)
            swiglu_bwd_vecs(dgu + j, act + j, dact + j, gu + j, f, 4 * VW, 4);
        for (; j < f; j += VW)
            swiglu_bwd_vecs(dgu + j, act + j, dact + j, gu + j, f, f - j, 1);
        gu += 2 * f;
        dgu += 2 * f;
    }
}

/* The largest of a row of logits. */
static float row_max(const float *z, int64_t n)
{
    vec m[4] = {vset(z[0]), vset(z[0]), vset(z[0]), vset(z[0])};
    float x[VW], max;
    int64_t j = 0;

    for (; j + 4 * VW <= n; j += 4 * VW) {
        UNROLL
        for (int i = 0; i < 4; i++)
            m[i] = vmax(m[i], vload(z + j + i * VW));
    }
    vstore(x, vmax(vmax(m[0], m[1]), vmax(m[2], m[3])));
    max = x[0];
    for (int i = 1; i < VW; i++)
        max = x[i] > max ? x[i] : max;
    for (; j < n; j++)
        max = z[j] > max ? z[j] : max;
    return max;
}

/* z becomes exp(z - max); returns the sum, over 64 lanes. */
static float row_exp(float *z, float max, int64_t n)
{
    vec sum[4 * V16] = {{0}}, l = vset(LOG2E), m = vset(max);
    int64_t j = 0;

    for (; j + 64 <= n; j += 64) {
        UNROLL
        for (int g = 0; g < 4 * V16; g += 4) {
            vec e[4];

            UNROLL
            for (int i = 0; i < 4; i++)
                e[i] = (vload(z + j + (g + i) * VW) - m) * l;
            vexp2s(e, 4);
            UNROLL
            for (int i = 0; i < 4; i++) {
                vstore(z + j + (g + i) * VW, e[i]);
                sum[g + i] += e[i];
            }
        }
    }
    for (int64_t i = 0; j < n; j += VW, i++) {
        vec e = vexp2((vload_n(z + j, n - j) - m) * l);

        vstore_n(z + j, e, n - j);
        if (n - j < VW)
            e = vload_part(z + j, n - j);
        sum[i] += e;
    }
    UNROLL
    for (int i = 0; i < V16; i++)
        sum[i] =
            (sum[i] + sum[i + V16]) + (sum[i + 2 * V16] + sum[i + 3 * V16]);
    return vsum16(sum);
}

static void fast_xent(double *nats, float *logits, const int32_t *target,
                      int64_t m, int64_t v, float scale)
{
    for (int64_t i = 0; i < m; i++, logits += v) {
        float max = row_max(logits, v), z = logits[target[i]];
        float sum = row_exp(logits, max, v);
        vec s = vset(scale / sum);

        *nats += log((double)sum) + ((double)max - (double)z);
        for
            EACH_VEC(j, v)
        vstore_n(logits + j, vload_n(logits + j, v - j) * s, v - j);
        logits[target[i]] -= scale;
    }
}

static void fast_xent_loss(double *nats, float *logits, const int32_t *target,
                           int64_t m, int64_t v)
{
    for (int64_t i = 0; i < m; i++, logits += v) {
        float max = row_max(logits, v), z = logits[target[i]];

        *nats +=
            log((double)row_exp(logits, max, v)) + ((double)max - (double)z);
    }
}

static double fast_sum_squares(const float *g, size_t len)
{
    vec sum[4 * V16] = {{0}};
    int64_t n = (int64_t)len, j = 0;

    for (; j + 64 <= n; j += 64) {
        UNROLL
        for (int i = 0; i < 4 * V16; i++) {
            vec x = vload(g + j + i * VW);

            sum[i] = vfma(x, x, sum[i]);
        }
    }
    for (int64_t i = 0; j < n; j += VW, i++) {
        vec x = vload_n(g + j, n - j);

        sum[i] = vfma(x, x, sum[i]);
    }
    UNROLL
    for (int i = 0; i < V16; i++)
        sum[i] =
            (sum[i] + sum[i + V16]) + (sum[i + 2 * V16] + sum[i + 3 * V16]);
    return (double)vsum16(sum);
}

static void fast_adamw(float *p, float *m, float *v, const float *g,
                       const struct adamw_step *s, float decay, size_t len)
{
    vec b1 = vset(s->beta1), c1 = vset(1 - s->beta1);
    vec b2 = vset(s->beta2), c2 = vset(1 - s->beta2);
    vec scale = vset(s->grad_scale), eps = vset(s->eps), dec = vset(decay);
    vec rate = vset(-s->rate), inv = vset(s->inv_sqrt);
    int64_t n = (int64_t)len;

    for
        EACH_VEC(j, n)
        {
            int64_t left = n - j;
            vec d = vload_n(g + j, left) * scale;
            vec nm = vfma(b1, vload_n(m + j, left), c1 * d);
            vec nv = vfma(b2, vload_n(v + j, left), c2 * d * d);
            vec step = nm / vfma(vsqrt(nv), inv, eps);

            vstore_n(m + j, nm, left);
            vstore_n(v + j, nv, left);
            vstore_n(p + j, vfma(rate, step, dec * vload_n(p + j, left)), left);
        }
}

#endif
