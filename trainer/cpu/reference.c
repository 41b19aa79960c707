/* reference: every operation of backend.h as plain loops, with sums in double.
 * It is the truth for the other backends and is read as the definition of
 * what they compute; it is not meant to be fast. */
#include "trainer/adamw.h"
#include "trainer/backend.h"
#include "trainer/cpu/bf16.h"

#include <math.h>
#include <string.h>

static int usable(void)
{
    return 1;
}

static double peak(int64_t rounds)
{
    volatile double sink;
    double s[8] = {0, 1, 2, 3, 4, 5, 6, 7}, sum = 0;

    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < 8; i++)
            s[i] = s[i] * 0.5 + 0.25;
    for (int i = 0; i < 8; i++)
        sum += s[i];
    sink = sum;
    (void)sink;
    return 16 * (double)rounds;
}

static size_t pack_bytes(int64_t n, int64_t k)
{
    (void)n;
    (void)k;
    return 0;
}

static size_t scratch_bytes(const struct backend_shape *s)
{
    return 2 * (size_t)s->att.seq_len * sizeof(double);
}

static void pack(struct linear *l)
{
    (void)l;
}

/* An operand of a matrix product as the hardware would see it. */
static double operand(float x, int bf16)
{
    return (double)(bf16 ? bf16_round(x) : x);
}

static void mul(float *y, const float *x, const float *res,
                const struct linear *l, int64_t m, int bf16)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < l->n; j++) {
            double s = res ? (double)res[i * l->n + j] : 0;

            for (int64_t c = 0; c < l->k; c++)
                s += operand(x[i * l->k + c], bf16) *
                     operand(l->w[j * l->k + c], bf16);
            y[i * l->n + j] = (float)s;
        }
}

static void mul_dx(float *dx, const float *dy, const struct linear *l,
                   int64_t m, int bf16)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t c = 0; c < l->k; c++) {
            double s = 0;

            for (int64_t j = 0; j < l->n; j++)
                s += operand(dy[i * l->n + j], bf16) *
                     operand(l->w[j * l->k + c], bf16);
            dx[i * l->k + c] = (float)s;
        }
}

static void mul_dw(float *dw, const float *dy, const float *x,
                   const struct linear *l, int64_t m, int bf16)
{
    for (int64_t j = 0; j < l->n; j++)
        for (int64_t c = 0; c < l->k; c++) {
            double s = (double)dw[j * l->k + c];

            for (int64_t i = 0; i < m; i++)
                s += operand(dy[i * l->n + j], bf16) *
                     operand(x[i * l->k + c], bf16);
            dw[j * l->k + c] = (float)s;
        }
}

static void embed(float *x, const float *table, const int32_t *token, int64_t m,
                  int64_t c)
{
    for (int64_t i = 0; i < m; i++)
        memcpy(x + i * c, table + (int64_t)token[i] * c, (size_t)c * sizeof *x);
}

static void embed_bwd(float *dtable, const float *dx, const int32_t *token,
                      int64_t m, int64_t c)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < c; j++)
            dtable[(int64_t)token[i] * c + j] += dx[i * c + j];
}

static void rmsnorm(float *y, float *rstd, const float *x, const float *g,
                    float eps, int64_t m, int64_t c)
{
    for (int64_t i = 0; i < m; i++) {
        double s = 0;

        for (int64_t j = 0; j < c; j++)
            s += (double)x[i * c + j] * (double)x[i * c + j];
        rstd[i] = (float)(1 / sqrt(s / (double)c + (double)eps));
        for (int64_t j = 0; j < c; j++)
            y[i * c + j] = x[i * c + j] * rstd[i] * g[j];
    }
}

/* With h = x rstd:  dx = rstd (g dy - h mean(g dy h)),  dg = sum dy h. */
static void rmsnorm_bwd(float *dx, float *dg, float *y, const float *dy,
                        const float *x, const float *g, const float *rstd,
                        int64_t m, int64_t c)
{
    for (int64_t i = 0; i < m; i++) {
        double s = 0, r = (double)rstd[i];

        for (int64_t j = 0; j < c; j++)
            s += (double)dy[i * c + j] * (double)g[j] * (double)x[i * c + j];
        s *= r / (double)c;
        for (int64_t j = 0; j < c; j++) {
            double h = (double)x[i * c + j] * r, d = (double)dy[i * c + j];

            dx[i * c + j] += (float)(r * (d * (double)g[j] - h * s));
            dg[j] += (float)(d * h);
            y[i * c + j] = x[i * c + j] * rstd[i] * g[j];
        }
    }
}

static void swiglu(float *act, const float *gu, int64_t m, int64_t f)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < f; j++) {
            double g = (double)gu[i * 2 * f + j];
            double u = (double)gu[i * 2 * f + f + j];

            act[i * f + j] = (float)(g / (1 + exp(-g)) * u);
        }
}

static void swiglu_bwd(float *dgu, float *act, const float *dact,
                       const float *gu, int64_t m, int64_t f)
{
    swiglu(act, gu, m, f);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < f; j++) {
            double g = (double)gu[i * 2 * f + j];
            double u = (double)gu[i * 2 * f + f + j];
            double d = (double)dact[i * f + j], s = 1 / (1 + exp(-g));

            dgu[i * 2 * f + j] = (float)(d * u * s * (1 + g * (1 - s)));
            dgu[i * 2 * f + f + j] = (float)(d * g * s);
        }
}

/* log sum exp of a row. */
static double row_lse(const float *z, int64_t v)
{
    double max = (double)z[0], s = 0;

    for (int64_t j = 1; j < v; j++)
        max = fmax(max, (double)z[j]);
    for (int64_t j = 0; j < v; j++)
        s += exp((double)z[j] - max);
    return max + log(s);
}

static void xent_loss(double *nats, float *logits, const int32_t *target,
                      int64_t m, int64_t v)
{
    for (int64_t i = 0; i < m; i++)
        *nats += row_lse(logits + i * v, v) - (double)logits[i * v + target[i]];
}

static void xent(double *nats, float *logits, const int32_t *target, int64_t m,
                 int64_t v, float scale)
{
    for (int64_t i = 0; i < m; i++) {
        float *z = logits + i * v;
        double lse = row_lse(z, v);

        *nats += lse - (double)z[target[i]];
        for (int64_t j = 0; j < v; j++)
            z[j] = (float)((double)scale *
                           (exp((double)z[j] - lse) - (j == target[i])));
    }
}

static double sum_squares(const float *g, size_t n)
{
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += (double)g[i] * (double)g[i];
    return s;
}

static void adamw(float *p, float *m, float *v, const float *g,
                  const struct adamw_step *s, float decay, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float d = g[i] * s->grad_scale;

        m[i] = s->beta1 * m[i] + (1 - s->beta1) * d;
        v[i] = s->beta2 * v[i] + (1 - s->beta2) * d * d;
        p[i] = decay * p[i] -
               s->rate * m[i] / (sqrtf(v[i]) * s->inv_sqrt + s->eps);
    }
}

/* Component i of a rotated query or key head x at position t: the pairs are
 * (i, i + head_dim / 2); dir -1 turns back. */
static double rotated(const float *x, const struct attention *a, int64_t t,
                      int64_t i, double dir)
{
    int64_t half = a->head_dim / 2, p = i % half;
    double c = (double)a->cos[p * a->seq_len + t];
    double s = dir * (double)a->sin[p * a->seq_len + t];

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
                   const struct head *h, int64_t t, int bf16)
{
    for (int64_t j = 0; j <= t; j++) {
        double sum = 0;

        for (int64_t i = 0; i < h->hd; i++)
            sum += operand((float)rotated(qkv + t * h->ld + h->q, a, t, i, 1),
                           bf16) *
                   operand((float)rotated(qkv + j * h->ld + h->k, a, j, i, 1),
                           bf16);
        s[j] = sum * h->scale;
    }
}

static void attend(float *o, float *stat, const float *qkv,
                   const struct attention *a, double *s, int bf16)
{
    for (int64_t n = 0; n < a->n_head; n++) {
        struct head h = head_of(a, n);

        for (int64_t t = 0; t < a->seq_len; t++) {
            double max = -INFINITY, sum = 0;

            scores(s, qkv, a, &h, t, bf16);
            for (int64_t j = 0; j <= t; j++)
                max = fmax(max, s[j]);
            for (int64_t j = 0; j <= t; j++)
                sum += exp(s[j] - max);
            stat[2 * n * a->seq_len + t] = (float)max;
            stat[(2 * n + 1) * a->seq_len + t] = (float)sum;
            for (int64_t i = 0; i < h.hd; i++) {
                double y = 0;

                for (int64_t j = 0; j <= t; j++)
                    y += operand((float)exp(s[j] - max), bf16) *
                         operand(qkv[j * h.ld + h.v + i], bf16);
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
                           int64_t t, int bf16)
{
    double dot = 0;

    for (int64_t i = 0; i < h->hd; i++)
        dot += (double)dout[i] * (double)o[i];
    for (int64_t j = 0; j <= t; j++) {
        double p = exp(s[j] - lse), dp = 0, ds;
        const float *q = qkv + t * h->ld + h->q, *k = qkv + j * h->ld + h->k;

        for (int64_t i = 0; i < h->hd; i++)
            dp += operand(dout[i], bf16) *
                  operand(qkv[j * h->ld + h->v + i], bf16);
        ds = operand((float)(p * (dp - dot) * h->scale), bf16);
        p = operand((float)p, bf16);
        for (int64_t i = 0; i < h->hd; i++) {
            float *to = dqkv + i;

            to[t * h->ld + h->q] +=
                (float)(ds * operand((float)rotated(k, a, j, i, 1), bf16));
            to[j * h->ld + h->k] +=
                (float)(ds * operand((float)rotated(q, a, t, i, 1), bf16));
            to[j * h->ld + h->v] += (float)(p * operand(dout[i], bf16));
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

static void attend_bwd(float *dqkv, const float *dout, const float *o,
                       const float *stat, const float *qkv,
                       const struct attention *a, double *s, int bf16)
{
    int64_t ld = (a->n_head + 2 * a->n_kv_head) * a->head_dim;

    memset(dqkv, 0, (size_t)(a->seq_len * ld) * sizeof *dqkv);
    for (int64_t n = 0; n < a->n_head; n++) {
        struct head h = head_of(a, n);
        const float *st = stat + 2 * n * a->seq_len;

        for (int64_t t = 0; t < a->seq_len; t++) {
            int64_t at = (t * a->n_head + n) * h.hd;

            scores(s, qkv, a, &h, t, bf16);
            attend_row_bwd(dqkv, s, dout + at, o + at,
                           (double)st[t] + log((double)st[a->seq_len + t]), qkv,
                           a, &h, t, bf16);
        }
    }
    unrotate(dqkv, a);
}

/* The same functions for both operand types. */
#define OPERATIONS(SUFFIX, BF16)                                               \
    static void linear##SUFFIX(float *y, const float *x, const float *res,     \
                               const struct linear *l, int64_t m, void *s)     \
    {                                                                          \
        (void)s;                                                               \
        mul(y, x, res, l, m, BF16);                                            \
    }                                                                          \
    static void linear_dx##SUFFIX(float *dx, const float *dy,                  \
                                  const struct linear *l, int64_t m, void *s)  \
    {                                                                          \
        (void)s;                                                               \
        mul_dx(dx, dy, l, m, BF16);                                            \
    }                                                                          \
    static void linear_dw##SUFFIX(float *dw, const float *dy, const float *x,  \
                                  const struct linear *l, int64_t m, void *s)  \
    {                                                                          \
        (void)s;                                                               \
        mul_dw(dw, dy, x, l, m, BF16);                                         \
    }                                                                          \
    static void attention##SUFFIX(float *o, float *stat, const float *qkv,     \
                                  const struct attention *a, void *s)          \
    {                                                                          \
        attend(o, stat, qkv, a, s, BF16);                                      \
    }                                                                          \
    static void attention_bwd##SUFFIX(                                         \
        float *dqkv, const float *dout, const float *o, const float *stat,     \
        const float *qkv, const struct attention *a, void *s)                  \
    {                                                                          \
        attend_bwd(dqkv, dout, o, stat, qkv, a, s, BF16);                      \
    }

OPERATIONS(_fp32, 0)
OPERATIONS(_bf16, 1)

#define TABLE(NAME, SUFFIX, BF16)                                              \
    {                                                                          \
        .name = NAME, .bf16 = BF16, .usable = usable, .peak = peak,            \
        .pack_bytes = pack_bytes, .scratch_bytes = scratch_bytes,              \
        .pack = pack, .linear = linear##SUFFIX,                                \
        .linear_dx = linear_dx##SUFFIX, .linear_dw = linear_dw##SUFFIX,        \
        .embed = embed, .embed_bwd = embed_bwd, .rmsnorm = rmsnorm,            \
        .rmsnorm_bwd = rmsnorm_bwd, .attention = attention##SUFFIX,            \
        .attention_bwd = attention_bwd##SUFFIX, .swiglu = swiglu,              \
        .swiglu_bwd = swiglu_bwd, .xent = xent, .xent_loss = xent_loss,        \
        .sum_squares = sum_squares, .adamw = adamw                             \
    }

const struct backend backend_reference = TABLE("reference", _fp32, 0);
const struct backend backend_reference_bf16 = TABLE("reference-bf16", _bf16, 1);
