/* sql: see sql.h. */
#include "db/sql.h"

#include "base/fault.h"
#include "base/mem.h"
#include "db/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a person can do about it, where SQLite's own words do not say. */
static const struct {
    int code;
    const char *text;
} hints[] = {
    {SQLITE_FULL, "the disk is full; make room and run the same command again"},
    {SQLITE_NOTADB, "not a database file"},
    {SQLITE_CORRUPT, "the file is damaged; see `loglog db check` and "
                     "`loglog db rebuild`"},
    {SQLITE_BUSY, "another process keeps it locked"},
    {SQLITE_READONLY, "the file or its directory cannot be written"},
};

/* The beginning of an SQL text, without line ends. */
#define LINE 200
static void one_line(char line[LINE], const char *text)
{
    size_t n = 0;

    for (; *text && n + 1 < LINE; text++)
        if ((unsigned char)*text > 0x20)
            line[n++] = *text;
        else if (n && line[n - 1] != ' ')
            line[n++] = ' ';
    line[n] = '\0';
}

int sql_error(sqlite3 *h, const char *path, const char *text, struct err *e)
{
    int code = h ? sqlite3_errcode(h) : SQLITE_NOMEM;
    const char *what = h ? sqlite3_errmsg(h) : "out of memory";
    char line[LINE], said[LINE];

    if ((code & 0xff) == SQLITE_IOERR && sqlite3_system_errno(h) == ENOSPC)
        code = SQLITE_FULL;
    for (size_t i = 0; i < ARRAY_LEN(hints); i++)
        if ((code & 0xff) == hints[i].code)
            return err_set(e, ERR_DB, "%s: %s", path, hints[i].text);
    if ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN) {
        int os = sqlite3_system_errno(h);
        return err_set(e, ERR_DB, "%s: %s (%s)", path, what,
                       os ? strerror(os) : sqlite3_errstr(code));
    }
    one_line(said, what); /* it may quote a CHECK of several lines */
    if (!text)
        return err_set(e, ERR_DB, "%s: %s", path, said);
    one_line(line, text);
    return err_set(e, ERR_DB, "%s: %s, in: %s", path, said, line);
}

int sql_fail(struct store *db, const char *text, struct err *e)
{
    int code = sqlite3_errcode(db->h) & 0xff;

    sql_error(db->h, db->path, text, e);
    db->full |= code == SQLITE_FULL ||
                (code == SQLITE_IOERR && sqlite3_system_errno(db->h) == ENOSPC);
    /* A full disk and the like end the whole transaction inside SQLite. */
    if (db->depth && sqlite3_get_autocommit(db->h))
        db->broken = 1;
    return -1;
}

static int prepare(sqlite3_stmt **stmt, struct store *db, const char *text,
                   unsigned flags, struct err *e)
{
    const char *tail = NULL;

    if (sqlite3_prepare_v3(db->h, text, -1, flags, stmt, &tail))
        return sql_fail(db, text, e);
    if (!*stmt)
        return err_set(e, ERR_USAGE, "an SQL statement expected");
    if (tail[strspn(tail, " \t\r\n;")]) {
        sqlite3_finalize(*stmt);
        *stmt = NULL;
        return err_set(e, ERR_USAGE, "one SQL statement expected");
    }
    return 0;
}

int sql_open(struct sql *q, struct store *db, const char *text, struct err *e)
{
    int i = 0;

    *q = (struct sql){.db = db, .slot = -1};
    while (i < db->cached && db->cache[i].text != text)
        i++;
    if (i == db->cached) {
        BUG_ON(i == SQL_CACHE);
        if (prepare(&db->cache[i].stmt, db, text, SQLITE_PREPARE_PERSISTENT, e))
            return -1;
        db->cache[i].text = text;
        db->cache[i].busy = 0;
        db->cached++;
    }
    BUG_ON(db->cache[i].busy);
    db->cache[i].busy = 1;
    q->slot = i;
    q->stmt = db->cache[i].stmt;
    return 0;
}

int sql_prepare(struct sql *q, struct store *db, const char *text,
                struct err *e)
{
    *q = (struct sql){.db = db, .slot = -1};
    return prepare(&q->stmt, db, text, 0, e);
}

void sql_close(struct sql *q)
{
    if (!q->stmt)
        return;
    if (q->slot < 0) {
        sqlite3_finalize(q->stmt);
    } else {
        sql_reset(q);
        q->db->cache[q->slot].busy = 0;
    }
    q->stmt = NULL;
}

static int place(struct sql *q, const char *name)
{
    int i = sqlite3_bind_parameter_index(q->stmt, name);

    BUG_ON(i == 0);
    return i;
}

void sql_int(struct sql *q, const char *name, int64_t v)
{
    BUG_ON(sqlite3_bind_int64(q->stmt, place(q, name), v));
}

void sql_real(struct sql *q, const char *name, double v)
{
    if (!isfinite(v))
        sql_null(q, name);
    else
        BUG_ON(sqlite3_bind_double(q->stmt, place(q, name), v));
}

void sql_text(struct sql *q, const char *name, const char *v)
{
    if (v && !utf8_valid(v))
        BUG_ON(sqlite3_bind_text(q->stmt, place(q, name), utf8_repair(v), -1,
                                 free));
    else
        BUG_ON(
            sqlite3_bind_text(q->stmt, place(q, name), v, -1, SQLITE_STATIC));
}

void sql_null(struct sql *q, const char *name)
{
    BUG_ON(sqlite3_bind_null(q->stmt, place(q, name)));
}

int sql_step(struct sql *q, struct err *e)
{
    int rc = sqlite3_step(q->stmt);

    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    return sql_fail(q->db, sqlite3_sql(q->stmt), e);
}

int sql_run(struct sql *q, struct err *e)
{
    int rc;

    do
        rc = sql_step(q, e);
    while (rc == 1);
    sql_close(q);
    return rc;
}

int sql_run_id(int64_t *v, struct sql *q, struct err *e)
{
    int rc = sql_step(q, e);

    if (rc < 0) {
        sql_close(q);
        return -1;
    }
    BUG_ON(rc != 1);
    *v = sql_get_int(q, 0);
    return sql_run(q, e);
}

void sql_reset(struct sql *q)
{
    sqlite3_reset(q->stmt);
    sqlite3_clear_bindings(q->stmt);
}

int64_t sql_get_int(struct sql *q, int column)
{
    return sqlite3_column_int64(q->stmt, column);
}

double sql_get_real(struct sql *q, int column)
{
    if (sqlite3_column_type(q->stmt, column) == SQLITE_NULL)
        return NAN;
    return sqlite3_column_double(q->stmt, column);
}

const char *sql_get_text(struct sql *q, int column)
{
    return (const char *)sqlite3_column_text(q->stmt, column);
}

int sql_exec(struct store *db, const char *text, struct err *e)
{
    if (sqlite3_exec(db->h, text, NULL, NULL, NULL))
        return sql_fail(db, text, e);
    return 0;
}

int sql_number(int64_t *v, struct store *db, const char *text, struct err *e)
{
    struct sql q;
    int rc;

    if (sql_prepare(&q, db, text, e))
        return -1;
    rc = sql_step(&q, e);
    if (rc >= 0)
        *v = rc ? sql_get_int(&q, 0) : 0;
    sql_close(&q);
    return rc < 0 ? -1 : 0;
}

int sql_end(struct store *db, int rc, struct err *e)
{
    if (rc == 0)
        return store_commit(db, e);
    store_rollback(db);
    return rc;
}

void sql_set_moment(struct store *db)
{
    char day[24]; /* to the second */
    struct timespec t;
    struct tm tm;

    if (db->now) {
        snprintf(db->moment, sizeof db->moment, "%s", db->now);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &t);
    if (fault_at("clock-jump"))
        t.tv_sec -= 86400;
    gmtime_r(&t.tv_sec, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(db->moment, sizeof db->moment, "%s.%03dZ", day,
             (int)(t.tv_nsec / 1000000));
}

const char *sql_now(char buf[SQL_TIME], struct store *db)
{
    if (db->depth == 0)
        sql_set_moment(db);
    memcpy(buf, db->moment, SQL_TIME);
    return buf;
}
