/* reference: every operation of backend.h as plain loops, with sums in double.
 * It is the truth for the other backends and is read as the definition of
 * what they compute; it is not meant to be fast. */
#include "trainer/cpu/reference.h"
#include "base/rng.h"
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
                   const struct linear *l, int64_t m, int add, int bf16)
{
    for (int64_t j = 0; j < l->n; j++)
        for (int64_t c = 0; c < l->k; c++) {
            double s = add ? (double)dw[j * l->k + c] : 0;

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

static void normals(float *w, uint64_t seed, uint64_t at, double std, size_t n)
{
    for (size_t i = 0; i < n; i++)
        w[i] = (float)(std * rng_normal(seed, RNG_INIT, at + i));
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

/* The linear layers, for both operand types. */
#define LINEAR(SUFFIX, BF16)                                                   \
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
                                  const struct linear *l, int64_t m, int add,  \
                                  void *s)                                     \
    {                                                                          \
        (void)s;                                                               \
        mul_dw(dw, dy, x, l, m, add, BF16);                                    \
    }

LINEAR(_fp32, 0)
LINEAR(_bf16, 1)

#define TABLE(NAME, SUFFIX, BF16)                                              \
    {                                                                          \
        .name = NAME, .bf16 = BF16, .usable = usable, .peak = peak,            \
        .pack_bytes = pack_bytes, .scratch_bytes = scratch_bytes,              \
        .pack = pack, .linear = linear##SUFFIX,                                \
        .linear_dx = linear_dx##SUFFIX, .linear_dw = linear_dw##SUFFIX,        \
        .embed = embed, .embed_bwd = embed_bwd, .rmsnorm = rmsnorm,            \
        .rmsnorm_bwd = rmsnorm_bwd, .attention = reference_attention,          \
        .attention_bwd = reference_attention_bwd, .swiglu = swiglu,            \
        .swiglu_bwd = swiglu_bwd, .xent = xent, .xent_loss = xent_loss,        \
        .sum_squares = sum_squares, .adamw = adamw, .normals = normals         \
    }

const struct backend backend_reference = TABLE("reference", _fp32, 0);
const struct backend backend_reference_bf16 = TABLE("reference-bf16", _bf16, 1);
