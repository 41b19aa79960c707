/* guard: see guard.h.  SQLite asks the callback about each thing a statement
 * would do while it is being prepared; anything but OK fails the statement. */
#include "db/guard.h"

#include "base/mem.h"
#include "db/sql.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const pragmas[] = {
    "table_info",     "table_xinfo",     "table_list",    "index_list",
    "index_info",     "index_xinfo",     "database_list", "foreign_key_list",
    "collation_list", "integrity_check", "quick_check",   "foreign_key_check",
    "function_list",
};
static const char *const read_only[] = {"user_version", "application_id",
                                        "page_size", "page_count", "encoding"};
static const char *const no_functions[] = {
    "load_extension", "readfile", "writefile", "edit", "fts3_tokenizer",
};

static int among(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (name && !strcasecmp(name, list[i]))
            return 1;
    return 0;
}

static int may(void *ctx, int action, const char *a, const char *b,
               const char *database, const char *inner)
{
    (void)ctx;
    (void)database;
    (void)inner;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return among(b, no_functions, ARRAY_LEN(no_functions)) ? SQLITE_DENY
                                                               : SQLITE_OK;
    case SQLITE_PRAGMA:
        if (among(a, pragmas, ARRAY_LEN(pragmas)))
            return SQLITE_OK;
        return !b && among(a, read_only, ARRAY_LEN(read_only)) ? SQLITE_OK
                                                               : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

/* Table functions declare their columns the first time a connection meets
 * them, which SQLite asks about as if a table were made; let them do it. */
static void meet(struct store *db, const char *function)
{
    sqlite3_stmt *stmt = NULL;
    char text[96];

    snprintf(text, sizeof text, "SELECT 1 FROM %s", function);
    sqlite3_prepare_v2(db->h, text, -1, &stmt, NULL);
    sqlite3_finalize(stmt);
}

void guard_on(struct store *db)
{
    char name[64];

    meet(db, "json_each");
    meet(db, "json_tree");
    for (size_t i = 0; i < ARRAY_LEN(pragmas); i++) {
        snprintf(name, sizeof name, "pragma_%s", pragmas[i]);
        meet(db, name);
    }
    sqlite3_set_authorizer(db->h, may, NULL);
}

void guard_off(struct store *db)
{
    sqlite3_set_authorizer(db->h, NULL, NULL);
}
