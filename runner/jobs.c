/* jobs: see jobs.h. */
#include "runner/jobs.h"

#include "base/mem.h"
#include "sweep/flops.h"

#include <stdlib.h>
#include <string.h>

double job_share(const struct job *job, int64_t step)
{
    const struct planned *p = &job->run.plan;
    int64_t own = step - p->trunk_step;

    return own > 0 ? (double)own / (double)(p->spec.steps - p->trunk_step) : 0;
}

void jobs_init(struct jobs *j)
{
    memset(j, 0, sizeof *j);
}

void jobs_release(struct jobs *j)
{
    for (size_t i = 0; i < j->n; i++)
        free(j->job[i]);
    free(j->job);
    free(j->slot);
    memset(j, 0, sizeof *j);
}

/* The place of this run in the hash: where it is, or would be. */
static size_t place(const struct jobs *j, int64_t run)
{
    size_t i = (size_t)run & (j->n_slot - 1);

    while (j->slot[i] && j->job[j->slot[i] - 1]->run.id != run)
        i = (i + 1) & (j->n_slot - 1);
    return i;
}

static void grow_hash(struct jobs *j)
{
    if (2 * (j->n + 1) <= j->n_slot)
        return;
    free(j->slot);
    j->n_slot = j->n_slot ? 2 * j->n_slot : 256;
    j->slot = xcalloc(j->n_slot, sizeof *j->slot);
    for (size_t i = 0; i < j->n; i++)
        j->slot[place(j, j->job[i]->run.id)] = (int64_t)i + 1;
}

struct job *jobs_find(const struct jobs *j, int64_t run)
{
    int64_t at = j->n_slot ? j->slot[place(j, run)] : 0;

    return at ? j->job[at - 1] : NULL;
}

struct job *jobs_add(struct jobs *j, const struct db_run *run)
{
    struct job *job = jobs_find(j, run->id);

    if (job)
        return job;
    grow_hash(j);
    j->job = mem_grow(j->job, &j->cap, j->n + 1, sizeof(struct job *));
    job = xcalloc(1, sizeof *job);
    job->run = *run;
    job->number = (int64_t)j->n;
    job->gang = 1;
    j->job[j->n] = job;
    j->slot[place(j, run->id)] = (int64_t)++j->n;
    return job;
}

/* Two numbers a priority: the lower one for those that are to be last. */
static int place_of(const struct job *job, int last)
{
    return 2 * job->priority - last;
}

void jobs_hold(struct job *job)
{
    int widest = run_leaves(&job->run.plan.spec);

    job->now = JOB_HELD;
    job->gang = !job->asked ? 1 : job->asked < widest ? job->asked : widest;
    job->seconds = width_seconds(job->run.plan.seconds, job->gang);
}

void jobs_requeue(struct job *job, struct scheduler *s, int last)
{
    job->now = JOB_QUEUED;
    sched_add(s, &(struct sched_job){job->number, job->seconds, job->gang,
                                     place_of(job, last)});
}

/* The run as the packer sees it, and in *most its widest gang; those of a
 * study that asks for a gang have it already. */
static struct sched_job to_queue(int *most, const struct planned *run,
                                 int asked)
{
    struct sched_job q = {.seconds = run->seconds, .gang = 1};

    *most = run_leaves(&run->spec);
    if (asked) {
        if (asked < *most)
            *most = asked;
        q.gang = *most;
        q.seconds = width_seconds(q.seconds, *most);
    }
    return q;
}

void jobs_queue(struct jobs *j, struct scheduler *s,
                const struct width_slots *on)
{
    struct sched_job *queued = xcalloc(j->n + 1, sizeof *queued);
    int *most = xcalloc(j->n + 1, sizeof *most);
    size_t n = 0;

    sched_clear(s);
    /* those whose width is to be chosen, then the others */
    for (int asked = 0; asked < 2; asked++) {
        for (size_t i = 0; i < j->n; i++)
            if (j->job[i]->now == JOB_QUEUED && !j->job[i]->asked == !asked) {
                const struct job *job = j->job[i];
                queued[n] = to_queue(&most[n], &job->run.plan, job->asked);
                queued[n].id = job->number;
                queued[n++].priority = place_of(job, 0);
            }
        if (!asked)
            width_choose(queued, most, n, on);
    }
    for (size_t i = 0; i < n; i++) {
        struct job *job = j->job[queued[i].id];

        job->gang =
            queued[i].gang < sched_widest(s) ? queued[i].gang : sched_widest(s);
        job->seconds = queued[i].seconds;
        sched_add(s, &queued[i]);
    }
    free(queued);
    free(most);
}

double jobs_makespan(const struct plan *p, int asked, int n_slots)
{
    size_t n = p->n, of_use = n * RUN_LEAVES;
    struct sched_job *job = xcalloc(n + 1, sizeof *job);
    int *most = xcalloc(n + 1, sizeof *most), *node;
    struct width_slots on = {n_slots, 1, NULL};
    double seconds;

    BUG_ON(n_slots < 1);
    if ((size_t)n_slots > of_use)
        on.n_slots = of_use ? (int)of_use : 1;
    on.node = node = xcalloc((size_t)on.n_slots, sizeof *node);
    for (size_t i = 0; i < n; i++)
        job[i] = to_queue(&most[i], &p->run[i], asked);
    if (!asked)
        width_choose(job, most, n, &on);
    seconds = width_makespan(job, n, &on);
    free(node);
    free(most);
    free(job);
    return seconds;
}
