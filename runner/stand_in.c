/* stand_in: see stand_in.h. */
#include "runner/stand_in.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/rng.h"
#include "sweep/flops.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORTS 20  /* steps reported over a run */
#define NOISE 0.002 /* relative SD between seeds */
#define NAP 0.005   /* seconds between looks at the stop flag */
#define LN2 0.6931471805599453

/* L = 1.2 + A/M^0.3 + B/D^0.3 with the compute-optimal M near Eq. 4, times a
 * quadratic bowl in log lr and log batch around Eq. 1. */
double stand_in_bpb(const struct run_spec *spec)
{
    struct model_count n;
    double D = (double)spec_tokens(spec), flops, lr, batch, bowl;

    model_count(&n, &spec->model);
    flops = n.M * D;
    lr = log(spec->optim.lr / deepseek_lr(flops));
    batch = log((double)spec->batch_tokens / deepseek_batch(flops));
    bowl = 0.01 * lr * lr + 0.005 * batch * batch;
    return (1.2 + 20 * pow(n.M, -0.3) + 45 * pow(D, -0.3)) * (1 + bowl) *
           (1 + NOISE * rng_normal((uint64_t)spec->seed, RNG_TEST,
                                   (uint64_t)spec_id(spec)));
}

static void state_path(char path[1200], const struct train_env *env)
{
    snprintf(path, 1200, "%s/stand-in", env->checkpoint_dir);
}

/* The step that a file of ours holds; 0: none. */
static int64_t read_step(const char *path)
{
    int64_t step = 0;
    char *text;
    size_t len;

    if (file_read(&text, &len, path, 64, NULL))
        return 0;
    if (str_to_i64(text, &step))
        step = 0;
    free(text);
    return step;
}

static int64_t load(const struct train_env *env)
{
    char path[1200];
    int64_t step = 0;

    if (!env->checkpoint_dir)
        return 0;
    state_path(path, env);
    step = read_step(path);
    return !step && env->trunk ? read_step(env->trunk) : step;
}

static int is_trunk(const struct train_env *env, int64_t step)
{
    for (int i = 0; i < env->n_trunk; i++)
        if (env->trunk_at[i] == step)
            return 1;
    return 0;
}

/* The next step to report: every stride, and where a trunk is to be left. */
static int64_t next_step(const struct train_env *env, int64_t step,
                         int64_t stride, int64_t steps)
{
    int64_t to = (step / stride + 1) * stride;

    for (int i = 0; i < env->n_trunk; i++)
        if (env->trunk_at[i] > step && env->trunk_at[i] < to)
            to = env->trunk_at[i];
    return to < steps ? to : steps;
}

static int leave_trunk(const struct train_env *env, const struct run_spec *spec,
                       int64_t step, const struct observer *obs, struct err *e)
{
    char path[PATH_MAX], text[32];

    if (env->member || !is_trunk(env, step))
        return 0;
    snprintf(text, sizeof text, "%" PRId64, step);
    if (train_trunk_path(path, env->checkpoint_dir, spec, step, e) ||
        file_write(path, text, strlen(text), e))
        return -1;
    if (obs->on_checkpoint)
        obs->on_checkpoint(obs->ctx, step, 0);
    return 0;
}

static int save(const struct train_env *env, int64_t step, struct err *e)
{
    char path[1200], text[32];

    if (!env->checkpoint_dir || env->member)
        return 0;
    state_path(path, env);
    snprintf(text, sizeof text, "%" PRId64, step);
    return file_write(path, text, strlen(text), e);
}

static int asked_to_stop(const struct train_env *env)
{
    return env->stop && *env->stop;
}

/* Until `until` or the stop flag. */
static void wait_until(const struct train_env *env, double until)
{
    for (double left; (left = until - clock_now()) > 0 && !asked_to_stop(env);)
        clock_sleep(left < NAP ? left : NAP);
}

static double loss_at(const struct run_spec *s, int64_t step)
{
    double end = stand_in_bpb(s) * LN2;

    return end + 3 * exp(-6.0 * (double)step / (double)s->steps);
}

static void finish(struct train_result *r, const struct run_spec *spec,
                   const struct observer *obs)
{
    struct eval_report v = {
        .step = spec->steps,
        .tokens = spec_tokens(spec),
        .bpb = stand_in_bpb(spec),
        .eval_tokens = 1,
    };

    v.loss = v.bpb * LN2;
    r->end = TRAIN_DONE;
    r->loss = v.loss;
    r->bpb = v.bpb;
    if (obs->on_eval)
        obs->on_eval(obs->ctx, &v);
}

/* The faults that train() knows too. */
static void maybe_fail(const struct train_env *env, int64_t step)
{
    const struct fault_here here = {env->run_id, step, env->attempt,
                                    env->member};

    if (fault_at_here("child-kill", &here))
        raise(SIGKILL);
    if (fault_at_here("child-hang", &here))
        for (;;)
            pause();
}

int stand_in_train(struct train_result *result, const struct run_spec *spec,
                   const struct train_env *env, const struct observer *obs,
                   double seconds, double speed, struct err *e)
{
    int64_t step = load(env), stride = (spec->steps + REPORTS - 1) / REPORTS;
    double began = clock_now(), saved = began;
    double per_step = seconds / speed / (double)spec->steps;
    int64_t first = step;

    memset(result, 0, sizeof *result);
    if (env->member == 0 && obs->on_start)
        obs->on_start(obs->ctx, step);
    while (step < spec->steps && !asked_to_stop(env)) {
        int64_t to = next_step(env, step, stride, spec->steps);
        struct step_report r = {.step = to, .lr = spec->optim.lr};

        maybe_fail(env, to);
        wait_until(env, began + per_step * (double)(to - first));
        if (asked_to_stop(env))
            break;
        r.tokens = to * spec->batch_tokens;
        r.loss = loss_at(spec, to);
        r.seconds = per_step * (double)(to - step);
        step = to;
        if (env->member == 0 && obs->on_step && obs->on_step(obs->ctx, &r))
            break;
        if (leave_trunk(env, spec, step, obs, e))
            return -1;
        if (env->checkpoint_seconds > 0 &&
            clock_now() - saved >= env->checkpoint_seconds) {
            if (save(env, step, e))
                return -1;
            saved = clock_now();
            if (env->member == 0 && obs->on_checkpoint)
                obs->on_checkpoint(obs->ctx, step, 0);
        }
    }
    if (save(env, step, e))
        return -1;
    result->steps = step;
    result->tokens = step * spec->batch_tokens;
    result->loss = result->bpb = NAN;
    result->train_seconds = clock_now() - began;
    result->end = TRAIN_STOPPED;
    if (step == spec->steps)
        finish(result, spec, obs);
    return 0;
}
