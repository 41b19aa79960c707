/* live: see live.h. */
#include "runner/live.h"

#include "base/clock.h"
#include "base/mem.h"
#include "db/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CURVE_RANGES 1000 /* of the steps of an open run */

void live_init(struct live *l, const char *path, const char *study,
               int n_events)
{
    *l = (struct live){.path = path, .study = study, .n_events = n_events};
}

void live_release(struct live *l)
{
    free(l->still);
    *l = (struct live){.path = NULL};
}

void live_data_release(struct top_data *d)
{
    status_release(&d->status);
    listing_release(&d->runs);
    db_curve_release(&d->curve);
    free(d->quiet);
    d->quiet = NULL;
}

/* When was this run first seen at this step? */
static double since(const struct live *l, const struct status_running *r,
                    double now)
{
    for (size_t i = 0; i < l->n_still; i++)
        if (l->still[i].run == r->run && l->still[i].step == r->step)
            return l->still[i].since;
    return now;
}

static void note_steps(struct top_data *d, struct live *l, double now)
{
    size_t n = d->status.n_running;
    struct live_still *next = xcalloc(n + 1, sizeof *next);

    d->quiet = xcalloc(n + 1, sizeof *d->quiet);
    for (size_t i = 0; i < n; i++) {
        const struct status_running *r = &d->status.running[i];
        next[i] = (struct live_still){r->run, r->step, since(l, r, now)};
        d->quiet[i] = now - next[i].since;
    }
    free(l->still);
    l->still = next;
    l->n_still = n;
}

static int read_all(struct top_data *d, struct store *db, const struct live *l,
                    const struct top *t, struct err *e)
{
    int64_t study;

    if (db_study_find(&study, db, l->study, e) ||
        db_status(&d->status, db, study, l->n_events, e))
        return -1;
    if (t && top_needs_runs(t) && db_listing(&d->runs, db, study, e))
        return -1;
    if (t && t->open &&
        (db_curve(&d->curve, db, t->open, 0, 0, CURVE_RANGES, t->log_x, e) ||
         db_curve_evals(&d->curve, db, t->open, e)))
        return -1;
    return 0;
}

int live_read(struct top_data *d, struct live *l, const struct top *t,
              struct err *e)
{
    struct top_data fresh = {.path = l->path};
    time_t wall = time(NULL);
    struct store *db;
    struct tm tm;
    int rc;

    if (store_open(&db, l->path, STORE_READ, e))
        return -1;
    rc = read_all(&fresh, db, l, t, e);
    store_close(db);
    if (rc) {
        live_data_release(&fresh);
        return -1;
    }
    if (t)
        top_sort_runs(&fresh.runs, t);
    note_steps(&fresh, l, clock_now());
    localtime_r(&wall, &tm);
    strftime(fresh.clock, sizeof fresh.clock, "%H:%M:%S", &tm);
    live_data_release(d);
    *d = fresh;
    return 0;
}

int live_lines(struct live *l, double seconds, struct err *e)
{
    struct top_data d = {.path = NULL};
    const struct timespec nap = {(time_t)seconds,
                                 (long)(1e9 * (seconds - floor(seconds)))};
    int over = 0;

    while (!over) {
        struct str line;

        if (live_read(&d, l, NULL, e))
            return -1;
        str_init(&line);
        page_line(&line, &d.status);
        printf("%s %s\n", d.clock, line.text);
        str_release(&line);
        if (fflush(stdout)) { /* nobody listens any more */
            live_data_release(&d);
            return err_errno(e, "output");
        }
        over = page_is_over(&d.status);
        if (!over)
            nanosleep(&nap, NULL);
    }
    live_data_release(&d);
    return 0;
}
