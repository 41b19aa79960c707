/* Points for fits, and the record of opened holdouts. */
#include "runner/fit_input.h"

#include "analysis/import.h"
#include "base/mem.h"
#include "db/query.h"
#include "db/runs.h"
#include "sweep/study.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPENED "holdout opened: "

/* The study's own text, when it was planned here. */
static int read_plan(struct study *study, struct fit_input *in,
                     struct store *db, struct err *e)
{
    struct err why;
    char *text;

    if (db_study_text(&text, db, in->study, e))
        return -1;
    if (study_parse(study, "study", text, strlen(text), &why))
        study->n_stage = 0;
    in->planned = study->n_stage > 0;
    free(text);
    return 0;
}

/* The points of the stages of the kind; of all where the study is not one
 * that was run here, or curves of all are wanted. */
static int read_stages(struct fit_input *in, struct store *db,
                       const struct fit_source *s, struct err *e)
{
    enum stage_kind kind = s->what == FIT_HYPER ? STAGE_HYPER : STAGE_ISOFLOP;
    struct study *study = xcalloc(1, sizeof(*study));
    int found = 0, rc = read_plan(study, in, db, e);

    for (int i = 0; i < study->n_stage && rc == 0; i++) {
        const struct stage *stage = &study->stage[i];
        if (s->stage || stage->kind != kind || s->what == FIT_CURVES)
            continue;
        found = 1;
        rc = points_from_db(&in->points, db, in->study, stage->name, s->where,
                            e);
    }
    free(study);
    if (rc == 0 && !found)
        rc = points_from_db(&in->points, db, in->study, s->stage, s->where, e);
    return rc;
}

static int count_row(void *ctx, int n, const char *const *value)
{
    *(int *)ctx = n > 0 && value[0] && strcmp(value[0], "0") != 0;
    return 1;
}

static int was_opened(int *opened, struct store *db, int64_t study,
                      struct err *e)
{
    char sql[160];

    snprintf(
        sql, sizeof(sql),
        "SELECT count(*) FROM event WHERE study = %lld AND text LIKE '" OPENED
        "%%'",
        (long long)study);
    return db_each(db, sql, count_row, opened, e);
}

static int read_db(struct fit_input *in, const struct fit_source *s,
                   struct err *e)
{
    struct store *db;
    int rc = -1;

    if (store_open(&db, s->db, STORE_READ, e))
        return -1;
    if (db_study_find(&in->study, db, s->study, e))
        goto out;
    if (read_stages(in, db, s, e))
        goto out;
    if (s->what >= FIT_CURVES &&
        fit_series_read(&in->series, db, &in->points,
                        s->what == FIT_BEST_CURVES && !s->where, e))
        goto out;
    rc = was_opened(&in->opened, db, in->study, e);
out:
    store_close(db);
    return rc;
}

int fit_input_read(struct fit_input *in, const struct fit_source *s,
                   struct err *e)
{
    memset(in, 0, sizeof(*in));
    points_init(&in->points);
    series_init(&in->series);
    in->study = -1;
    snprintf(in->name, sizeof(in->name), "%s", s->db ? s->db : s->points);
    int rc = s->db ? read_db(in, s, e)
                   : points_import(&in->points, s->points, s->map, s->where, e);
    if (rc == 0 && points_used(&in->points) == 0)
        rc = err_set(e, ERR_USAGE, "%s: no point can be used (%zu rows%s%s)",
                     in->name, in->points.n,
                     in->points.n ? ", all excluded; the first: " : "",
                     in->points.n ? in->points.why[0] : "");
    if (rc == 0 && !s->db && s->what >= FIT_CURVES) {
        rc = series_of_points(&in->series, &in->points, e);
        if (rc)
            err_prefix(e, "%.100s: ", in->name);
    }
    if (rc) {
        fit_input_release(in);
        return -1;
    }
    points_derive(&in->points);
    return 0;
}

void fit_input_release(struct fit_input *in)
{
    points_release(&in->points);
    series_release(&in->series);
}

int fit_input_open_holdout(const struct fit_input *in, const char *path,
                           const char *spec, struct err *e)
{
    char text[256], hash[HASH_HEX];
    struct store *db;

    points_hash(hash, &in->points);
    snprintf(text, sizeof(text), OPENED "%.100s, points %.16s", spec, hash);
    if (store_open(&db, path, STORE_WRITE, e))
        return err_prefix(e, "an opened holdout is recorded: ");
    int rc = db_event(db, in->study, 0, "note", text, e);
    store_close(db);
    return rc;
}
