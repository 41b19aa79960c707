/* model: see model.h.
 *
 * One sequence of T tokens at a time.  x is the residual stream, T rows of
 * C = d_model floats; h numbers heads of head_dim = C / n_head; F = d_ff.
 * DeepSeek LLM section 2.1 (LLaMA's decoder):
 *
 *   forward                                        kept for the way back
 *     x_0     = embed[token]                         x_l
 *     for each layer l
 *       n     = norm(x_l; g1)                        1 / rms of x_l
 *       qkv   = Wqkv n                               qkv
 *       o_h   = softmax(R q_h (R k_h)^T / sqrt(head_dim), causal) v_h
 *                                                    o, max and sum of a row
 *       x'    = x_l + Wo o                           x', 1 / rms of x'
 *       gu    = Wgu norm(x'; g2)                     gu
 *       x_l+1 = x' + Wdown (silu(gate) up)
 *     n       = norm(x_L; g)                         n
 *     logits  = Whead n                              not kept: see below
 *     loss_t  = log sum exp(logits_t) - logits_t[target_t]
 *
 *   norm(x; g)_i = g_i x_i / sqrt(mean(x^2) + eps)          RMSNorm
 *   R turns the pair (i, i + head_dim / 2) of a head at position t by the
 *   angle t theta^(-2 i / head_dim)                         RoPE
 *   silu(z) = z / (1 + exp(-z))                             SwiGLU
 *   Head h reads the keys and values of group h / (n_head / n_kv_head).
 *
 *   backward, dx standing for d(loss)/dx
 *     dlogits = scale (softmax(logits) - onehot(target)), in the place of the
 *               logits, for a few rows at a time, so that they stay in cache
 *               and are never stored twice
 *     y = W x:  dx = W^T dy, dW += dy x^T
 *     norm:     with u = x / rms, dx += (g dy - u mean(g dy u)) / rms
 *     residual: dx' = dx_l+1 + (what comes back through the branch)
 *     attention and SwiGLU: in backend.h's implementations
 *
 * What is cheap to make again from what is kept (the norms' outputs, the
 * activations, the attention weights) is made again: on a core the arithmetic
 * is cheaper than the trip to memory and back.
 *
 * A sequence is finished, forward and backward, before the next one starts,
 * and adds to the gradient in place.  Every sum over tokens runs in token
 * order, starting from what the gradient holds, so the result is a function
 * of the sequences and their order alone. */
#include "trainer/model.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "trainer/backend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of logits at a time.  While the head's weights stay in a second-level
 * cache (HEAD_FLOATS), so few that the logits do too (LOGIT_FLOATS); when the
 * weights come from memory anyway, more, so that they come less often. */
#define HEAD_FLOATS (1 << 18)
#define LOGIT_FLOATS (1 << 18)
#define LOGIT_ROWS 256

/* Tensors of a layer, in the order of params.c. */
enum { NORM1, WQKV, WO, NORM2, WGU, WDOWN, PER_LAYER };

/* What the way back needs of a layer; the last one holds x_L alone. */
struct kept {
    float *x;     /* [T, C] */
    float *rstd1; /* [T] */
    float *qkv;   /* [T, (n_head + 2 n_kv_head) head_dim] */
    float *stat;  /* [n_head, 2, T] */
    float *o;     /* [T, C] */
    float *x1;    /* [T, C], x' above */
    float *rstd2; /* [T] */
    float *gu;    /* [T, 2 F] */
};

struct model {
    const struct backend *be;
    struct model_spec spec;
    struct param_table table;
    int64_t T, C, F, V, Q; /* Q: width of a row of qkv */
    int64_t logit_rows;
    struct attention att;

    float *params;      /* [table.size] */
    struct linear *lin; /* by tensor; n == 0 where it is not a matrix */
    char *packs;        /* the backend's copies */
    char *block;        /* everything below, carved */
    struct kept *kept;  /* n_layer + 1 */
    float *cos, *sin;   /* [T, head_dim / 2] */
    float *n;           /* [T, C] output of a norm */
    float *rstd;        /* [T] of the last norm */
    float *act, *dact;  /* [T, F] */
    float *dx, *dn;     /* [T, C] */
    float *dgu, *dqkv;  /* [T, 2 F], [T, Q] */
    float *logits;      /* [logit_rows, V] */
    void *scratch;

    int add;         /* gradients of matrices are added to what is there */
    double *seconds; /* by enum model_op; NULL: not timed */
    double mark;
};

const char *const model_op_name[OP_KINDS] = {[OP_LINEAR] = "linear",
                                             [OP_LINEAR_DX] = "linear dX",
                                             [OP_LINEAR_DW] = "linear dW",
                                             [OP_ATTENTION] = "attention",
                                             [OP_ATTENTION_BWD] =
                                                 "attention backward",
                                             [OP_NORM] = "norm",
                                             [OP_SWIGLU] = "swiglu",
                                             [OP_XENT] = "cross entropy",
                                             [OP_EMBED] = "embedding",
                                             [OP_PACK] = "pack"};

/* ------------------------------------------------------------- memory */

/* A piece of *at, 64-byte aligned; with *at NULL only the size is counted. */
static void *carve(char *at, size_t *used, size_t bytes)
{
    void *p = at ? at + *used : NULL;

    *used += (bytes + 63) / 64 * 64;
    return p;
}

static float *carve_floats(char *at, size_t *used, int64_t n)
{
    return carve(at, used, (size_t)n * sizeof(float));
}

static struct backend_shape shape_of(const struct model *m)
{
    struct backend_shape s = {.rows = m->T, .att = m->att};

    for (int i = 0; i < m->table.n; i++) {
        const struct linear *l = &m->lin[i];

        s.max_n = l->n > s.max_n ? l->n : s.max_n;
        s.max_k = l->k > s.max_k ? l->k : s.max_k;
    }
    return s;
}

/* Point everything into `at`, or count its bytes when at is NULL. */
static size_t carve_model(struct model *m, char *at)
{
    const struct model_spec *s = &m->spec;
    int64_t T = m->T, C = m->C, F = m->F, half = C / s->n_head / 2;
    struct backend_shape shape = shape_of(m);
    size_t used = 0;

    m->cos = carve_floats(at, &used, T * half);
    m->sin = carve_floats(at, &used, T * half);
    for (int64_t l = 0; l <= s->n_layer; l++) {
        struct kept *k = &m->kept[l];

        k->x = carve_floats(at, &used, T * C);
        if (l == s->n_layer)
            break;
        k->rstd1 = carve_floats(at, &used, T);
        k->qkv = carve_floats(at, &used, T * m->Q);
        k->stat = carve_floats(at, &used, 2 * T * s->n_head);
        k->o = carve_floats(at, &used, T * C);
        k->x1 = carve_floats(at, &used, T * C);
        k->rstd2 = carve_floats(at, &used, T);
        k->gu = carve_floats(at, &used, T * 2 * F);
    }
    m->n = carve_floats(at, &used, T * C);
    m->rstd = carve_floats(at, &used, T);
    m->act = carve_floats(at, &used, T * F);
    m->dact = carve_floats(at, &used, T * F);
    m->dx = carve_floats(at, &used, T * C);
    m->dn = carve_floats(at, &used, T * C);
    m->dgu = carve_floats(at, &used, T * 2 * F);
    m->dqkv = carve_floats(at, &used, T * m->Q);
    m->logits = carve_floats(at, &used, m->logit_rows * m->V);
    m->scratch = carve(at, &used, m->be->scratch_bytes(&shape));
    return used;
}

/* The linear layers, and where their packed copies go; returns their bytes. */
static size_t carve_packs(struct model *m, char *at)
{
    size_t used = 0;

    for (int i = 0; i < m->table.n; i++) {
        const struct param *p = &m->table.param[i];

        if (p->kind != PARAM_MATRIX)
            continue;
        m->lin[i] = (struct linear){
            .n = p->rows,
            .k = p->cols,
            .w = m->params ? m->params + p->offset : NULL,
            .pack = carve(at, &used, m->be->pack_bytes(p->rows, p->cols))};
    }
    return used;
}

static void rope_table(struct model *m)
{
    int64_t hd = m->att.head_dim, half = hd / 2;

    for (int64_t t = 0; t < m->T; t++)
        for (int64_t i = 0; i < half; i++) {
            double a = (double)t *
                       pow(m->spec.rope_theta, -2.0 * (double)i / (double)hd);

            m->cos[t * half + i] = (float)cos(a);
            m->sin[t * half + i] = (float)sin(a);
        }
}

static void sizes(struct model *m)
{
    const struct model_spec *s = &m->spec;
    int64_t hd = s->d_model / s->n_head;

    m->T = s->seq_len;
    m->C = s->d_model;
    m->F = s->d_ff;
    m->V = s->vocab;
    m->Q = (s->n_head + 2 * s->n_kv_head) * hd;
    m->att = (struct attention){.seq_len = s->seq_len,
                                .n_head = s->n_head,
                                .n_kv_head = s->n_kv_head,
                                .head_dim = hd};
    m->logit_rows =
        m->V * m->C > HEAD_FLOATS ? LOGIT_ROWS : LOGIT_FLOATS / m->V;
    if (m->logit_rows > m->T)
        m->logit_rows = m->T;
}

int model_create_on(struct model **out, const struct run_spec *spec,
                    const struct backend *b, struct err *e)
{
    struct model *m = xcalloc(1, sizeof *m);
    size_t n_params, n_packs, n_block;
    char text[STR_DOUBLE];

    m->be = b;
    m->spec = spec->model;
    sizes(m);
    params_init(&m->table, &m->spec);
    m->lin = xcalloc((size_t)m->table.n, sizeof *m->lin);
    m->kept = xcalloc((size_t)m->spec.n_layer + 1, sizeof *m->kept);
    n_params = m->table.size * sizeof(float);
    n_packs = carve_packs(m, NULL);
    n_block = carve_model(m, NULL);
    m->params = mem_tensor(n_params);
    m->packs = mem_tensor(n_packs);
    m->block = mem_tensor(n_block);
    if (!m->params || !m->packs || !m->block) {
        model_destroy(m);
        return err_set(
            e, ERR_ENV, "a model of d_model %lld, %lld layers needs %s more",
            (long long)spec->model.d_model, (long long)spec->model.n_layer,
            str_bytes(text, (double)(n_params + n_packs + n_block)));
    }
    carve_packs(m, m->packs);
    carve_model(m, m->block);
    m->att.cos = m->cos;
    m->att.sin = m->sin;
    rope_table(m);
    *out = m;
    return 0;
}

int model_create(struct model **m, const struct run_spec *spec, struct err *e)
{
    return model_create_on(m, spec, backend_pick(spec->dtype), e);
}

void model_destroy(struct model *m)
{
    if (!m)
        return;
    mem_tensor_free(m->params);
    mem_tensor_free(m->packs);
    mem_tensor_free(m->block);
    params_release(&m->table);
    free(m->lin);
    free(m->kept);
    free(m);
}

float *model_params(struct model *m)
{
    return m->params;
}

size_t model_size(const struct model *m)
{
    return m->table.size;
}

const struct param_table *model_table(const struct model *m)
{
    return &m->table;
}

const struct backend *model_backend(const struct model *m)
{
    return m->be;
}

/* ------------------------------------------------------------- timing */

void model_profile(struct model *m, double *seconds)
{
    m->seconds = seconds;
}

/* The time since the last mark was spent on `op`. */
static void spent(struct model *m, enum model_op op)
{
    double t;

    if (!m->seconds)
        return;
    t = clock_now();
    m->seconds[op] += t - m->mark;
    m->mark = t;
}

static void start(struct model *m)
{
    if (m->seconds)
        m->mark = clock_now();
}

/* ------------------------------------------------------------ weights */

void model_refresh(struct model *m)
{
    start(m);
    for (int i = 0; i < m->table.n; i++)
        if (m->lin[i].n)
            m->be->pack(&m->lin[i]);
    spent(m, OP_PACK);
}

void model_draw(struct model *m, int64_t seed, size_t from, size_t to)
{
    for (int i = 0; i < m->table.n; i++) {
        const struct param *p = &m->table.param[i];
        size_t end = p->offset + (size_t)(p->rows * p->cols);
        size_t a = p->offset > from ? p->offset : from;
        size_t b = end < to ? end : to;

        if (a < b && p->kind != PARAM_NORM)
            m->be->normals(m->params + a, (uint64_t)seed, a, p->init_std,
                           b - a);
        for (; a < b && p->kind == PARAM_NORM; a++)
            m->params[a] = 1;
    }
}

void model_init_tensor(struct model *m, int64_t seed, int i)
{
    const struct param *p = &m->table.param[i];

    model_draw(m, seed, p->offset, p->offset + (size_t)(p->rows * p->cols));
    if (m->lin[i].n)
        m->be->pack(&m->lin[i]);
}

void model_init(struct model *m, int64_t seed)
{
    for (int i = 0; i < m->table.n; i++)
        model_init_tensor(m, seed, i);
}

/* -------------------------------------------------------- operations */

/* Tensor numbers: 0 is the embedding, then the layers, last norm, head. */
static int tensor_of(int64_t layer, int which)
{
    return 1 + (int)layer * PER_LAYER + which;
}

static int last_norm(const struct model *m)
{
    return m->table.n - 2;
}

static int head(const struct model *m)
{
    return m->table.n - 1;
}

static float *at(const struct model *m, float *block, int tensor)
{
    return block + m->table.param[tensor].offset;
}

static void norm(struct model *m, float *rstd, const float *x, int tensor)
{
    m->be->rmsnorm(m->n, rstd, x, at(m, m->params, tensor),
                   (float)m->spec.norm_eps, m->T, m->C);
    spent(m, OP_NORM);
}

/* m->dx += the norm's part of m->dn; its output again in m->n. */
static void norm_bwd(struct model *m, float *grad, const float *rstd,
                     const float *x, int tensor)
{
    m->be->rmsnorm_bwd(m->dx, at(m, grad, tensor), m->n, m->dn, x,
                       at(m, m->params, tensor), rstd, m->T, m->C);
    spent(m, OP_NORM);
}

static void linear(struct model *m, float *y, const float *x, const float *res,
                   int tensor)
{
    m->be->linear(y, x, res, &m->lin[tensor], m->T, m->scratch);
    spent(m, OP_LINEAR);
}

static void linear_dx(struct model *m, float *dx, const float *dy, int tensor)
{
    m->be->linear_dx(dx, dy, &m->lin[tensor], m->T, m->scratch);
    spent(m, OP_LINEAR_DX);
}

static void linear_dw(struct model *m, float *grad, const float *dy,
                      const float *x, int tensor)
{
    m->be->linear_dw(at(m, grad, tensor), dy, x, &m->lin[tensor], m->T, m->add,
                     m->scratch);
    spent(m, OP_LINEAR_DW);
}

/* ------------------------------------------------------------ forward */

static void layer_forward(struct model *m, int64_t l)
{
    struct kept *k = &m->kept[l];

    norm(m, k->rstd1, k->x, tensor_of(l, NORM1));
    linear(m, k->qkv, m->n, NULL, tensor_of(l, WQKV));
    m->be->attention(k->o, k->stat, k->qkv, &m->att, m->scratch);
    spent(m, OP_ATTENTION);
    linear(m, k->x1, k->o, k->x, tensor_of(l, WO));

    norm(m, k->rstd2, k->x1, tensor_of(l, NORM2));
    linear(m, k->gu, m->n, NULL, tensor_of(l, WGU));
    m->be->swiglu(m->act, k->gu, m->T, m->F);
    spent(m, OP_SWIGLU);
    linear(m, k[1].x, m->act, k->x1, tensor_of(l, WDOWN));
}

/* Up to the input of the head, m->n. */
static void forward(struct model *m, const int32_t *token)
{
    int64_t L = m->spec.n_layer;

    start(m);
    m->be->embed(m->kept[0].x, at(m, m->params, 0), token, m->T, m->C);
    spent(m, OP_EMBED);
    for (int64_t l = 0; l < L; l++)
        layer_forward(m, l);
    norm(m, m->rstd, m->kept[L].x, last_norm(m));
}

/* Rows of logits from t on. */
static int64_t logits(struct model *m, int64_t t)
{
    int64_t rows = m->logit_rows < m->T - t ? m->logit_rows : m->T - t;

    m->be->linear(m->logits, m->n + t * m->C, NULL, &m->lin[head(m)], rows,
                  m->scratch);
    spent(m, OP_LINEAR);
    return rows;
}

void model_eval_parts(struct model *m, double *nats, const int32_t *tokens,
                      int64_t rows, const int64_t *end, int parts)
{
    for (int64_t r = 0; r < rows; r++) {
        const int32_t *token = tokens + r * (m->T + 1);
        double *part = nats + r * parts, sum = 0;
        int p = 0;

        forward(m, token);
        for (int64_t t = 0, n; t < m->T; t += n) {
            n = logits(m, t);
            for (int64_t i = 0, k; i < n; i += k) {
                k = end[p] - (t + i) < n - i ? end[p] - (t + i) : n - i;
                m->be->xent_loss(&sum, m->logits + i * m->V, token + t + i + 1,
                                 k, m->V);
                if (t + i + k == end[p])
                    part[p++] = sum;
            }
            spent(m, OP_XENT);
        }
    }
}

void model_eval(struct model *m, double *nats, const int32_t *tokens,
                int64_t rows)
{
    model_eval_parts(m, nats, tokens, rows, &m->T, 1);
}

/* ----------------------------------------------------------- backward */

/* Loss and gradient of the head; leaves d(loss)/d(x_L) in m->dx. */
static void head_backward(struct model *m, float *grad, double *nats,
                          const int32_t *target, float scale)
{
    const struct linear *l = &m->lin[head(m)];

    for (int64_t t = 0, n; t < m->T; t += n) {
        n = logits(m, t);
        m->be->xent(nats, m->logits, target + t, n, m->V, scale);
        spent(m, OP_XENT);
        m->be->linear_dw(at(m, grad, head(m)), m->logits, m->n + t * m->C, l, n,
                         m->add || t, m->scratch);
        spent(m, OP_LINEAR_DW);
        m->be->linear_dx(m->dn + t * m->C, m->logits, l, n, m->scratch);
        spent(m, OP_LINEAR_DX);
    }
    memset(m->dx, 0, (size_t)(m->T * m->C) * sizeof *m->dx);
    norm_bwd(m, grad, m->rstd, m->kept[m->spec.n_layer].x, last_norm(m));
}

/* m->dx from d(loss)/d(x_l+1) to d(loss)/d(x_l). */
static void layer_backward(struct model *m, float *grad, int64_t l)
{
    struct kept *k = &m->kept[l];

    linear_dx(m, m->dact, m->dx, tensor_of(l, WDOWN));
    m->be->swiglu_bwd(m->dgu, m->act, m->dact, k->gu, m->T, m->F);
    spent(m, OP_SWIGLU);
    linear_dw(m, grad, m->dx, m->act, tensor_of(l, WDOWN));
    linear_dx(m, m->dn, m->dgu, tensor_of(l, WGU));
    norm_bwd(m, grad, k->rstd2, k->x1, tensor_of(l, NORM2));
    linear_dw(m, grad, m->dgu, m->n, tensor_of(l, WGU));

    linear_dw(m, grad, m->dx, k->o, tensor_of(l, WO));
    linear_dx(m, m->dn, m->dx, tensor_of(l, WO));
    m->be->attention_bwd(m->dqkv, m->dn, k->o, k->stat, k->qkv, &m->att,
                         m->scratch);
    spent(m, OP_ATTENTION_BWD);
    linear_dx(m, m->dn, m->dqkv, tensor_of(l, WQKV));
    norm_bwd(m, grad, k->rstd1, k->x, tensor_of(l, NORM1));
    linear_dw(m, grad, m->dqkv, m->n, tensor_of(l, WQKV));
}

static void gradient(struct model *m, float *grad, double *nats,
                     const int32_t *tokens, int64_t rows, float scale)
{
    *nats = 0;
    for (int64_t r = 0; r < rows; r++) {
        const int32_t *token = tokens + r * (m->T + 1);
        double row = 0;

        forward(m, token);
        head_backward(m, grad, &row, token + 1, scale);
        for (int64_t l = m->spec.n_layer - 1; l >= 0; l--)
            layer_backward(m, grad, l);
        m->be->embed_bwd(at(m, grad, 0), m->dx, token, m->T, m->C);
        spent(m, OP_EMBED);
        *nats += row;
        m->add = 1;
    }
}

void model_grad(struct model *m, float *grad, double *nats,
                const int32_t *tokens, int64_t rows, float scale)
{
    m->add = 1;
    gradient(m, grad, nats, tokens, rows, scale);
}

/* Zeros where gradients are only ever added to, and between tensors.  Those of
 * the matrices are most of the memory, and the first sequence writes them. */
static void clear_rest(struct model *m, float *grad)
{
    start(m);
    for (int i = 0; i < m->table.n; i++) {
        const struct param *p = &m->table.param[i];
        size_t from =
            p->offset + (m->lin[i].n ? (size_t)(p->rows * p->cols) : 0);
        size_t end = i + 1 < m->table.n ? p[1].offset : m->table.size;

        memset(grad + from, 0, (end - from) * sizeof *grad);
    }
    spent(m, OP_EMBED);
}

void model_grad_anew(struct model *m, float *grad, double *nats,
                     const int32_t *tokens, int64_t rows, float scale)
{
    clear_rest(m, grad);
    m->add = 0;
    gradient(m, grad, nats, tokens, rows, scale);
}
