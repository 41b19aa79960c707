/* coordinator: see coordinator.h.  The loop, and how it ends. */
#include "runner/coordinator_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/query.h"
#include "runner/room.h"
#include "runner/signals.h"
#include "runner/trunks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_MS 2
#define CHILD_GRACE 5.0
#define WATCH_SECONDS 0.25 /* between looks for hung runs */

void coordinator_stop(struct coordinator *c, const char *why, int signo)
{
    struct msg_stop m = {signo};

    if (c->stopping)
        return;
    c->stopping = 1;
    c->stop_by = clock_now() + c->o->grace;
    snprintf(c->stop_why, sizeof c->stop_why, "%s", why);
    progress_clear(c);
    for (struct attempt *a = c->active; a; a = a->next)
        a->preempting = 1;
    for (int i = 0; i < c->workers.n; i++)
        net_send(c->net, i, MSG_STOP, &m, sizeof m);
    log0_info("%s: stopping in order, %d run%s to checkpoint", why, c->n_active,
              c->n_active == 1 ? "" : "s");
}

void coordinator_break(struct coordinator *c, const struct err *e)
{
    if (c->broken)
        return;
    c->broken = 1;
    c->fatal = *e;
    progress_clear(c);
    log_error("%s", e->text);
    coordinator_stop(c, "trouble", 0);
}

/* --- messages --- */

static void on_message(struct coordinator *c, int from, int tag,
                       const union proto_any *m)
{
    char name[24];
    struct err e;
    int code;

    switch (tag) {
    case MSG_HELLO:
        if (workers_hello(&c->workers, from, &m->hello, &e) < 0)
            coordinator_break(c, &e);
        break;
    case MSG_DEVICE:
        c->devices_told = workers_device(&c->workers, from, &m->device);
        break;
    case MSG_SIGNAL:
        coordinator_stop(c, signals_name(name, m->signal.signo),
                         m->signal.signo);
        break;
    case MSG_SETUP:
    case MSG_ASSIGN:
    case MSG_KILL:
    case MSG_PAUSE:
    case MSG_STOP:
        supervisor_handle(c->sup, tag, m, &code); /* to my own slots */
        break;
    default:
        dispatch_report(c, from, tag, m);
    }
}

void coordinator_listen(struct coordinator *c)
{
    union {
        union proto_any msg;
        char room[NET_MAX];
    } in;
    int from, tag;
    size_t len;
    struct err e;

    supervisor_wait(c->sup, POLL_MS);
    while (net_recv(c->net, &from, &tag, &in, &len)) {
        if (proto_check(tag, &in, len, &e)) {
            log_error("rank %d: %s", from, e.text);
            net_abort(c->net, ERR_ENV);
        }
        on_message(c, from, tag, &in.msg);
    }
}

/* --- the loop --- */

struct tenant *coordinator_tenant(const struct coordinator *c,
                                  const struct job *job)
{
    return &c->tenant[job->study];
}

static void add_job(struct coordinator *c, const struct tenant *t,
                    const struct db_run *run)
{
    size_t before = c->jobs.n;
    struct job *job = jobs_add(&c->jobs, run);

    if (c->jobs.n > before) {
        job->study = (int)(t - c->tenant);
        job->asked = t->study.gang;
        job->priority = t->priority;
        job->rung = rungs_of_run(c, t, &run->plan);
    } else if (job->now == JOB_FINAL) { /* somebody wants it tried again */
        job->now = JOB_QUEUED;
        job->run = *run;
        job->rung = 0;
    }
}

/* What a study wants done now. */
static void advance(struct coordinator *c, struct tenant *t)
{
    struct db_run *fresh;
    struct err e;
    size_t n;

    t->ready = 0;
    progress_clear(c);
    if (study_run_advance(t->run, &fresh, &n, &e)) {
        coordinator_break(c, &e);
        return;
    }
    for (size_t i = 0; i < n; i++)
        add_job(c, t, &fresh[i]);
    free(fresh);
    t->over = study_run_end(t->run) != STUDY_GOES_ON;
    if (t->over && c->n_tenant > 1)
        log0_info("study '%s' has ended", t->study.name);
}

/* Finished runs whose files a launch that was killed has left. */
static void sweep(const struct coordinator *c, const struct tenant *t)
{
    for (int k = 0; k < t->study.n_stage; k++) {
        const enum run_state *state;
        const struct plan *p = study_run_plan(&state, t->run, k);

        for (size_t i = 0; i < p->n; i++)
            if (state[i] == RUN_DONE || state[i] == RUN_DIVERGED)
                trunks_sweep(&c->jobs, p->run[i].id, c->checkpoints);
    }
}

/* As far as all studies go now: what stops early may end a stage. */
static void advance_all(struct coordinator *c)
{
    int moved;

    do {
        moved = 0;
        for (int i = 0; i < c->n_tenant && !c->stopping; i++)
            if (c->tenant[i].ready) {
                advance(c, &c->tenant[i]);
                moved = 1;
            }
        if (!moved)
            return;
        for (int i = 0; i < c->n_tenant && !c->swept; i++)
            sweep(c, &c->tenant[i]);
        c->swept = 1;
        trunks_hold(&c->jobs, c->checkpoints);
        rungs_hold(c);
        jobs_queue(&c->jobs, c->sched, &c->on);
        rungs_look(c);
    } while (moved);
}

/* A rank does not answer (its machine hangs): it cannot be waited for.  What is
 * recorded stays; the job ends at once, to be started again. */
static void give_up(struct coordinator *c)
{
    log_error("a rank does not end what it was told to end: leaving it");
    ledger_flush(&c->ledger, NULL);
    store_close(c->db);
    net_abort(c->net, EXIT_RESUMABLE);
}

static void check_limits(struct coordinator *c)
{
    double now = clock_now();

    if (!c->stopping && now >= c->deadline)
        coordinator_stop(c, "time limit", 0);
    if (c->stopping && c->n_active && now > c->stop_by)
        watch_kill(c, "killed: it did not stop in time");
    if (watch_lost(c))
        give_up(c);
}

static void loop(struct coordinator *c)
{
    double watched = 0;
    struct err e;
    int rc;

    advance_all(c);
    for (;;) {
        double now = clock_now();

        coordinator_listen(c);
        check_limits(c);
        if (now - watched > WATCH_SECONDS) {
            watched = now;
            watch_hung(c);
            watch_tail(c);
        }
        WITH_ROOM(c, rc, ledger_tick(&c->ledger, &e));
        if (rc)
            coordinator_break(c, &e);
        asked_tick(c);
        advance_all(c);
        dispatch_start(c);
        progress_tick(c);
        if (!c->n_active && (c->stopping || !sched_queued(c->sched)))
            return;
    }
}

/* --- end --- */

static void say_bye(struct coordinator *c, int code)
{
    struct msg_bye m = {code};

    for (int i = 0; i < net_size(c->net); i++)
        if (i != net_rank(c->net))
            net_send(c->net, i, MSG_BYE, &m, sizeof m);
}

static int read_count(void *ctx, int n, const char *const *v)
{
    int64_t count;

    if (n > 0 && v[0] && !str_to_i64(v[0], &count))
        *(int64_t *)ctx = count;
    return 0;
}

/* Runs that are marked failed for another reason than their size. */
static int64_t count_failed(const struct coordinator *c, int64_t study)
{
    int64_t n = 0;
    struct str sql;

    str_init(&sql);
    str_addf(&sql,
             "SELECT count(DISTINCT run) FROM runs WHERE study_id = %" PRId64
             " AND state = 'failed' AND coalesce(reason, '') NOT LIKE "
             "'" NO_MEMORY ":%%'",
             study);
    db_each(c->db, sql.text, read_count, &n, NULL);
    str_release(&sql);
    return n;
}

static int verdict_stopped(struct coordinator *c, const struct tenant *of)
{
    struct study_tally t;
    char text[160];

    study_run_tally(&t, of->run);
    snprintf(text, sizeof text,
             "stopped by %s; %zu of %zu runs are final; run the same command "
             "to go on",
             c->stop_why, t.final, t.runs);
    log0_info("%s", text);
    db_event(c->db, of->id, 0, "stop", text, NULL);
    return EXIT_RESUMABLE;
}

static int verdict_finished(struct coordinator *c, const struct tenant *of)
{
    int64_t failed = count_failed(c, of->id);
    int refused = study_run_end(of->run) == STUDY_REFUSED;
    struct study_tally t;
    char text[160];

    study_run_tally(&t, of->run);
    if (refused)
        log_error("the study ends here: %s", study_run_why(of->run));
    if (failed)
        log_error("%" PRId64 " run%s failed: loglog query %s @diverged", failed,
                  failed == 1 ? "" : "s", c->o->db);
    snprintf(text, sizeof text, "finished: %zu runs, %" PRId64 " failed, %s",
             t.runs, failed, refused ? "refused" : "complete");
    db_event(c->db, of->id, 0, "stop", text, NULL);
    return failed || refused ? ERR_FAILED : 0;
}

/* What this launch comes to: the worst of its studies.  Their last events are
 * stored together, as `launch` reads them. */
static int verdict(struct coordinator *c)
{
    int code = 0;

    if (c->broken)
        return (int)c->fatal.cls;
    if (store_begin(c->db, &c->fatal))
        return ERR_DB;
    for (int i = 0; i < c->n_tenant; i++) {
        struct tenant *t = &c->tenant[i];
        int one = c->stopping && !t->over ? verdict_stopped(c, t)
                                          : verdict_finished(c, t);
        code = one > code ? one : code;
    }
    return store_commit(c->db, &c->fatal) ? ERR_DB : code;
}

static int print_summaries(struct coordinator *c, struct err *e)
{
    for (int i = 0; i < c->n_tenant; i++) {
        if (c->n_tenant > 1)
            printf("%sstudy %s\n", i ? "\n" : "", c->tenant[i].study.name);
        if (summary_print(c->db, c->tenant[i].id, e))
            return -1;
    }
    return 0;
}

static void close_all(struct coordinator *c)
{
    supervisor_destroy(c->sup, CHILD_GRACE);
    rmdir(c->checkpoints); /* if nothing is kept */
    while (c->active) {
        struct attempt *next = c->active->next;
        free(c->active);
        c->active = next;
    }
    for (int i = 0; i < c->n_tenant; i++)
        study_run_close(c->tenant[i].run);
    free(c->tenant);
    jobs_release(&c->jobs);
    sched_destroy(c->sched);
    ledger_release(&c->ledger);
    workers_release(&c->workers);
    store_close(c->db);
}

int coordinator_run(struct net *net, const struct run_options *o)
{
    struct coordinator *c = xcalloc(1, sizeof *c);
    struct err e;
    int code;

    c->o = o;
    c->net = net;
    c->began = c->said = clock_now();
    c->deadline = coordinator_deadline(o);
    jobs_init(&c->jobs);
    workers_init(&c->workers, net_size(net));
    c->sup = supervisor_create(net, o->slots, NULL);
    if (coordinator_open(c, &e) || coordinator_meet(c, &e)) {
        log_error("%s", e.text);
        code = (int)e.cls;
    } else {
        loop(c);
        if (ledger_flush(&c->ledger, &e))
            coordinator_break(c, &e);
        progress_end(c);
        code = verdict(c);
        if (!c->stopping && print_summaries(c, &e))
            log_warn("%s", e.text);
    }
    say_bye(c, code);
    close_all(c);
    free(c);
    return code;
}
