/* update: the gradient's norm and the optimiser's step, each member on its
 * pieces of the flat block. */
#include "trainer/cuda/engine_impl.h"

#include <math.h>

int engine_zero(struct engine *g, struct err *e)
{
    engine_check(
        g, cudaMemsetAsync(g->grad, 0, g->table.size * sizeof(float), g->main),
        "zero the gradient");
    return g->failed ? engine_wait(g, e) : 0;
}

/* A piece that everybody has is counted by member 0.  The sums of the pieces
 * are added in their order, whoever has them. */
int engine_norm(struct engine *g, double *norm, struct err *e)
{
    size_t n = g->pieces.size(), bytes = n * sizeof(double);
    std::vector<double> square(n);
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        const struct engine_piece *p = &g->pieces[i];

        if (p->everywhere && g->opt.member)
            engine_check(
                g, cudaMemsetAsync(g->squares + i, 0, sizeof(double), g->main),
                "norm");
        else
            sum_squares(g->squares + i, g->square_partial, g->grad + p->at,
                        p->n, g->main);
    }
    gang_sum(g, g->squares, static_cast<int>(n));
    engine_check(g,
                 cudaMemcpyAsync(square.data(), g->squares, bytes,
                                 cudaMemcpyDeviceToHost, g->main),
                 "norm from the device");
    if (engine_wait(g, e))
        return -1;
    for (double s : square)
        sum += s;
    *norm = sqrt(sum);
    return 0;
}

/* The part of a piece that is of one tensor. */
static void update(struct engine *g, const struct engine_piece *p,
                   const struct adamw_args *a, int64_t from, int64_t to)
{
    int64_t at = from > p->at ? from : p->at;
    int64_t end = to < p->at + p->n ? to : p->at + p->n;
    int64_t local = p->local + at - p->at;

    if (at < end)
        adamw(g->p + local, g->m + local, g->v + local, g->w + at, g->grad + at,
              *a, end - at, g->main);
}

int engine_step(struct engine *g, double lr, double grad_scale, int64_t t,
                struct err *e)
{
    const struct optim_spec *o = &g->optim;
    double n = static_cast<double>(t);
    struct adamw_args a = {static_cast<float>(o->beta1),
                           static_cast<float>(o->beta2),
                           static_cast<float>(o->eps),
                           static_cast<float>(grad_scale),
                           static_cast<float>(lr / (1 - pow(o->beta1, n))),
                           static_cast<float>(1 / sqrt(1 - pow(o->beta2, n))),
                           1};

    for (const struct engine_piece &p : g->pieces)
        for (int i = 0; i < g->table.n; i++) {
            const struct param *x = tensor(g, i);
            size_t end = i + 1 < g->table.n ? x[1].offset : g->table.size;

            a.decay =
                x->decay ? static_cast<float>(1 - lr * o->weight_decay) : 1.0f;
            update(g, &p, &a, static_cast<int64_t>(x->offset),
                   static_cast<int64_t>(end));
        }
    gang_gather_weights(g);
    return engine_wait(g, e);
}
