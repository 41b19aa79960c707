/* asked: the coordinator carries out the requests of people; see requests.h. */
#include "runner/coordinator_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "runner/requests.h"
#include "runner/trunks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOOK_SECONDS 0.5

static struct attempt *at_work(const struct coordinator *c, int64_t run)
{
    for (struct attempt *a = c->active; a; a = a->next)
        if (a->gang.run == run)
            return a;
    return NULL;
}

/* A run that is being trained ends at a checkpoint, from which a retry would go
 * on; if it does not, it is killed when its grace is over. */
static void cancel(struct coordinator *c, struct attempt *a)
{
    a->cancelled = 1;
    a->preempting = 1;
    a->stop_by = clock_now() + c->o->grace;
    dispatch_tell(c, a, MSG_PAUSE);
}

/* What the database now says of the run, for the queue and the studies. */
static int take_over(struct coordinator *c, int64_t run, enum run_state state,
                     struct err *e)
{
    struct job *job = jobs_find(&c->jobs, run);

    if (job && state == RUN_STOPPED) {
        sched_remove(c->sched, job->number);
        job->now = JOB_FINAL;
        job->run.state = state;
        trunks_final(&c->jobs, c->sched, run);
        rungs_look(c);
    }
    for (int i = 0; i < c->n_tenant; i++) {
        int ready = study_run_asked(c->tenant[i].run, run, state, e);

        if (ready < 0)
            return -1;
        c->tenant[i].ready |= ready;
    }
    return 0;
}

static int answer(void *ctx, const struct request *r, char text[REQUEST_TEXT])
{
    struct coordinator *c = ctx;
    struct attempt *a = at_work(c, r->run);
    enum run_state state;
    int64_t study;
    struct err e;

    if (db_run_state(&state, &study, c->db, r->run, &e))
        goto refuse;
    if (state == RUN_RUNNING && !a)
        state = RUN_PENDING; /* left by a launch that was killed */
    if (request_judge(r, state, &e))
        goto refuse;
    if (a) {
        cancel(c, a);
        snprintf(text, REQUEST_TEXT,
                 "run %" PRId64 ": stopping at a checkpoint", r->run);
    } else {
        if (request_apply(&state, r, c->db, &e) ||
            take_over(c, r->run, state, &e))
            goto refuse;
        snprintf(text, REQUEST_TEXT, "run %" PRId64 ": %s", r->run,
                 run_state_name(state));
    }
    progress_clear(c);
    log0_info("%s, by request (%s)", text, request_name(r->verb));
    return 0;
refuse:
    snprintf(text, REQUEST_TEXT, "%.*s", REQUEST_TEXT - 1, e.text);
    return 1;
}

void asked_tick(struct coordinator *c)
{
    double now = clock_now();

    if (now - c->asked < LOOK_SECONDS || c->broken)
        return;
    c->asked = now;
    requests_serve(c->o->db, answer, c);
    for (struct attempt *a = c->active; a; a = a->next)
        if (a->cancelled && now > a->stop_by)
            dispatch_fail(c, a, "cancelled by request: it did not stop");
}
