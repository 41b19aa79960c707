/* synthetic: runs of a law that is known, with noise of a known size. */
#ifndef LOGLOG_TESTS_ANALYSIS_SYNTHETIC_H
#define LOGLOG_TESTS_ANALYSIS_SYNTHETIC_H

#include "analysis/surface.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

struct synthetic {
    struct surface_data data; /* n, and pointers to the arrays below */
    double *size, *tokens, *loss, *unique;
    size_t cap;
};

static inline void synthetic_init(struct synthetic *s)
{
    *s = (struct synthetic){.cap = 4096};
    s->size = xcalloc(s->cap, sizeof(double));
    s->tokens = xcalloc(s->cap, sizeof(double));
    s->loss = xcalloc(s->cap, sizeof(double));
    s->unique = xcalloc(s->cap, sizeof(double));
    s->data.size = s->size;
    s->data.tokens = s->tokens;
    s->data.loss = s->loss;
}

static inline void synthetic_release(struct synthetic *s)
{
    free(s->size);
    free(s->tokens);
    free(s->loss);
    free(s->unique);
}

static inline void synthetic_add(struct synthetic *s, double size,
                                 double tokens, double loss)
{
    size_t i = s->data.n;

    BUG_ON(i == s->cap);
    s->size[i] = size;
    s->tokens[i] = tokens;
    s->loss[i] = loss;
    s->unique[i] = tokens;
    s->data.n++;
}

/* side x side runs, sizes 1e7 .. 3e9 and tokens 3e8 .. 3e11, and relative
 * noise of this SD; `repeated` sees 2e9 unique tokens. */
static inline void synthetic_grid(struct synthetic *s,
                                  const struct surface *law, int side,
                                  double noise, uint64_t seed)
{
    struct rng r = {seed, RNG_TEST, 0};

    synthetic_init(s);
    if (law->form == SURFACE_REPEATED)
        s->data.unique = s->unique;
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            double N = 1e7 * pow(300, i / (double)(side - 1));
            double D = 3e8 * pow(1000, j / (double)(side - 1));
            double U = s->data.unique ? fmin(D, 2e9) : NAN;
            double L = surface_loss(law, N, D, U);
            synthetic_add(s, N, D, L * exp(noise * rng_next_normal(&r)));
            s->unique[s->data.n - 1] = s->data.unique ? U : D;
        }
}

#endif
