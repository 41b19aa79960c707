/* coordinator: see coordinator.h.  The loop, and how it ends. */
#include "runner/coordinator_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "db/query.h"
#include "runner/clock.h"
#include "runner/signals.h"

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

/* What the study wants done now. */
static void advance(struct coordinator *c)
{
    struct db_run *fresh;
    struct err e;
    size_t n;

    c->stage_ready = 0;
    progress_clear(c);
    if (study_run_advance(c->run, &fresh, &n, &e)) {
        coordinator_break(c, &e);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct job *job = jobs_add(&c->jobs, &fresh[i]);
        if (job->now == JOB_FINAL) { /* somebody wants it tried again */
            job->now = JOB_QUEUED;
            job->run = fresh[i];
        }
    }
    free(fresh);
    jobs_queue(&c->jobs, c->sched, &c->on, c->study.gang);
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

    advance(c);
    for (;;) {
        double now = clock_now();

        coordinator_listen(c);
        check_limits(c);
        if (now - watched > WATCH_SECONDS) {
            watched = now;
            watch_hung(c);
            watch_tail(c);
        }
        if (ledger_tick(&c->ledger, &e))
            coordinator_break(c, &e);
        if (c->stage_ready && !c->stopping)
            advance(c);
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
static int64_t count_failed(const struct coordinator *c)
{
    int64_t n = 0;
    struct str sql;

    str_init(&sql);
    str_addf(&sql,
             "SELECT count(DISTINCT run) FROM runs WHERE study_id = %" PRId64
             " AND state = 'failed' AND coalesce(reason, '') NOT LIKE "
             "'" NO_MEMORY ":%%'",
             c->study_id);
    db_each(c->db, sql.text, read_count, &n, NULL);
    str_release(&sql);
    return n;
}

static int verdict_stopped(struct coordinator *c)
{
    struct study_tally t;
    char text[160];

    study_run_tally(&t, c->run);
    snprintf(text, sizeof text,
             "stopped by %s; %zu of %zu runs are final; run the same command "
             "to go on",
             c->stop_why, t.final, t.runs);
    log0_info("%s", text);
    db_event(c->db, c->study_id, 0, "stop", text, NULL);
    return EXIT_RESUMABLE;
}

/* What this launch comes to. */
static int verdict(struct coordinator *c)
{
    struct study_tally t;
    int64_t failed;
    char text[160];
    int refused;

    if (c->broken)
        return (int)c->fatal.cls;
    if (c->stopping)
        return verdict_stopped(c);
    study_run_tally(&t, c->run);
    failed = count_failed(c);
    refused = study_run_end(c->run) == STUDY_REFUSED;
    if (refused)
        log_error("the study ends here: %s", study_run_why(c->run));
    if (failed)
        log_error("%" PRId64 " run%s failed: loglog query %s @diverged", failed,
                  failed == 1 ? "" : "s", c->o->db);
    snprintf(text, sizeof text, "finished: %zu runs, %" PRId64 " failed, %s",
             t.runs, failed, refused ? "refused" : "complete");
    db_event(c->db, c->study_id, 0, "stop", text, NULL);
    return failed || refused ? ERR_FAILED : 0;
}

static void close_all(struct coordinator *c)
{
    supervisor_destroy(c->sup, CHILD_GRACE);
    rmdir(c->setup.checkpoints); /* if nothing is kept */
    while (c->active) {
        struct attempt *next = c->active->next;
        free(c->active);
        c->active = next;
    }
    study_run_close(c->run);
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
        if (!c->stopping && summary_print(c->db, c->study_id, &e))
            log_warn("%s", e.text);
    }
    say_bye(c, code);
    close_all(c);
    free(c);
    return code;
}
