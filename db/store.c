/* store: opening, closing and transactions; see store.h.
 *
 * What a file is gets checked before anything is locked or written: the first
 * bytes, then the application id, then the version.  Everything that changes a
 * file at open (tables, migrations, views) is one IMMEDIATE transaction each,
 * so a kill at any moment leaves the file as it was or as it should be. */
#include "db/store.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/header.h"
#include "db/journal.h"
#include "db/lock.h"
#include "db/migrate.h"
#include "db/sql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char sql_session[] =
    "INSERT INTO session(opened, host, pid, job) "
    "VALUES(:opened, :host, :pid, :job) RETURNING id";
static const char sql_session_slots[] =
    "UPDATE session SET slots = :slots WHERE id = :id RETURNING id";
static const char sql_session_end[] =
    "UPDATE session SET closed = :closed WHERE id = :id";

/* --- what is this file? --- */

/* As header_check, by SQL, and the version.  *version 0: nothing in it yet. */
static int check_version(int64_t *version, struct store *db, struct err *e)
{
    int64_t id, tables;

    if (sql_number(&tables, db, "SELECT count(*) FROM sqlite_schema", e) ||
        sql_number(&id, db, "PRAGMA application_id", e) ||
        sql_number(version, db, "PRAGMA user_version", e))
        return -1;
    if (id != STORE_APP_ID && (db->mode == STORE_READ || id || tables))
        return err_set(e, ERR_DB, "%s: not a loglog database", db->path);
    if (*version > migrate_version())
        return err_set(e, ERR_DB,
                       "%s: made by a newer loglog (version %lld of its "
                       "tables, this program knows %d); use that one",
                       db->path, (long long)*version, migrate_version());
    return 0;
}

/* --- connecting --- */

static int connect(struct store *db, const char *name, int flags, struct err *e)
{
    if (sqlite3_open_v2(name, &db->h, flags | SQLITE_OPEN_NOMUTEX, NULL)) {
        sql_error(db->h, db->path, NULL, e);
        sqlite3_close(db->h);
        db->h = NULL;
        return -1;
    }
    sqlite3_extended_result_codes(db->h, 1);
    sqlite3_busy_timeout(db->h, SQL_TIMEOUT_MS);
    sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return 0;
}

static void disconnect(struct store *db)
{
    for (int i = 0; i < db->cached; i++)
        sqlite3_finalize(db->cache[i].stmt);
    db->cached = 0;
    sqlite3_close(db->h);
    db->h = NULL;
}

/* A reader may not roll back the journal that a killed writer left behind.
 * Opening the file for writing and reading one row does it; where that is
 * not allowed there is nothing to do but to say so. */
static void roll_back(struct store *db)
{
    int64_t n;

    disconnect(db);
    if (connect(db, db->path, SQLITE_OPEN_READWRITE, NULL) == 0) {
        sql_number(&n, db, "SELECT count(*) FROM sqlite_schema", NULL);
        disconnect(db);
    }
}

/* A file in WAL mode wants to write beside itself even to be read.  Where it
 * cannot and no log is there, nobody can be writing it: say so to SQLite. */
static int connect_frozen(struct store *db, struct err *e)
{
    struct str uri;
    int rc;

    str_init(&uri);
    str_add(&uri, "file:");
    for (const char *p = db->path; *p; p++)
        if (strchr("%?#", *p))
            str_addf(&uri, "%%%02x", (unsigned)(unsigned char)*p);
        else
            str_add_n(&uri, p, 1);
    str_add(&uri, "?immutable=1");
    disconnect(db);
    rc = connect(db, uri.text, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, e);
    str_release(&uri);
    return rc;
}

/* What stood in the way of reading. */
enum obstacle {
    OBSTACLE_HOT,    /* a journal that has to be rolled back */
    OBSTACLE_FROZEN, /* nothing may be written beside the file */
    OBSTACLE_BUSY,
    OBSTACLE_ERROR
};

static enum obstacle obstacle(struct store *db)
{
    char wal[PATH_MAX + 8];
    int code = sqlite3_extended_errcode(db->h);

    snprintf(wal, sizeof wal, "%s-wal", db->path);
    switch (code & 0xff) {
    case SQLITE_BUSY:
        return OBSTACLE_BUSY;
    case SQLITE_READONLY:
        if (code == SQLITE_READONLY_ROLLBACK ||
            code == SQLITE_READONLY_RECOVERY)
            return OBSTACLE_HOT;
        /* fall through */
    case SQLITE_CANTOPEN:
        return access(wal, F_OK) ? OBSTACLE_FROZEN : OBSTACLE_BUSY;
    default:
        return OBSTACLE_ERROR;
    }
}

static int open_read(struct store *db, struct err *e)
{
    const struct timespec pause = {0, 50 * 1000 * 1000};
    int64_t version;

    for (int waited = 0;; waited += 50) {
        enum obstacle why;
        if (connect(db, db->path, SQLITE_OPEN_READONLY, e))
            return -1;
        if (check_version(&version, db, e) == 0)
            return 0;
        why = obstacle(db);
        if (why == OBSTACLE_ERROR || waited >= SQL_TIMEOUT_MS)
            return -1;
        if (why == OBSTACLE_FROZEN)
            return connect_frozen(db, e) || check_version(&version, db, e) ? -1
                                                                           : 0;
        if (why == OBSTACLE_HOT)
            roll_back(db);
        else
            disconnect(db);
        nanosleep(&pause, NULL);
    }
}

/* WAL needs shared memory of one host; elsewhere a rollback journal. */
static int set_modes(struct store *db, struct err *e)
{
    const char *want = db->network ? "delete" : "wal";
    const char *pragma = db->network ? "PRAGMA journal_mode = delete"
                                     : "PRAGMA journal_mode = wal";
    const char *got;
    struct sql q;
    int rc;

    if (sql_prepare(&q, db, pragma, e))
        return -1;
    rc = sql_step(&q, e);
    got = rc == 1 ? sql_get_text(&q, 0) : NULL;
    if (rc == 1 && got && strcmp(got, want)) {
        log_warn("%s: journal mode '%s' is used, '%s' is not possible here",
                 db->path, got, want);
        db->network = 1;
    }
    sql_close(&q);
    if (rc < 0)
        return -1;
    if (db->network)
        sqlite3_busy_timeout(db->h, 6 * SQL_TIMEOUT_MS);
    return sql_exec(db,
                    db->network ? "PRAGMA synchronous = full"
                                : "PRAGMA synchronous = normal",
                    e);
}

static int begin_session(struct store *db, struct err *e)
{
    char now[SQL_TIME], host[256] = "?";
    struct sql q;

    if (sql_open(&q, db, sql_session, e))
        return -1;
    gethostname(host, sizeof host - 1);
    sql_text(&q, ":opened", sql_now(now, db));
    sql_text(&q, ":host", host);
    sql_int(&q, ":pid", getpid());
    sql_text(&q, ":job", getenv("SLURM_JOB_ID"));
    return sql_run_id(&db->session, &q, e);
}

int store_slots(struct store *db, int slots, struct err *e)
{
    int64_t id;
    struct sql q;

    if (sql_open(&q, db, sql_session_slots, e))
        return -1;
    sql_int(&q, ":slots", slots);
    sql_int(&q, ":id", db->session);
    return sql_run_id(&id, &q, e);
}

static int open_write(struct store *db, struct err *e)
{
    int64_t version;

    db->lock = lock_take(db->path, e);
    if (db->lock < 0)
        return -1;
    db->network = lock_is_network(db->path);
    if (connect(db, db->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, e) ||
        check_version(&version, db, e) || migrate(db, e) || set_modes(db, e) ||
        sql_exec(db,
                 "PRAGMA foreign_keys = on;"
                 "PRAGMA cache_size = -65536;"
                 "PRAGMA journal_size_limit = 67108864",
                 e) ||
        begin_session(db, e) || journal_open(db, e))
        return -1;
    return 0;
}

int store_open(struct store **db, const char *path, enum store_mode mode,
               struct err *e)
{
    struct store *s;

    if (strlen(path) >= sizeof s->path - 16)
        return err_set(e, ERR_DB, "%s: path too long", path);
    if (header_check(path, mode, e))
        return -1;
    s = xcalloc(1, sizeof *s);
    snprintf(s->path, sizeof s->path, "%s", path);
    s->mode = mode;
    s->lock = -1;
    if (mode == STORE_READ ? open_read(s, e) : open_write(s, e)) {
        store_close(s);
        return -1;
    }
    *db = s;
    return 0;
}

static void end_session(struct store *db)
{
    char now[SQL_TIME];
    struct sql q;

    if (!db->session || sql_open(&q, db, sql_session_end, NULL))
        return;
    sql_text(&q, ":closed", sql_now(now, db));
    sql_int(&q, ":id", db->session);
    sql_run(&q, NULL);
}

/* At rest the file is one file that needs no others, unless somebody is just
 * reading: then it keeps its log, and the next writer settles it. */
static void settle(struct store *db)
{
    if (db->mode != STORE_WRITE || db->network)
        return;
    sqlite3_busy_timeout(db->h, 0);
    sqlite3_exec(db->h, "PRAGMA journal_mode = delete", NULL, NULL, NULL);
}

void store_close(struct store *db)
{
    if (!db)
        return;
    while (db->depth)
        store_rollback(db);
    if (db->h) {
        end_session(db);
        journal_close(db);
        settle(db);
        disconnect(db);
    }
    lock_release(db->lock);
    free(db);
}

void store_writer(char text[STORE_WRITER], const char *path)
{
    lock_owner(text, path);
}

const char *store_path(const struct store *db)
{
    return db->path;
}

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int too_late(void *ctx)
{
    return seconds_now() > ((struct store *)ctx)->deadline;
}

void store_time_limit(struct store *db, double seconds)
{
    db->deadline = seconds_now() + seconds;
    sqlite3_busy_timeout(db->h, (int)(1000 * seconds));
    sqlite3_progress_handler(db->h, 10000, too_late, db);
}

/* --- transactions --- */

int store_full(const struct store *db)
{
    return db->full;
}

int store_begin(struct store *db, struct err *e)
{
    BUG_ON(db->mode != STORE_WRITE);
    if (db->broken)
        return err_set(e, ERR_DB, "%s: the open transaction was rolled back",
                       db->path);
    if (!db->depth)
        db->full = 0;
    if (sql_exec(db, db->depth ? "SAVEPOINT nest" : "BEGIN IMMEDIATE", e))
        return -1;
    journal_begin(db);
    db->depth++;
    sql_set_moment(db);
    return 0;
}

/* With WAL and synchronous = normal a commit survives the death of the
 * process, but not of the machine, unless the log is synced. */
static int sync_log(struct store *db, struct err *e)
{
    sqlite3_file *f = NULL;

    db->durable = 0;
    if (db->network ||
        sqlite3_file_control(db->h, "main", SQLITE_FCNTL_JOURNAL_POINTER, &f) ||
        !f || !f->pMethods)
        return 0;
    if (f->pMethods->xSync(f, SQLITE_SYNC_NORMAL))
        return err_set(e, ERR_DB, "%s: the log could not be synced", db->path);
    return 0;
}

int store_commit(struct store *db, struct err *e)
{
    BUG_ON(db->depth == 0);
    if (db->broken) {
        store_rollback(db);
        return err_set(e, ERR_DB, "%s: the transaction was rolled back",
                       db->path);
    }
    if (db->depth > 1) {
        if (sql_exec(db, "RELEASE nest", e)) {
            store_rollback(db);
            return -1;
        }
        db->depth--;
        return 0;
    }
    if (journal_write(db, e)) {
        store_rollback(db);
        return -1;
    }
    fault_kill("commit-kill");
    if (sql_exec(db, "COMMIT", e)) {
        store_rollback(db);
        return -1;
    }
    db->depth = 0;
    journal_done(db, 1);
    return db->durable ? sync_log(db, e) : 0;
}

void store_rollback(struct store *db)
{
    BUG_ON(db->depth == 0);
    if (db->depth > 1) {
        if (!db->broken)
            sql_exec(db, "ROLLBACK TO nest; RELEASE nest", NULL);
        journal_drop(db);
        db->depth--;
        return;
    }
    if (!sqlite3_get_autocommit(db->h))
        sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
    db->depth = 0;
    db->broken = 0;
    db->durable = 0;
    journal_done(db, 0);
}
