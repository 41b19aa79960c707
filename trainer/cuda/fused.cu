/* fused: see fused.h.  The two graphs are those that cuDNN recognises as
 * attention; operations, their order and types follow cudnn-frontend's
 * CompositeSDPANode and CompositeSDPABackwardNode (deterministic, without
 * dropout), which is where NVIDIA documents them.  With p = exp(s - lse):
 *
 *   forward    s = scale q k^T, masked;  o = softmax(s) v;  lse
 *   backward   dot = sum dout o;  dv = p^T dout;  ds = p (dout v^T - dot) scale
 *              dk = ds^T q;  dq = ds k
 *
 * Heads in groups: the products are of every head, dk and dv then summed. */
#include "trainer/cuda/fused.h"

#include "trainer/cuda/cudnn_graph.h"

#include <algorithm>
#include <math.h>

/* Until 9.15.0 gradients of other lengths than multiples of 128 need a mask
 * of their own. */
#define ANY_LENGTH 91501

/* Tensors of the caller. */
enum { Q = 1, K, V, O, LSE, DOUT, DOT, DQ, DK, DV, SCALE, MASKED, ONE };

/* Of one batch.  A graph of the engine remembers where the workspace is, so
 * that it stays there; a batch that needs more gets another. */
struct plans {
    int batch;
    struct cudnn_plan forward, backward;
    void *workspace;
};

struct workspace {
    void *p;
    size_t bytes;
};

struct fused {
    struct cudnn_library lib;
    struct flash_shape shape; /* of any batch */
    std::vector<plans> made;
    std::vector<workspace> space;
};

/* The shapes of one graph. */
struct shapes {
    struct shape4 q, k, kt, v, vt, o; /* in qkv and o */
    struct shape4 s, st;              /* scores, and turned */
    struct shape4 row, product;       /* of a score's row; dout o */
    struct shape4 every;              /* dk, dv of every head */
};

static struct shape4 turned(const struct shape4 &x)
{
    return {{x.dim[0], x.dim[1], x.dim[3], x.dim[2]},
            {x.stride[0], x.stride[1], x.stride[3], x.stride[2]}};
}

static struct shapes shapes_of(struct flash_shape f)
{
    int64_t B = f.batch, H = f.n_head, G = f.n_kv_head, T = f.seq_len;
    int64_t D = f.head_dim, ld = (H + 2 * G) * D, C = H * D;
    struct shapes s;

    s.q = {{B, H, T, D}, {T * ld, D, ld, 1}};
    s.k = s.v = {{B, G, T, D}, {T * ld, D, ld, 1}};
    s.kt = s.vt = turned(s.k);
    s.o = {{B, H, T, D}, {T * C, D, C, 1}};
    s.s = {{B, H, T, T}, {H * T * T, T * T, T, 1}};
    s.st = turned(s.s);
    s.row = {{B, H, T, 1}, {H * T, T, 1, 1}};
    s.product = {{B, H, T, D}, {C * T, T * D, C, 1}};
    s.every = {{B, H, T, D}, {C * T, T * D, D, 1}};
    return s;
}

static node pointwise(struct cudnn_graph *g, cudnnPointwiseMode_t mode,
                      const struct shape4 &s, node x, node b = nullptr)
{
    node y = graph_virtual(g, CUDNN_DATA_FLOAT, s);

    graph_pointwise(g, mode, CUDNN_DATA_FLOAT, y, x, b);
    return y;
}

static node reduce(struct cudnn_graph *g, cudnnReduceTensorOp_t how,
                   const struct shape4 &s, node x)
{
    node y = graph_virtual(g, CUDNN_DATA_FLOAT, s);

    graph_reduce(g, how, y, x);
    return y;
}

/* x where the key is not after the query, else the number MASKED. */
static node causal(struct cudnn_graph *g, const struct shape4 &s, node x)
{
    node row = graph_virtual(g, CUDNN_DATA_INT32, s);
    node col = graph_virtual(g, CUDNN_DATA_INT32, s);
    node seen = graph_virtual(g, CUDNN_DATA_BOOLEAN, s);
    node y = graph_virtual(g, CUDNN_DATA_FLOAT, s);

    graph_pointwise(g, CUDNN_POINTWISE_GEN_INDEX, CUDNN_DATA_FLOAT, row, x,
                    nullptr, nullptr, 2);
    graph_pointwise(g, CUDNN_POINTWISE_GEN_INDEX, CUDNN_DATA_FLOAT, col, x,
                    nullptr, nullptr, 3);
    graph_pointwise(g, CUDNN_POINTWISE_CMP_GE, CUDNN_DATA_BOOLEAN, seen, row,
                    col);
    graph_pointwise(g, CUDNN_POINTWISE_BINARY_SELECT, CUDNN_DATA_FLOAT, y, x,
                    graph_number(g, MASKED), seen);
    return y;
}

/* scale q k^T */
static node scores(struct cudnn_graph *g, const struct shapes &s, node q,
                   node kt, node scale)
{
    node x = graph_virtual(g, CUDNN_DATA_FLOAT, s.s);

    graph_matmul(g, x, q, kt);
    return pointwise(g, CUDNN_POINTWISE_MUL, s.s, x, scale);
}

static void forward_graph(struct cudnn_graph *g, struct flash_shape f)
{
    struct shapes s = shapes_of(f);
    node q = graph_tensor(g, Q, CUDNN_DATA_BFLOAT16, s.q);
    node kt = graph_tensor(g, K, CUDNN_DATA_BFLOAT16, s.kt);
    node x = causal(g, s.s, scores(g, s, q, kt, graph_number(g, SCALE)));
    node max = reduce(g, CUDNN_REDUCE_TENSOR_MAX, s.row, x);
    node e = pointwise(g, CUDNN_POINTWISE_EXP, s.s,
                       pointwise(g, CUDNN_POINTWISE_SUB, s.s, x, max));
    node sum = reduce(g, CUDNN_REDUCE_TENSOR_ADD, s.row, e);
    node p = graph_virtual(g, CUDNN_DATA_BFLOAT16, s.s);

    graph_pointwise(g, CUDNN_POINTWISE_ADD, CUDNN_DATA_FLOAT,
                    graph_tensor(g, LSE, CUDNN_DATA_FLOAT, s.row), max,
                    pointwise(g, CUDNN_POINTWISE_LOG, s.row, sum));
    graph_pointwise(g, CUDNN_POINTWISE_DIV, CUDNN_DATA_FLOAT, p, e, sum);
    graph_matmul(g, graph_tensor(g, O, CUDNN_DATA_BFLOAT16, s.o), p,
                 graph_tensor(g, V, CUDNN_DATA_BFLOAT16, s.v));
}

/* out, named uid, = w^T x of each group, w being scores. */
static void turned_product(struct cudnn_graph *g, struct flash_shape f,
                           const struct shapes &s, int64_t uid, node w, node x)
{
    node wt = graph_virtual(g, CUDNN_DATA_BFLOAT16, s.st);
    node out = graph_tensor(g, uid, CUDNN_DATA_BFLOAT16, s.k);
    node every;

    graph_reshape(g, wt, w);
    if (f.n_head == f.n_kv_head) {
        graph_matmul(g, out, wt, x);
        return;
    }
    every = graph_virtual(g, CUDNN_DATA_BFLOAT16, s.every);
    graph_matmul(g, every, wt, x);
    graph_reduce(g, CUDNN_REDUCE_TENSOR_ADD, out, every);
}

static void backward_graph(struct cudnn_graph *g, struct flash_shape f)
{
    struct shapes s = shapes_of(f);
    node q = graph_tensor(g, Q, CUDNN_DATA_BFLOAT16, s.q);
    node kt = graph_tensor(g, K, CUDNN_DATA_BFLOAT16, s.kt);
    node dout = graph_tensor(g, DOUT, CUDNN_DATA_BFLOAT16, s.o);
    node dot = graph_tensor(g, DOT, CUDNN_DATA_FLOAT, s.row);
    node scale = graph_number(g, SCALE);
    node k = graph_virtual(g, CUDNN_DATA_BFLOAT16, s.k);
    node dp, p, ds;

    graph_pointwise(
        g, CUDNN_POINTWISE_MUL, CUDNN_DATA_FLOAT, dot,
        reduce(g, CUDNN_REDUCE_TENSOR_ADD, s.row,
               pointwise(g, CUDNN_POINTWISE_MUL, s.product, dout,
                         graph_tensor(g, O, CUDNN_DATA_BFLOAT16, s.o))),
        graph_number(g, ONE));
    p = pointwise(g, CUDNN_POINTWISE_SUB, s.s, scores(g, s, q, kt, scale),
                  graph_tensor(g, LSE, CUDNN_DATA_FLOAT, s.row));
    p = pointwise(g, CUDNN_POINTWISE_EXP, s.s, causal(g, s.s, p));
    turned_product(g, f, s, DV, p, dout);
    dp = graph_virtual(g, CUDNN_DATA_FLOAT, s.s);
    graph_matmul(g, dp, dout, graph_tensor(g, V, CUDNN_DATA_BFLOAT16, s.vt));
    ds = pointwise(g, CUDNN_POINTWISE_SUB, s.s, dp, dot);
    ds = pointwise(g, CUDNN_POINTWISE_MUL, s.s, ds, p);
    ds = pointwise(g, CUDNN_POINTWISE_MUL, s.s, ds, scale);
    turned_product(g, f, s, DK, ds, q);
    graph_reshape(g, k, kt);
    graph_matmul(g, graph_tensor(g, DQ, CUDNN_DATA_BFLOAT16, s.q), ds, k);
}

/* ------------------------------------------------------------ its plans */

static int plan(struct cudnn_plan *out, const struct fused *u,
                struct flash_shape f,
                void (*graph)(struct cudnn_graph *g, struct flash_shape f),
                const char *name, struct err *e)
{
    struct cudnn_graph g = {};

    g.lib = &u->lib;
    graph(&g, f);
    return graph_plan(out, &g, e) ? err_prefix(e, "%s: ", name) : 0;
}

static void *reserve(struct fused *u, int64_t bytes, struct err *e)
{
    struct workspace w = {nullptr, static_cast<size_t>(bytes)};

    for (const struct workspace &old : u->space)
        if (old.bytes >= w.bytes)
            return old.p;
    if (cudaMalloc(&w.p, w.bytes) != cudaSuccess) {
        cudaGetLastError(); /* it is dealt with */
        err_set(e, ERR_ENV, "no memory for its workspace of %.3f GiB",
                static_cast<double>(w.bytes) / (1024.0 * 1024 * 1024));
        return nullptr;
    }
    u->space.push_back(w);
    return w.p;
}

static const struct plans *plans_for(struct fused *u, int batch, struct err *e)
{
    struct flash_shape f = u->shape;
    struct plans p = {batch, {}, {}, nullptr};
    int64_t bytes;

    for (const struct plans &old : u->made)
        if (old.batch == batch)
            return &old;
    f.batch = batch;
    if (!plan(&p.forward, u, f, forward_graph, "forward", e) &&
        !plan(&p.backward, u, f, backward_graph, "backward", e)) {
        bytes = std::max(p.forward.workspace, p.backward.workspace);
        p.workspace = reserve(u, std::max(bytes, int64_t{256}), e);
        if (p.workspace) {
            u->made.push_back(p);
            return &u->made.back();
        }
    }
    plan_release(&u->lib, &p.forward);
    plan_release(&u->lib, &p.backward);
    return nullptr;
}

int fused_open(struct fused **out, struct flash_shape f, struct err *e)
{
    struct fused *u = new fused();

    *out = nullptr;
    u->shape = f;
    if (cudnn_open(&u->lib, e)) {
        delete u;
        return -1;
    }
    if (f.seq_len % 128 && u->lib.version() < ANY_LENGTH) {
        fused_close(u);
        return err_set(e, ERR_ENV,
                       "this cuDNN wants seq_len a multiple of 128; 9.15.1 "
                       "does not");
    }
    if (!plans_for(u, f.batch, e)) {
        fused_close(u);
        return -1;
    }
    *out = u;
    return 0;
}

void fused_close(struct fused *u)
{
    if (!u)
        return;
    for (struct plans &p : u->made) {
        plan_release(&u->lib, &p.forward);
        plan_release(&u->lib, &p.backward);
    }
    for (const struct workspace &w : u->space)
        cudaFree(w.p);
    cudnn_close(&u->lib);
    delete u;
}

size_t fused_bytes(const struct fused *u)
{
    size_t bytes = 0;

    for (const struct workspace &w : u->space)
        bytes += w.bytes;
    return bytes;
}

static int run(struct fused *u, const struct cudnn_plan *p, void *workspace,
               cudaStream_t s, const std::vector<int64_t> &uid,
               const std::vector<void *> &at, struct err *e)
{
    cudnnStatus_t r = u->lib.set_stream(u->lib.handle, s);

    if (r == CUDNN_STATUS_SUCCESS)
        r = plan_run(&u->lib, p, uid, at, workspace);
    return r == CUDNN_STATUS_SUCCESS
               ? 0
               : err_set(e, ERR_ENV, "cuDNN: attention: %s", u->lib.error(r));
}

/* Where keys and values are in a row of queries, keys and values. */
static const bf16 *keys(const bf16 *qkv, struct flash_shape f)
{
    return qkv + static_cast<int64_t>(f.n_head) * f.head_dim;
}

static const bf16 *values(const bf16 *qkv, struct flash_shape f)
{
    return keys(qkv, f) + static_cast<int64_t>(f.n_kv_head) * f.head_dim;
}

/* cuDNN takes all pointers as ones to write through. */
template <class T> static void *pointer(const T *p)
{
    return const_cast<T *>(p);
}

int fused_forward(struct fused *u, bf16 *o, float *lse, const bf16 *qkv,
                  struct flash_shape f, cudaStream_t s, struct err *e)
{
    const struct plans *p = plans_for(u, f.batch, e);
    const float scale = 1 / sqrtf(static_cast<float>(f.head_dim));
    const float masked = -INFINITY;

    if (!p)
        return -1;
    return run(u, &p->forward, p->workspace, s,
               {Q, K, V, O, LSE, SCALE, MASKED},
               {pointer(qkv), pointer(keys(qkv, f)), pointer(values(qkv, f)), o,
                lse, pointer(&scale), pointer(&masked)},
               e);
}

int fused_backward(struct fused *u, bf16 *dqkv, float *dot, const bf16 *dout,
                   const bf16 *o, const float *lse, const bf16 *qkv,
                   struct flash_shape f, cudaStream_t s, struct err *e)
{
    const struct plans *p = plans_for(u, f.batch, e);
    const float scale = 1 / sqrtf(static_cast<float>(f.head_dim));
    const float masked = -INFINITY, one = 1;

    if (!p)
        return -1;
    return run(u, &p->backward, p->workspace, s,
               {Q, K, V, O, LSE, DOUT, DOT, DQ, DK, DV, SCALE, MASKED, ONE},
               {pointer(qkv), pointer(keys(qkv, f)), pointer(values(qkv, f)),
                pointer(o), pointer(lse), pointer(dout), dot, dqkv,
                pointer(keys(dqkv, f)), pointer(values(dqkv, f)),
                pointer(&scale), pointer(&masked), pointer(&one)},
               e);
}
