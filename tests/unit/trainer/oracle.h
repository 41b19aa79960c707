/* oracle: the loss of the model in double, written from the equations alone
 * and as naively as possible, for the tests of model.c.  It shares no code
 * with trainer/: it reads the parameters by the table's order only. */
#ifndef LOGLOG_TESTS_TRAINER_ORACLE_H
#define LOGLOG_TESTS_TRAINER_ORACLE_H

#include "sweep/spec.h"
#include "trainer/params.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void oracle_norm(double *y, const double *x, const double *g, double eps,
                        int64_t c)
{
    double s = 0;

    for (int64_t i = 0; i < c; i++)
        s += x[i] * x[i];
    for (int64_t i = 0; i < c; i++)
        y[i] = g[i] * x[i] / sqrt(s / (double)c + eps);
}

static void oracle_matvec(double *y, const double *w, const double *x,
                          int64_t n, int64_t k)
{
    for (int64_t i = 0; i < n; i++) {
        y[i] = 0;
        for (int64_t j = 0; j < k; j++)
            y[i] += w[i * k + j] * x[j];
    }
}

static void oracle_rope(double *x, int64_t t, double theta, int64_t hd)
{
    for (int64_t i = 0; i < hd / 2; i++) {
        double a = (double)t / pow(theta, 2.0 * (double)i / (double)hd);
        double u = x[i], w = x[i + hd / 2];

        x[i] = u * cos(a) - w * sin(a);
        x[i + hd / 2] = u * sin(a) + w * cos(a);
    }
}

/* Sum of nats over the T targets of one sequence of T + 1 tokens. */
static double oracle_loss(const double *params, const struct param_table *tab,
                          const struct model_spec *s, const int32_t *token)
{
    int64_t T = s->seq_len, C = s->d_model, H = s->n_head, G = s->n_kv_head;
    int64_t hd = C / H, Q = (H + 2 * G) * hd, F = s->d_ff, V = s->vocab;
    double *x = calloc((size_t)(T * C), sizeof *x);
    double *qkv = calloc((size_t)(T * Q), sizeof *qkv);
    double *n = calloc((size_t)C, sizeof *n), *o = calloc((size_t)C, sizeof *o);
    double *p = calloc((size_t)T, sizeof *p);
    double *gu = calloc((size_t)(2 * F), sizeof *gu);
    double *z = calloc((size_t)V, sizeof *z), nats = 0;
    const struct param *e = tab->param;

    for (int64_t t = 0; t < T; t++)
        memcpy(x + t * C, params + e->offset + (size_t)(token[t] * C),
               (size_t)C * sizeof *x);
    e++;
    for (int64_t l = 0; l < s->n_layer; l++, e += 6) {
        for (int64_t t = 0; t < T; t++) {
            oracle_norm(n, x + t * C, params + e[0].offset, s->norm_eps, C);
            oracle_matvec(qkv + t * Q, params + e[1].offset, n, Q, C);
            for (int64_t h = 0; h < H + G; h++)
                oracle_rope(qkv + t * Q + h * hd, t, s->rope_theta, hd);
        }
        for (int64_t t = 0; t < T; t++) {
            for (int64_t h = 0; h < H; h++) {
                int64_t kv = h / (H / G);
                double sum = 0;

                for (int64_t j = 0; j <= t; j++) {
                    const double *k = qkv + j * Q + (H + kv) * hd;

                    p[j] = 0;
                    for (int64_t i = 0; i < hd; i++)
                        p[j] += qkv[t * Q + h * hd + i] * k[i];
                    p[j] = exp(p[j] / sqrt((double)hd));
                    sum += p[j];
                }
                for (int64_t i = 0; i < hd; i++) {
                    o[h * hd + i] = 0;
                    for (int64_t j = 0; j <= t; j++)
                        o[h * hd + i] +=
                            p[j] / sum * qkv[j * Q + (H + G + kv) * hd + i];
                }
            }
            oracle_matvec(n, params + e[2].offset, o, C, C);
            for (int64_t i = 0; i < C; i++)
                x[t * C + i] += n[i];
        }
        for (int64_t t = 0; t < T; t++) {
            oracle_norm(n, x + t * C, params + e[3].offset, s->norm_eps, C);
            oracle_matvec(gu, params + e[4].offset, n, 2 * F, C);
            for (int64_t i = 0; i < F; i++)
                gu[i] = gu[i] / (1 + exp(-gu[i])) * gu[F + i];
            oracle_matvec(n, params + e[5].offset, gu, C, F);
            for (int64_t i = 0; i < C; i++)
                x[t * C + i] += n[i];
        }
    }
    for (int64_t t = 0; t < T; t++) {
        double sum = 0;

        oracle_norm(n, x + t * C, params + e[0].offset, s->norm_eps, C);
        oracle_matvec(z, params + e[1].offset, n, V, C);
        for (int64_t i = 0; i < V; i++)
            sum += exp(z[i]);
        nats += log(sum) - z[token[t + 1]];
    }
    free(x);
    free(qkv);
    free(n);
    free(o);
    free(p);
    free(gu);
    free(z);
    return nats;
}

#endif
