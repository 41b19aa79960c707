/* guard: see guard.h.  SQLite asks the callback about each thing a statement
 * would do while it is being prepared; anything but OK fails the statement. */
#include "db/guard.h"

#include "base/mem.h"
#include "db/sql.h"

#include <string.h>
#include <strings.h>

static const char *const pragmas[] = {
    "table_info",     "table_xinfo",     "table_list",    "index_list",
    "index_info",     "index_xinfo",     "database_list", "foreign_key_list",
    "collation_list", "integrity_check", "quick_check",   "foreign_key_check",
    "function_list",
};
static const char *const read_only[] = {"user_version", "application_id",
                                        "journal_mode", "page_size",
                                        "page_count",   "encoding"};
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
static const char *const table_functions[] = {
    "SELECT 1 FROM json_each('[]')",
    "SELECT 1 FROM json_tree('[]')",
    "SELECT 1 FROM pragma_table_info('x')",
    "SELECT 1 FROM pragma_table_xinfo('x')",
    "SELECT 1 FROM pragma_table_list",
    "SELECT 1 FROM pragma_index_list('x')",
};

void guard_on(struct store *db)
{
    for (size_t i = 0; i < ARRAY_LEN(table_functions); i++)
        sqlite3_exec(db->h, table_functions[i], NULL, NULL, NULL);
    sqlite3_set_authorizer(db->h, may, NULL);
}

void guard_off(struct store *db)
{
    sqlite3_set_authorizer(db->h, NULL, NULL);
}
