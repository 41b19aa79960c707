/* serve_laws: the laws and figures of a study, fitted again when a run has
 * ended.  The figures are those of the report. */
#include "runner/serve.h"

#include "analysis/fit_json.h"
#include "base/mem.h"
#include "db/query.h"
#include "runner/report_load.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- when to make them again --- */

static int keep_mark(void *ctx, int n, const char *const *value)
{
    struct str *mark = ctx;

    for (int i = 0; i < n; i++)
        str_addf(mark, " %s", value[i] ? value[i] : "");
    return 0;
}

/* What the laws were made from, in a word: runs that have ended, stages and
 * predictions. */
static int make_mark(struct str *mark, struct store *db, int64_t study,
                     struct err *e)
{
    char sql[512];

    str_addf(mark, "%lld", (long long)study);
    snprintf(sql, sizeof sql,
             "SELECT count(*), sum(state IN ('done', 'diverged', 'failed', "
             "'stopped')), max(finished), (SELECT group_concat(state) FROM "
             "stages WHERE study_id = %lld), (SELECT count(*) FROM predictions "
             "WHERE study_id = %lld), (SELECT count(*) FROM fits WHERE "
             "study_id = %lld) FROM runs WHERE study_id = %lld",
             (long long)study, (long long)study, (long long)study,
             (long long)study);
    return db_each(db, sql, keep_mark, mark, e);
}

/* --- as JSON --- */

static void put_json(struct str *out, json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));

    BUG_ON(!text);
    str_clear(out);
    str_add(out, text);
    free(text);
    json_decref(o);
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
        json_array_append_new(fits, fit_result_to_json(&f));
        fit_result_release(&f);
    }
    if (r->have_laws && l->have_isoflop) {
        isoflop_fit_result(&f, &l->isoflop);
        json_array_append_new(fits, fit_result_to_json(&f));
        fit_result_release(&f);
    }
    if (r->have_laws && l->have_curve) {
        curve_fit_result(&f, &l->curve);
        json_array_append_new(fits, fit_result_to_json(&f));
        fit_result_release(&f);
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

/* --- made once, kept --- */

static int make(struct serve_study *m, struct store *db, int64_t study,
                const char *name, struct err *e)
{
    struct report_input r;
    struct str mark;
    struct page page;

    str_init(&mark);
    if (make_mark(&mark, db, study, e)) {
        str_release(&mark);
        return -1;
    }
    if (m->mark && !strcmp(m->mark, mark.text)) {
        str_release(&mark);
        return 0;
    }
    store_time_limit(db, SERVE_FIT_SECONDS);
    if (report_load(&r, db, name, e)) {
        str_release(&mark);
        return -1;
    }
    report_write(&page, &r.data, PAGE_HTML, "report");
    put_figures(&m->figures, &page);
    put_laws(&m->laws, &r);
    str_clear(&m->report);
    str_add(&m->report, page.out.text);
    page_release(&page);
    report_unload(&r);
    free(m->mark);
    m->mark = str_take(&mark);
    str_release(&mark);
    return 0;
}

static int answer(struct serve *s, struct store *db,
                  const struct http_request *q, const struct str *from,
                  struct str *out, struct err *e)
{
    const char *name = q->argument(q, "study");
    int64_t study;
    int rc;

    if (serve_study_id(&study, s, db, q, e))
        return -1;
    pthread_mutex_lock(&s->lock);
    rc = make(&s->made, db, study, name && *name ? name : s->study, e);
    if (!rc)
        str_add_n(out, from->text, from->len);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int serve_laws(struct serve *s, struct store *db, const struct http_request *q,
               struct str *out, struct err *e)
{
    return answer(s, db, q, &s->made.laws, out, e);
}

int serve_figures(struct serve *s, struct store *db,
                  const struct http_request *q, struct str *out, struct err *e)
{
    return answer(s, db, q, &s->made.figures, out, e);
}

int serve_report(struct serve *s, struct store *db,
                 const struct http_request *q, struct str *out, struct err *e)
{
    return answer(s, db, q, &s->made.report, out, e);
}
