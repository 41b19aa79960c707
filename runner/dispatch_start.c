/* dispatch_start: attempts begin: what they are told, and the record of it. */
#include "runner/coordinator_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/disk.h"
#include "runner/room.h"
#include "runner/run_dir.h"
#include "runner/trunks.h"
#include "runner/version.h"
#include "sweep/flops.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "0 1 4": the ranks of the members. */
static void rank_list(struct str *out, const struct coordinator *c,
                      const struct gang *g)
{
    for (int i = 0; i < g->size; i++)
        str_addf(out, "%s%d", i ? " " : "", c->workers.slot_rank[g->slot[i]]);
}

/* trunk_step: of the trunk that it begins with if it has no checkpoint. */
static int record_start(struct coordinator *c, struct attempt *a,
                        int64_t trunk_step, struct err *e)
{
    const struct msg_hello *first =
        &c->workers.rank[c->workers.slot_rank[a->gang.slot[0]]].hello;
    double peak =
        c->o->stand_in > 0 ? 0 : first->peak[a->job->run.plan.spec.dtype];
    struct str ranks;
    int rc;

    str_init(&ranks);
    rank_list(&ranks, c, &a->gang);
    a->resumed = run_dir_newest(c->checkpoints, a->gang.run);
    if (!a->resumed)
        a->resumed = trunk_step;
    rc = ledger_flush(&c->ledger, e);
    if (!rc)
        rc = db_attempt_begin(
            &a->gang.attempt, c->db,
            &(struct db_attempt){
                .run = a->gang.run,
                .gang = a->gang.size,
                .resumed_step = a->resumed,
                .host = first->host,
                .build = version_build(),
                .commit = version_commit(),
                .argv = c->argv,
                .device = c->o->stand_in > 0
                              ? "stand-in"
                              : device_name(c->tenant[a->job->study].device),
                .ranks = ranks.text,
                .peak_flops = peak,
                .pid = first->pid},
            e);
    str_release(&ranks);
    return rc;
}

/* Where the members of a gang meet. */
static void meeting_place(char name[PROTO_NAME], const struct workers *w,
                          const struct gang *g)
{
    const struct msg_hello *first = &w->rank[w->slot_rank[g->slot[0]]].hello;
    int nodes = 1;

    for (int i = 1; i < g->size; i++)
        if (w->slot_node[g->slot[i]] != w->slot_node[g->slot[0]])
            nodes = 2;
    if (nodes > 1)
        gang_address(name, first->host);
    else if (g->size > 1)
        gang_name(name, first->pid, g->run, g->attempt);
}

static void assign_members(struct coordinator *c, const struct attempt *a,
                           struct msg_assign *with)
{
    const struct workers *w = &c->workers;
    const struct planned *p = &a->job->run.plan;
    struct msg_assign m = *with;

    m.gang = a->gang.size;
    m.study = a->job->study;
    m.device = (int32_t)c->tenant[a->job->study].device;
    m.run = a->gang.run;
    m.attempt = a->gang.attempt;
    m.seconds = a->job->seconds * (double)p->spec.steps /
                (double)(p->spec.steps - p->trunk_step);
    m.spec = p->spec;
    m.pause_at = a->job->rung;
    meeting_place(m.rendezvous, w, &a->gang);
    for (int i = 0; i < a->gang.size; i++) {
        m.member = i;
        m.slot = workers_local(w, a->gang.slot[i]);
        m.place = w->slot_place[a->gang.slot[i]];
        m.places = workers_places(w, a->gang.slot[i]);
        net_send(c->net, w->slot_rank[a->gang.slot[i]], MSG_ASSIGN, &m,
                 sizeof m);
    }
}

/* Seconds that one evaluation may take, generously: a forward pass is a third
 * of a training step's work. */
static double expected_eval(const struct coordinator *c, const struct job *job)
{
    const struct run_spec *s = &job->run.plan.spec;
    const struct tenant *t = coordinator_tenant(c, job);
    double tokens = t->data.valid_tokens;

    if (s->eval_tokens)
        tokens = (double)s->eval_tokens * t->study.n_valid;
    return cost_seconds(&c->cost, s) * tokens / (3 * (double)spec_tokens(s));
}

static int at_work(void *ctx, int64_t run)
{
    const struct coordinator *c = ctx;
    const struct job *job = jobs_find(&c->jobs, run);

    return job && job->now == JOB_ACTIVE;
}

/* Room that runs need which may begin on the free slots. */
static double reserve(const struct coordinator *c)
{
    int n = 0, slots = sched_free_slots(c->sched);
    double most = 0;

    for (size_t i = 0; i < c->jobs.n; i++) {
        const struct job *job = c->jobs.job[i];
        double bytes = run_checkpoint_bytes(&job->run.plan.spec);

        if (job->now != JOB_QUEUED)
            continue;
        n++;
        most = bytes > most ? bytes : most;
    }
    return (n < slots ? n : slots) * 2 * most;
}

/* What this run may leave on the disk: trunks, and checkpoints. */
static void share_disk(struct coordinator *c, struct attempt *a,
                       struct msg_assign *m)
{
    struct disk d = {.budget = c->o->disk};
    double bytes = run_checkpoint_bytes(&a->job->run.plan.spec);
    char need[STR_DOUBLE];

    if (isfinite(d.budget)) {
        d.needed = 2 * bytes + reserve(c);
        for (const struct attempt *b = c->active; b; b = b->next)
            d.needed +=
                (b->keep + 1) * run_checkpoint_bytes(&b->job->run.plan.spec);
        d.left_by_others = disk_left(c->checkpoints, c, at_work);
    }
    trunks_assign(m, &c->jobs, a->job, c->checkpoints, disk_room(&d));
    d.trunks = trunks_promised(&c->jobs);
    a->keep = m->keep = disk_keep(&d, bytes);
    if (disk_room(&d) >= 0 || c->crowded)
        return;
    c->crowded = 1;
    log0_warn("--disk: the checkpoints of the runs at work take %s: they are "
              "written all the same",
              str_bytes(need, d.needed + d.left_by_others));
}

static void start(struct coordinator *c, const struct sched_start *what)
{
    struct job *job = c->jobs.job[what->job.id];
    struct attempt *a = xcalloc(1, sizeof *a);
    struct msg_assign with;
    struct err e;
    int rc;

    memset(&with, 0, sizeof with);
    a->job = job;
    job->now = JOB_ACTIVE;
    a->gang.run = job->run.id;
    a->gang.size = a->gang.at_work = what->job.gang;
    memcpy(a->gang.slot, what->slot, sizeof a->gang.slot);
    share_disk(c, a, &with);
    WITH_ROOM(c, rc, record_start(c, a, with.trunk_step, &e));
    if (rc) {
        coordinator_break(c, &e);
        free(a);
        return;
    }
    a->began = clock_now();
    pulse_start(&a->pulse, a->began, c->o->hang, expected_eval(c, job));
    job->run.attempts = (int)a->gang.attempt;
    a->next = c->active;
    c->active = a;
    c->n_active++;
    assign_members(c, a, &with);
    log_debug("run %" PRId64 "/a%" PRId64 " starts on %d slot%s", a->gang.run,
              a->gang.attempt, a->gang.size, a->gang.size > 1 ? "s" : "");
}

void dispatch_start(struct coordinator *c)
{
    struct sched_start what;

    while (!c->stopping && clock_now() >= c->full_until &&
           sched_next(c->sched, clock_now(), &what))
        start(c, &what);
}
