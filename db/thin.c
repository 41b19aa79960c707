/* thin: see thin.h and upkeep.h. */
#include "db/thin.h"

#include "base/mem.h"
#include "db/journal.h"
#include "db/sql.h"
#include "db/upkeep.h"

#include <stdlib.h>

static const char sql_finished[] =
    "SELECT num FROM run WHERE state NOT IN ('pending', 'running')";
static const char sql_steps[] =
    "SELECT step FROM step WHERE run = ?1 ORDER BY step";
static const char sql_drop[] = "DELETE FROM step WHERE run = ?1 AND step = ?2";

/* The whole numbers of a statement; ?1 is bound unless it has none. */
static int numbers(int64_t **list, size_t *n, struct store *db,
                   const char *text, int64_t arg, struct err *e)
{
    size_t cap = 0;
    struct sql q;
    int rc;

    *list = NULL;
    *n = 0;
    if (sql_open(&q, db, text, e))
        return -1;
    if (sqlite3_bind_parameter_count(q.stmt))
        sqlite3_bind_int64(q.stmt, 1, arg);
    while ((rc = sql_step(&q, e)) == 1) {
        *list = mem_grow(*list, &cap, *n + 1, sizeof **list);
        (*list)[(*n)++] = sql_get_int(&q, 0);
    }
    sql_close(&q);
    return rc;
}

static int drop(struct sql *q, int64_t num, int64_t step, struct err *e)
{
    sqlite3_bind_int64(q->stmt, 1, num);
    sqlite3_bind_int64(q->stmt, 2, step);
    if (sql_step(q, e) < 0)
        return -1;
    sql_reset(q);
    return 0;
}

int thin_run(int64_t *dropped, struct store *db, int64_t num,
             const struct retain *r, struct err *e)
{
    int64_t *step, count = 0;
    struct sql q = {0};
    size_t n;
    int rc;

    if (!retain_some(r))
        return 0;
    rc = numbers(&step, &n, db, sql_steps, num, e) ||
         sql_open(&q, db, sql_drop, e);
    for (size_t i = 1; i + 1 < n && !rc; i++)
        if (!retain_step(r, step[i])) {
            rc = drop(&q, num, step[i], e);
            count++;
        }
    sql_close(&q);
    free(step);
    if (!rc && dropped)
        *dropped += count;
    return rc ? -1 : 0;
}

static int thin_all(int64_t *dropped, struct store *db, const struct retain *r,
                    struct err *e)
{
    int64_t *num;
    size_t n;
    int rc = numbers(&num, &n, db, sql_finished, 0, e);

    for (size_t i = 0; i < n && !rc; i++)
        rc = thin_run(dropped, db, num[i], r, e);
    free(num);
    return rc;
}

int db_thin(int64_t *dropped, struct store *db, const struct retain *r,
            struct err *e)
{
    if (r->every < 0 || r->per_decade < 0 || !retain_some(r))
        return err_set(e, ERR_USAGE, "a rule for what to keep is expected");
    *dropped = 0;
    if (store_begin(db, e) || sql_end(db, thin_all(dropped, db, r, e), e))
        return -1;
    return db->journal ? journal_restart(db, e) : 0;
}
