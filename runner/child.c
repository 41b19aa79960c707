/* child: see child.h. */
#include "runner/child.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/affinity.h"
#include "runner/proto.h"
#include "runner/run_dir.h"
#include "runner/signals.h"
#include "runner/stand_in.h"
#include "runner/tape.h"
#include "trainer/device.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FLUSH_SECONDS 0.05 /* steps are sent together, at least this often */
#define EXIT_ORPHAN 3

/* What the callbacks of one run need. */
struct work {
    const struct msg_assign *job;
    struct tape *tape;      /* NULL: no checkpoints, nothing to repeat */
    struct msg_steps steps; /* collected, not sent */
    double flushed;         /* when the last were sent */
};

/* The supervisor is gone if nobody reads: there is nobody to tell. */
static void report(int tag, const void *msg)
{
    struct err e;

    if (proto_write(CHILD_OUT, tag, msg, &e))
        _exit(EXIT_ORPHAN);
}

static void flush(struct work *w)
{
    w->flushed = clock_now();
    if (!w->steps.n)
        return;
    report(MSG_STEPS, &w->steps);
    w->steps.n = 0;
}

/* A tape that cannot be written costs at most a hole in a curve after a
 * crash; the run is worth more. */
static void without_tape(struct work *w, const struct err *e)
{
    log_warn("%s: going on without it", e->text);
    tape_close(w->tape);
    w->tape = NULL;
}

static int send_step(void *ctx, const struct step_report *r)
{
    struct work *w = ctx;

    w->steps.step[w->steps.n++] = *r;
    if (w->steps.n == PROTO_STEPS || clock_now() - w->flushed > FLUSH_SECONDS)
        flush(w);
    return 0;
}

static int send_eval(void *ctx, const struct eval_report *r)
{
    struct work *w = ctx;
    struct msg_eval m;

    memset(&m, 0, sizeof m);
    m.run = w->job->run;
    m.attempt = w->job->attempt;
    m.eval = *r;
    flush(w);
    report(MSG_EVAL, &m);
    return 0;
}

static int on_step(void *ctx, const struct step_report *r)
{
    struct work *w = ctx;
    struct err e;

    if (w->tape && tape_step(w->tape, r, &e))
        without_tape(w, &e);
    send_step(w, r);
    return w->job->pause_at && r->step >= w->job->pause_at;
}

static int on_eval(void *ctx, const struct eval_report *r)
{
    struct work *w = ctx;
    struct err e;

    if (w->tape && tape_eval(w->tape, r, &e))
        without_tape(w, &e);
    return send_eval(w, r);
}

static int send_position(void *ctx, const struct position_report *r)
{
    struct work *w = ctx;
    struct msg_position m = {w->job->run, w->job->attempt, *r};

    report(MSG_POSITION, &m);
    return 0;
}

static int on_position(void *ctx, const struct position_report *r)
{
    struct work *w = ctx;
    struct err e;

    if (w->tape && tape_position(w->tape, r, &e))
        without_tape(w, &e);
    return send_position(w, r);
}

static int on_checkpoint(void *ctx, int64_t step, double seconds)
{
    struct work *w = ctx;
    struct msg_saved m = {w->job->run, w->job->attempt, step, seconds};

    flush(w);
    report(MSG_SAVED, &m);
    return 0;
}

static int on_start(void *ctx, int64_t step)
{
    struct work *w = ctx;
    struct msg_begin m = {w->job->run, w->job->attempt, step};
    const struct observer repeat = {.ctx = w,
                                    .on_step = send_step,
                                    .on_eval = send_eval,
                                    .on_position = send_position};
    struct err e;

    report(MSG_BEGIN, &m);
    if (w->tape && tape_play(w->tape, step, &repeat, &e))
        without_tape(w, &e);
    flush(w);
    return 0;
}

static int run_train(struct train_result *result, struct work *w,
                     const struct msg_setup *setup, const char *dir,
                     struct err *e)
{
    const struct msg_assign *job = w->job;
    struct observer all = {.ctx = w,
                           .on_step = on_step,
                           .on_eval = on_eval,
                           .on_position = on_position,
                           .on_checkpoint = on_checkpoint,
                           .on_start = on_start};
    struct observer none = {.ctx = w};
    struct train_env env = {
        .train_path = setup->train,
        .n_valid = setup->n_valid,
        .checkpoint_dir = dir,
        .checkpoint_seconds = setup->checkpoint_seconds,
        .keep = job->keep,
        .keep_checkpoint = 1, /* until the database has the result */
        .member = job->member,
        .gang = job->gang,
        .device = (enum device_kind)job->device,
        .place = job->place,
        .attention = setup->how[DEVICE_ATTENTION],
        .recompute = setup->how[DEVICE_RECOMPUTE],
        .no_graphs = setup->how[DEVICE_GRAPHS],
        .rendezvous = job->gang > 1 ? job->rendezvous : NULL,
        .run_id = job->run,
        .attempt = job->attempt,
        .stop = signals_flag(),
        .trunk_at = job->trunk_at,
        .n_trunk = job->n_trunk,
    };
    const struct observer *obs = job->member ? &none : &all;
    char trunk[RUN_DIR];

    for (int i = 0; i < setup->n_valid; i++)
        env.valid_path[i] = setup->valid[i];
    if (job->trunk) {
        run_dir_trunk(trunk, setup->checkpoints, job->trunk, job->trunk_step);
        env.trunk = trunk;
    }
    if (setup->stand_in > 0)
        return stand_in_train(result, &job->spec, &env, obs, job->seconds,
                              setup->stand_in, e);
    return train(result, &job->spec, &env, obs, e);
}

/* The device of this slot (train_device.c), if it has one. */
static void find_device(struct engine_device *d, const struct msg_assign *job)
{
    const struct engine_api *api;
    struct err e;
    int n;

    memset(d, 0, sizeof *d);
    if (job->device == DEVICE_CPU ||
        device_open(&api, (enum device_kind)job->device, &e) || !api ||
        api->devices(&n, &e) || n < 1)
        return;
    if (api->describe(d, job->place % n, &e))
        memset(d, 0, sizeof *d);
}

/* To the cores of this slot, once: a child stays with its slot.  Where it
 * cannot be bound it trains as well, if slower. */
static void take_place(int *placed, const struct msg_setup *setup,
                       const struct msg_assign *job)
{
    struct engine_device d;
    const struct affinity_slot slot = {job->place, job->places, d.pci};
    char text[80];
    struct err e;

    if (*placed)
        return;
    *placed = 1;
    find_device(&d, job);
    if (affinity_bind((enum affinity)setup->bind, &slot, text, sizeof text, &e))
        log_warn("not bound: %s", e.text);
    else if (text[0])
        log_debug("bound to %s", text);
}

/* One assignment, to its MSG_END.  Returns what train() did. */
static int serve(const struct msg_setup *setup, const struct msg_assign *job)
{
    struct work w = {.job = job, .flushed = clock_now()};
    char dir[RUN_DIR], tag[48];
    struct msg_end end;
    struct err e;

    memset(&end, 0, sizeof end);
    snprintf(tag, sizeof tag, "run %" PRId64 "/a%" PRId64, job->run,
             job->attempt);
    log_init((enum log_level)setup->log_level, -1, tag);
    run_dir_path(dir, setup->checkpoints, job->run);
    w.steps.run = job->run;
    w.steps.attempt = job->attempt;
    end.rc = file_mkdirs(dir, &e);
    if (!end.rc && !job->member && tape_open(&w.tape, dir, &e))
        log_warn("%s: going on without it", e.text);
    if (!end.rc)
        end.rc = run_train(&end.result, &w, setup, dir, &e);
    flush(&w);
    tape_close(w.tape);
    end.run = job->run;
    end.attempt = job->attempt;
    end.slot = job->slot;
    end.member = job->member;
    if (end.rc) {
        memset(&end.result, 0, sizeof end.result);
        end.err_class = (int)e.cls;
        snprintf(end.text, sizeof end.text, "%.*s", PROTO_TEXT - 1, e.text);
    }
    report(MSG_END, &end);
    return end.rc;
}

/* The next message; -1 when there will be none. */
static int next(struct proto_reader *r, int *tag, union proto_any *msg)
{
    struct err e;
    int got;

    do {
        got = proto_read(r, CHILD_IN, tag, msg, &e);
    } while (got == 0 && !signals_stop());
    return got > 0 ? 0 : -1;
}

int child_main(int argc, char **argv)
{
    struct proto_reader reader = {0};
    struct msg_setup *setup = xcalloc(STUDIES_MAX, sizeof *setup);
    union proto_any *msg = xcalloc(1, sizeof *msg);
    int tag = 0, rc = 0, placed = 0;

    signals_install_child();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "loglog-child");
    if (argc != 2 || getppid() != (pid_t)strtol(argv[1], NULL, 10)) {
        log_error("'%s' is started by `loglog run` only", CHILD_COMMAND);
        free(setup);
        free(msg);
        return EXIT_ORPHAN;
    }
    /* what the launcher's library left open is not ours */
    close_range(CHILD_OUT + 1, UINT_MAX, 0);
    while (!rc && !signals_stop() && !next(&reader, &tag, msg)) {
        if (tag == MSG_SETUP)
            setup[msg->setup.study] = msg->setup;
        else if (tag == MSG_ASSIGN) {
            take_place(&placed, &setup[msg->assign.study], &msg->assign);
            rc = serve(&setup[msg->assign.study], &msg->assign);
        }
    }
    free(setup);
    free(msg);
    return rc ? ERR_FAILED : 0;
}
