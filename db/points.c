/* points: see points.h. */
#include "db/points.h"

#include "base/mem.h"
#include "db/guard.h"
#include "db/sql.h"

#include <stdio.h>
#include <stdlib.h>

#define POINT_COLUMNS                                                          \
    "run, stage, budget, M, N1, N2, D, flops, flops_exact, lr, batch, "        \
    "d_model, n_layer, seed, steps, loss, bpb, used, why"
/* Columns that older files, only read, do not have in their view. */
static const char *const later[] = {"cluster", "wd", "unique_tokens"};

static void read_point(struct db_point *p, struct sql *q)
{
    const char *stage = sql_get_text(q, 1), *why = sql_get_text(q, 18);
    const char *cluster = sql_get_text(q, 19);

    *p = (struct db_point){
        .run = sql_get_int(q, 0),
        .budget = sql_get_real(q, 2),
        .M = sql_get_real(q, 3),
        .N1 = sql_get_real(q, 4),
        .N2 = sql_get_real(q, 5),
        .D = sql_get_real(q, 6),
        .flops = sql_get_real(q, 7),
        .flops_exact = sql_get_real(q, 8),
        .lr = sql_get_real(q, 9),
        .batch = sql_get_real(q, 10),
        .d_model = sql_get_real(q, 11),
        .n_layer = sql_get_real(q, 12),
        .seed = sql_get_int(q, 13),
        .steps = sql_get_int(q, 14),
        .loss = sql_get_real(q, 15),
        .bpb = sql_get_real(q, 16),
        .used = (int)sql_get_int(q, 17),
        .wd = sql_get_real(q, 20),
        .unique_tokens = sql_get_real(q, 21),
    };
    snprintf(p->stage, sizeof p->stage, "%s", stage ? stage : "");
    snprintf(p->why, sizeof p->why, "%s", why ? why : "");
    snprintf(p->cluster, sizeof p->cluster, "%s", cluster ? cluster : "");
}

static int collect(struct db_point **p, size_t *n, struct sql *q, struct err *e)
{
    struct db_point *list = NULL;
    size_t count = 0, cap = 0;
    int rc;

    while ((rc = sql_step(q, e)) == 1) {
        list = mem_grow(list, &cap, count + 1, sizeof *list);
        read_point(&list[count++], q);
    }
    if (rc < 0) {
        free(list);
        return -1;
    }
    *p = list ? list : xmalloc(1);
    *n = count;
    return 0;
}

/* The column, or NULL where the view has none of the name. */
static int add_later(struct str *text, struct store *db, const char *column,
                     struct err *e)
{
    char sql[128];
    int64_t there;

    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM pragma_table_info('points') "
             "WHERE name = '%s'",
             column);
    if (sql_number(&there, db, sql, e))
        return -1;
    str_addf(text, ", %s", there ? column : "NULL");
    return 0;
}

int db_points(struct db_point **p, size_t *n, struct store *db, int64_t study,
              const char *stage, const char *where, struct err *e)
{
    struct str text;
    struct sql q = {0};
    int rc = 0;

    /* The condition sits on a line of its own, so that a comment in it ends;
     * the guard refuses everything but reading, whatever it says. */
    str_init(&text);
    str_add(&text, "SELECT " POINT_COLUMNS);
    for (size_t i = 0; i < ARRAY_LEN(later) && rc == 0; i++)
        rc = add_later(&text, db, later[i], e);
    if (rc) {
        str_release(&text);
        return -1;
    }
    str_add(&text, " FROM points WHERE study_id = :study "
                   "AND (:stage IS NULL OR stage = :stage)");
    if (where)
        str_addf(&text, " AND (\n%s\n)", where);
    str_add(&text, " ORDER BY stage_id, ord");
    guard_on(db);
    rc = sql_prepare(&q, db, text.text, e);
    if (rc && q.stmt == NULL && where && e)
        err_set(e, ERR_USAGE, "condition '%.200s': %s", where,
                sqlite3_errcode(db->h) ? sqlite3_errmsg(db->h)
                                       : "one condition expected");
    if (rc == 0) {
        sql_int(&q, ":study", study);
        sql_text(&q, ":stage", stage);
        rc = collect(p, n, &q, e);
        sql_close(&q);
    }
    guard_off(db);
    str_release(&text);
    return rc;
}
