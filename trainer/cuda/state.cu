/* state: weights and moments in and out.  Where whole blocks are made or asked
 * for, the gradient's memory serves between the host and the members' pieces,
 * and is zero after. */
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

/* Member 0 answers for what everybody has. */
static int writes(const struct engine *g, const struct engine_piece *p)
{
    return !p->everywhere || g->opt.member == 0;
}

int engine_save(struct engine *g, float *host, struct err *e)
{
    for (int block = 0; block < ENGINE_BLOCKS; block++)
        for (const struct engine_piece &p : g->pieces)
            if (writes(g, &p)) {
                copy(g, host, masters(g, block) + p.local, p.n,
                     cudaMemcpyDeviceToHost);
                host += p.n;
            }
    return engine_wait(g, e);
}

/* The masters are new. */
static void refresh_weights(struct engine *g)
{
    for (const struct engine_piece &p : g->pieces)
        to_bf16(g->w + p.at, g->p + p.local, p.n, g->main);
    gang_gather_weights(g);
}

int engine_load(struct engine *g, const float *host, struct err *e)
{
    for (int block = 0; block < ENGINE_BLOCKS; block++)
        copy(g, masters(g, block), host + block * g->local, g->local,
             cudaMemcpyHostToDevice);
    refresh_weights(g);
    return engine_wait(g, e);
}

int engine_get(struct engine *g, int block, float *host, struct err *e)
{
    int64_t size = static_cast<int64_t>(g->table.size);

    for (const struct engine_piece &p : g->pieces)
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
    for (const struct engine_piece &p : g->pieces)
        copy(g, g->p + p.local, g->grad + p.at, p.n, cudaMemcpyDeviceToDevice);
    to_bf16(g->w, g->grad, static_cast<int64_t>(g->table.size), g->main);
    zero_block(g, g->grad, static_cast<int64_t>(g->table.size));
    return engine_wait(g, e);
}
