/* progress: where a launch stands, in one line: once a minute into a log, in
 * place on a terminal. */
#include "runner/coordinator_impl.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_SECONDS 60.0
#define LIVE_SECONDS 0.5

/* Predicted seconds of work left in the stages known so far, all slots busy,
 * scaled by how the attempts so far compare with their predictions. */
static double seconds_left(const struct coordinator *c,
                           const struct study_tally *t)
{
    double left = t->seconds - t->seconds_final;
    double scale = c->predicted > 0     ? c->real / c->predicted
                   : c->o->stand_in > 0 ? 1 / c->o->stand_in
                                        : 1;

    for (size_t i = 0; i < c->jobs.n; i++) {
        const struct job *job = c->jobs.job[i];

        if (job->now == JOB_QUEUED || job->now == JOB_HELD)
            left -= job->run.plan.seconds * job_share(job, job->run.steps_done);
    }
    for (const struct attempt *a = c->active; a; a = a->next)
        left -= a->job->run.plan.seconds *
                job_share(a->job, a->pulse.step > a->resumed ? a->pulse.step
                                                             : a->resumed);
    return (left > 0 ? left : 0) * scale / c->on.n_slots;
}

/* Of all studies together; *open: one of them will have more stages. */
static void tally(struct study_tally *all, int *open,
                  const struct coordinator *c)
{
    memset(all, 0, sizeof *all);
    *open = 0;
    for (int i = 0; i < c->n_tenant; i++) {
        const struct study_run *run = c->tenant[i].run;
        struct study_tally t;

        study_run_tally(&t, run);
        all->runs += t.runs;
        all->final += t.final;
        all->failed += t.failed;
        all->diverged += t.diverged;
        all->seconds += t.seconds;
        all->seconds_final += t.seconds_final;
        *open |= study_run_end(run) == STUDY_GOES_ON;
    }
}

static void line(char *text, size_t room, const struct coordinator *c)
{
    char eta[STR_DOUBLE], spent[STR_DOUBLE];
    struct study_tally t;
    int open;
    size_t n;

    tally(&t, &open, c);
    str_seconds(eta, seconds_left(c, &t));
    str_seconds(spent, clock_now() - c->began);
    n = (size_t)snprintf(text, room, "%zu of %zu runs, %d active", t.final,
                         t.runs, c->n_active);
    if (t.diverged)
        n += (size_t)snprintf(text + n, room - n, ", %zu diverged", t.diverged);
    if (t.failed)
        n += (size_t)snprintf(text + n, room - n, ", %zu failed", t.failed);
    snprintf(text + n, room - n, "; %s so far, about %s left%s", spent, eta,
             open ? " of the open stages" : "");
}

static int is_live(const struct coordinator *c)
{
    (void)c;
    return isatty(STDERR_FILENO) && log_level() >= LOG_INFO;
}

void progress_clear(const struct coordinator *c)
{
    if (is_live(c))
        fprintf(stderr, "\r\033[K");
}

void progress_tick(struct coordinator *c)
{
    int live = is_live(c);
    double now = clock_now();
    char text[200];

    if (now - c->said < (live ? LIVE_SECONDS : LOG_SECONDS))
        return;
    c->said = now;
    line(text, sizeof text, c);
    if (live)
        fprintf(stderr, "\r\033[K%s", text);
    else
        log0_info("%s", text);
}

void progress_end(struct coordinator *c)
{
    char text[200];

    progress_clear(c);
    line(text, sizeof text, c);
    log0_info("%s", text);
    if (c->stale)
        log_debug("%lld late reports of ended attempts were refused",
                  (long long)c->stale);
}
