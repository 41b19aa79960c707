/* watch: what the coordinator looks after between messages: runs that hang,
 * ranks that are lost, slots that idle. */
#include "runner/coordinator_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "runner/tail.h"
#include "sweep/flops.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define TAIL_STEPS 8      /* before the time left is believed */
#define LOST_SECONDS 60.0 /* that a killed attempt may take to end */

void watch_hung(struct coordinator *c)
{
    double now = clock_now();

    for (struct attempt *a = c->active; a; a = a->next) {
        char why[PROTO_TEXT];
        double step = pulse_median(&a->pulse);
        int n;

        if (a->failing || !pulse_hung(&a->pulse, now))
            continue;
        n = snprintf(why, sizeof why, "hung: no progress for %.0f s",
                     now - a->pulse.seen);
        if (step > 0)
            snprintf(why + n, sizeof why - (size_t)n, " (a step takes %.3g s)",
                     step);
        dispatch_fail(c, a, why);
    }
}

/* What tail_pick must know of an attempt. */
static struct tail_run tail_of(const struct coordinator *c,
                               const struct attempt *a)
{
    const struct run_spec *s = &a->job->run.plan.spec;
    int64_t steps = a->pulse.step - a->resumed;
    struct tail_run r = {a->gang.size, run_leaves(s), 0, NAN, 0};

    r.room = sched_room(c->sched, c->on.node[a->gang.slot[0]]);
    if (a->failing || a->preempting || a->job->asked || steps < TAIL_STEPS)
        return r;
    r.per_step = (a->pulse.seen - a->began) / (double)steps;
    r.left = r.per_step * (double)(s->steps - a->pulse.step);
    return r;
}

void watch_tail(struct coordinator *c)
{
    struct attempt *at[GANG_MAX];
    struct tail_run run[GANG_MAX];
    int n = 0, gang, best;

    if (c->stopping || sched_queued(c->sched) || !sched_free_slots(c->sched))
        return;
    for (int i = 0; i < c->n_tenant; i++)
        if (c->tenant[i].ready)
            return; /* its next runs will take them */
    for (struct attempt *a = c->active; a && n < GANG_MAX; a = a->next) {
        if (a->widen)
            return; /* one at a time: its slots are spoken for */
        at[n] = a;
        run[n++] = tail_of(c, a);
    }
    best = tail_pick(&gang, run, n, c->o->tail);
    if (best < 0)
        return;
    at[best]->widen = gang;
    at[best]->preempting = 1;
    log_debug("run %" PRId64 "/a%" PRId64 ": %.0f s left, widening from %d to "
              "%d",
              at[best]->gang.run, at[best]->gang.attempt, run[best].left,
              run[best].gang, gang);
    dispatch_tell(c, at[best], MSG_PAUSE);
}

int watch_lost(const struct coordinator *c)
{
    int n = 0;

    for (const struct attempt *a = c->active; a; a = a->next)
        n += a->failing && clock_now() - a->failed > LOST_SECONDS;
    return n;
}

void watch_kill(struct coordinator *c, const char *why)
{
    for (struct attempt *a = c->active; a; a = a->next) {
        a->preempting = 1;
        dispatch_fail(c, a, why);
    }
}
