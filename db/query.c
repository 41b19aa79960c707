/* query: see query.h. */
#include "db/query.h"

#include "base/mem.h"
#include "base/str.h"
#include "db/guard.h"
#include "db/migrate.h"
#include "db/print.h"
#include "db/sql.h"

#include <stdlib.h>
#include <string.h>

/* Bind every parameter of the statement; each needs a value, each value a
 * place. */
static int bind(struct sql *q, const struct query_param *p, size_t n,
                struct err *e)
{
    int places = sqlite3_bind_parameter_count(q->stmt);
    unsigned char used[64] = {0};
    int64_t i64;
    double v;

    if (n > sizeof used)
        return err_set(e, ERR_USAGE, "at most %zu parameters", sizeof used);
    for (int i = 1; i <= places; i++) {
        const char *name = sqlite3_bind_parameter_name(q->stmt, i);
        size_t k = 0;
        if (!name || name[0] == '?')
            return err_set(e, ERR_USAGE,
                           "a parameter without a name; write :name");
        while (k < n && strcmp(p[k].name, name + 1))
            k++;
        if (k == n)
            return err_set(e, ERR_USAGE, "no value for the parameter '%s'",
                           name + 1);
        used[k] = 1;
        if (str_to_i64(p[k].value, &i64) == 0)
            sqlite3_bind_int64(q->stmt, i, i64);
        else if (str_to_double(p[k].value, &v) == 0)
            sqlite3_bind_double(q->stmt, i, v);
        else
            sqlite3_bind_text(q->stmt, i, p[k].value, -1, SQLITE_STATIC);
    }
    for (size_t k = 0; k < n; k++)
        if (!used[k])
            return err_set(e, ERR_USAGE, "the SQL has no parameter '%s'",
                           p[k].name);
    return 0;
}

/* Errors in the text are the user's; the rest is the database's. */
static int blame(struct store *db, struct err *e)
{
    if (e && (sqlite3_errcode(db->h) == SQLITE_ERROR ||
              sqlite3_errcode(db->h) == SQLITE_AUTH)) {
        int auth = sqlite3_errcode(db->h) == SQLITE_AUTH;
        struct err old;
        err_set(e, ERR_USAGE, "%s%s", sqlite3_errmsg(db->h),
                auth ? ": a query may only read" : "");
        err_set(&old, ERR_USAGE, "%s", e->text);
        if (!auth && db->mode == STORE_READ && migrate_needed(db))
            err_set(
                e, ERR_USAGE,
                "%.200s; %.300s is of another version of loglog: `loglog db "
                "vacuum` brings it up to date",
                old.text, db->path);
    }
    return -1;
}

static int open_query(struct sql *q, struct store *db, const char *sql,
                      const struct query_param *p, size_t n, struct err *e)
{
    if (sql_prepare(q, db, sql, e))
        return q->stmt ? -1 : blame(db, e);
    if (!sqlite3_stmt_readonly(q->stmt) || sqlite3_column_count(q->stmt) == 0)
        err_set(e, ERR_USAGE, "a query may only read");
    else if (bind(q, p, n, e) == 0)
        return 0;
    sql_close(q);
    return -1;
}

int db_query_with(FILE *out, struct store *db, const char *sql,
                  const struct query_param *param, size_t n_param,
                  enum query_format format, struct err *e)
{
    struct sql q;
    int rc;

    guard_on(db);
    rc = open_query(&q, db, sql, param, n_param, e);
    if (rc == 0) {
        rc = print_rows(out, &q, format, e);
        sql_close(&q);
    }
    guard_off(db);
    return rc;
}

int db_query(FILE *out, struct store *db, const char *sql,
             enum query_format format, struct err *e)
{
    return db_query_with(out, db, sql, NULL, 0, format, e);
}

int db_each(struct store *db, const char *sql,
            int (*row)(void *ctx, int n, const char *const *value), void *ctx,
            struct err *e)
{
    const char **value;
    struct str *text;
    struct sql q;
    int n, rc;

    guard_on(db);
    if (open_query(&q, db, sql, NULL, 0, e)) {
        guard_off(db);
        return -1;
    }
    n = sqlite3_column_count(q.stmt);
    value = xcalloc((size_t)n, sizeof *value);
    text = xcalloc((size_t)n, sizeof *text);
    for (int i = 0; i < n; i++)
        str_init(&text[i]);
    while ((rc = sql_step(&q, e)) == 1) {
        for (int i = 0; i < n; i++)
            value[i] = print_value(&text[i], &q, i, 0);
        if (row(ctx, n, value))
            break;
    }
    for (int i = 0; i < n; i++)
        str_release(&text[i]);
    free(text);
    free(value);
    sql_close(&q);
    guard_off(db);
    return rc < 0 ? -1 : 0;
}
