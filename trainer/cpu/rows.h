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
/* Which of the V16 partial sums a vec at position i adds to. */
#define LANE(i) ((i) / VW % V16)

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

static void fast_rmsnorm(float *y, float *rstd, const float *x, const float *g,
                         float eps, int64_t m, int64_t c)
{
    for (int64_t i = 0; i < m; i++, x += c, y += c) {
        vec sum[V16] = {{0}}, r;

        for
            EACH_VEC(j, c)
            {
                vec v = vload_n(x + j, c - j);

                sum[LANE(j)] = vfma(v, v, sum[LANE(j)]);
            }
        rstd[i] = 1 / sqrtf(vsum16(sum) / (float)c + eps);
        r = vset(rstd[i]);
        for
            EACH_VEC(j, c)
        vstore_n(y + j, vload_n(x + j, c - j) * r * vload_n(g + j, c - j),
                 c - j);
    }
}

static void fast_rmsnorm_bwd(float *dx, float *dg, float *y, const float *dy,
                             const float *x, const float *g, const float *rstd,
                             int64_t m, int64_t c)
{
    for (int64_t i = 0; i < m; i++, x += c, y += c, dx += c, dy += c) {
        vec sum[V16] = {{0}}, r = vset(rstd[i]), mean;

        for
            EACH_VEC(j, c)
            {
                vec u = vload_n(x + j, c - j) * r, d = vload_n(dy + j, c - j);
                vec w = vload_n(g + j, c - j), p = u * d;

                vstore_n(y + j, u * w, c - j);
                vstore_n(dg + j, vload_n(dg + j, c - j) + p, c - j);
                sum[LANE(j)] = vfma(p, w, sum[LANE(j)]);
            }
        mean = vset(-vsum16(sum) / (float)c);
        for
            EACH_VEC(j, c)
            {
                vec u = vload_n(x + j, c - j) * r, d = vload_n(dy + j, c - j);
                vec w = vload_n(g + j, c - j);

                vstore_n(dx + j,
                         vfma(vfma(u, mean, d * w), r, vload_n(dx + j, c - j)),
                         c - j);
            }
    }
}

/* 1 / (1 + exp(-x)) */
INLINE vec vsigmoid(vec x)
{
    return vset(1) / (vset(1) + vexp2(vmin(vset(126), x * vset(-LOG2E))));
}

static void fast_swiglu(float *act, const float *gu, int64_t m, int64_t f)
{
    for (int64_t i = 0; i < m; i++, act += f, gu += 2 * f)
        for
            EACH_VEC(j, f)
            {
                vec g = vload_n(gu + j, f - j), u = vload_n(gu + f + j, f - j);

                vstore_n(act + j, g * vsigmoid(g) * u, f - j);
            }
}

static void fast_swiglu_bwd(float *dgu, float *act, const float *dact,
                            const float *gu, int64_t m, int64_t f)
{
    for (int64_t i = 0; i < m; i++, act += f, dact += f) {
        for
            EACH_VEC(j, f)
            {
                vec g = vload_n(gu + j, f - j), u = vload_n(gu + f + j, f - j);
                vec d = vload_n(dact + j, f - j), s = vsigmoid(g), h = g * s;

                vstore_n(act + j, h * u, f - j);
                /* silu'(g) = s + g s (1 - s) */
                vstore_n(dgu + j, d * u * vfma(h, vset(1) - s, s), f - j);
                vstore_n(dgu + f + j, d * h, f - j);
            }
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
        for (int i = 0; i < 4 * V16; i++) {
            vec e = vexp2((vload(z + j + i * VW) - m) * l);

            vstore(z + j + i * VW, e);
            sum[i] += e;
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
