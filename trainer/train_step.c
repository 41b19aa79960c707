/* train_step: one optimiser step, whatever it is computed on, and what ends a
 * run. */
#include "trainer/train_impl.h"

#include "base/clock.h"

#include "sweep/schedule.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* 1 with t->text when this step was the end of it. */
static int diverged(struct train *t, const struct step_report *r)
{
    double limit = TRAIN_DIVERGED_LOSS * log((double)t->spec->model.vocab);

    if (!isfinite(r->loss) || !isfinite(r->grad_norm)) {
        snprintf(t->text, sizeof t->text,
                 "the %s is not finite at step %" PRId64,
                 isfinite(r->loss) ? "gradient" : "loss", r->step);
        return 1;
    }
    t->state.above = r->loss > limit ? t->state.above + 1 : 0;
    if (t->state.above < TRAIN_DIVERGED_STEPS)
        return 0;
    snprintf(t->text, sizeof t->text,
             "the loss was above %d ln(vocab) = %.3g for %d steps, until step "
             "%" PRId64,
             TRAIN_DIVERGED_LOSS, limit, TRAIN_DIVERGED_STEPS, r->step);
    return 1;
}

int train_step(struct train *t, struct err *e)
{
    const struct run_spec *s = t->spec;
    struct step_report r = {.step = t->state.step + 1};
    double begun = clock_now(), clip = s->optim.clip, nats;
    int over;

    r.tokens = r.step * s->batch_tokens;
    r.lr = schedule_lr(&s->schedule, s->optim.lr, r.step, s->steps);
    if (t->ops->gradient(&nats, &r.grad_norm, t, e))
        return -1;
    r.loss = nats / (double)s->batch_tokens;
    over = diverged(t, &r);
    /* What is not finite is not applied, and the step did not happen. */
    if (over && !(isfinite(r.loss) && isfinite(r.grad_norm)))
        return 1;
    if (t->ops->update(t, r.lr,
                       clip > 0 && r.grad_norm > clip ? clip / r.grad_norm : 1,
                       e))
        return -1;
    t->state.step = r.step;
    t->unsaved = 1;
    r.seconds = clock_now() - begun;
    t->train_seconds += r.seconds;
    if (t->env->member == 0 && t->obs->on_step)
        train_observe(t, t->obs->on_step(t->obs->ctx, &r));
    return over;
}
