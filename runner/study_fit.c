/* study_fit: what the results of a stage decide; see study_stage.h.
 *
 * What is fitted is stored once, when its stage completes.  A study that is
 * resumed later fits again in memory where it needs the law: the same results
 * give the same law. */
#include "runner/study_stage.h"

#include "analysis/curve.h"
#include "analysis/fit_json.h"
#include "analysis/hyper_fit.h"
#include "analysis/isoflop_fit.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/fits.h"
#include "runner/version.h"

#include <stdlib.h>
#include <string.h>

int stage_points(struct points *p, const struct study_run *s,
                 enum stage_kind kind, int k, struct err *e)
{
    points_init(p);
    for (int i = 0; i < s->study->n_stage; i++) {
        const struct stage *stage = &s->study->stage[i];

        if (k >= 0 ? i != k : stage->kind != kind)
            continue;
        if (points_from_db(p, s->db, s->id, stage->name, NULL, e)) {
            points_release(p);
            return -1;
        }
    }
    return 0;
}

/* Keep a fit of the points p, with their hash and the program's version; r is
 * released here. */
static int store_fit(const struct study_run *s, struct fit_result *r,
                     const struct points *p, struct err *e)
{
    int64_t id;
    char *json;
    int rc;

    points_hash(r->input, p);
    version_stamp(r->version, sizeof r->version);
    json = fit_result_dump(r);
    rc = db_fit_put(
        &id, s->db, s->id,
        &(struct db_fit){.law = r->law,
                         .method = r->method,
                         .n = (int64_t)r->n,
                         .identified = r->identified,
                         .refused = r->refused[0] ? r->refused : NULL,
                         .input = r->input,
                         .json = json},
        e);
    free(json);
    fit_result_release(r);
    return rc;
}

/* One line of several, for where a line is wanted. */
static void one_line(struct str *text)
{
    char *lines = str_take(text), *save = NULL;

    for (char *line = strtok_r(lines, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        str_addf(text, "%s%s", text->len ? "; " : "", line);
    free(lines);
}

int stage_note(const struct study_run *s, const char *text, struct err *e)
{
    log0_info("%s", text);
    return db_event(s->db, s->id, 0, "note", text, e);
}

int stage_refuse(struct study_run *s, int k, const char *reason,
                 const char *settle, struct err *e)
{
    struct str all;
    int rc;

    str_init(&all);
    str_add(&all, reason);
    if (settle && *settle)
        str_addf(&all, "; to settle it: %s", settle);
    str_addf(&s->why, "%sstage '%s': %s", s->why.len ? "\n" : "",
             s->study->stage[k].name, all.text);
    rc = stage_mark(s, k, STAGE_REFUSED, all.text, e);
    str_release(&all);
    return rc;
}

/* --- hyper --- */

static int fit_hyper(struct hyper_fit *f, struct points *p,
                     const struct study_run *s, int k, struct err *e)
{
    struct hyper_opts o;

    hyper_opts_default(&o);
    if (k >= 0)
        o.bootstrap = 0; /* where to extend does not need intervals */
    if (stage_points(p, s, STAGE_HYPER, k, e))
        return -1;
    if (hyper_fit(f, p, &o, e)) {
        points_release(p);
        return -1;
    }
    return 0;
}

/* More lines where an optimum sits on the edge of its grid. */
static int extend_hyper(struct study_run *s, int k, const struct hyper_fit *f,
                        struct err *e)
{
    size_t before = s->stage[k].plan.n;

    for (int i = 0; i < f->n_grid; i++) {
        const struct hyper_grid *g = &f->grid[i];

        if (!g->dlr && !g->dbatch)
            continue;
        if (plan_extend_hyper(&s->stage[k].plan, s->study, k, g->flops, g->dlr,
                              g->dbatch, &s->ctx, e) < 0)
            return -1;
    }
    if (s->stage[k].plan.n == before)
        return 0;
    return stage_store(s, k, before, e) ? -1 : 1;
}

static int extend_note(const struct study_run *s, int k, size_t before,
                       struct err *e)
{
    struct str text;
    int rc;

    str_init(&text);
    str_addf(&text,
             "stage '%s': an optimum is at the edge of the design, %zu runs "
             "more",
             s->study->stage[k].name, s->stage[k].plan.n - before);
    rc = stage_note(s, text.text, e);
    str_release(&text);
    return rc ? -1 : 1;
}

/* Every budget's best learning rate is the lowest or the highest tried. */
static int all_at_edge(const struct hyper_fit *f, const char **why)
{
    *why = "";
    for (int i = 0; i < f->n_grid; i++) {
        if (!f->grid[i].dlr)
            return 0;
        *why = f->grid[i].why;
    }
    return 1;
}

static int other_hyper_open(const struct study_run *s, int k)
{
    for (int i = 0; i < s->study->n_stage; i++)
        if (i != k && s->study->stage[i].kind == STAGE_HYPER &&
            s->stage[i].now != STAGE_COMPLETE)
            return 1;
    return 0;
}

static int keep_hyper(struct study_run *s, int k, const struct hyper_fit *f,
                      const struct points *p, const char *how, struct err *e)
{
    struct fit_result r;
    const char *edge;

    hyper_fit_result(&r, f);
    if (store_fit(s, &r, p, e))
        return -1;
    if (all_at_edge(f, &edge))
        return stage_refuse(
            s, k, edge, "a wider lr axis, or a larger `extend` of this stage",
            e);
    return stage_mark(s, k, STAGE_COMPLETE,
                      hyper_fit_identified(f) ? NULL : how, e);
}

/* A fit and the stage that it completes are stored together, or, if we are
 * killed, neither: so each fit is there once. */
static int commit_or_not(const struct study_run *s, int rc, struct err *e)
{
    if (!rc)
        return store_commit(s->db, e);
    store_rollback(s->db);
    return -1;
}

/* The last hyper stage is through: the law, stored. */
static int close_hyper(struct study_run *s, int k, struct err *e)
{
    struct hyper_fit f;
    struct points p;
    struct str how;
    int rc;

    if (fit_hyper(&f, &p, s, -1, e))
        return -1;
    str_init(&how);
    hyper_fit_use(&s->law, &how, &f);
    one_line(&how);
    rc = store_begin(s->db, e);
    if (!rc)
        rc = commit_or_not(s, keep_hyper(s, k, &f, &p, how.text, e), e);
    if (!rc && s->stage[k].now == STAGE_COMPLETE)
        rc = stage_note(s, how.text, e);
    str_release(&how);
    hyper_fit_release(&f);
    points_release(&p);
    return rc;
}

int stage_judge_hyper(struct study_run *s, int k, struct err *e)
{
    size_t before = s->stage[k].plan.n;
    struct hyper_fit f;
    struct points p;
    struct err why;
    int rc;

    if (fit_hyper(&f, &p, s, k, &why))
        return stage_refuse(s, k, why.text, "see why its runs failed", e);
    rc = extend_hyper(s, k, &f, e);
    if (rc == 1)
        rc = extend_note(s, k, before, e);
    else if (!rc)
        rc = stage_confirm(s, k, &p, e);
    hyper_fit_release(&f);
    points_release(&p);
    if (rc)
        return rc;
    if (other_hyper_open(s, k))
        return stage_mark(s, k, STAGE_COMPLETE, NULL, e);
    return close_hyper(s, k, e);
}

int study_law(struct study_run *s, struct err *e)
{
    struct hyper_fit f;
    struct points p;
    struct str how;

    if (fit_hyper(&f, &p, s, -1, e))
        return -1;
    str_init(&how);
    hyper_fit_use(&s->law, &how, &f);
    s->ctx.law = &s->law;
    str_release(&how);
    hyper_fit_release(&f);
    points_release(&p);
    return 0;
}

/* --- isoflop --- */

static int extend_isoflop(struct study_run *s, int k,
                          const struct isoflop_fit *f, struct err *e)
{
    size_t before = s->stage[k].plan.n;

    if (s->study->stage[k].hyper == HYPER_FITTED && study_law(s, e))
        return -1;
    for (int i = 0; i < f->n_budget; i++)
        if (f->budget[i].dir &&
            plan_extend_isoflop(&s->stage[k].plan, s->study, k,
                                f->budget[i].flops, f->budget[i].dir, &s->ctx,
                                e) < 0)
            return -1;
    if (s->stage[k].plan.n == before)
        return 0;
    return stage_store(s, k, before, e) ? -1 : 1;
}

/* Store the allocation law and the loss law behind it. */
static int store_isoflop(const struct study_run *s, const struct isoflop_fit *f,
                         const struct points *p, struct err *e)
{
    struct curve_point *c;
    struct curve_opts o;
    struct curve_fit curve;
    struct fit_result r;
    struct err why;
    int n, rc;

    isoflop_fit_result(&r, f);
    if (store_fit(s, &r, p, e))
        return -1;
    n = curve_points(&c, f);
    if (n <= 0)
        return 0;
    curve_opts_isoflop(&o, f);
    rc = curve_fit(&curve, c, n, f->noise, &o, &why);
    free(c);
    if (rc)
        return stage_note(s, why.text, e);
    curve_fit_result(&r, &curve);
    rc = store_fit(s, &r, p, e);
    curve_fit_release(&curve);
    return rc;
}

int stage_judge_isoflop(struct study_run *s, int k, struct err *e)
{
    size_t before = s->stage[k].plan.n;
    struct isoflop_opts o;
    struct isoflop_fit f;
    struct points p;
    struct err why;
    int rc;

    isoflop_opts_default(&o);
    if (stage_points(&p, s, STAGE_ISOFLOP, k, e))
        return -1;
    if (isoflop_fit(&f, &p, &o, &why)) {
        points_release(&p);
        return stage_refuse(s, k, why.text, "see why its runs failed", e);
    }
    rc = extend_isoflop(s, k, &f, e);
    if (rc == 1)
        rc = extend_note(s, k, before, e);
    else if (!rc)
        rc = stage_confirm(s, k, &p, e);
    if (!rc) {
        rc = store_begin(s->db, e);
        if (!rc)
            rc = commit_or_not(s,
                               store_isoflop(s, &f, &p, e) ||
                                   stage_mark(s, k, STAGE_COMPLETE,
                                              f.identified ? NULL : f.refused,
                                              e),
                               e);
    }
    isoflop_fit_release(&f);
    points_release(&p);
    return rc;
}
