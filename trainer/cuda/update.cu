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

/* The part of a piece that is of one tensor, joined to the last if it is like
 * that and follows it. */
static void add_step(struct engine *g, const struct engine_piece *p,
                     int64_t from, int64_t to, int decays)
{
    int64_t at = from > p->at ? from : p->at;
    int64_t end = to < p->at + p->n ? to : p->at + p->n;
    struct stretch *last = g->steps.empty() ? nullptr : &g->steps.back();

    if (at >= end)
        return;
    if (last && last->decays == decays && last->at + last->n == at &&
        last->local + last->n == p->local + at - p->at)
        last->n += end - at;
    else
        g->steps.push_back({at, p->local + at - p->at, end - at, 0, decays});
}

/* A piece that everybody has is counted by member 0. */
void engine_stretches(struct engine *g)
{
    for (const struct engine_piece &p : g->pieces) {
        g->norms.push_back(
            {p.at, p.local, p.everywhere && g->opt.member ? 0 : p.n, 0, 0});
        for (int i = 0; i < g->table.n; i++) {
            const struct param *x = tensor(g, i);
            size_t end = i + 1 < g->table.n ? x[1].offset : g->table.size;

            add_step(g, &p, static_cast<int64_t>(x->offset),
                     static_cast<int64_t>(end), x->decay);
        }
    }
    g->norm_blocks =
        stretch_blocks(g->norms.data(), g->norms.size(), SQUARES_FLOATS);
    g->step_blocks =
        stretch_blocks(g->steps.data(), g->steps.size(), ADAMW_FLOATS);
}

void engine_put_stretches(struct engine *g)
{
    engine_check(g,
                 cudaMemcpy(g->norm_table, g->norms.data(),
                            g->norms.size() * sizeof(struct stretch),
                            cudaMemcpyHostToDevice),
                 "table of the norm");
    engine_check(g,
                 cudaMemcpy(g->step_table, g->steps.data(),
                            g->steps.size() * sizeof(struct stretch),
                            cudaMemcpyHostToDevice),
                 "table of the step");
}

/* The sums of the pieces are added in their order, whoever has them. */
int engine_norm(struct engine *g, double *norm, struct err *e)
{
    size_t n = g->pieces.size(), bytes = n * sizeof(double);
    std::vector<double> square(n);
    double sum = 0;

    sum_squares(g->squares, g->square_partial, g->grad, g->norm_table,
                static_cast<int>(n), g->norm_blocks, g->main);
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
                           static_cast<float>(1 - lr * o->weight_decay)};

    adamw(g->p, g->m, g->v, g->w, g->grad, a, g->step_table,
          static_cast<int>(g->steps.size()), g->step_blocks, g->main);
    gang_gather_weights(g);
    return engine_wait(g, e);
}
