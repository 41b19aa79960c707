/* memory: sizes, the one block of device memory and what is carved from it,
 * and each member's share of the masters. */
#include "trainer/cuda/engine_impl.h"

#define ALIGN 256

/* Logits of this many values at a time, and of these rows at least. */
#define LOGIT_VALUES (1 << 27)
#define LOGIT_ROWS 128
#define TENSORS_PER_LAYER 6

void engine_sizes(struct engine *g, const struct run_spec *spec,
                  const struct engine_options *o)
{
    const struct model_spec *s = &spec->model;

    g->spec = *s;
    g->optim = spec->optim;
    g->opt = *o;
    if (g->opt.peer_seconds <= 0)
        g->opt.peer_seconds = 60;
    g->C = static_cast<int>(s->d_model);
    g->F = static_cast<int>(s->d_ff);
    g->V = static_cast<int>(s->vocab);
    g->T = static_cast<int>(s->seq_len);
    g->H = static_cast<int>(s->n_head);
    g->KV = static_cast<int>(s->n_kv_head);
    g->L = static_cast<int>(s->n_layer);
    g->D = g->C / g->H;
    g->Q = (g->H + 2 * g->KV) * g->D;
    g->ldv = (g->V + 7) / 8 * 8;
    g->flash =
        o->attention != ENGINE_ATTENTION_MATERIALISED && flash_supports(g->D);
    g->recompute = o->recompute == ENGINE_RECOMPUTE_ALWAYS;
    params_init(&g->table, s);
    engine_shares(g);
    engine_stretches(g);
}

static void add_piece(struct engine *g, int64_t at, int64_t n, int everywhere)
{
    if (!n)
        return;
    g->pieces.push_back({at, n, g->local, everywhere});
    g->local += n;
}

/* A bucket for the embedding, each layer, and the last norm with the head. */
void engine_shares(struct engine *g)
{
    int first = 0;

    for (int l = -1; l <= g->L; l++) {
        int next = l < g->L ? 1 + (l + 1) * TENSORS_PER_LAYER : g->table.n;
        int64_t at = static_cast<int64_t>(tensor(g, first)->offset);
        int64_t end = static_cast<int64_t>(
            next < g->table.n ? tensor(g, next)->offset : g->table.size);
        int64_t chunk = (end - at) / g->opt.gang / 16 * 16;

        g->buckets.push_back({at, end - at, chunk});
        add_piece(g, at + g->opt.member * chunk, chunk, 0);
        add_piece(g, at + g->opt.gang * chunk, end - at - g->opt.gang * chunk,
                  1);
        first = next;
    }
}

struct carver {
    char *block;
    size_t used;

    template <class T> void take(T *&p, int64_t n)
    {
        p = block ? reinterpret_cast<T *>(block + used) : nullptr;
        used +=
            (static_cast<size_t>(n) * sizeof(T) + ALIGN - 1) / ALIGN * ALIGN;
    }
};

static void carve_layers(struct engine *g, struct carver *c, int64_t n)
{
    for (int l = 0; l <= g->L; l++) {
        struct kept *k = &g->layer[static_cast<size_t>(l)];

        c->take(k->x, n * g->C);
        if (l == g->L)
            break;
        if (g->recompute && l) { /* what the first has serves all */
            float *x = k->x;

            *k = g->layer[0];
            k->x = x;
            continue;
        }
        c->take(k->rstd1, n);
        c->take(k->qkv, n * g->Q);
        c->take(k->lse, g->flash ? n * g->H : 0);
        c->take(k->o, n * g->C);
        c->take(k->x1, n * g->C);
        c->take(k->rstd2, n);
        c->take(k->gu, n * 2 * g->F);
    }
}

size_t engine_carve(struct engine *g, char *block, int64_t rows)
{
    struct carver c = {block, 0};
    int64_t size = static_cast<int64_t>(g->table.size), n = rows * g->T;
    int64_t matrix = g->flash ? 0 : static_cast<int64_t>(g->H) * g->T * g->T;
    char *workspace;

    g->rows = rows;
    g->tokens = n;
    g->logit_rows = LOGIT_VALUES / g->ldv;
    if (g->logit_rows < LOGIT_ROWS)
        g->logit_rows = LOGIT_ROWS;
    if (g->logit_rows > n)
        g->logit_rows = n;
    g->layer.resize(static_cast<size_t>(g->L) + 1);
    c.take(g->w, size);
    c.take(g->grad, size);
    c.take(g->p, g->local);
    c.take(g->m, g->local);
    c.take(g->v, g->local);
    carve_layers(g, &c, n);
    c.take(g->turn, static_cast<int64_t>(g->T) * (g->D / 2));
    c.take(g->n, n * g->C);
    c.take(g->act, n * g->F);
    c.take(g->dact, n * g->F);
    c.take(g->dx16, n * g->C);
    c.take(g->dn, n * g->C);
    c.take(g->dgu, n * 2 * g->F);
    c.take(g->dqkv, n * g->Q);
    c.take(g->logits, g->logit_rows * g->ldv);
    c.take(g->rstd, n);
    c.take(g->dx, n * g->C);
    c.take(g->dot, g->flash ? n * g->H : 0);
    c.take(g->nats, n);
    c.take(g->micro_ints, 5 * n + 1);
    c.take(g->micro_nats, rows);
    c.take(g->partial, static_cast<int64_t>(NORM_BLOCKS) * g->C);
    c.take(g->squares, static_cast<int64_t>(g->pieces.size()));
    c.take(g->square_partial, g->norm_blocks);
    c.take(g->norm_table, static_cast<int64_t>(g->norms.size()));
    c.take(g->step_table, static_cast<int64_t>(g->steps.size()));
    c.take(g->score, matrix);
    c.take(g->weight, matrix);
    c.take(g->dscore, matrix);
    c.take(g->dkv, g->flash ? 0 : 2ll * g->T * g->KV * g->D);
    c.take(workspace, static_cast<int64_t>(WORKSPACE));
    g->workspace = workspace;
    return c.used;
}
