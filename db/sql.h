/* sql: private to db/.  A connection, and statements that read like sentences:
 *
 *     sql_open(&q, db, "SELECT id FROM study WHERE name = :name", e)
 *     sql_text(&q, ":name", name);
 *     if (sql_step(&q, e) == 1)
 *         id = sql_get_int(&q, 0);
 *     sql_close(&q);
 *
 * Statements are prepared once and kept by the address of their text, which
 * must be a constant.  Binding cannot fail but by our own mistake (BUG).
 * Errors are ERR_DB, name the file and carry the SQL. */
#ifndef LOGLOG_DB_SQL_H
#define LOGLOG_DB_SQL_H

#include "base/err.h"
#include "base/str.h"
#include "db/store.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdint.h>

#define SQL_TIME 32          /* bytes of a time */
#define SQL_CACHE 64         /* most constant statements */
#define SQL_TIMEOUT_MS 10000 /* how long a lock is waited for */

struct journal;

/* The connection.  Public as `struct store`. */
struct store {
    sqlite3 *h;
    char path[PATH_MAX];
    enum store_mode mode;
    int lock;        /* descriptor of FILE.lock, or -1 */
    int network;     /* on a network file system */
    int depth;       /* open transactions, nested ones counted */
    int full;        /* the last failure was that there is no room */
    int broken;      /* SQLite has rolled back under us; only end is allowed */
    int durable;     /* sync the log at the outermost commit */
    double deadline; /* of store_time_limit, on the monotonic clock */
    int64_t session; /* row of this opening */
    const char *now; /* the time to write, when replaying; NULL: the clock */
    char moment[SQL_TIME];   /* when the innermost transaction began */
    struct journal *journal; /* NULL: none kept */
    struct {
        const char *text;
        sqlite3_stmt *stmt;
        int busy;
    } cache[SQL_CACHE];
    int cached;
};

struct sql {
    struct store *db;
    sqlite3_stmt *stmt;
    int slot; /* in the cache; -1: our own to finalize */
};

/* A constant text, prepared once. */
int sql_open(struct sql *q, struct store *db, const char *text, struct err *e);
/* A text made at run time, one statement and nothing behind it. */
int sql_prepare(struct sql *q, struct store *db, const char *text,
                struct err *e);
/* Ready again, or gone; a zeroed struct is fine. */
void sql_close(struct sql *q);

void sql_int(struct sql *q, const char *name, int64_t v);
void sql_real(struct sql *q, const char *name, double v); /* not finite: NULL */
/* The text must live until the next step; NULL is NULL.  What is not UTF-8
 * becomes so. */
void sql_text(struct sql *q, const char *name, const char *v);
void sql_null(struct sql *q, const char *name);

/* 1: a row; 0: no more; -1: *e says why. */
int sql_step(struct sql *q, struct err *e);
/* Step to the end and close. */
int sql_run(struct sql *q, struct err *e);
/* The same for a statement that returns one number. */
int sql_run_id(int64_t *v, struct sql *q, struct err *e);
/* Back to the start, to bind again. */
void sql_reset(struct sql *q);

int64_t sql_get_int(struct sql *q, int column);
double sql_get_real(struct sql *q, int column);      /* NULL: NaN */
const char *sql_get_text(struct sql *q, int column); /* NULL: NULL */

/* Statements without parameters or results, one or several. */
int sql_exec(struct store *db, const char *text, struct err *e);
/* The one number a statement yields; 0 when it yields none. */
int sql_number(int64_t *v, struct store *db, const char *text, struct err *e);

/* *e from the connection's last error; text may be NULL.  Returns -1. */
int sql_fail(struct store *db, const char *text, struct err *e);
/* The same for a connection that is not (yet) a store. */
int sql_error(sqlite3 *h, const char *path, const char *text, struct err *e);

/* Set the moment; store_begin does. */
void sql_set_moment(struct store *db);

/* The end of what store_begin began: commit when rc is 0, else roll back.
 * Returns rc, or -1 when the commit failed. */
int sql_end(struct store *db, int rc, struct err *e);

/* UTC, "2026-01-31T12:00:00.000Z": when the innermost transaction began, or
 * now when none is open. */
const char *sql_now(char buf[SQL_TIME], struct store *db);

#endif
