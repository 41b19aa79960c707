/* upkeep: copies, and files made small; see upkeep.h. */
#include "db/upkeep.h"

#include "base/mem.h"
#include "db/journal.h"
#include "db/sql.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- backup --- */

#define PAGES 2000 /* copied between chances for a writer */

static int copy_pages(sqlite3 *to, struct store *db, struct err *e)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", db->h, "main");
    int rc;

    if (!b)
        return sql_error(to, db->path, NULL, e);
    do {
        rc = sqlite3_backup_step(b, PAGES);
        if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
            sqlite3_sleep(20);
    } while (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED);
    sqlite3_backup_finish(b);
    return rc == SQLITE_DONE ? 0 : sql_error(to, db->path, NULL, e);
}

/* One file that needs no others: no WAL, and no journal beside it yet. */
static int settle_copy(sqlite3 *to, const char *path, struct err *e)
{
    if (sqlite3_exec(to,
                     "PRAGMA journal_mode = delete;"
                     "UPDATE meta SET value = 'on' WHERE key = 'journal'",
                     NULL, NULL, NULL))
        return sql_error(to, path, NULL, e);
    return 0;
}

int db_backup(struct store *db, const char *to, struct err *e)
{
    char tmp[PATH_MAX];
    sqlite3 *h = NULL;
    int rc;

    if (snprintf(tmp, sizeof tmp, "%s.tmp%ld", to, (long)getpid()) >=
        (int)sizeof tmp)
        return err_set(e, ERR_DB, "%s: path too long", to);
    unlink(tmp);
    if (sqlite3_open(tmp, &h))
        rc = sql_error(h, to, NULL, e);
    else
        rc = copy_pages(h, db, e) || settle_copy(h, to, e) ? -1 : 0;
    sqlite3_close(h);
    if (!rc && rename(tmp, to))
        rc = err_set(e, ERR_DB, "%s: %s", to, strerror(errno));
    if (rc)
        unlink(tmp);
    return rc;
}

/* --- vacuum, journal --- */

int db_vacuum(struct store *db, struct err *e)
{
    if (sql_exec(db, "VACUUM", e) ||
        sql_exec(db, "PRAGMA wal_checkpoint(truncate)", e))
        return -1;
    return db->journal ? journal_restart(db, e) : 0;
}

int db_journal(struct store *db, int on, struct err *e)
{
    return journal_switch(db, on, e);
}

/* --- thin --- */

struct rule {
    int64_t every;
    double per_decade;
};

/* keep_step(step): 1 when a rule keeps it. */
static void keep_step(sqlite3_context *ctx, int n, sqlite3_value **arg)
{
    const struct rule *r = sqlite3_user_data(ctx);
    int64_t step = sqlite3_value_int64(arg[0]);
    int keep = 0;

    (void)n;
    if (r->every > 0)
        keep |= step % r->every == 0;
    if (r->per_decade > 0)
        keep |= step < 2 || floor(r->per_decade * log10((double)step)) >
                                floor(r->per_decade * log10((double)step - 1));
    sqlite3_result_int(ctx, keep);
}

static const char sql_thin[] =
    "DELETE FROM step WHERE run IN (SELECT num FROM run "
    "WHERE state NOT IN ('pending', 'running')) AND NOT keep_step(step) "
    "AND step NOT IN (SELECT min(s.step) FROM step s WHERE s.run = step.run "
    "UNION ALL SELECT max(s.step) FROM step s WHERE s.run = step.run)";

int db_thin(int64_t *dropped, struct store *db, int64_t every,
            int64_t per_decade, struct err *e)
{
    struct rule r = {every, (double)per_decade};
    struct sql q = {0};
    int rc;

    if (every < 0 || per_decade < 0 || (every == 0 && per_decade == 0))
        return err_set(e, ERR_USAGE, "a rule for what to keep is expected");
    if (sqlite3_create_function(db->h, "keep_step", 1,
                                SQLITE_UTF8 | SQLITE_DETERMINISTIC, &r,
                                keep_step, NULL, NULL))
        return sql_fail(db, NULL, e);
    rc = sql_prepare(&q, db, sql_thin, e) || sql_run(&q, e) ? -1 : 0;
    sql_close(&q);
    if (!rc)
        *dropped = sqlite3_changes64(db->h);
    sqlite3_create_function(db->h, "keep_step", 1, SQLITE_UTF8, NULL, NULL,
                            NULL, NULL);
    if (!rc && db->journal)
        rc = journal_restart(db, e);
    return rc;
}
