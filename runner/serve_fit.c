/* serve_fit: see serve_fit.h.  The figures are those of the report. */
#include "runner/serve_fit.h"

#include "analysis/fit_json.h"
#include "base/clock.h"
#include "base/mem.h"
#include "runner/report_load.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READ_SECONDS 60.0 /* most time of reading what is fitted */

struct made {
    char *mark; /* of what it was made from; NULL: nothing made yet */
    int64_t study;
    struct str part[SERVE_PARTS];
    int failed;
    struct err why;
};

struct serve_fit {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t end;   /* of a fit */
    char *path;
    int busy;      /* a thread is fitting, */
    double since;  /* since then (clock_now) */
    struct made m; /* what was made before */
    int left;      /* nobody waits for the thread any more */
};

/* What the thread takes along. */
struct job {
    struct serve_fit *f;
    char *name;
    struct made m;
};

/* --- as JSON --- */

static void put_json(struct str *out, json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));

    BUG_ON(!text);
    str_add(out, text);
    free(text);
    json_decref(o);
}

static void add_fit(json_t *fits, struct fit_result *f)
{
    json_array_append_new(fits, fit_result_to_json(f));
    fit_result_release(f);
}

/* The objects that `fit --json` prints. */
static void put_laws(struct str *out, const struct report_input *r)
{
    const struct laws *l = &r->laws;
    json_t *o = json_object(), *fits = json_array();
    struct fit_result f;

    json_object_set_new(o, "refused",
                        r->have_laws ? json_null()
                                     : json_string(r->no_laws.text));
    if (r->have_laws && l->have_hyper) {
        hyper_fit_result(&f, &l->hyper);
        add_fit(fits, &f);
    }
    if (r->have_laws && l->have_isoflop) {
        isoflop_fit_result(&f, &l->isoflop);
        add_fit(fits, &f);
    }
    if (r->have_laws && l->have_curve) {
        curve_fit_result(&f, &l->curve);
        add_fit(fits, &f);
    }
    json_object_set_new(o, "fits", fits);
    json_object_set_new(o, "hyper_in_use",
                        r->have_laws ? json_string(l->law_how.text)
                                     : json_null());
    put_json(out, o);
}

static void put_figures(struct str *out, const struct page *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->n_figure; i++) {
        const struct page_figure *f = &p->figure[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s}", "name", f->name,
                                        "section", f->section, "caption",
                                        f->caption.text, "svg", f->svg.text));
    }
    put_json(out, list);
}

/* --- a fit --- */

static void made_init(struct made *m)
{
    memset(m, 0, sizeof *m);
    for (int i = 0; i < SERVE_PARTS; i++)
        str_init(&m->part[i]);
}

static void made_release(struct made *m)
{
    free(m->mark);
    for (int i = 0; i < SERVE_PARTS; i++)
        str_release(&m->part[i]);
}

static int make(struct made *m, const char *path, const char *name,
                struct err *e)
{
    struct report_input r;
    struct store *db;
    struct page page;
    int rc;

    if (store_open(&db, path, STORE_READ, e))
        return -1;
    store_time_limit(db, READ_SECONDS);
    rc = report_load(&r, db, name, e);
    store_close(db);
    if (rc)
        return -1;
    report_write(&page, &r.data, PAGE_HTML, "report");
    put_figures(&m->part[SERVE_FIGURES], &page);
    put_laws(&m->part[SERVE_LAWS], &r);
    str_add(&m->part[SERVE_REPORT], page.out.text);
    page_release(&page);
    report_unload(&r);
    return 0;
}

static void *fit(void *arg)
{
    struct job *j = arg;
    struct serve_fit *f = j->f;
    int left;

    j->m.failed = make(&j->m, f->path, j->name, &j->m.why) != 0;
    pthread_mutex_lock(&f->lock);
    made_release(&f->m);
    f->m = j->m;
    f->busy = 0;
    left = f->left;
    pthread_cond_broadcast(&f->end);
    pthread_mutex_unlock(&f->lock);
    free(j->name);
    free(j);
    if (left)
        serve_fit_free(f);
    return NULL;
}

static int start(struct serve_fit *f, const struct serve_want *w, struct err *e)
{
    struct job *j = xcalloc(1, sizeof *j);
    pthread_t thread;
    int rc;

    made_init(&j->m);
    j->f = f;
    j->name = w->name ? xstrdup(w->name) : NULL;
    j->m.study = w->study;
    j->m.mark = xstrdup(w->mark);
    rc = pthread_create(&thread, NULL, fit, j);
    if (rc) {
        made_release(&j->m);
        free(j->name);
        free(j);
        return err_set(e, ERR_ENV, "a thread to fit with: %s", strerror(rc));
    }
    pthread_detach(thread);
    f->busy = 1;
    f->since = clock_now();
    return 0;
}

/* --- for requests --- */

struct serve_fit *serve_fit_new(const char *path)
{
    struct serve_fit *f = xcalloc(1, sizeof *f);
    pthread_condattr_t monotonic;

    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f->end, &monotonic);
    pthread_condattr_destroy(&monotonic);
    f->path = xstrdup(path);
    made_init(&f->m);
    return f;
}

void serve_fit_free(struct serve_fit *f)
{
    int busy;

    pthread_mutex_lock(&f->lock);
    busy = f->busy;
    f->left = 1;
    pthread_mutex_unlock(&f->lock);
    if (busy)
        return; /* its thread does it, if the process lives that long */
    pthread_cond_destroy(&f->end);
    pthread_mutex_destroy(&f->lock);
    made_release(&f->m);
    free(f->path);
    free(f);
}

static int is_made(const struct serve_fit *f, const char *mark)
{
    return f->m.mark && !strcmp(f->m.mark, mark);
}

/* Until that state is there, or for so long; of another study's fit, too: it
 * stands in the way. */
static int wait_for(struct serve_fit *f, const struct serve_want *w,
                    struct err *e)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)w->wait;
    until.tv_nsec += (long)(1e9 * (w->wait - (double)(time_t)w->wait));
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!is_made(f, w->mark)) {
        if (!f->busy && start(f, w, e))
            return -1;
        if (pthread_cond_timedwait(&f->end, &f->lock, &until))
            break;
    }
    return 0;
}

int serve_fit_get(struct str *out, double *seconds, struct serve_fit *f,
                  const struct serve_want *want, enum serve_part part,
                  struct err *e)
{
    int rc;

    pthread_mutex_lock(&f->lock);
    rc = wait_for(f, want, e);
    if (!rc && is_made(f, want->mark)) {
        if (f->m.failed) {
            *e = f->m.why;
            free(f->m.mark);
            f->m.mark = NULL;
            rc = -1;
        }
    } else if (!rc) {
        rc = 1;
        *seconds = clock_now() - f->since;
    }
    if (rc >= 0 && f->m.mark && f->m.study == want->study && !f->m.failed)
        str_add_n(out, f->m.part[part].text, f->m.part[part].len);
    pthread_mutex_unlock(&f->lock);
    return rc;
}
