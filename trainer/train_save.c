/* train_save: when checkpoints are written, and what becomes of them; see
 * train_impl.h.  Member 0 writes, and the others wait only while the blocks
 * must not change; or every member writes its share, and when all have said
 * that theirs is on disk, at the next step or when they are waited for, member
 * 0 writes the index. */
#include "trainer/train_impl.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define KEEP 2     /* newest checkpoints of a run, unless the caller says */
#define SHARE 0.02 /* of the time may be spent on checkpoints */
#define WAIT_MS 50 /* between two signs of life */

int train_trunk_path(char path[PATH_MAX], const char *checkpoint_dir,
                     const struct run_spec *spec, int64_t step, struct err *e)
{
    return checkpoint_path(path, checkpoint_dir, spec, step, CHECKPOINT_TRUNK,
                           e);
}

/* A checkpoint of `step` is on disk; member 0. */
static void saved(struct train *t, int64_t step, double seconds)
{
    checkpoint_prune(t->env->checkpoint_dir, t->spec,
                     t->env->keep ? t->env->keep : KEEP);
    if (t->obs->on_checkpoint)
        train_observe(t, t->obs->on_checkpoint(t->obs->ctx, step, seconds));
}

/* Is what this member writes finished?  Waits for it if asked. */
static int look(struct written *w, struct train *t, int wait)
{
    int done;

    do {
        done = writer_done(w, t->writer, wait ? WAIT_MS : 0);
        comm_beat(t->comm);
    } while (wait && !done && writer_busy(t->writer));
    return done;
}

/* Take note of a finished checkpoint in one file, waiting for it if asked. */
static int take_written(struct train *t, int wait, struct err *e)
{
    struct written w;

    if (!t->writer || !look(&w, t, wait))
        return 0;
    if (w.failed) {
        *e = w.err;
        return -1;
    }
    saved(t, w.step, w.seconds);
    return 0;
}

static void warn_unwritten(const struct train *t, const struct err *e)
{
    if (t->env->member == 0)
        log_warn("%s; training goes on without this checkpoint", e->text);
}

/* The end of a set: 0, 1 with *why when it is not a checkpoint, -1 with *e when
 * the gang failed.  Collective. */
static int seal(struct train *t, struct err *why, struct err *e)
{
    struct comm_array *shared[] = {&t->seals};
    const struct written *own = &t->set.own;
    unsigned bits = own->failed ? UNWRITTEN : 0;
    char text[COMM_TEXT] = "";

    t->set.open = 0;
    if (own->failed)
        snprintf(text, sizeof text, "%.*s", COMM_TEXT - 1, own->err.text);
    ((uint64_t *)t->seals.data)[t->env->member] = own->seal;
    if (comm_agree(t->comm, &bits, text, e) ||
        comm_share(t->comm, shared, 1, e))
        return -1;
    if (bits & UNWRITTEN) {
        err_set(why, ERR_ENV, "%s", text);
        return 1;
    }
    if (t->env->member)
        return 0;
    if (checkpoint_index_write(t->set.path, t->spec, &t->set.state, t->n,
                               t->share.gang, t->seals.data, why))
        return 1;
    saved(t, t->set.state.step, clock_now() - t->set.begun);
    return 0;
}

int train_save_seal(struct train *t, struct err *e)
{
    struct err why;
    int rc = seal(t, &why, e);

    if (rc > 0)
        warn_unwritten(t, &why);
    return rc < 0 ? -1 : 0;
}

/* What is being written, to its end; returns as seal.  Collective. */
static int finish(struct train *t, struct err *why, struct err *e)
{
    if (!t->share.gang)
        return take_written(t, 1, why) ? 1 : 0;
    if (!t->set.open)
        return 0;
    if (!t->set.done)
        t->set.done = look(&t->set.own, t, 1);
    return seal(t, why, e);
}

double train_save_interval(double bound, double stood)
{
    return bound > stood / SHARE ? bound : stood / SHARE;
}

int train_save_due(struct train *t)
{
    struct err why;

    if (!t->writer)
        return 0;
    if (t->set.open && !t->set.done)
        t->set.done = look(&t->set.own, t, 0);
    else if (!t->share.gang && take_written(t, 0, &why))
        warn_unwritten(t, &why);
    if (t->env->member || t->env->checkpoint_seconds <= 0 || t->set.open ||
        writer_busy(t->writer))
        return 0;
    if (t->next_checkpoint <= 0)
        t->next_checkpoint = clock_now() + t->env->checkpoint_seconds;
    return t->unsaved && clock_now() >= t->next_checkpoint;
}

int train_save_trunk_due(const struct train *t)
{
    for (int i = 0; i < t->env->n_trunk; i++)
        if (t->env->trunk_at[i] == t->state.step)
            return t->env->checkpoint_dir != NULL;
    return 0;
}

/* Begin to write what this member has to.  1 when the blocks themselves are
 * being written and must not change. */
static int start(struct train *t, enum checkpoint_kind kind, struct err *e)
{
    const float *block[CHECKPOINT_BLOCKS];
    char path[PATH_MAX];
    int stays;

    if (t->ops->blocks(block, &stays, t, e) ||
        checkpoint_path(path, t->env->checkpoint_dir, t->spec, t->state.step,
                        kind, e))
        return -1;
    if (t->share.gang) {
        t->set = (struct train_set){
            .open = 1, .state = t->state, .begun = clock_now()};
        snprintf(t->set.path, sizeof t->set.path, "%s", path);
    }
    return t->writer ? writer_start(t->writer, path, &t->state, block, stays)
                     : 0;
}

int train_save(struct train *t, enum checkpoint_kind kind, int wait,
               struct err *e)
{
    double begun = clock_now(), stood;
    unsigned bits = 0; /* nothing but to meet again */
    struct err why;
    int rc = finish(t, &why, e); /* the one before */

    if (rc > 0)
        warn_unwritten(t, &why);
    if (rc >= 0)
        rc = start(t, kind, e);
    if (rc < 0)
        return -1;
    if (rc || wait)
        rc = finish(t, &why, e);
    if (rc > 0 && wait) {
        *e = why;
        return -1; /* which the others hear of */
    }
    if (rc > 0)
        warn_unwritten(t, &why);
    if (rc < 0 || comm_agree(t->comm, &bits, NULL, e))
        return -1;
    t->unsaved = 0;
    stood = clock_now() - begun;
    t->checkpoint_seconds += stood;
    t->next_checkpoint =
        clock_now() + train_save_interval(t->env->checkpoint_seconds, stood);
    return 0;
}

int train_save_end(struct train *t, struct err *e)
{
    struct err why;
    int rc;

    if (!t->env->checkpoint_dir)
        return 0;
    if (t->env->keep_checkpoint && t->state.step == t->spec->steps &&
        train_save(t, CHECKPOINT_LAST, 0, e))
        return -1; /* a full disk is not: the run has its result */
    rc = finish(t, &why, e);
    if (rc < 0)
        return -1;
    if (rc)
        warn_unwritten(t, &why);
    if (t->env->member == 0)
        checkpoint_prune(t->env->checkpoint_dir, t->spec,
                         t->env->keep_checkpoint);
    return 0;
}
