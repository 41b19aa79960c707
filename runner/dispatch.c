/* dispatch: attempts, from their start to their outcome. */
#include "runner/coordinator_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "runner/clock.h"
#include "runner/room.h"
#include "runner/run_dir.h"
#include "runner/trunks.h"
#include "runner/version.h"
#include "sweep/flops.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL (PROTO_TEXT + 128)
#define SICK_RUNS 2 /* beyond one a slot: see watch_health */

/* --- start --- */

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

static void start(struct coordinator *c, const struct sched_start *what)
{
    struct job *job = c->jobs.job[what->job.id];
    struct attempt *a = xcalloc(1, sizeof *a);
    struct msg_assign with;
    struct err e;
    int rc;

    memset(&with, 0, sizeof with);
    trunks_assign(&with, &c->jobs, job, c->checkpoints, c->o->trunk_disk);
    a->job = job;
    a->gang.run = job->run.id;
    a->gang.size = a->gang.at_work = what->job.gang;
    memcpy(a->gang.slot, what->slot, sizeof a->gang.slot);
    WITH_ROOM(c, rc, record_start(c, a, with.trunk_step, &e));
    if (rc) {
        coordinator_break(c, &e);
        free(a);
        return;
    }
    a->began = clock_now();
    pulse_start(&a->pulse, a->began, c->o->hang, expected_eval(c, job));
    job->now = JOB_ACTIVE;
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

/* --- end --- */

void dispatch_tell(struct coordinator *c, const struct attempt *a, int tag)
{
    const struct workers *w = &c->workers;

    for (int i = 0; i < a->gang.size; i++) {
        struct msg_kill m;

        if (a->gang.ended[i])
            continue;
        memset(&m, 0, sizeof m);
        m.run = a->gang.run;
        m.attempt = a->gang.attempt;
        m.slot = workers_local(w, a->gang.slot[i]);
        net_send(c->net, w->slot_rank[a->gang.slot[i]], tag, &m, sizeof m);
    }
}

void dispatch_fail(struct coordinator *c, struct attempt *a, const char *why)
{
    if (a->failing)
        return;
    a->failing = 1;
    a->failed = clock_now();
    snprintf(a->why, sizeof a->why, "%s", why);
    dispatch_tell(c, a, MSG_KILL);
}

/* A line about an end that is worth one, also in `text`; the kind of event. */
static const char *tell(char text[TELL], struct coordinator *c,
                        const struct attempt *a, const struct db_outcome *o)
{
    const char *what, *kind = "fault";

    progress_clear(c);
    text[0] = '\0';
    if (o->state == RUN_DONE || o->preempted)
        return kind;
    if (o->state == RUN_PENDING) {
        what = "queued again";
        kind = "retry";
    } else if (o->state == RUN_STOPPED) {
        what = "given up";
        kind = "note";
    } else if (o->state == RUN_DIVERGED) {
        what = "diverged, which is a result";
    } else {
        what = "given up";
    }
    snprintf(text, TELL,
             "run %" PRId64 ", attempt %" PRId64 ", step %" PRId64 ": %s: %s",
             a->gang.run, a->gang.attempt, o->steps, o->reason, what);
    if (o->state == RUN_DIVERGED || o->state == RUN_STOPPED)
        log0_info("%s", text);
    else
        log0_warn("%s", text);
    return kind;
}

static int record_end(struct coordinator *c, const struct attempt *a,
                      const struct db_outcome *o, const char *kind,
                      const char *text, struct err *e)
{
    if (ledger_flush(&c->ledger, e) || store_begin(c->db, e))
        return -1;
    if (text[0])
        db_event(c->db, coordinator_tenant(c, a->job)->id, a->gang.run, kind,
                 text, NULL);
    if (db_attempt_end(c->db, a->gang.run, a->gang.attempt, o, e) < 0) {
        store_rollback(c->db);
        return -1;
    }
    return store_commit(c->db, e);
}

/* Many different runs in a row that say they cannot go on have one reason,
 * which is not theirs: the data are gone, the disk is full.  To try the whole
 * study on it would mark it all as failed. */
static void watch_health(struct coordinator *c, const struct attempt *a)
{
    struct err e;

    if (!a->failing) { /* one that began before says nothing */
        if (a->began > c->sick_since)
            c->sick = 0;
        return;
    }
    if (!a->orderly || a->preempting || a->job->run.failures)
        return;
    if (!c->sick)
        c->sick_since = clock_now();
    if (++c->sick < c->on.n_slots + SICK_RUNS)
        return;
    err_set(&e, ERR_ENV,
            "%d runs in a row failed: %s; stopping: mend it and give the same "
            "command again",
            c->sick, a->why);
    coordinator_break(c, &e);
}

/* The last member is through. */
static void finish(struct coordinator *c, struct attempt *a)
{
    struct job *job = a->job;
    struct db_outcome o;
    char text[TELL];
    const char *kind;
    struct err e;
    int rc;

    for (struct attempt **at = &c->active; *at; at = &(*at)->next)
        if (*at == a) {
            *at = a->next;
            break;
        }
    c->n_active--;
    attempt_outcome(&o, a, coordinator_tenant(c, job)->study.max_attempts);
    kind = tell(text, c, a, &o);
    WITH_ROOM(c, rc, record_end(c, a, &o, kind, text, &e));
    if (rc) {
        coordinator_break(c, &e);
        free(a);
        return;
    }
    watch_health(c, a);
    if (o.steps > a->resumed) {
        c->real += (clock_now() - a->began) * a->gang.size;
        c->predicted += job->run.plan.seconds *
                        (job_share(job, o.steps) - job_share(job, a->resumed));
    }
    job->run.steps_done = o.steps;
    job->run.state = o.state;
    job->run.failures += a->failing && !o.preempted;
    if (o.state == RUN_PENDING) {
        if (a->widen && !a->failing) {
            job->gang = a->widen;
            job->seconds = width_seconds(job->run.plan.seconds, a->widen);
        }
        if (rungs_reached(job))
            jobs_hold(job);
        else
            jobs_requeue(job, c->sched, a->orderly);
    } else {
        job->now = JOB_FINAL;
        for (int i = 0; i < c->n_tenant; i++)
            c->tenant[i].ready |=
                study_run_final(c->tenant[i].run, job->run.id, o.state);
        trunks_final(&c->jobs, c->sched, job->run.id);
        if (o.state != RUN_FAILED && o.state != RUN_STOPPED)
            trunks_tidy(&c->jobs, job, c->checkpoints);
    }
    free(a);
    rungs_look(c);
}

static struct attempt *find(const struct coordinator *c, int64_t run,
                            int64_t attempt)
{
    for (struct attempt *a = c->active; a; a = a->next)
        if (a->gang.run == run && a->gang.attempt == attempt)
            return a;
    return NULL;
}

/* A member on this slot is through, well or ill. */
static void member_ended(struct coordinator *c, struct attempt *a, int slot)
{
    int member = gang_member(&a->gang, slot), over;

    BUG_ON(member < 0);
    over = gang_end(&a->gang, member);
    BUG_ON(over < 0);
    sched_release(c->sched, slot);
    if (over)
        finish(c, a);
}

static void say_why_stopped(const struct coordinator *c, struct attempt *a)
{
    if (a->widen && !c->stopping)
        snprintf(a->why, sizeof a->why, "widened from %d to %d processes",
                 a->gang.size, a->widen);
    else if (a->job->rung && a->result.steps >= a->job->rung && !c->stopping)
        snprintf(a->why, sizeof a->why, "paused to be compared");
    else
        snprintf(a->why, sizeof a->why, "stopped: %s",
                 c->stopping ? c->stop_why : "a signal to its process");
}

static void on_end(struct coordinator *c, struct attempt *a, int slot,
                   const struct msg_end *m)
{
    if (m->rc) {
        a->orderly |= !a->failing;
        if (strstr(m->text, strerror(ENOSPC))) { /* no fault of the run */
            a->preempting = 1;
            room_short(c, m->text);
        }
        dispatch_fail(c, a, m->text);
    } else if (m->member == 0) {
        a->result = m->result;
        a->ended = 1;
        if (m->result.end == TRAIN_STOPPED)
            say_why_stopped(c, a);
        if (m->result.end == TRAIN_NO_MEMORY)
            snprintf(a->why, sizeof a->why, NO_MEMORY ": %s", m->result.text);
    }
    member_ended(c, a, slot);
}

static void on_steps(struct coordinator *c, struct attempt *a,
                     const struct msg_steps *m)
{
    const struct run_spec *s = &a->job->run.plan.spec;
    double now = clock_now();

    for (int64_t i = 0; i < m->n; i++) {
        int64_t step = m->step[i].step;
        pulse_step(&a->pulse, now, &m->step[i],
                   step == s->steps ||
                       (s->eval_every && step % s->eval_every == 0));
    }
    ledger_steps(&c->ledger, m);
}

void dispatch_report(struct coordinator *c, int rank, int tag,
                     const union proto_any *m)
{
    int64_t run, attempt;
    struct attempt *a;

    if (tag == MSG_GONE) {
        run = m->gone.run;
        attempt = m->gone.attempt;
    } else {
        proto_subject(&run, &attempt, tag, m);
    }
    a = find(c, run, attempt);
    if (!a) {
        c->stale++;
        return;
    }
    switch (tag) {
    case MSG_GONE:
        dispatch_fail(c, a, m->gone.why);
        member_ended(c, a, workers_slot(&c->workers, rank, m->gone.slot));
        return;
    case MSG_END:
        on_end(c, a, workers_slot(&c->workers, rank, m->end.slot), &m->end);
        return;
    case MSG_BEGIN:
        a->resumed = m->begin.step;
        a->begun = 1;
        break;
    case MSG_SAVED:
        trunks_saved(&c->jobs, c->sched, c->checkpoints, run, m->saved.step);
        rungs_look(c);
        break;
    case MSG_STEPS:
        on_steps(c, a, &m->steps);
        return;
    case MSG_EVAL:
        pulse_eval(&a->pulse, clock_now(), m->eval.eval.seconds);
        ledger_eval(
            &c->ledger, &m->eval,
            coordinator_tenant(c, a->job)->study.valid[m->eval.eval.set].name);
        return;
    case MSG_POSITION:
        ledger_position(&c->ledger, &m->position,
                        coordinator_tenant(c, a->job)
                            ->study.valid[m->position.position.set]
                            .name);
        break;
    default:
        break;
    }
    pulse_news(&a->pulse, clock_now());
}
