/* reference_attention: causal attention as plain loops, with sums in double;
 * the definition of what the other backends compute. */
#include "trainer/cpu/reference.h"

#include <math.h>
#include <string.h>

/* Component i of a rotated query or key head x at position t: the pairs are
 * (i, i + head_dim / 2); dir -1 turns back. */
static double rotated(const float *x, const struct attention *a, int64_t t,
                      int64_t i, double dir)
{
    int64_t half = a->head_dim / 2, p = i % half;
    double c = (double)a->cos[t * half + p];
    double s = dir * (double)a->sin[t * half + p];

    if (i < half)
        return c * (double)x[p] - s * (double)x[p + half];
    return s * (double)x[p] + c * (double)x[p + half];
}

/* Where the query, key and value rows of a head are. */
struct head {
    int64_t ld, hd;
    int64_t q, k, v; /* offsets in a row of qkv */
    double scale;
};

static struct head head_of(const struct attention *a, int64_t h)
{
    int64_t kv = h / (a->n_head / a->n_kv_head), hd = a->head_dim;

    return (struct head){.ld = (a->n_head + 2 * a->n_kv_head) * hd,
                         .hd = hd,
                         .q = h * hd,
                         .k = (a->n_head + kv) * hd,
                         .v = (a->n_head + a->n_kv_head + kv) * hd,
                         .scale = 1 / sqrt((double)hd)};
}

/* s[j] = scale q_t . k_j for j <= t, of rotated q and k */
static void scores(double *s, const float *qkv, const struct attention *a,
                   const struct head *h, int64_t t)
{
    for (int64_t j = 0; j <= t; j++) {
        double sum = 0;

        for (int64_t i = 0; i < h->hd; i++)
            sum += rotated(qkv + t * h->ld + h->q, a, t, i, 1) *
                   rotated(qkv + j * h->ld + h->k, a, j, i, 1);
        s[j] = sum * h->scale;
    }
}

void reference_attention(float *o, float *stat, const float *qkv,
                         const struct attention *a, void *scratch)
{
    double *s = scratch;

    for (int64_t n = 0; n < a->n_head; n++) {
        struct head h = head_of(a, n);

        for (int64_t t = 0; t < a->seq_len; t++) {
            double max = -INFINITY, sum = 0;

            scores(s, qkv, a, &h, t);
            for (int64_t j = 0; j <= t; j++)
                max = fmax(max, s[j]);
            for (int64_t j = 0; j <= t; j++)
                sum += exp(s[j] - max);
            stat[2 * n * a->seq_len + t] = (float)max;
            stat[(2 * n + 1) * a->seq_len + t] = (float)sum;
            for (int64_t i = 0; i < h.hd; i++) {
                double y = 0;

                for (int64_t j = 0; j <= t; j++)
                    y += exp(s[j] - max) * (double)qkv[j * h.ld + h.v + i];
                o[(t * a->n_head + n) * h.hd + i] = (float)(y / sum);
            }
        }
    }
}

/* One row of the way back: with p = exp(s - lse), dp_j = dout . v_j and
 * D = dout . o, ds_j = p_j (dp_j - D); dq = scale ds k, dk = scale ds q,
 * dv = p dout.  dq and dk are of the rotated vectors. */
static void attend_row_bwd(float *dqkv, const double *s, const float *dout,
                           const float *o, double lse, const float *qkv,
                           const struct attention *a, const struct head *h,
                           int64_t t)
{
    double dot = 0;

    for (int64_t i = 0; i < h->hd; i++)
        dot += (double)dout[i] * (double)o[i];
    for (int64_t j = 0; j <= t; j++) {
        double p = exp(s[j] - lse), dp = 0, ds;
        const float *q = qkv + t * h->ld + h->q, *k = qkv + j * h->ld + h->k;

        for (int64_t i = 0; i < h->hd; i++)
            dp += (double)dout[i] * (double)qkv[j * h->ld + h->v + i];
        ds = p * (dp - dot) * h->scale;
        for (int64_t i = 0; i < h->hd; i++) {
            float *to = dqkv + i;

            to[t * h->ld + h->q] += (float)(ds * rotated(k, a, j, i, 1));
            to[j * h->ld + h->k] += (float)(ds * rotated(q, a, t, i, 1));
            to[j * h->ld + h->v] += (float)(p * (double)dout[i]);
        }
    }
}

/* Turn the gradients of the rotated queries and keys back. */
static void unrotate(float *dqkv, const struct attention *a)
{
    int64_t ld = (a->n_head + 2 * a->n_kv_head) * a->head_dim;
    int64_t half = a->head_dim / 2;

    for (int64_t t = 0; t < a->seq_len; t++)
        for (int64_t n = 0; n < a->n_head + a->n_kv_head; n++) {
            float *x = dqkv + t * ld + n * a->head_dim;

            for (int64_t i = 0; i < half; i++) {
                float lo = (float)rotated(x, a, t, i, -1);

                x[i + half] = (float)rotated(x, a, t, i + half, -1);
                x[i] = lo;
            }
        }
}

void reference_attention_bwd(float *dqkv, const float *dout, const float *o,
                             const float *stat, const float *qkv,
                             const struct attention *a, void *scratch)
{
    double *s = scratch;
    int64_t ld = (a->n_head + 2 * a->n_kv_head) * a->head_dim;

    memset(dqkv, 0, (size_t)(a->seq_len * ld) * sizeof *dqkv);
    for (int64_t n = 0; n < a->n_head; n++) {
        struct head h = head_of(a, n);
        const float *st = stat + 2 * n * a->seq_len;

        for (int64_t t = 0; t < a->seq_len; t++) {
            int64_t at = (t * a->n_head + n) * h.hd;

            scores(s, qkv, a, &h, t);
            attend_row_bwd(dqkv, s, dout + at, o + at,
                           (double)st[t] + log((double)st[a->seq_len + t]), qkv,
                           a, &h, t);
        }
    }
    unrotate(dqkv, a);
}
