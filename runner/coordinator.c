/* coordinator: see coordinator.h.  The loop, and what it begins and ends
 * with. */
#include "runner/coordinator_impl.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/clock.h"
#include "runner/signals.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_MS 2
#define HELLO_SECONDS 60.0 /* for all ranks to be there */
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
    case MSG_STOP:
        supervisor_handle(c->sup, tag, m, &code); /* to my own slots */
        break;
    default:
        dispatch_report(c, from, tag, m);
    }
}

static void take_messages(struct coordinator *c, int ms)
{
    union {
        union proto_any msg;
        char room[NET_MAX];
    } in;
    int from, tag;
    size_t len;
    struct err e;

    supervisor_wait(c->sup, ms);
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
        dispatch_kill(c, "killed: it did not stop in time");
    if (dispatch_lost(c))
        give_up(c);
}

static void loop(struct coordinator *c)
{
    double watched = 0;
    struct err e;

    advance(c);
    for (;;) {
        double now = clock_now();

        take_messages(c, POLL_MS);
        check_limits(c);
        if (now - watched > WATCH_SECONDS) {
            watched = now;
            dispatch_watch(c);
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

/* --- begin --- */

static void join_argv(struct coordinator *c)
{
    size_t n = 0;

    for (int i = 0; i < c->o->argc && n < sizeof c->argv; i++)
        n += (size_t)snprintf(c->argv + n, sizeof c->argv - n, "%s%s",
                              i ? " " : "loglog ", c->o->argv[i]);
}

static int absolute(char out[PROTO_PATH], const char *path, struct err *e)
{
    char cwd[PATH_MAX] = "";

    if (path[0] != '/' && !getcwd(cwd, sizeof cwd))
        return err_errno(e, "current directory");
    if (snprintf(out, PROTO_PATH, "%s%s%s", cwd, cwd[0] ? "/" : "", path) >=
        PROTO_PATH)
        return err_set(e, ERR_USAGE, "%s: path too long", path);
    return 0;
}

/* What every child must know. */
static int make_setup(struct coordinator *c, struct err *e)
{
    struct msg_setup *m = &c->setup;
    char beside[PROTO_PATH];

    m->log_level = (int32_t)log_level();
    m->stand_in = c->o->stand_in;
    m->checkpoint_seconds = (double)c->study.checkpoint_seconds;
    m->n_valid = c->study.n_valid;
    if (snprintf(beside, sizeof beside, "%s.ckpt", c->o->db) >=
        (int)sizeof beside)
        return err_set(e, ERR_USAGE, "%s: path too long", c->o->db);
    if (absolute(m->train, c->study.train, e) ||
        absolute(m->checkpoints, c->o->checkpoints ? c->o->checkpoints : beside,
                 e))
        return -1;
    for (int i = 0; i < c->study.n_valid; i++) {
        c->set_name[i] = c->study.valid[i].name;
        if (absolute(m->valid[i], c->study.valid[i].path, e))
            return -1;
    }
    return file_mkdirs(m->checkpoints, e);
}

static int read_data(struct coordinator *c, struct err *e)
{
    if (c->o->stand_in <= 0)
        return study_check_data(&c->study, e) ||
                       study_data_read(&c->data, &c->study, e)
                   ? -1
                   : 0;
    c->data.train_tokens = 1e12;
    snprintf(c->data.data, sizeof c->data.data, "%s", "5746d01d5746d01d");
    return 0;
}

/* Everything but the other ranks. */
static int open_all(struct coordinator *c, struct err *e)
{
    struct str resolved;
    int rc, recovered = 0;

    if (study_read(&c->study, c->o->study, e) || read_data(c, e) ||
        make_setup(c, e) || store_open(&c->db, c->o->db, STORE_WRITE, e))
        return -1;
    str_init(&resolved);
    study_print(&resolved, &c->study);
    rc = db_study_put(&c->study_id, c->db, c->study.name, resolved.text,
                      c->o->replace, e);
    str_release(&resolved);
    cost_default(&c->cost);
    ledger_init(&c->ledger, c->db, c->set_name);
    if (rc || db_recover(&recovered, c->db, c->study_id, e) ||
        db_event(c->db, c->study_id, 0, "start", c->argv, e) ||
        study_run_open(&c->run, &c->study, c->db, c->study_id, &c->data,
                       &c->cost, e))
        return -1;
    if (recovered)
        log0_info("%d attempt%s of a launch that was killed: going on from "
                  "the last checkpoints",
                  recovered, recovered == 1 ? "" : "s");
    return 0;
}

/* Wait for every rank, then say what they need to know. */
static int meet(struct coordinator *c, struct err *e)
{
    double until = clock_now() + HELLO_SECONDS;
    char text[256];

    while (workers_missing(&c->workers) >= 0 && !c->broken) {
        take_messages(c, POLL_MS);
        if (clock_now() > until)
            return err_set(e, ERR_ENV, "rank %d did not come within %.0f s",
                           workers_missing(&c->workers), HELLO_SECONDS);
    }
    if (c->broken) {
        *e = c->fatal;
        return -1;
    }
    if (c->o->stand_in <= 0 && workers_crowded(&c->workers, text, sizeof text))
        log0_warn("%s", text);
    for (int i = 0; i < c->workers.n; i++)
        net_send(c->net, i, MSG_SETUP, &c->setup, sizeof c->setup);
    c->on = (struct width_slots){c->workers.n_slots, c->workers.n_nodes,
                                 c->workers.slot_node};
    c->sched = sched_create(c->on.n_slots, c->on.node, c->on.n_nodes);
    log0_info("study '%s': %d slot%s on %d node%s", c->study.name,
              c->on.n_slots, c->on.n_slots == 1 ? "" : "s", c->on.n_nodes,
              c->on.n_nodes == 1 ? "" : "s");
    return 0;
}

/* The end of the time this job may take, on our clock. */
static double find_deadline(const struct run_options *o)
{
    const char *slurm = getenv("SLURM_JOB_END_TIME");
    double end = INFINITY, at;

    if (o->time_limit > 0)
        end = clock_now() + o->time_limit - o->grace;
    if (slurm && !str_to_double(slurm, &at) && at > 0) {
        at = clock_now() + (at - clock_wall()) - o->grace;
        end = at < end ? at : end;
    }
    return end;
}

/* --- end --- */

static void say_bye(struct coordinator *c, int code)
{
    struct msg_bye m = {code};

    for (int i = 0; i < net_size(c->net); i++)
        if (i != net_rank(c->net))
            net_send(c->net, i, MSG_BYE, &m, sizeof m);
}

/* What this launch comes to. */
static int verdict(struct coordinator *c)
{
    struct study_tally t;
    char text[160];

    if (c->broken)
        return (int)c->fatal.cls;
    study_run_tally(&t, c->run);
    if (c->stopping) {
        snprintf(text, sizeof text,
                 "stopped by %s; %zu of %zu runs are final; run the same "
                 "command to go on",
                 c->stop_why, t.final, t.runs);
        log0_info("%s", text);
        db_event(c->db, c->study_id, 0, "stop", text, NULL);
        return EXIT_RESUMABLE;
    }
    if (study_run_end(c->run) == STUDY_REFUSED)
        log_error("the study ends here: %s", study_run_why(c->run));
    if (t.failed)
        log_error("%zu run%s failed: loglog query %s @diverged", t.failed,
                  t.failed == 1 ? "" : "s", c->o->db);
    snprintf(text, sizeof text, "finished: %zu runs, %zu failed, %s", t.runs,
             t.failed,
             study_run_end(c->run) == STUDY_COMPLETE ? "complete" : "refused");
    db_event(c->db, c->study_id, 0, "stop", text, NULL);
    return t.failed || study_run_end(c->run) == STUDY_REFUSED ? ERR_FAILED : 0;
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
    c->deadline = find_deadline(o);
    jobs_init(&c->jobs);
    workers_init(&c->workers, net_size(net));
    join_argv(c);
    c->sup = supervisor_create(net, o->slots, NULL);
    if (open_all(c, &e) || meet(c, &e)) {
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
