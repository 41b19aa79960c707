/* upkeep: copies, and files made small; see upkeep.h. */
#include "db/upkeep.h"

#include "base/mem.h"
#include "db/journal.h"
#include "db/sql.h"

#include <errno.h>
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
