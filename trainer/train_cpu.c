/* train_cpu: training on the CPU; see train_impl.h.
 *
 *   each member   the gradients of its leaves, added up to its nodes
 *   -- share --
 *   each member   the sum over all nodes, for its range of the array, and
 *                 the sum of squares of each block of it
 *   -- share --
 *   each member   the gradient's norm; AdamW on its range
 *   -- share --
 *   each member   a copy of all parameters into its model
 *
 * Every sum has one order, whoever does it: a leaf over its sequences, leaves
 * by the tree of reduce.h, squares by blocks.  Each share also keeps the next
 * step from overwriting what a slower member still reads: gradients are next
 * written after two more of them, parameters and norms after two as well. */
#include "trainer/train_impl.h"

#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "trainer/adamw.h"
#include "trainer/sow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- memory --- */

/* What one member needs for itself. */
static int own_memory(struct train *t, struct err *e)
{
    int64_t rows = t->batches.rows / t->reduce.leaves; /* of a leaf */
    int me = comm_member(t->comm), g = comm_size(t->comm);
    int first = t->reduce.leaves * me / g;
    int end = t->reduce.leaves * (me + 1) / g;
    char size[STR_DOUBLE];

    if (model_create(&t->model, t->spec, e))
        return -1;
    t->n = model_size(t->model);
    for (int i = 0; i < t->reduce.depth; i++) {
        t->scratch[i] = mem_tensor(t->n * sizeof(float));
        if (!t->scratch[i])
            return err_set(e, ERR_ENV, "no memory for %d gradients of %s",
                           t->reduce.depth,
                           str_bytes(size, (double)t->n * sizeof(float)));
    }
    t->first_row = first * rows;
    if (end == first)
        return 0;
    t->loader = loader_create(&t->batches, t->first_row, (end - first) * rows,
                              t->spec->steps);
    if (!t->loader)
        return err_set(e, ERR_ENV, "no memory for batches of %s",
                       str_bytes(size, 4.0 * (double)((end - first) * rows *
                                                      t->spec->model.seq_len)));
    return 0;
}

/* Whole blocks of the flat array, spread over the members. */
static void share_blocks(struct comm_array *floats, struct comm_array *blocks,
                         const struct train *t)
{
    size_t n_block = (t->n + ADAMW_BLOCK - 1) / ADAMW_BLOCK;
    size_t g = (size_t)comm_size(t->comm);

    for (size_t m = 0; m <= g; m++) {
        size_t b = n_block * m / g;
        blocks->bound[m] = b;
        floats->bound[m] = b * ADAMW_BLOCK < t->n ? b * ADAMW_BLOCK : t->n;
    }
}

/* The gang's arrays.  comm_alloc fails on all members or on none. */
static int common_memory(struct train *t, struct err *e)
{
    struct comm *c = t->comm;
    int g = comm_size(c);

    t->nodes.element = t->params.element = sizeof(float);
    t->leaf_nats.element = t->norms.element = sizeof(double);
    for (int m = 0; m <= g; m++) {
        t->nodes.bound[m] = (size_t)t->reduce.bound[m] * t->n;
        t->leaf_nats.bound[m] = (size_t)(t->reduce.leaves * m / g);
    }
    share_blocks(&t->params, &t->norms, t);
    t->m = t->v = t->grad = t->params;
    if (g == 1)
        t->params.data = model_params(t->model);
    else if (comm_alloc(&t->params, c, e))
        return -1;
    if (t->reduce.n_node > 1 && comm_alloc(&t->grad, c, e))
        return -1;
    if (comm_alloc(&t->nodes, c, e) || comm_alloc(&t->leaf_nats, c, e) ||
        comm_alloc(&t->norms, c, e) || comm_alloc(&t->m, c, e) ||
        comm_alloc(&t->v, c, e))
        return -1;
    return 0;
}

static int cpu_open(struct train *t, struct err *e)
{
    struct err why;
    int rc;

    reduce_init(&t->reduce, run_leaves(t->spec), comm_size(t->comm));
    rc = own_memory(t, &why);
    if (rc && why.cls != ERR_ENV) {
        *e = why;
        return -1;
    }
    rc = train_agree_room(t, rc, &why, e);
    if (rc)
        return rc;
    rc = common_memory(t, &why);
    if (rc && why.cls != ERR_ENV) {
        *e = why;
        return -1;
    }
    return train_agree_room(t, rc, &why, e);
}

static void cpu_close(struct train *t)
{
    for (int i = 0; i < t->reduce.depth; i++)
        mem_tensor_free(t->scratch[i]);
    model_destroy(t->model);
}

/* --- the state --- */

/* This member's part of the blocks. */
static void load(struct train *t, const struct checkpoint *c)
{
    float *to[CHECKPOINT_BLOCKS] = {t->params.data, t->m.data, t->v.data};
    size_t from = t->params.bound[comm_member(t->comm)];
    size_t end = t->params.bound[comm_member(t->comm) + 1];

    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        checkpoint_copy(to[b] + from, c, b, from, end - from);
}

/* This member's part of the initial weights of a gang. */
static void sow_part(struct train *t)
{
    size_t from = t->params.bound[comm_member(t->comm)];
    size_t end = t->params.bound[comm_member(t->comm) + 1];

    model_draw(t->model, t->spec->seed, from, end);
    memcpy((float *)t->params.data + from, model_params(t->model) + from,
           (end - from) * sizeof(float));
}

static int cpu_begin(struct train *t, const struct checkpoint *c, struct err *e)
{
    struct comm_array *shared[] = {&t->params, &t->m, &t->v};

    if (!c && comm_size(t->comm) == 1) {
        sow(t->model, t->spec->seed, 0);
        return 0;
    }
    if (c)
        load(t, c);
    else
        sow_part(t);
    if (comm_share(t->comm, shared, 3, e))
        return -1;
    if (comm_size(t->comm) > 1)
        memcpy(model_params(t->model), t->params.data, t->n * sizeof(float));
    model_refresh(t->model);
    return 0;
}

static int cpu_blocks(const float *block[CHECKPOINT_BLOCKS], int *stays,
                      struct train *t, struct err *e)
{
    struct comm_array *shared[] = {&t->params, &t->m, &t->v};

    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        block[b] = shared[b]->data;
    *stays = 0;
    return comm_share(t->comm, shared, CHECKPOINT_BLOCKS, e);
}

/* --- a step --- */

/* The gradient of leaf k. */
static void leaf(struct train *t, int k, float *grad)
{
    int64_t rows = t->batches.rows / t->reduce.leaves;
    int64_t T1 = t->spec->model.seq_len + 1;
    double *nats = (double *)t->leaf_nats.data + k;

    model_grad_anew(t->model, grad, nats,
                    t->tokens + (k * rows - t->first_row) * T1, rows,
                    (float)(1 / (double)t->spec->batch_tokens));
    comm_beat(t->comm);
}

/* The leaves of a node, one after the other; as soon as a subtree is whole it
 * is folded into one block.  Like a binary counter: leaf i completes as many
 * subtrees as i has ones at its end, and at most depth + 1 blocks are in use,
 * the node's own and the scratch ones. */
static void node_gradient(struct train *t, const struct reduce_node *node,
                          float *own)
{
    float *block[RUN_LEAVES + 1] = {own};
    int top = 0;

    memcpy(block + 1, t->scratch, (size_t)t->reduce.depth * sizeof *block);
    for (int i = 0; i < node->count; i++) {
        int whole = 0;

        leaf(t, node->leaf + i, block[top]);
        while (i >> whole & 1)
            whole++;
        top -= whole;
        reduce_fold(block + top, whole + 1, t->n);
        top++;
    }
}

static int leaves(struct train *t, struct err *e)
{
    struct comm_array *shared[] = {&t->nodes, &t->leaf_nats};
    struct fault_here here = {t->env->run_id, t->state.step + 1,
                              t->env->attempt, t->env->member};
    const struct reduce *r = &t->reduce;
    int me = comm_member(t->comm);

    if (t->loader)
        t->tokens = loader_take(t->loader, t->state.step + 1);
    for (int i = r->bound[me]; i < r->bound[me + 1]; i++)
        node_gradient(t, &r->node[i],
                      (float *)t->nodes.data + (size_t)i * t->n);
    if (r->bound[me] < r->bound[me + 1] && fault_at_here("nan", &here))
        ((double *)t->leaf_nats.data)[r->node[r->bound[me]].leaf] = NAN;
    return comm_share(t->comm, shared, 2, e);
}

/* The global norm of the summed gradient, which *grad then points to. */
static int gradient_norm(double *norm, const float **grad, struct train *t,
                         struct err *e)
{
    struct comm_array *shared[] = {&t->norms};
    int me = comm_member(t->comm);
    size_t n_block = t->norms.bound[comm_size(t->comm)];
    const double *square = t->norms.data;
    double sum = 0;

    *grad = t->nodes.data;
    if (t->reduce.n_node > 1) {
        reduce_floats(t->grad.data, t->nodes.data, t->n, &t->reduce,
                      t->params.bound[me], t->params.bound[me + 1]);
        *grad = t->grad.data;
    }
    grad_block_norms(t->norms.data, *grad, t->n, t->norms.bound[me],
                     t->norms.bound[me + 1]);
    if (comm_share(t->comm, shared, 1, e))
        return -1;
    for (size_t b = 0; b < n_block; b++)
        sum += square[b];
    *norm = sqrt(sum);
    return 0;
}

static int cpu_gradient(double *nats, double *norm, struct train *t,
                        struct err *e)
{
    if (leaves(t, e) || gradient_norm(norm, &t->summed, t, e))
        return -1;
    *nats = reduce_doubles(t->leaf_nats.data, t->reduce.leaves);
    return 0;
}

static int cpu_update(struct train *t, double lr, double scale, struct err *e)
{
    struct comm_array *shared[] = {&t->params};
    int me = comm_member(t->comm);

    adamw_update(t->params.data, t->m.data, t->v.data, t->summed,
                 model_table(t->model), &t->spec->optim, lr, scale,
                 t->state.step + 1, t->params.bound[me],
                 t->params.bound[me + 1]);
    if (comm_share(t->comm, shared, 1, e))
        return -1;
    if (comm_size(t->comm) > 1)
        memcpy(model_params(t->model), t->params.data, t->n * sizeof(float));
    model_refresh(t->model);
    return 0;
}

static int cpu_losses(void *ctx, double *nats, const int32_t *tokens,
                      int64_t windows, const struct eval_set *s, struct err *e)
{
    return eval_by_model(((struct train *)ctx)->model, nats, tokens, windows, s,
                         e);
}

const struct train_ops train_cpu = {
    .open = cpu_open,
    .close = cpu_close,
    .begin = cpu_begin,
    .blocks = cpu_blocks,
    .gradient = cpu_gradient,
    .update = cpu_update,
    .losses = cpu_losses,
};
