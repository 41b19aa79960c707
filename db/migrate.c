/* migrate: see migrate.h.
 *
 * schema.sql and views.sql are embedded by CMake (embed.cmake).  schema.sql
 * always describes the current version; a new file gets it at once.  Each
 * older version has one step here (upgrade-N.sql) that leads to the next; a
 * test holds that both ways end in the same tables. */
#include "db/migrate.h"

#include "base/hash.h"
#include "base/mem.h"
#include "db/sql.h"

#include <stdio.h>
#include <string.h>

extern const char schema_sql[], views_sql[], upgrade_1_sql[], upgrade_2_sql[],
    upgrade_3_sql[], upgrade_4_sql[], upgrade_5_sql[], upgrade_6_sql[];

/* steps[v] leads from version v + 1 to v + 2. */
static const char *const steps[] = {upgrade_1_sql, upgrade_2_sql,
                                    upgrade_3_sql, upgrade_4_sql,
                                    upgrade_5_sql, upgrade_6_sql};
#define VERSION ((int)ARRAY_LEN(steps) + 1)

static const char sql_views_hash[] =
    "SELECT value FROM meta WHERE key = 'views'";
static const char sql_set_views[] =
    "INSERT INTO meta(key, value) VALUES('views', :hash) "
    "ON CONFLICT(key) DO UPDATE SET value = excluded.value";

int migrate_version(void)
{
    return VERSION;
}

static int set_version(struct store *db, int version, struct err *e)
{
    char text[96];

    snprintf(text, sizeof text,
             "PRAGMA application_id = %u; PRAGMA user_version = %d",
             STORE_APP_ID, version);
    return sql_exec(db, text, e);
}

/* One step inside a transaction; *done when there is nothing left to do. */
static int step(int *done, struct store *db, struct err *e)
{
    int64_t version;

    if (sql_number(&version, db, "PRAGMA user_version", e))
        return -1;
    *done = version == VERSION;
    if (*done)
        return 0;
    if (version == 0)
        return sql_exec(db, schema_sql, e) || set_version(db, VERSION, e) ? -1
                                                                          : 0;
    BUG_ON(version < 0 || version > VERSION);
    /* The journal speaks of the older tables; "on" asks for a new one. */
    return sql_exec(db, steps[version - 1], e) ||
                   sql_exec(db,
                            "UPDATE meta SET value = 'on' "
                            "WHERE key = 'journal'",
                            e) ||
                   set_version(db, (int)version + 1, e)
               ? -1
               : 0;
}

/* Are the views made from this text?  hash: of the text. */
static int same_views(int *same, char hash[HASH_HEX], struct store *db,
                      struct err *e)
{
    struct sql q;
    int rc;

    hash_sha256(hash, views_sql, strlen(views_sql));
    if (sql_open(&q, db, sql_views_hash, e))
        return -1;
    rc = sql_step(&q, e);
    *same = rc == 1 && !strcmp(sql_get_text(&q, 0), hash);
    sql_close(&q);
    return rc < 0 ? -1 : 0;
}

int migrate_needed(struct store *db)
{
    char hash[HASH_HEX];
    int64_t version;
    int same;

    if (sql_number(&version, db, "PRAGMA user_version", NULL))
        return 0;
    return version < VERSION || (!same_views(&same, hash, db, NULL) && !same);
}

static int views(struct store *db, struct err *e)
{
    char hash[HASH_HEX];
    struct sql q;
    int same;

    if (same_views(&same, hash, db, e))
        return -1;
    if (same)
        return 0;
    if (sql_exec(db, views_sql, e) || sql_open(&q, db, sql_set_views, e))
        return -1;
    sql_text(&q, ":hash", hash);
    return sql_run(&q, e);
}

int migrate(struct store *db, struct err *e)
{
    int done = 0;

    while (!done) {
        if (store_begin(db, e))
            return -1;
        if (sql_end(db, step(&done, db, e) || (done && views(db, e)) ? -1 : 0,
                    e))
            return -1;
    }
    return 0;
}
