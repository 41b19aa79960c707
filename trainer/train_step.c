/* train_step: one optimiser step of a gang.
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
#include "sweep/schedule.h"
#include "trainer/adamw.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Add leaf k to grad. */
static void leaf(struct train *t, int k, float *grad)
{
    int64_t rows = t->batches.rows / t->reduce.leaves, step = t->state.step + 1;
    double *nats = (double *)t->leaf_nats.data + k;

    batches_read(t->tokens, &t->batches, step, k * rows, rows);
    model_grad(t->model, grad, nats, t->tokens, rows,
               (float)(1 / (double)t->spec->batch_tokens));
    comm_beat(t->comm);
}

/* The leaves of a node, one after the other; as soon as a subtree is whole it
 * is folded into one block.  Like a binary counter: leaf i completes as many
 * subtrees as i has ones at its end, and at most depth + 1 blocks are in use,
 * the node's own and the scratch ones, which are zero before and after. */
static void node_gradient(struct train *t, const struct reduce_node *node,
                          float *own)
{
    float *block[RUN_LEAVES + 1] = {own};
    int top = 0;

    memcpy(block + 1, t->scratch, (size_t)t->reduce.depth * sizeof *block);
    memset(own, 0, t->n * sizeof *own);
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

static int gradients(struct train *t, struct err *e)
{
    struct comm_array *shared[] = {&t->nodes, &t->leaf_nats};
    struct fault_here here = {t->env->run_id, t->state.step + 1,
                              t->env->attempt, t->env->member};
    const struct reduce *r = &t->reduce;
    int me = comm_member(t->comm);

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

static int update(struct train *t, const float *grad, double norm, double lr,
                  struct err *e)
{
    const struct optim_spec *o = &t->spec->optim;
    struct comm_array *shared[] = {&t->params};
    int me = comm_member(t->comm);
    double scale = o->clip > 0 && norm > o->clip ? o->clip / norm : 1;

    adamw_update(t->params.data, t->m.data, t->v.data, grad,
                 model_table(t->model), o, lr, scale, t->state.step + 1,
                 t->params.bound[me], t->params.bound[me + 1]);
    if (comm_share(t->comm, shared, 1, e))
        return -1;
    if (comm_size(t->comm) > 1)
        memcpy(model_params(t->model), t->params.data, t->n * sizeof(float));
    model_refresh(t->model);
    return 0;
}

/* 1 with t->text when this step was the end of it. */
static int diverged(struct train *t, const struct step_report *r)
{
    double limit = TRAIN_DIVERGED_LOSS * log((double)t->spec->model.vocab);

    if (!isfinite(r->loss) || !isfinite(r->grad_norm)) {
        snprintf(t->text, sizeof t->text,
                 "the %s is not finite at step %" PRId64,
                 isfinite(r->loss) ? "gradient" : "loss", r->step);
        return 1;
    }
    t->state.above = r->loss > limit ? t->state.above + 1 : 0;
    if (t->state.above < TRAIN_DIVERGED_STEPS)
        return 0;
    snprintf(t->text, sizeof t->text,
             "the loss was above %d ln(vocab) = %.3g for %d steps, until step "
             "%" PRId64,
             TRAIN_DIVERGED_LOSS, limit, TRAIN_DIVERGED_STEPS, r->step);
    return 1;
}

int train_step(struct train *t, struct err *e)
{
    const struct run_spec *s = t->spec;
    struct step_report r = {.step = t->state.step + 1};
    double begun = train_clock();
    const float *grad;
    int over;

    r.tokens = r.step * s->batch_tokens;
    r.lr = schedule_lr(&s->schedule, s->optim.lr, r.step, s->steps);
    if (gradients(t, e) || gradient_norm(&r.grad_norm, &grad, t, e))
        return -1;
    r.loss = reduce_doubles(t->leaf_nats.data, t->reduce.leaves) /
             (double)s->batch_tokens;
    over = diverged(t, &r);
    /* What is not finite is not applied, and the step did not happen. */
    if (over && !(isfinite(r.loss) && isfinite(r.grad_norm)))
        return 1;
    if (update(t, grad, r.grad_norm, r.lr, e))
        return -1;
    t->state.step = r.step;
    t->unsaved = 1;
    r.seconds = train_clock() - begun;
    t->train_seconds += r.seconds;
    if (t->env->member == 0 && t->obs->on_step)
        train_observe(t, t->obs->on_step(t->obs->ctx, &r));
    return over;
}
