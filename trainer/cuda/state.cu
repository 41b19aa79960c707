/* state: weights and moments in and out.  The gradient's memory serves as the
 * whole block between the host and the members' pieces, and is zero after. */
#include "trainer/cuda/engine_impl.h"

extern "C" {
#include "base/rng.h"
}

#include <string.h>

#define STAGE (1 << 20) /* floats made at a time */

static float *masters(const struct engine *g, int block)
{
    return block == ENGINE_PARAMS ? g->p : block == ENGINE_M ? g->m : g->v;
}

static void copy(struct engine *g, void *to, const void *from, int64_t n,
                 cudaMemcpyKind kind)
{
    engine_check(g,
                 cudaMemcpyAsync(to, from,
                                 static_cast<size_t>(n) * sizeof(float), kind,
                                 g->main),
                 "copy of the state");
}

static int zero_block(struct engine *g, float *p, int64_t n)
{
    return engine_check(
        g, cudaMemsetAsync(p, 0, static_cast<size_t>(n) * sizeof *p, g->main),
        "zero");
}

/* From the gradient's memory to where the block belongs. */
static int take(struct engine *g, int block, struct err *e)
{
    int64_t size = static_cast<int64_t>(g->table.size);

    for (const struct piece &p : g->pieces)
        copy(g, masters(g, block) + p.local, g->grad + p.at, p.n,
             cudaMemcpyDeviceToDevice);
    if (block == ENGINE_PARAMS)
        to_bf16(g->w, g->grad, size, g->main);
    zero_block(g, g->grad, size);
    return engine_wait(g, e);
}

int engine_put(struct engine *g, int block, const float *host, struct err *e)
{
    copy(g, g->grad, host, static_cast<int64_t>(g->table.size),
         cudaMemcpyHostToDevice);
    return take(g, block, e);
}

int engine_get(struct engine *g, int block, float *host, struct err *e)
{
    int64_t size = static_cast<int64_t>(g->table.size);

    for (const struct piece &p : g->pieces)
        copy(g, g->grad + p.at, masters(g, block) + p.local, p.n,
             cudaMemcpyDeviceToDevice);
    gang_gather_floats(g, g->grad);
    if (host)
        copy(g, host, g->grad, size, cudaMemcpyDeviceToHost);
    zero_block(g, g->grad, size);
    return engine_wait(g, e);
}

int engine_get_grad(struct engine *g, float *host, struct err *e)
{
    if (g->opt.gang > 1)
        return err_set(e, ERR_USAGE, "the gradient of a gang is in pieces");
    copy(g, host, g->grad, static_cast<int64_t>(g->table.size),
         cudaMemcpyDeviceToHost);
    return engine_wait(g, e);
}

/* The same numbers as model_init: by position in the flat block. */
int engine_init(struct engine *g, int64_t seed, struct err *e)
{
    std::vector<float> stage(STAGE);

    for (int i = 0; i < g->table.n; i++) {
        const struct param *p = tensor(g, i);
        size_t end = p->offset + static_cast<size_t>(p->rows * p->cols);

        for (size_t at = p->offset, n; at < end; at += n) {
            n = end - at < STAGE ? end - at : STAGE;
            for (size_t j = 0; j < n; j++)
                stage[j] = p->kind == PARAM_NORM
                               ? 1
                               : static_cast<float>(
                                     static_cast<double>(p->init_std) *
                                     rng_normal(static_cast<uint64_t>(seed),
                                                RNG_INIT, at + j));
            copy(g, g->grad + at, stage.data(), static_cast<int64_t>(n),
                 cudaMemcpyHostToDevice);
            if (engine_wait(g, e))
                return -1;
        }
    }
    zero_block(g, g->m, g->local);
    zero_block(g, g->v, g->local);
    return take(g, ENGINE_PARAMS, e);
}
