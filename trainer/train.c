/* train: see train.h.  The loop between two steps, and how a run ends. */
#include "trainer/train_impl.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Waiting for data is worth a warning from this share of so long a run. */
#define WAITED_SHARE 0.01
#define WAITED_SECONDS 5

void train_observe(struct train *t, int answer)
{
    if (answer)
        t->stop_asked = 1;
}

/* --- injected failures of a whole process --- */

static void hang(void)
{
    for (;;)
        pause();
}

static void be_killed(void)
{
    raise(SIGKILL);
}

static void segfault(void)
{
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static void be_slow(void)
{
    usleep(50000);
}

static void fault_points(const struct train *t)
{
    static const struct {
        const char *name;
        void (*happen)(void);
    } faults[] = {
        {"child-kill", be_killed},
        {"child-segv", segfault},
        {"child-hang", hang},
        {"child-slow", be_slow}, /* 50 ms */
    };
    struct fault_here here = {t->env->run_id, t->state.step + 1,
                              t->env->attempt, t->env->member};

    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (fault_at_here(faults[i].name, &here))
            faults[i].happen();
}

/* --- evaluation --- */

static int eval_is_due(const struct train *t)
{
    int64_t step = t->state.step, every = t->spec->eval_every;

    return t->env->n_valid &&
           (step == t->spec->steps || (every && step % every == 0));
}

enum { EVALUATED, STOPPED, NOT_FINITE };

/* One of these, or -1. */
static int evaluate_set(struct train *t, int set, struct err *e)
{
    struct eval_set *s = &t->eval[set];
    struct eval_report r = {
        .step = t->state.step,
        .tokens = t->state.step * t->spec->batch_tokens,
        .set = set,
        .eval_tokens = s->tokens,
    };
    struct fault_here here = {t->env->run_id, t->state.step, t->env->attempt,
                              t->env->member};
    double begun = clock_now(), nats;
    int rc = evaluate(&nats, s, t->ops->losses, t, t->comm, t->env->stop, e);

    r.seconds = clock_now() - begun;
    t->eval_seconds += r.seconds;
    if (rc)
        return rc < 0 ? -1 : STOPPED;
    if (fault_at_here("nan-valid", &here))
        nats = NAN;
    if (!isfinite(nats)) {
        snprintf(t->text, sizeof t->text,
                 "the validation loss is not finite at step %" PRId64, r.step);
        return NOT_FINITE;
    }
    r.loss = nats / (double)s->tokens;
    r.bpb = bits_per_byte(nats, s->bytes);
    if (set == 0) {
        t->eval_loss = r.loss;
        t->eval_bpb = r.bpb;
    }
    if (t->env->member == 0 && t->obs->on_eval)
        train_observe(t, t->obs->on_eval(t->obs->ctx, &r));
    return EVALUATED;
}

/* The evaluation of a set, by position. */
static void report_positions(struct train *t, int set)
{
    const struct eval_set *s = &t->eval[set];

    for (int p = 0; p < s->parts; p++) {
        struct position_report r = {.step = t->state.step,
                                    .set = set,
                                    .first = p ? s->end[p - 1] + 1 : 1,
                                    .last = s->end[p]};
        double nats;
        int64_t bytes;

        eval_part(&nats, &bytes, s, p);
        r.eval_tokens = (r.last - r.first + 1) * s->windows;
        r.loss = nats / (double)r.eval_tokens;
        r.bpb = bits_per_byte(nats, bytes);
        train_observe(t, t->obs->on_position(t->obs->ctx, &r));
    }
}

/* As evaluate_set, if an evaluation is due. */
static int evaluate_all(struct train *t, struct err *e)
{
    if (t->state.evaluated)
        return EVALUATED;
    for (int i = 0; i < t->env->n_valid; i++) {
        int rc = evaluate_set(t, i, e);
        if (rc != EVALUATED)
            return rc;
        if (t->env->member == 0 && t->obs->on_position &&
            t->ops == &train_cpu && t->state.step == t->spec->steps)
            report_positions(t, i);
    }
    t->state.evaluated = 1;
    return EVALUATED;
}

/* --- the loop --- */

static int stop_wanted(const struct train *t)
{
    return t->stop_asked || (t->env->stop && *t->env->stop);
}

/* Until the run ends: its end, or -1. */
static int loop(struct train *t, struct err *e)
{
    for (;;) {
        unsigned bits = (stop_wanted(t) ? WANT_STOP : 0u) |
                        (train_save_due(t) ? WANT_CHECKPOINT : 0u) |
                        (t->set.open && !t->set.done ? SAVING : 0u);
        int rc, over;

        if (comm_agree(t->comm, &bits, NULL, e) ||
            (t->set.open && !(bits & SAVING) && train_save_seal(t, e)))
            return -1;
        over = t->state.step == t->spec->steps && t->state.evaluated;
        if (bits & WANT_STOP && !over) {
            if (t->env->checkpoint_dir && train_save(t, CHECKPOINT_LAST, 1, e))
                return -1;
            return TRAIN_STOPPED;
        }
        rc = evaluate_all(t, e);
        if (rc < 0)
            return -1;
        if (rc == NOT_FINITE)
            return TRAIN_DIVERGED;
        if (rc == STOPPED)
            continue;
        if (train_save_trunk_due(t)) {
            if (t->unsaved && train_save(t, CHECKPOINT_TRUNK, 0, e))
                return -1;
        } else if (bits & WANT_CHECKPOINT && t->state.step < t->spec->steps) {
            if (train_save(t, CHECKPOINT_LAST, 0, e))
                return -1;
        }
        if (t->state.step == t->spec->steps)
            return TRAIN_DONE;
        fault_points(t);
        rc = train_step(t, e);
        if (rc < 0)
            return -1;
        if (rc)
            return TRAIN_DIVERGED;
        t->state.evaluated = !eval_is_due(t);
    }
}

static int run(struct train *t, struct err *e)
{
    int rc, end;

    rc = train_open(t, e);
    if (rc)
        return rc < 0 ? -1 : TRAIN_NO_MEMORY;
    if (t->env->member == 0 && t->obs->on_start)
        train_observe(t, t->obs->on_start(t->obs->ctx, t->state.step));
    end = loop(t, e);
    if (end == TRAIN_DONE || end == TRAIN_DIVERGED)
        if (train_save_end(t, e))
            return -1;
    return end;
}

/* The disk is too slow for this run. */
static void say_waited(const struct train_result *r,
                       const struct train_env *env)
{
    if (env->member == 0 && r->train_seconds > WAITED_SECONDS &&
        r->data_seconds > WAITED_SHARE * r->train_seconds)
        log_warn("%s: %.1f %% of the time was spent waiting for its data",
                 env->train_path, 100 * r->data_seconds / r->train_seconds);
}

int train(struct train_result *result, const struct run_spec *spec,
          const struct train_env *env, const struct observer *obs,
          struct err *e)
{
    static const struct observer nobody;
    struct train t = {.spec = spec,
                      .env = env,
                      .obs = obs ? obs : &nobody,
                      .eval_loss = NAN,
                      .eval_bpb = NAN};
    struct err why = {ERR_FAILED, ""};
    int end = run(&t, &why);

    t.failed = end < 0;
    if (end < 0) {
        if (t.comm)
            comm_fail(t.comm, &why);
        if (e)
            *e = why;
    } else {
        *result = (struct train_result){
            .end = (enum train_end)end,
            .steps = t.state.step,
            .tokens = t.state.step * spec->batch_tokens,
            .loss = end == TRAIN_DONE ? t.eval_loss : NAN,
            .bpb = end == TRAIN_DONE ? t.eval_bpb : NAN,
            .epochs = t.train_set && t.batches.windows
                          ? batches_epochs(&t.batches, t.state.step)
                          : 0,
            .train_seconds = t.train_seconds,
            .eval_seconds = t.eval_seconds,
            .checkpoint_seconds = t.checkpoint_seconds,
            .data_seconds = t.loader ? loader_waited(t.loader) : 0,
        };
        say_waited(result, env);
        snprintf(result->text, sizeof result->text, "%s", t.text);
    }
    train_close(&t);
    return end < 0 ? -1 : 0;
}
