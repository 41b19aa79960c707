/* study_predict: predictions are registered, and verified; see
 * study_stage.h. */
#include "runner/study_stage.h"

#include "analysis/predict.h"
#include "base/mem.h"
#include "db/fits.h"
#include "db/query.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define SAME_FLOPS 1e-9 /* relative: two spellings of one budget */

static int read_rate(void *ctx, int n, const char *const *v)
{
    (void)n;
    if (!v[0] || str_to_double(v[0], ctx))
        *(double *)ctx = 0;
    return 0;
}

/* What so much compute took on one slot, going by the runs so far; 0: not
 * known. */
static double seconds_for(const struct study_run *s, double flops)
{
    double rate = 0;
    struct str sql;

    str_init(&sql);
    str_addf(&sql,
             "SELECT sum(flops) / sum(train_seconds) FROM runs WHERE study_id "
             "= %" PRId64 " AND state = 'done'",
             s->id);
    db_each(s->db, sql.text, read_rate, &rate, NULL);
    str_release(&sql);
    return rate > 0 ? flops / rate : 0;
}

static int fit_laws(struct laws *l, const struct study_run *s, struct err *e)
{
    struct points hyper, isoflop;
    struct laws_opts o;
    int rc;

    if (stage_points(&hyper, s, STAGE_HYPER, -1, e))
        return -1;
    if (stage_points(&isoflop, s, STAGE_ISOFLOP, -1, e)) {
        points_release(&hyper);
        return -1;
    }
    laws_opts_study(&o, s->study);
    o.surfaces = 1;
    rc = laws_fit(l, &hyper, &isoflop, &o, e);
    points_release(&hyper);
    points_release(&isoflop);
    return rc;
}

static int registered(const struct db_prediction *p, size_t n, double flops)
{
    for (size_t i = 0; i < n; i++)
        if (fabs(p[i].choice.flops / flops - 1) < SAME_FLOPS)
            return (int)i;
    return -1;
}

static void free_predictions(struct db_prediction *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(p[i].json);
    free(p);
}

/* Predict one budget and register it.  1: refused (stage marked). */
static int predict_one(struct study_run *s, int k, const struct laws *l,
                       double flops, struct err *e)
{
    struct prediction p;
    struct db_prediction d;
    struct err why;
    int rc;

    if (predict(&p, l, flops, &why))
        return stage_refuse(s, k, why.text, NULL, e) ? -1 : 1;
    if (p.refused[0]) {
        char took[STR_DOUBLE];
        double seconds = seconds_for(s, p.settle_flops);
        struct str settle;

        str_init(&settle);
        str_add(&settle, p.settle);
        if (p.settle[0] && seconds > 0)
            str_addf(&settle, " (about %s on one slot)",
                     str_seconds(took, seconds));
        rc = stage_refuse(s, k, p.refused, settle.text, e) ? -1 : 1;
        str_release(&settle);
        prediction_release(&p);
        return rc;
    }
    d = (struct db_prediction){.choice = p.choice,
                               .M = p.M,
                               .N = p.N,
                               .D = p.D,
                               .bpb = p.bpb,
                               .bpb_lo = p.lo,
                               .bpb_hi = p.hi,
                               .level = p.level,
                               .decades = p.decades,
                               .json = prediction_json(&p)};
    rc = db_prediction_put(s->db, s->id, k, &d, e);
    free(d.json);
    if (!rc && !p.allocation_identified) {
        struct str text;

        str_init(&text);
        str_addf(&text,
                 "the allocation law is not identified; the loss law is, and "
                 "the prediction for %.4g flops goes on with the sizes of the "
                 "stated fallback%s%s",
                 flops, p.settle[0] ? "; to settle it: " : "", p.settle);
        rc = stage_note(s, text.text, e);
        str_release(&text);
    }
    prediction_release(&p);
    return rc;
}

int stage_predict(struct study_run *s, int k, struct err *e)
{
    const struct axis *flops = &s->study->stage[k].flops;
    struct db_prediction *have;
    struct laws laws;
    size_t n;
    int missing = 0, rc = 0;

    if (db_predictions(&have, &n, s->db, s->id, e))
        return -1;
    for (int i = 0; i < flops->n; i++)
        missing += registered(have, n, flops->value[i]) < 0;
    if (missing) {
        struct err why;

        if (fit_laws(&laws, s, &why)) {
            free_predictions(have, n);
            return stage_refuse(s, k, why.text, NULL, e);
        }
        for (int i = 0; i < flops->n && !rc; i++)
            if (registered(have, n, flops->value[i]) < 0)
                rc = predict_one(s, k, &laws, flops->value[i], e);
        laws_release(&laws);
    }
    free_predictions(have, n);
    if (rc)
        return rc < 0 ? -1 : 0;
    if (s->stage[k].was_complete && !missing) {
        s->stage[k].now = STAGE_COMPLETE;
        return 0;
    }
    return stage_mark(s, k, STAGE_COMPLETE, NULL, e);
}

int stage_plan_verify(struct study_run *s, int k, struct err *e)
{
    const struct axis *flops = &s->study->stage[k].flops;
    struct db_prediction *have;
    size_t n;
    int rc = 0;

    if (db_predictions(&have, &n, s->db, s->id, e))
        return -1;
    for (int i = 0; i < flops->n && !rc; i++) {
        int at = registered(have, n, flops->value[i]);

        if (at < 0)
            rc = err_set(e, ERR_USAGE,
                         "no prediction for %g flops is registered; a predict "
                         "stage before it must name this budget",
                         flops->value[i]);
        else if (plan_verify(&s->stage[k].plan, s->study, k, &have[at].choice,
                             &s->ctx, e))
            rc = -1;
    }
    free_predictions(have, n);
    return rc;
}

int stage_judge_verify(struct study_run *s, int k, struct err *e)
{
    return stage_mark(s, k, STAGE_COMPLETE, NULL, e);
}
