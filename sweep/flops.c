/* flops: see flops.h.  Everything is computed in double: the counts pass 2^53
 * only where nobody reads the last digit. */
#include "sweep/flops.h"

#include <math.h>

void model_count(struct model_count *c, const struct model_spec *m)
{
    double V = (double)m->vocab, T = (double)m->seq_len;
    double d = (double)m->d_model, n = (double)m->n_layer;
    double ff = (double)m->d_ff;
    double kv = d / (double)m->n_head * (double)m->n_kv_head;

    c->N1 = 12 * n * d * d;
    c->N2 = c->N1 + V * d;
    c->M = 72 * n * d * d + 12 * n * d * T;
    /* q and o, k and v, gate and up and down */
    c->matrix = n * (2 * d * d + 2 * d * kv + 3 * d * ff);
    /* embedding and head, two norms a layer and the last one */
    c->params = c->matrix + 2 * V * d + (2 * n + 1) * d;
    c->body = 6 * c->matrix;
    c->attention = 12 * n * d * (T + 1) / 2;
    c->head = 6 * V * d;
    c->exact = c->body + c->attention + c->head;
    c->head_share = c->head / c->exact;
}

double run_flops(const struct run_spec *s)
{
    struct model_count c;

    model_count(&c, &s->model);
    return c.M * (double)s->steps * (double)s->batch_tokens;
}

double run_flops_exact(const struct run_spec *s)
{
    struct model_count c;

    model_count(&c, &s->model);
    return c.exact * (double)s->steps * (double)s->batch_tokens;
}

int run_leaves(const struct run_spec *s)
{
    int64_t rows = s->batch_tokens / s->model.seq_len;
    int leaves = 1;

    while (leaves < RUN_LEAVES && rows > 0 && rows % (2 * leaves) == 0)
        leaves *= 2;
    return leaves;
}

/* Floats that one sequence leaves behind for its backward pass, and the
 * buffers that pass works in. */
static double activation_floats(const struct model_spec *m)
{
    double T = (double)m->seq_len, d = (double)m->d_model;
    double ff = (double)m->d_ff, h = (double)m->n_head;
    double kv = d / h * (double)m->n_kv_head;
    /* two residual inputs, two norm outputs, q, attention output; k, v; gate,
     * up, their product; the log-sum-exp of each head's rows */
    double layer = T * (6 * d + 2 * kv + 3 * ff + h);
    /* gradients of one layer, and one head's square of scores, twice */
    double work = layer + 2 * T * T;

    return (double)m->n_layer * layer + work + 2 * T * d;
}

double run_bytes(const struct run_spec *s, int gang)
{
    struct model_count c;
    double blocks = 1, packed, logits;
    int leaves = run_leaves(s);

    model_count(&c, &s->model);
    /* Gradients of this member's leaves are summed as a binary tree, one
     * block a level; a gang also keeps a block to exchange. */
    for (int share = leaves / (gang > leaves ? leaves : gang); share > 1;
         share /= 2)
        blocks++;
    if (gang > 1)
        blocks++;
    /* Each matrix packed for the forward and for the backward product, in fp32
     * whatever the operands are rounded to. */
    packed =
        2 * 4 * (c.matrix + (double)s->model.vocab * (double)s->model.d_model);
    logits = 4 * (double)s->model.seq_len * (double)s->model.vocab;
    return c.params * (4 + 8 + 4 * blocks) + packed +
           4 * activation_floats(&s->model) + logits;
}

double run_checkpoint_bytes(const struct run_spec *s)
{
    struct model_count c;

    model_count(&c, &s->model);
    return 3 * sizeof(float) * c.params;
}

int64_t steps_for_flops(const struct run_spec *s, double flops)
{
    struct model_count c;
    double steps;

    model_count(&c, &s->model);
    steps = round(flops / c.M / (double)s->batch_tokens);
    if (!(steps >= 1))
        return 1;
    return steps > 0x1p53 ? (int64_t)1 << 53 : (int64_t)steps;
}

double deepseek_lr(double flops)
{
    return 0.3118 * pow(flops, -0.1250);
}

double deepseek_batch(double flops)
{
    return 0.2920 * pow(flops, 0.3271);
}

double deepseek_M(double flops)
{
    return 0.1715 * pow(flops, 0.5243);
}

double deepseek_D(double flops)
{
    return 5.8316 * pow(flops, 0.4757);
}
