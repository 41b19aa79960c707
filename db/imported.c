/* imported: see imported.h. */
#include "db/imported.h"

#include "base/hash.h"
#include "base/mem.h"
#include "db/dump.h"
#include "db/journal.h"
#include "db/runs.h"
#include "db/sql.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sql_clear[] =
    "DELETE FROM imported WHERE study = :study AND stage = :stage";
static const char sql_add[] =
    "INSERT INTO imported(study, stage, ord, run, source, cluster, used, why, "
    "budget, M, N1, N2, D, flops, flops_exact, lr, batch, d_model, n_layer, "
    "seed, steps, loss, bpb, wd, unique_tokens) VALUES(:study, :stage, :ord, "
    ":run, :source, "
    ":cluster, :used, :why, :budget, :M, :N1, :N2, :D, :flops, :flops_exact, "
    ":lr, :batch, :d_model, :n_layer, :seed, :steps, :loss, :bpb, :wd, "
    ":unique_tokens)";

/* clang-format off */
static const struct {
    const char *name; /* of the column, in SQL and in the journal */
    size_t offset;    /* of the double */
} columns[] = {
#define COLUMN(name) {#name, offsetof(struct db_imported, name)}
    COLUMN(budget), COLUMN(M), COLUMN(N1), COLUMN(N2), COLUMN(D),
    COLUMN(flops), COLUMN(flops_exact), COLUMN(lr), COLUMN(batch),
    COLUMN(d_model), COLUMN(n_layer), COLUMN(seed), COLUMN(steps),
    COLUMN(loss), COLUMN(bpb), COLUMN(wd), COLUMN(unique_tokens),
#undef COLUMN
};
/* clang-format on */

static double value(const struct db_imported *r, size_t i)
{
    return *(const double *)(const void *)((const char *)r + columns[i].offset);
}

/* The same row of the same source has the same number, whoever imports it. */
static int64_t number(const char *source, size_t ord)
{
    char text[1024];

    snprintf(text, sizeof text, "%zu of %.900s", ord, source);
    return hash_id(text);
}

static int is_whole(const char *name)
{
    return !strcmp(name, "seed") || !strcmp(name, "steps");
}

static int add_row(struct store *db, int64_t study, int stage,
                   const char *source, size_t ord, const struct db_imported *r,
                   struct err *e)
{
    struct sql q;

    if (sql_open(&q, db, sql_add, e))
        return -1;
    sql_int(&q, ":study", study);
    sql_int(&q, ":stage", stage);
    sql_int(&q, ":ord", (int64_t)ord);
    sql_int(&q, ":run", number(source, ord));
    sql_text(&q, ":source", source);
    sql_text(&q, ":cluster", r->cluster);
    sql_int(&q, ":used", r->used != 0);
    sql_text(&q, ":why", r->why);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        char name[32];
        double v = value(r, i);
        snprintf(name, sizeof name, ":%s", columns[i].name);
        if (is_whole(columns[i].name) && isfinite(v) && fabs(v) < 9e15)
            sql_int(&q, name, llround(v));
        else if (is_whole(columns[i].name))
            sql_null(&q, name);
        else
            sql_real(&q, name, v);
    }
    return sql_run(&q, e);
}

static void log_rows(struct store *db, int64_t study, int stage,
                     const char *stage_name, const char *source,
                     const struct db_imported *row, size_t n)
{
    json_t *list = json_array();

    for (size_t k = 0; k < n; k++) {
        json_t *o = json_pack("{s:i, s:o, s:o}", "used", row[k].used != 0,
                              "why", journal_text(row[k].why), "cluster",
                              journal_text(row[k].cluster));
        for (size_t i = 0; i < ARRAY_LEN(columns); i++)
            if (isfinite(value(&row[k], i)))
                json_object_set_new(o, columns[i].name,
                                    json_real(value(&row[k], i)));
        json_array_append_new(list, o);
    }
    journal_op(db, "import",
               json_pack("{s:I, s:i, s:o, s:o, s:o}", "study",
                         (json_int_t)study, "idx", stage, "stage",
                         journal_text(stage_name), "source",
                         journal_text(source), "rows", list));
}

static int put(struct store *db, int64_t study, int stage,
               const char *stage_name, const char *source,
               const struct db_imported *row, size_t n, struct err *e)
{
    struct sql q;

    if (db_stage_put(db, study, stage, stage_name, "import", "complete", source,
                     e) ||
        sql_open(&q, db, sql_clear, e))
        return -1;
    sql_int(&q, ":study", study);
    sql_int(&q, ":stage", stage);
    if (sql_run(&q, e))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (add_row(db, study, stage, source, i, &row[i], e))
            return -1;
    if (db->journal)
        log_rows(db, study, stage, stage_name, source, row, n);
    return 0;
}

int db_imported_put(struct store *db, int64_t study, int stage,
                    const char *stage_name, const char *source,
                    const struct db_imported *row, size_t n, struct err *e)
{
    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    return sql_end(db, put(db, study, stage, stage_name, source, row, n, e), e);
}

/* --- from the journal --- */

int imported_load(struct store *db, const json_t *op, struct err *e)
{
    const json_t *rows = json_object_get(op, "rows");
    const char *stage = json_string_value(json_object_get(op, "stage"));
    const char *source = json_string_value(json_object_get(op, "source"));
    size_t n = json_array_size(rows);
    struct db_imported *row = xcalloc(n, sizeof *row);
    int rc;

    for (size_t k = 0; k < n; k++) {
        const json_t *o = json_array_get(rows, k);
        row[k].used = (int)json_integer_value(json_object_get(o, "used"));
        row[k].why = json_string_value(json_object_get(o, "why"));
        row[k].cluster = json_string_value(json_object_get(o, "cluster"));
        for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
            const json_t *v = json_object_get(o, columns[i].name);
            double *to =
                (double *)(void *)((char *)&row[k] + columns[i].offset);
            *to = json_is_number(v) ? json_number_value(v) : NAN;
        }
    }
    rc = db_imported_put(db, json_integer_value(json_object_get(op, "study")),
                         (int)json_integer_value(json_object_get(op, "idx")),
                         stage ? stage : "", source ? source : "", row, n, e);
    free(row);
    return rc;
}
