/* Second-order forward differentiation. */
#include "analysis/jet.h"

#include <math.h>
#include <string.h>

static int hess_len(const struct jet_space *s)
{
    return s->hess ? s->n * (s->n + 1) / 2 : 0;
}

void jet_const(struct jet *r, const struct jet_space *s, double v)
{
    r->v = v;
    memset(r->g, 0, (size_t)s->n * sizeof(*r->g));
    memset(r->h, 0, (size_t)hess_len(s) * sizeof(*r->h));
}

void jet_var(struct jet *r, const struct jet_space *s, int i, double v)
{
    jet_const(r, s, v);
    r->g[i] = 1;
}

void jet_add(struct jet *r, const struct jet_space *s, double c,
             const struct jet *a)
{
    r->v += c * a->v;
    for (int i = 0; i < s->n; i++)
        r->g[i] += c * a->g[i];
    for (int i = 0; i < hess_len(s); i++)
        r->h[i] += c * a->h[i];
}

void jet_scale(struct jet *r, const struct jet_space *s, double c,
               const struct jet *a)
{
    jet_apply(r, s, a, c * a->v, c, 0);
}

void jet_mul(struct jet *r, const struct jet_space *s, const struct jet *a,
             const struct jet *b)
{
    r->v = a->v * b->v;
    for (int i = 0; i < s->n; i++)
        r->g[i] = a->v * b->g[i] + b->v * a->g[i];
    for (int i = 0, at = 0; s->hess && i < s->n; i++)
        for (int j = 0; j <= i; j++, at++)
            r->h[at] = a->v * b->h[at] + b->v * a->h[at] + a->g[i] * b->g[j] +
                       a->g[j] * b->g[i];
}

void jet_apply(struct jet *r, const struct jet_space *s, const struct jet *a,
               double f, double f1, double f2)
{
    for (int i = 0, at = 0; s->hess && i < s->n; i++)
        for (int j = 0; j <= i; j++, at++)
            r->h[at] = f1 * a->h[at] + f2 * a->g[i] * a->g[j];
    for (int i = 0; i < s->n; i++)
        r->g[i] = f1 * a->g[i];
    r->v = f;
}

void jet_exp(struct jet *r, const struct jet_space *s, const struct jet *a)
{
    double e = exp(fmin(a->v, 700));

    jet_apply(r, s, a, e, e, e);
}

void jet_lse(struct jet *r, const struct jet_space *s, const struct jet *a,
             const struct jet *b)
{
    double top = fmax(a->v, b->v);
    double ea = exp(a->v - top), eb = exp(b->v - top);
    double p = ea / (ea + eb), q = eb / (ea + eb);

    r->v = top + log(ea + eb);
    for (int i = 0; i < s->n; i++)
        r->g[i] = p * a->g[i] + q * b->g[i];
    for (int i = 0, at = 0; s->hess && i < s->n; i++)
        for (int j = 0; j <= i; j++, at++)
            r->h[at] = p * a->h[at] + q * b->h[at] +
                       p * q * (a->g[i] - b->g[i]) * (a->g[j] - b->g[j]);
}
