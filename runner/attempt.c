/* attempt: see attempt.h. */
#include "runner/attempt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* It ended as it should: what that makes of the run. */
static void from_result(struct db_outcome *o, const struct train_result *r)
{
    static const struct {
        enum run_state state;
        int preempted;
    } ends[] = {
        [TRAIN_DONE] = {RUN_DONE, 0},
        [TRAIN_STOPPED] = {RUN_PENDING, 1},
        [TRAIN_DIVERGED] = {RUN_DIVERGED, 0},
        [TRAIN_NO_MEMORY] = {RUN_FAILED, 0},
    };

    o->state = ends[r->end].state;
    o->preempted = ends[r->end].preempted;
    o->steps = r->steps;
    o->tokens = r->tokens;
    o->loss = r->loss;
    o->bpb = r->bpb;
    o->epochs = r->epochs;
    o->train_seconds = r->train_seconds;
    o->eval_seconds = r->eval_seconds;
    o->checkpoint_seconds = r->checkpoint_seconds;
    o->data_seconds = r->data_seconds;
    if (r->end == TRAIN_DIVERGED)
        o->reason = r->text;
}

/* A member failed. */
static void from_failure(struct db_outcome *o, const struct attempt *a,
                         int most)
{
    const struct run_spec *spec = &a->job->run.plan.spec;

    o->reason = a->why;
    o->steps = a->pulse.step > a->resumed ? a->pulse.step : a->resumed;
    o->tokens = o->steps * spec->batch_tokens;
    o->preempted = a->preempting;
    o->state = a->preempting || a->job->run.failures + 1 < most ? RUN_PENDING
                                                                : RUN_FAILED;
}

void attempt_outcome(struct db_outcome *o, const struct attempt *a,
                     const struct study *s)
{
    memset(o, 0, sizeof *o);
    o->loss = o->bpb = NAN;
    o->begun = a->begun;
    o->resumed = a->resumed;
    o->keep = s->log;
    if (a->failing)
        from_failure(o, a, s->max_attempts);
    else
        from_result(o, &a->result);
    if (!o->reason && a->why[0])
        o->reason = a->why;
    if (a->cancelled && (o->state == RUN_PENDING || o->state == RUN_FAILED)) {
        o->state = RUN_STOPPED;
        o->reason = "cancelled by request";
        o->preempted = 0;
        o->loss = o->bpb = NAN;
    }
}
