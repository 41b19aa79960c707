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

/* The points of the stages of the law's kind; of all where the study is not
 * one that was run here. */
static int read_stages(struct fit_input *in, struct store *db,
                       const struct fit_source *s, struct err *e)
{
    enum stage_kind kind =
        strcmp(s->law, "hyper") == 0 ? STAGE_HYPER : STAGE_ISOFLOP;
    struct study *study = xcalloc(1, sizeof(*study));
    struct err why;
    char *text;
    int found = 0, rc = 0;

    if (db_study_text(&text, db, in->study, e)) {
        free(study);
        return -1;
    }
    if (study_parse(study, "study", text, strlen(text), &why))
        study->n_stage = 0;
    free(text);
    for (int i = 0; i < study->n_stage && rc == 0; i++)
        if (study->stage[i].kind == kind) {
            found = 1;
            rc = points_from_db(&in->points, db, in->study,
                                study->stage[i].name, s->where, e);
        }
    free(study);
    if (rc == 0 && !found)
        rc = points_from_db(&in->points, db, in->study, NULL, s->where, e);
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
    if (s->stage
            ? points_from_db(&in->points, db, in->study, s->stage, s->where, e)
            : read_stages(in, db, s, e))
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
    in->study = -1;
    snprintf(in->name, sizeof(in->name), "%s", s->db ? s->db : s->points);
    int rc = s->db ? read_db(in, s, e)
                   : points_import(&in->points, s->points, s->map, s->where, e);
    if (rc == 0 && points_used(&in->points) == 0)
        rc = err_set(e, ERR_USAGE, "%s: no point can be used (%zu rows%s)",
                     in->name, in->points.n,
                     in->points.n ? ", all excluded" : "");
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
