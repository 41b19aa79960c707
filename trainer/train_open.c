/* train_open: see train_impl.h. */
#include "trainer/train_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "sweep/schedule.h"
#include "trainer/adamw.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEER_SECONDS 60

/* --- the data --- */

static int check_data_id(struct train *t, struct err *e)
{
    char id[SPEC_DATA_ID];

    if (!t->spec->data[0])
        return 0;
    if (shard_data_id(id, t->train_set, t->valid_set, t->env->n_valid))
        return -1;
    if (strcmp(id, t->spec->data))
        return err_set(e, ERR_USAGE,
                       "%s: data %s; the run was planned for data %s",
                       t->env->train_path, id, t->spec->data);
    return 0;
}

static int open_data(struct train *t, struct err *e)
{
    const struct train_env *env = t->env;

    if (shard_open(&t->train_set, env->train_path, e))
        return -1;
    for (int i = 0; i < env->n_valid; i++)
        if (shard_open(&t->valid_set[i], env->valid_path[i], e))
            return -1;
    if (check_data_id(t, e) ||
        batches_init(&t->batches, t->train_set, t->spec, e))
        return -1;
    return 0;
}

/* --- memory --- */

/* All members have room, or none goes on: 1 with t->text. */
static int agree_room(struct train *t, int failed, const struct err *why,
                      struct err *e)
{
    unsigned bits = failed ? NO_MEMORY : 0;

    if (failed)
        snprintf(t->text, sizeof t->text, "%.*s", COMM_TEXT - 1, why->text);
    if (comm_agree(t->comm, &bits, t->text, e))
        return -1;
    return bits & NO_MEMORY ? 1 : 0;
}

/* What one member needs for itself. */
static int own_memory(struct train *t, struct err *e)
{
    size_t T1 = (size_t)t->spec->model.seq_len + 1;
    size_t rows = (size_t)t->batches.rows / (size_t)t->reduce.leaves;
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
    t->tokens = mem_tensor(rows * T1 * sizeof *t->tokens);
    if (!t->tokens)
        return err_set(e, ERR_ENV, "no memory for a batch of %s",
                       str_bytes(size, (double)rows * (double)T1 * 4));
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
    for (int i = 0; i < t->env->n_valid; i++)
        if (eval_init(&t->eval[i], t->valid_set[i], t->spec, c, e))
            return -1;
    return 0;
}

static int open_memory(struct train *t, struct err *e)
{
    struct err why;
    int rc;

    reduce_init(&t->reduce, run_leaves(t->spec), comm_size(t->comm));
    rc = own_memory(t, &why);
    if (rc && why.cls != ERR_ENV) {
        *e = why;
        return -1;
    }
    rc = agree_room(t, rc, &why, e);
    if (rc)
        return rc;
    rc = common_memory(t, &why);
    if (rc && why.cls != ERR_ENV) {
        *e = why;
        return -1;
    }
    return agree_room(t, rc, &why, e);
}

/* --- the state to begin with --- */

/* Does this trunk belong to the first steps of this run? */
static int check_trunk(const struct checkpoint *c, const struct train *t,
                       struct err *e)
{
    int64_t shared = schedule_shared(&c->spec, t->spec);

    if (c->state.step > shared || c->n != t->n)
        return err_set(e, ERR_USAGE,
                       "%s: step %" PRId64 " of a run that has the first "
                       "%" PRId64 " steps in common with this one",
                       t->env->trunk, c->state.step, shared);
    return 0;
}

/* Where member 0 found something to begin with. */
struct origin {
    enum { FROM_SEED, FROM_CHECKPOINT, FROM_TRUNK } from;
    enum checkpoint_kind kind;
    int64_t step;
};

static int find_origin(struct origin *o, struct checkpoint *c,
                       const struct train *t, struct err *e)
{
    const struct train_env *env = t->env;
    struct err why;

    *o = (struct origin){.from = FROM_SEED};
    if (env->checkpoint_dir &&
        checkpoint_find(c, &o->kind, env->checkpoint_dir, t->spec, t->n)) {
        o->from = FROM_CHECKPOINT;
        o->step = c->state.step;
        return 0;
    }
    if (!env->trunk)
        return 0;
    if (checkpoint_open(c, env->trunk, &why)) {
        log_warn("%s; the run begins with step 1", why.text);
        return 0;
    }
    o->from = FROM_TRUNK;
    o->step = c->state.step;
    return check_trunk(c, t, e);
}

static int open_origin(struct checkpoint *c, const struct origin *o,
                       const struct train *t, struct err *e)
{
    char path[PATH_MAX];

    if (o->from == FROM_TRUNK)
        return checkpoint_open(c, t->env->trunk, e);
    return checkpoint_path(path, t->env->checkpoint_dir, t->spec, o->step,
                           o->kind, e) ||
           checkpoint_open(c, path, e);
}

/* This member's part of the blocks. */
static void load(struct train *t, const struct checkpoint *c)
{
    float *to[CHECKPOINT_BLOCKS] = {t->params.data, t->m.data, t->v.data};
    size_t from = t->params.bound[comm_member(t->comm)];
    size_t end = t->params.bound[comm_member(t->comm) + 1];

    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        memcpy(to[b] + from, c->block[b] + from, (end - from) * sizeof(float));
    t->state = c->state;
}

/* This member's part of the initial weights. */
static void sow(struct train *t)
{
    size_t from = t->params.bound[comm_member(t->comm)];
    size_t end = t->params.bound[comm_member(t->comm) + 1];

    model_init(t->model, t->spec->seed);
    if (comm_size(t->comm) > 1)
        memcpy((float *)t->params.data + from, model_params(t->model) + from,
               (end - from) * sizeof(float));
    t->state.evaluated = 1; /* nothing is due at step 0 */
}

static int begin(struct train *t, struct err *e)
{
    struct comm_array *shared[] = {&t->params, &t->m, &t->v};
    struct comm_array word = {.element = sizeof(struct origin)};
    int me = comm_member(t->comm), g = comm_size(t->comm), rc = -1;
    struct checkpoint c = {0};
    struct origin *o;

    for (int m = 1; m <= g; m++)
        word.bound[m] = 1; /* member 0 writes it */
    if (comm_alloc(&word, t->comm, e))
        return -1;
    o = word.data;
    if (me == 0 && find_origin(o, &c, t, e))
        goto out;
    if (comm_share(t->comm, (struct comm_array *[]){&word}, 1, e))
        goto out;
    if (o->from != FROM_SEED && me != 0 && open_origin(&c, o, t, e))
        goto out;
    if (o->from == FROM_SEED)
        sow(t);
    else
        load(t, &c);
    /* What another run has evaluated is not this run's, and the last
     * evaluation is what the result says. */
    if (t->state.step == t->spec->steps)
        t->state.evaluated = !t->env->n_valid;
    else if (o->from == FROM_TRUNK)
        t->state.evaluated = 1;
    t->unsaved = o->from != FROM_CHECKPOINT || o->kind != CHECKPOINT_TRUNK;
    rc = comm_share(t->comm, shared, 3, e);
    if (!rc && g > 1)
        memcpy(model_params(t->model), t->params.data, t->n * sizeof(float));
    if (!rc)
        model_refresh(t->model);
out:
    checkpoint_close(&c);
    return rc;
}

/* --- */

int train_open(struct train *t, struct err *e)
{
    const struct train_env *env = t->env;
    int rc;

    if (env->n_valid < 0 || env->n_valid > TRAIN_SETS)
        return err_set(e, ERR_USAGE, "%d validation sets, at most %d expected",
                       env->n_valid, TRAIN_SETS);
    if (spec_check(t->spec, e) ||
        comm_open(&t->comm, env->member, env->gang, env->rendezvous,
                  env->peer_seconds > 0 ? env->peer_seconds : PEER_SECONDS, e))
        return -1;
    if (env->checkpoint_dir && env->member == 0 &&
        file_mkdirs(env->checkpoint_dir, e))
        return -1;
    if (open_data(t, e))
        return -1;
    rc = open_memory(t, e);
    if (rc)
        return rc;
    if (begin(t, e))
        return -1;
    if (env->checkpoint_dir && env->member == 0)
        t->writer = writer_create(t->spec, t->n);
    return 0;
}

void train_close(struct train *t)
{
    writer_destroy(t->writer);
    for (int i = 0; i < t->reduce.depth; i++)
        mem_tensor_free(t->scratch[i]);
    mem_tensor_free(t->tokens);
    model_destroy(t->model);
    comm_close(t->comm);
    shard_close(t->train_set);
    for (int i = 0; i < TRAIN_SETS; i++)
        shard_close(t->valid_set[i]);
}
