/* trunks: see trunks.h. */
#include "runner/trunks.h"

#include "base/file.h"
#include "base/log.h"
#include "runner/run_dir.h"
#include "sweep/flops.h"
#include "trainer/checkpoint.h"

#include <inttypes.h>
#include <unistd.h>

static int trunk_is_there(const char *root, const struct planned *p)
{
    char path[RUN_DIR];

    run_dir_trunk(path, root, p->trunk, p->trunk_step);
    return file_exists(path);
}

int trunks_must_wait(const struct jobs *j, const struct job *job,
                     const char *root)
{
    const struct planned *p = &job->run.plan;
    const struct job *trunk = p->trunk ? jobs_find(j, p->trunk) : NULL;

    return trunk && trunk->now != JOB_FINAL && !trunk_is_there(root, p) &&
           !run_dir_newest(root, job->run.id);
}

void trunks_hold(struct jobs *j, const char *root)
{
    for (size_t i = 0; i < j->n; i++) {
        struct job *job = j->job[i];

        if (job->now == JOB_QUEUED && trunks_must_wait(j, job, root))
            jobs_hold(job);
        else if (job->now == JOB_QUEUED && job->run.plan.trunk &&
                 trunk_is_there(root, &job->run.plan))
            job->promised = 1; /* by a launch before this one */
    }
}

/* step < 0: whatever it waits for. */
static void release(struct jobs *j, struct scheduler *s, int64_t run,
                    int64_t step)
{
    for (size_t i = 0; i < j->n; i++) {
        struct job *job = j->job[i];

        if (job->now == JOB_HELD && !job->rung && job->run.plan.trunk == run &&
            (step < 0 || job->run.plan.trunk_step == step))
            jobs_requeue(job, s, 0);
    }
}

void trunks_saved(struct jobs *j, struct scheduler *s, const char *root,
                  int64_t run, int64_t step)
{
    const struct planned file = {.trunk = run, .trunk_step = step};

    if (trunk_is_there(root, &file))
        release(j, s, run, step);
}

void trunks_final(struct jobs *j, struct scheduler *s, int64_t run)
{
    release(j, s, run, -1);
}

static int has_step(const struct msg_assign *m, int64_t step)
{
    for (int i = 0; i < m->n_trunk; i++)
        if (m->trunk_at[i] == step)
            return 1;
    return 0;
}

double trunks_promised(const struct jobs *j)
{
    double sum = 0;

    for (size_t i = 0; i < j->n; i++)
        if (j->job[i]->promised && j->job[i]->now != JOB_FINAL)
            sum += run_checkpoint_bytes(&j->job[i]->run.plan.spec);
    return sum;
}

/* Insert into an increasing list that has room. */
static void add_step(struct msg_assign *m, int64_t step)
{
    int at = m->n_trunk;

    for (; at > 0 && m->trunk_at[at - 1] > step; at--)
        m->trunk_at[at] = m->trunk_at[at - 1];
    m->trunk_at[at] = step;
    m->n_trunk++;
}

void trunks_assign(struct msg_assign *m, const struct jobs *j,
                   const struct job *job, const char *root, double room)
{
    const struct planned *p = &job->run.plan;
    double taken = trunks_promised(j), bytes = run_checkpoint_bytes(&p->spec);

    if (p->trunk && trunk_is_there(root, p)) {
        m->trunk = p->trunk;
        m->trunk_step = p->trunk_step;
    } else if (p->trunk && !run_dir_newest(root, p->id)) {
        log_debug("run %" PRId64 ": run %" PRId64 " left no trunk; it begins "
                  "with step 1",
                  p->id, p->trunk);
    }
    for (size_t i = 0; i < j->n; i++) {
        struct job *branch = j->job[i];
        int64_t step = branch->run.plan.trunk_step;

        if (branch->run.plan.trunk != p->id || branch->now == JOB_FINAL)
            continue;
        if (!branch->promised && !has_step(m, step)) {
            if (taken + bytes > room || m->n_trunk == PROTO_TRUNKS)
                continue;
            taken += bytes;
        }
        branch->promised = 1;
        if (!has_step(m, step) && m->n_trunk < PROTO_TRUNKS)
            add_step(m, step);
    }
}

/* Jobs that may still begin with a trunk of this run; step < 0: any. */
static int needed(const struct jobs *j, int64_t run, int64_t step)
{
    for (size_t i = 0; i < j->n; i++) {
        const struct planned *p = &j->job[i]->run.plan;

        if (p->trunk == run && j->job[i]->now != JOB_FINAL &&
            (step < 0 || p->trunk_step == step))
            return 1;
    }
    return 0;
}

/* The trunk that `p` began with.  A run that still trains may need it as its
 * newest checkpoint, one that failed or was given up when it is tried
 * again. */
static void drop_trunk(const struct jobs *j, const struct planned *p,
                       const char *root)
{
    const struct job *trunk = jobs_find(j, p->trunk);
    int final =
        !trunk || (trunk->now == JOB_FINAL && trunk->run.state != RUN_FAILED &&
                   trunk->run.state != RUN_STOPPED);
    char path[RUN_DIR];

    if (needed(j, p->trunk, p->trunk_step))
        return;
    if (final && !needed(j, p->trunk, -1)) {
        run_dir_remove(root, p->trunk);
    } else if (final || run_dir_newest(root, p->trunk) > p->trunk_step) {
        run_dir_trunk(path, root, p->trunk, p->trunk_step);
        checkpoint_remove(path);
    }
}

void trunks_sweep(const struct jobs *j, int64_t run, const char *root)
{
    if (needed(j, run, -1))
        run_dir_keep_trunks(root, run);
    else
        run_dir_remove(root, run);
}

void trunks_tidy(const struct jobs *j, const struct job *job, const char *root)
{
    const struct planned *p = &job->run.plan;

    trunks_sweep(j, p->id, root);
    if (p->trunk)
        drop_trunk(j, p, root);
}
