/* models: what the tests of the model share. */
#ifndef LOGLOG_TESTS_TRAINER_MODELS_H
#define LOGLOG_TESTS_TRAINER_MODELS_H

#include "base/mem.h"
#include "base/rng.h"
#include "trainer/backend.h"
#include "trainer/model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MODEL_SPEC(V, T, C, L, H, HKV, F)                                      \
    {                                                                          \
        .vocab = V, .seq_len = T, .d_model = C, .n_layer = L, .n_head = H,     \
        .n_kv_head = HKV, .d_ff = F, .rope_theta = 1e4, .norm_eps = 1e-6,      \
        .init_std = 0.02                                                       \
    }

static inline struct model *model_on(const struct model_spec *s,
                                     const struct backend *be)
{
    struct run_spec run = {.model = *s, .dtype = be->bf16};
    struct model *m;
    struct err e;

    if (model_create_on(&m, &run, be, &e))
        fail_msg("%s", e.text);
    return m;
}

/* Weights large enough that every path through the model matters. */
static inline void randomise(struct model *m, uint64_t seed)
{
    const struct param_table *t = model_table(m);

    for (int i = 0; i < t->n; i++) {
        const struct param *p = &t->param[i];
        double std = p->kind == PARAM_EMBEDDING ? 1 : 1 / sqrt((double)p->cols);

        for (int64_t j = 0; j < p->rows * p->cols; j++) {
            size_t at = p->offset + (size_t)j;
            double x = rng_normal(seed, RNG_TEST, at);

            model_params(m)[at] =
                (float)(p->kind == PARAM_NORM ? 1 + 0.2 * x : std * x);
        }
    }
    model_refresh(m);
}

static inline int32_t *random_tokens(const struct model_spec *s, int64_t rows,
                                     uint64_t seed)
{
    size_t n = (size_t)(rows * (s->seq_len + 1));
    int32_t *t = malloc(n * sizeof *t);

    for (size_t i = 0; i < n; i++)
        t[i] = (int32_t)rng_below(seed, RNG_TEST, i, (uint64_t)s->vocab);
    return t;
}

#endif
