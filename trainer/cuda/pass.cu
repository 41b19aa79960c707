/* pass: forward and back of a micro-batch; the equations are on top of
 * trainer/model.c.  The residual stream x and its gradient dx are fp32, what
 * goes into a product is bf16.  The products that end a branch add the
 * residual themselves; the norms' way back adds to dx and makes its bf16 copy
 * for the next product in the same pass.  Logits and their gradient are made
 * for some rows at a time. */
#include "trainer/cuda/engine_impl.h"

#include <algorithm>

/* Tensors of a layer, in the order of params.c. */
enum { NORM1, WQKV, WO, NORM2, WGU, WDOWN, PER_LAYER };

/* A micro-batch: its rows of the call, and its arrays on the device, which are
 * in g->micro_ints while it is in work. */
struct micro {
    int64_t row, rows, n; /* sequences; tokens */
    int64_t at;           /* in the integers of the call */
    const int32_t *input, *target;
    const int32_t *which, *first, *order; /* of embed_backward */
};

static int tensor_of(int layer, int which)
{
    return 1 + layer * PER_LAYER + which;
}

static const bf16 *weight(const struct engine *g, int t)
{
    return g->w + tensor(g, t)->offset;
}

/* ------------------------------------------------------------- the call */

/* Integers that a micro-batch needs. */
static int64_t ints_of(int64_t tokens)
{
    return 5 * tokens + 1;
}

/* Space for so many rows of tokens and losses. */
static int reserve(struct engine *g, int64_t rows)
{
    int64_t micros = (rows + g->rows - 1) / g->rows;
    size_t ints = static_cast<size_t>(5 * rows * g->T + micros);
    size_t doubles = static_cast<size_t>(rows);

    if (rows <= g->call_rows)
        return 0;
    cudaFreeHost(g->host_ints);
    cudaFreeHost(g->host_nats);
    cudaFree(g->dev_ints);
    cudaFree(g->dev_nats);
    g->host_ints = g->dev_ints = nullptr;
    g->host_nats = g->dev_nats = nullptr;
    g->call_rows = 0;
    if (engine_check(g,
                     cudaMallocHost(reinterpret_cast<void **>(&g->host_ints),
                                    ints * sizeof(int32_t)),
                     "pinned memory for tokens") ||
        engine_check(g,
                     cudaMallocHost(reinterpret_cast<void **>(&g->host_nats),
                                    doubles * sizeof(double)),
                     "pinned memory for losses") ||
        engine_check(g,
                     cudaMalloc(reinterpret_cast<void **>(&g->dev_ints),
                                ints * sizeof(int32_t)),
                     "memory for tokens") ||
        engine_check(g,
                     cudaMalloc(reinterpret_cast<void **>(&g->dev_nats),
                                doubles * sizeof(double)),
                     "memory for losses"))
        return -1;
    g->call_rows = rows;
    return 0;
}

/* One micro-batch of the host's copy: inputs, targets, and the rows of each
 * token in order. */
static void arrange(struct micro *b, struct engine *g, const int32_t *tokens,
                    int32_t *host)
{
    const int32_t *dev = g->micro_ints;
    int64_t n_which = 0;
    int64_t n = b->n, T = g->T;
    int32_t *input = host, *target = host + n, *which = host + 2 * n;
    int32_t *order = host + 3 * n, *first = host + 4 * n;

    for (int64_t i = 0; i < n; i++) {
        const int32_t *t = tokens + (b->row + i / T) * (T + 1) + i % T;

        input[i] = t[0];
        target[i] = t[1];
    }
    /* Counted by token, then placed: a row's place is the next of its token. */
    std::fill(g->place.begin(), g->place.end(), 0);
    for (int64_t i = 0; i < n; i++)
        g->place[static_cast<size_t>(input[i])]++;
    for (int32_t v = 0, at = 0; v < g->V; v++) {
        int32_t times = g->place[static_cast<size_t>(v)];

        if (!times)
            continue;
        which[n_which] = v;
        first[n_which++] = at;
        g->place[static_cast<size_t>(v)] = at;
        at += times;
    }
    for (int64_t i = 0; i < n; i++)
        order[g->place[static_cast<size_t>(input[i])]++] =
            static_cast<int32_t>(i);
    first[n_which] = static_cast<int32_t>(n);
    std::fill(which + n_which, which + n, 0);
    std::fill(first + n_which + 1, first + n + 1, 0);
    b->input = dev;
    b->target = dev + n;
    b->which = dev + 2 * n;
    b->order = dev + 3 * n;
    b->first = dev + 4 * n;
}

/* The micro-batches of a call, with their arrays on the way to the device. */
static int open_call(std::vector<micro> &call, struct engine *g,
                     const int32_t *tokens, int64_t rows, struct err *e)
{
    int64_t used = 0;

    for (int64_t i = 0; i < rows * (g->T + 1); i++)
        if (tokens[i] < 0 || tokens[i] >= g->V)
            return err_set(e, ERR_USAGE,
                           "token %d is outside the vocabulary of %d",
                           static_cast<int>(tokens[i]), g->V);
    if (reserve(g, rows))
        return engine_wait(g, e);
    for (int64_t row = 0; row < rows; row += g->rows) {
        struct micro b = {};

        b.row = row;
        b.rows = std::min(g->rows, rows - row);
        b.n = b.rows * g->T;
        b.at = used;
        arrange(&b, g, tokens, g->host_ints + used);
        used += ints_of(b.n);
        call.push_back(b);
    }
    engine_check(g,
                 cudaMemcpyAsync(g->dev_ints, g->host_ints,
                                 static_cast<size_t>(used) * sizeof(int32_t),
                                 cudaMemcpyHostToDevice, g->main),
                 "tokens to the device");
    return 0;
}

/* The losses back, in row order; the call is over. */
static int close_call(struct engine *g, double *nats, int64_t rows,
                      struct err *e)
{
    engine_check(g,
                 cudaMemcpyAsync(g->host_nats, g->dev_nats,
                                 static_cast<size_t>(rows) * sizeof(double),
                                 cudaMemcpyDeviceToHost, g->main),
                 "losses from the device");
    if (engine_wait(g, e))
        return -1;
    std::copy(g->host_nats, g->host_nats + rows, nats);
    return 0;
}

/* The integers of a micro-batch to where its kernels look for them, and its
 * losses back. */
static void take_ints(struct engine *g, const struct micro *b)
{
    engine_check(
        g,
        cudaMemcpyAsync(g->micro_ints, g->dev_ints + b->at,
                        static_cast<size_t>(ints_of(b->n)) * sizeof(int32_t),
                        cudaMemcpyDeviceToDevice, g->main),
        "tokens of a micro-batch");
}

static void give_nats(struct engine *g, const struct micro *b)
{
    engine_check(g,
                 cudaMemcpyAsync(g->dev_nats + b->row, g->micro_nats,
                                 static_cast<size_t>(b->rows) * sizeof(double),
                                 cudaMemcpyDeviceToDevice, g->main),
                 "losses of a micro-batch");
}

/* -------------------------------------------------------------- forward */

static void norm(struct engine *g, float *rstd, const float *x, int t,
                 int64_t n)
{
    rmsnorm_forward(g->n, rstd, x, weight(g, t),
                    static_cast<float>(g->spec.norm_eps), n, g->C, g->main);
}

static void layer_forward(struct engine *g, int l, const struct micro *b)
{
    struct kept *k = &g->layer[static_cast<size_t>(l)];

    norm(g, k->rstd1, k->x, tensor_of(l, NORM1), b->n);
    linear(g, k->qkv, g->n, nullptr, tensor_of(l, WQKV), b->n, g->Q);
    rope(k->qkv, g->turn, 1, b->n, g->Q, g->H + g->KV, g->D, g->T, g->main);
    attention_forward(g, k, b->rows);
    linear(g, k->x1, k->o, k->x, tensor_of(l, WO), b->n, g->C);

    norm(g, k->rstd2, k->x1, tensor_of(l, NORM2), b->n);
    linear(g, k->gu, g->n, nullptr, tensor_of(l, WGU), b->n, 2 * g->F);
    swiglu_forward(g->act, k->gu, b->n, g->F, g->main);
    linear(g, k[1].x, g->act, k->x1, tensor_of(l, WDOWN), b->n, g->C);
}

/* Up to the input of the head, g->n. */
static void forward(struct engine *g, const struct micro *b)
{
    embed_forward(g->layer[0].x, weight(g, 0), b->input, b->n, g->C, g->main);
    for (int l = 0; l < g->L; l++)
        layer_forward(g, l, b);
    norm(g, g->rstd, g->layer[static_cast<size_t>(g->L)].x, g->table.n - 2,
         b->n);
}

/* The losses of a micro-batch; with `grad` also what the head gives back, dn
 * and its own gradient. */
static void head(struct engine *g, const struct micro *b, float scale, int grad)
{
    int w = g->table.n - 1;

    for (int64_t t = 0, n; t < b->n; t += n) {
        n = std::min(g->logit_rows, b->n - t);
        linear(g, g->logits, g->n + t * g->C, nullptr, w, n, g->ldv);
        cross_entropy(g->nats + t, g->logits, b->target + t, n, g->V, g->ldv,
                      scale, grad, g->main);
        if (!grad)
            continue;
        linear_dw(g, g->logits, g->n + t * g->C, w, n, g->ldv);
        linear_dx(g, g->dn + t * g->C, g->logits, w, n, g->ldv);
    }
    row_sums(g->micro_nats, g->nats, b->rows, g->T, g->main);
}

/* ------------------------------------------------------------- backward */

/* dx += the norm's part of dn; its output again in g->n. */
static void norm_backward(struct engine *g, const float *x, const float *rstd,
                          int t, int add, int64_t n)
{
    rmsnorm_backward(g->dx, g->dx16, g->grad + tensor(g, t)->offset, g->n,
                     g->partial, g->dn, x, weight(g, t), rstd, add, n, g->C,
                     g->main);
}

static void layer_backward(struct engine *g, int l, const struct micro *b)
{
    struct kept *k = &g->layer[static_cast<size_t>(l)];
    int64_t n = b->n;

    linear_dx(g, g->dact, g->dx16, tensor_of(l, WDOWN), n, g->C);
    swiglu_backward(g->dgu, g->act, g->dact, k->gu, n, g->F, g->main);
    linear_dw(g, g->dx16, g->act, tensor_of(l, WDOWN), n, g->C);
    linear_dx(g, g->dn, g->dgu, tensor_of(l, WGU), n, 2 * g->F);
    norm_backward(g, k->x1, k->rstd2, tensor_of(l, NORM2), 1, n);
    linear_dw(g, g->dgu, g->n, tensor_of(l, WGU), n, 2 * g->F);

    linear_dw(g, g->dx16, k->o, tensor_of(l, WO), n, g->C);
    linear_dx(g, g->dn, g->dx16, tensor_of(l, WO), n, g->C);
    attention_backward(g, k, b->rows);
    rope(g->dqkv, g->turn, -1, n, g->Q, g->H + g->KV, g->D, g->T, g->main);
    linear_dx(g, g->dn, g->dqkv, tensor_of(l, WQKV), n, g->Q);
    norm_backward(g, k->x, k->rstd1, tensor_of(l, NORM1), 1, n);
    linear_dw(g, g->dqkv, g->n, tensor_of(l, WQKV), n, g->Q);
}

/* A bucket of the gradient is done: of the last micro-batch, to the gang. */
static void finished(struct engine *g, int bucket, int last)
{
    if (last)
        gang_reduce(g, &g->buckets[static_cast<size_t>(bucket)]);
}

static void backward(struct engine *g, const struct micro *b, int last)
{
    norm_backward(g, g->layer[static_cast<size_t>(g->L)].x, g->rstd,
                  g->table.n - 2, 0, b->n);
    finished(g, g->L + 1, last);
    for (int l = g->L - 1; l >= 0; l--) {
        if (g->recompute && l < g->L - 1) /* which also writes k[1].x again */
            layer_forward(g, l, b);
        layer_backward(g, l, b);
        finished(g, l + 1, last);
    }
    embed_backward(g->grad, g->dx, b->which, b->first, b->order,
                   static_cast<int>(std::min<int64_t>(b->n, g->V)), g->C,
                   g->main);
    finished(g, 0, last);
}

/* -------------------------------------------------------------- a graph */

static void one_by_one(struct engine *g, const struct micro *b, float scale,
                       int last)
{
    forward(g, b);
    head(g, b, scale, 1);
    backward(g, b, last);
}

static int record(struct engine *g, const struct micro *b, float scale)
{
    cudaGraph_t graph = nullptr;

    if (engine_check(
            g,
            cudaStreamBeginCapture(g->main, cudaStreamCaptureModeThreadLocal),
            "record a graph"))
        return -1;
    one_by_one(g, b, scale, 0);
    if (engine_check(g, cudaStreamEndCapture(g->main, &graph),
                     "record a graph"))
        return -1;
    engine_check(g, cudaGraphInstantiate(&g->graph, graph, 0), "make a graph");
    cudaGraphDestroy(graph);
    g->graph_scale = scale;
    return g->failed;
}

/* Forward and back.  The first whole micro-batch is launched kernel by kernel,
 * which makes the plans of the products; the second is recorded, and from then
 * on it is one launch.  Not what the gang's stream takes part in. */
static void run_micro(struct engine *g, const struct micro *b, float scale,
                      int last)
{
    if (g->opt.no_graphs || b->rows != g->rows || (last && g->gang) ||
        (!g->graph && g->seen++ == 0)) {
        one_by_one(g, b, scale, last);
        return;
    }
    if (g->graph && g->graph_scale != scale) {
        cudaGraphExecDestroy(g->graph);
        g->graph = nullptr;
    }
    if (!g->failed && (g->graph || !record(g, b, scale)))
        engine_check(g, cudaGraphLaunch(g->graph, g->main), "launch a graph");
}

int engine_grad(struct engine *g, double *nats, const int32_t *tokens,
                int64_t rows, float scale, int last, struct err *e)
{
    std::vector<micro> call;

    if (open_call(call, g, tokens, rows, e))
        return -1;
    for (const micro &b : call) {
        take_ints(g, &b);
        run_micro(g, &b, scale, last && b.row + b.rows == rows);
        give_nats(g, &b);
    }
    if (last && call.empty()) /* a member without rows takes part */
        for (int i = g->L + 1; i >= 0; i--)
            finished(g, i, last);
    if (last)
        gang_join(g);
    return close_call(g, nats, rows, e);
}

int engine_eval(struct engine *g, double *nats, const int32_t *tokens,
                int64_t rows, struct err *e)
{
    std::vector<micro> call;

    if (open_call(call, g, tokens, rows, e))
        return -1;
    for (const micro &b : call) {
        take_ints(g, &b);
        forward(g, &b);
        head(g, &b, 0, 0);
        give_nats(g, &b);
    }
    return close_call(g, nats, rows, e);
}
