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

int train_agree_room(struct train *t, int failed, const struct err *why,
                     struct err *e)
{
    unsigned bits = failed ? NO_MEMORY : 0;

    if (failed)
        snprintf(t->text, sizeof t->text, "%.*s", COMM_TEXT - 1, why->text);
    if (comm_agree(t->comm, &bits, t->text, e))
        return -1;
    return bits & NO_MEMORY ? 1 : 0;
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

static int begin(struct train *t, struct err *e)
{
    struct comm_array word = {.element = sizeof(struct origin)};
    int me = comm_member(t->comm), rc = -1;
    struct checkpoint c = {0};
    struct origin *o;

    for (int m = 1; m <= comm_size(t->comm); m++)
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
        t->state.evaluated = 1; /* nothing is due at step 0 */
    else
        t->state = c.state;
    /* What another run has evaluated is not this run's, and the last
     * evaluation is what the result says. */
    if (t->state.step == t->spec->steps)
        t->state.evaluated = !t->env->n_valid;
    else if (o->from == FROM_TRUNK)
        t->state.evaluated = 1;
    t->unsaved = o->from != FROM_CHECKPOINT || o->kind != CHECKPOINT_TRUNK;
    rc = t->ops->begin(t, o->from == FROM_SEED ? NULL : &c, e);
out:
    checkpoint_close(&c);
    return rc;
}

/* --- */

static int open_evals(struct train *t, struct err *e)
{
    struct err why;
    int rc = 0;

    for (int i = 0; i < t->env->n_valid && !rc; i++) {
        rc = eval_init(&t->eval[i], t->valid_set[i], t->spec,
                       t->ops == &train_cpu, t->comm, &why);
        if (!rc && t->eval_at_once)
            t->eval[i].at_once = t->eval_at_once;
    }
    if (rc && why.cls != ERR_ENV) {
        *e = why;
        return -1;
    }
    return train_agree_room(t, rc, &why, e);
}

/* The CPU, or the device if all members have one that this model can be had
 * on. */
static int choose_ops(struct train *t, struct err *e)
{
    enum device_kind kind = t->env->device;
    char text[COMM_TEXT] = "";
    unsigned bits = 0;
    struct err why;
    int rc;

    t->ops = &train_cpu;
    if (kind == DEVICE_CPU ||
        (kind == DEVICE_AUTO && t->spec->dtype != DTYPE_BF16))
        return 0;
    rc = train_device_find(t, &why);
    if (rc) {
        bits = NO_DEVICE;
        snprintf(text, sizeof text, "%.*s", COMM_TEXT - 1, why.text);
    }
    if (comm_agree(t->comm, &bits, text, e))
        return -1;
    if (!(bits & NO_DEVICE)) {
        t->ops = &train_device;
        return 0;
    }
    if (!rc) /* of another member: the beginning of its reason */
        err_set(&why, ERR_ENV, "%s", text);
    if (kind != DEVICE_AUTO) {
        *e = why;
        return -1;
    }
    if (t->env->member == 0)
        log_warn("training on the CPU: %s", why.text);
    return 0;
}

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
    rc = choose_ops(t, e);
    if (!rc)
        rc = t->ops->open(t, e);
    if (!rc)
        rc = open_evals(t, e);
    if (rc)
        return rc;
    if (begin(t, e))
        return -1;
    if (t->loader && t->state.step < t->spec->steps)
        loader_begin(t->loader, t->state.step + 1);
    if (env->checkpoint_dir && t->share.gang)
        t->writer = writer_create(t->spec, &t->share, t->share.n);
    else if (env->checkpoint_dir && env->member == 0)
        t->writer = writer_create(t->spec, NULL, t->n);
    return 0;
}

void train_close(struct train *t)
{
    writer_destroy(t->writer);
    loader_destroy(t->loader);
    if (t->ops)
        t->ops->close(t);
    comm_close(t->comm);
    shard_close(t->train_set);
    for (int i = 0; i < TRAIN_SETS; i++)
        shard_close(t->valid_set[i]);
}
