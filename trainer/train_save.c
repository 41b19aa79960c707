/* train_save: when checkpoints are written, and what becomes of them; see
 * train_impl.h.  Member 0 writes; the others wait only while the blocks must
 * not change. */
#include "trainer/train_impl.h"

#include "base/log.h"

#include <string.h>

#define KEEP 2     /* newest checkpoints of a run */
#define SHARE 0.02 /* of the time may be spent on checkpoints */
#define WAIT_MS 50 /* between two signs of life */

int train_trunk_path(char path[PATH_MAX], const char *checkpoint_dir,
                     const struct run_spec *spec, int64_t step, struct err *e)
{
    return checkpoint_path(path, checkpoint_dir, spec, step, CHECKPOINT_TRUNK,
                           e);
}

/* Take note of a finished checkpoint, waiting for it if asked. */
static int take_written(struct train *t, int wait, struct err *e)
{
    struct written w;
    int done;

    if (!t->writer)
        return 0;
    do {
        done = writer_done(&w, t->writer, wait ? WAIT_MS : 0);
        comm_beat(t->comm);
    } while (wait && !done && writer_busy(t->writer));
    if (!done)
        return 0;
    if (w.failed) {
        *e = w.err;
        return -1;
    }
    checkpoint_prune(t->env->checkpoint_dir, t->spec, KEEP);
    if (t->obs->on_checkpoint)
        train_observe(t, t->obs->on_checkpoint(t->obs->ctx, w.step, w.seconds));
    return 0;
}

static void warn_unwritten(const struct err *e)
{
    log_warn("%s; training goes on without this checkpoint", e->text);
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
    if (take_written(t, 0, &why))
        warn_unwritten(&why);
    if (t->env->checkpoint_seconds <= 0 || writer_busy(t->writer))
        return 0;
    if (t->next_checkpoint <= 0)
        t->next_checkpoint = train_clock() + t->env->checkpoint_seconds;
    return t->unsaved && train_clock() >= t->next_checkpoint;
}

int train_save_trunk_due(const struct train *t)
{
    for (int i = 0; i < t->env->n_trunk; i++)
        if (t->env->trunk_at[i] == t->state.step)
            return t->env->checkpoint_dir != NULL;
    return 0;
}

/* Member 0's part: begin, and see it through when that is asked for or when
 * the blocks themselves are being written. */
static int write_one(struct train *t, enum checkpoint_kind kind, int wait,
                     const float *const block[CHECKPOINT_BLOCKS], int stays,
                     struct err *e)
{
    char path[PATH_MAX];

    if (checkpoint_path(path, t->env->checkpoint_dir, t->spec, t->state.step,
                        kind, e))
        return -1;
    if (writer_start(t->writer, path, &t->state, block, stays) || wait)
        return take_written(t, 1, e);
    return 0;
}

int train_save(struct train *t, enum checkpoint_kind kind, int wait,
               struct err *e)
{
    const float *block[CHECKPOINT_BLOCKS];
    double begun = train_clock(), stood;
    unsigned bits = 0; /* nothing but to meet again */
    struct err why;
    int stays;

    if (take_written(t, 1, &why)) /* the one before */
        warn_unwritten(&why);
    if (t->ops->blocks(block, &stays, t, e))
        return -1;
    if (t->writer && write_one(t, kind, wait, block, stays, &why)) {
        if (wait) {
            *e = why;
            return -1; /* which the others hear of */
        }
        warn_unwritten(&why);
    }
    if (comm_agree(t->comm, &bits, NULL, e))
        return -1;
    t->unsaved = 0;
    stood = train_clock() - begun;
    t->checkpoint_seconds += stood;
    t->next_checkpoint =
        train_clock() + train_save_interval(t->env->checkpoint_seconds, stood);
    return 0;
}

int train_save_end(struct train *t, struct err *e)
{
    struct err why;

    if (!t->env->checkpoint_dir)
        return 0;
    if (t->env->keep_checkpoint && t->state.step == t->spec->steps &&
        train_save(t, CHECKPOINT_LAST, 0, e))
        return -1; /* a full disk is not: the run has its result */
    if (!t->writer)
        return 0;
    if (take_written(t, 1, &why))
        warn_unwritten(&why);
    checkpoint_prune(t->env->checkpoint_dir, t->spec, t->env->keep_checkpoint);
    return 0;
}
