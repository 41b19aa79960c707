/* dump: see dump.h. */
#include "db/dump.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/decimal.h"
#include "db/journal.h"
#include "db/print.h"
#include "db/sql.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 2000            /* of a line, at most */
#define LINE_BYTES (1 << 20) /* ends a line early */

const char *const dump_tables[] = {
    "study",   "stage", "run",        "study_run", "branch",
    "attempt", "step",  "evaluation", "position",  "imported",
    "event",   "fit",   "prediction", NULL,
};

int dump_columns(char **list, struct store *db, const char *schema,
                 const char *table, struct err *e)
{
    struct str s;
    struct sql q;
    int rc;

    /* table_info leaves generated columns out */
    if (sql_prepare(&q, db,
                    "SELECT group_concat(name, ', ') FROM "
                    "pragma_table_info(:table, :schema)",
                    e))
        return -1;
    sql_text(&q, ":table", table);
    sql_text(&q, ":schema", schema);
    rc = sql_step(&q, e);
    str_init(&s);
    if (rc == 1 && sql_get_text(&q, 0))
        str_add(&s, sql_get_text(&q, 0));
    else if (rc >= 0)
        rc = err_set(e, ERR_DB, "%s: no table %s", db->path, table);
    sql_close(&q);
    if (rc < 0) {
        str_release(&s);
        return -1;
    }
    *list = str_take(&s);
    str_release(&s);
    return 0;
}

/* --- out --- */

struct writer {
    int fd;
    int64_t *lines, *bytes;
    struct str line;
    int rows; /* in the line; 0: no line is open */
};

static void add_value(struct str *out, struct sql *q, int i)
{
    char buf[DECIMAL_MAX];

    switch (sqlite3_column_type(q->stmt, i)) {
    case SQLITE_INTEGER:
        str_add_n(out, buf, decimal_int(buf, sql_get_int(q, i)));
        break;
    case SQLITE_FLOAT:
        print_json_real(out, sql_get_real(q, i));
        break;
    case SQLITE_NULL:
        str_add(out, "null");
        break;
    default:
        print_json_text(out, sql_get_text(q, i));
    }
}

static int end_line(struct writer *w, struct err *e)
{
    if (w->rows == 0)
        return 0;
    str_add(&w->line, "]}]}");
    journal_seal(&w->line, 0);
    if (file_write_all(w->fd, w->line.text, w->line.len, e))
        return -1;
    (*w->lines)++;
    *w->bytes += (int64_t)w->line.len;
    w->rows = 0;
    return 0;
}

static void begin_line(struct writer *w, const char *table, struct sql *q)
{
    str_clear(&w->line);
    str_addf(
        &w->line,
        "{\"n\":%lld,\"ops\":[{\"op\":\"rows\",\"table\":\"%s\",\"cols\":[",
        (long long)*w->lines, table);
    for (int i = 0; i < sqlite3_column_count(q->stmt); i++) {
        str_add(&w->line, i ? "," : "");
        print_json_text(&w->line, sqlite3_column_name(q->stmt, i));
    }
    str_add(&w->line, "],\"rows\":[");
}

static int dump_table(struct writer *w, struct store *db, const char *table,
                      struct err *e)
{
    char *columns;
    struct str text;
    struct sql q;
    int rc;

    if (dump_columns(&columns, db, "main", table, e))
        return -1;
    str_init(&text);
    str_addf(&text, "SELECT %s FROM %s", columns, table);
    free(columns);
    rc = sql_prepare(&q, db, text.text, e);
    str_release(&text);
    if (rc)
        return -1;
    while ((rc = sql_step(&q, e)) == 1) {
        if (w->rows == 0)
            begin_line(w, table, &q);
        str_add(&w->line, w->rows++ ? ",[" : "[");
        for (int i = 0; i < sqlite3_column_count(q.stmt); i++) {
            str_add(&w->line, i ? "," : "");
            add_value(&w->line, &q, i);
        }
        str_add(&w->line, "]");
        if ((w->rows == ROWS || w->line.len > LINE_BYTES) && end_line(w, e)) {
            rc = -1;
            break;
        }
    }
    sql_close(&q);
    return rc < 0 ? -1 : end_line(w, e);
}

int dump_all(int fd, int64_t *lines, int64_t *bytes, struct store *db,
             struct err *e)
{
    struct writer w = {.fd = fd, .lines = lines, .bytes = bytes};
    int rc = 0;

    str_init(&w.line);
    for (int i = 0; dump_tables[i] && !rc; i++)
        rc = dump_table(&w, db, dump_tables[i], e);
    str_release(&w.line);
    return rc;
}

/* --- back in --- */

static int is_table(const char *name)
{
    for (int i = 0; dump_tables[i]; i++)
        if (!strcmp(dump_tables[i], name))
            return 1;
    return 0;
}

/* "INSERT INTO t(a, b) VALUES(?, ?)"; names come from a file, so they have to
 * look like names. */
static int insert_text(struct str *text, const char *table, const json_t *cols,
                       struct err *e)
{
    size_t n = json_array_size(cols);

    str_addf(text, "INSERT INTO %s(", table);
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(cols, i));
        if (!name || !name[0] ||
            strspn(name, "abcdefghijklmnopqrstuvwxyzMND0123456789_") !=
                strlen(name))
            return err_set(e, ERR_DB, "no name of a column");
        str_addf(text, "%s%s", i ? ", " : "", name);
    }
    str_add(text, ") VALUES(");
    for (size_t i = 0; i < n; i++)
        str_add(text, i ? ", ?" : "?");
    str_add(text, ")");
    return 0;
}

static int bind_value(sqlite3_stmt *stmt, int place, const json_t *v)
{
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_INTEGER:
        return sqlite3_bind_int64(stmt, place, json_integer_value(v));
    case JSON_REAL:
        return sqlite3_bind_double(stmt, place, json_real_value(v));
    case JSON_STRING:
        return sqlite3_bind_text(stmt, place, json_string_value(v), -1,
                                 SQLITE_TRANSIENT);
    default:
        return sqlite3_bind_null(stmt, place);
    }
}

static int load_rows(struct sql *q, const json_t *rows, size_t n, struct err *e)
{
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const json_t *row = json_array_get(rows, r);
        if (json_array_size(row) != n)
            return err_set(e, ERR_DB, "a row with another number of columns");
        for (size_t i = 0; i < n; i++)
            bind_value(q->stmt, (int)i + 1, json_array_get(row, i));
        if (sql_step(q, e) < 0)
            return -1;
        sql_reset(q);
    }
    return 0;
}

int dump_load(struct store *db, const json_t *op, struct err *e)
{
    const json_t *cols = json_object_get(op, "cols");
    const char *table = json_string_value(json_object_get(op, "table"));
    struct sql q = {0};
    struct str text;
    int rc;

    if (!table || !is_table(table))
        return err_set(e, ERR_DB, "rows of no known table");
    str_init(&text);
    rc = insert_text(&text, table, cols, e) ||
         sql_prepare(&q, db, text.text, e) ||
         load_rows(&q, json_object_get(op, "rows"), json_array_size(cols), e);
    sql_close(&q);
    str_release(&text);
    return rc ? -1 : 0;
}
