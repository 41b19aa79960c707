/* dispatch: attempts at work, and their outcome. */
#include "runner/coordinator_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/room.h"
#include "runner/trunks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL (PROTO_TEXT + 128)
#define SICK_RUNS 2 /* beyond one a slot: see watch_health */

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
    attempt_outcome(&o, a, &coordinator_tenant(c, job)->study);
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
