/* print: see print.h.  Rows are made in memory and written by the block. */
#include "db/print.h"

#include "base/mem.h"
#include "db/decimal.h"
#include "db/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 65536 /* bytes to gather before they are written */

/* --- values --- */

/* A place for one number at the end, which the caller then counts in. */
static char *room(struct str *s)
{
    if (s->cap - s->len <= DECIMAL_MAX)
        s->text = mem_grow(s->text, &s->cap, s->len + DECIMAL_MAX + 1, 1);
    return s->text + s->len;
}

static void add_char(struct str *s, char c)
{
    *room(s) = c;
    s->text[++s->len] = '\0';
}

static void add_int(struct str *s, int64_t v)
{
    s->len += decimal_int(room(s), v);
    s->text[s->len] = '\0';
}

static void add_real(struct str *s, double v)
{
    if (!isfinite(v)) {
        str_add(s, v > 0 ? "inf" : "-inf");
        return;
    }
    s->len += decimal_real(room(s), v);
    s->text[s->len] = '\0';
}

static void add_blob(struct str *s, struct sql *q, int i)
{
    const unsigned char *blob = sqlite3_column_blob(q->stmt, i);
    int n = sqlite3_column_bytes(q->stmt, i);

    for (int k = 0; k < n; k++)
        str_addf(s, "%02x", blob[k]);
}

const char *print_value(struct str *s, struct sql *q, int i, int rounded)
{
    str_clear(s);
    switch (sqlite3_column_type(q->stmt, i)) {
    case SQLITE_NULL:
        return NULL;
    case SQLITE_INTEGER:
        add_int(s, sql_get_int(q, i));
        break;
    case SQLITE_FLOAT:
        if (rounded)
            str_addf(s, "%.6g", sql_get_real(q, i));
        else
            add_real(s, sql_get_real(q, i));
        break;
    case SQLITE_BLOB:
        add_blob(s, q, i);
        break;
    default:
        str_add(s, sql_get_text(q, i));
    }
    return s->text;
}

/* --- JSON --- */

void print_json_real(struct str *s, double v)
{
    if (isfinite(v))
        add_real(s, v);
    else
        str_add(s, "null");
}

void print_json_text(struct str *out, const char *text)
{
    static const char escaped[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";

    str_add_n(out, "\"", 1);
    while (*text) {
        const char *at = strchr(escaped, *text);
        size_t n = utf8_length(text);
        if (at)
            str_addf(out, "\\%c", letter[at - escaped]);
        else if ((unsigned char)*text < 0x20)
            str_addf(out, "\\u%04x", (unsigned)*text);
        else if (n == 0)
            str_add(out, "\\ufffd");
        else
            str_add_n(out, text, n);
        text += n ? n : 1;
    }
    str_add_n(out, "\"", 1);
}

/* `key` holds ', "name": ' for each column. */
static void json_row(struct str *out, struct sql *q, const struct str *key,
                     int n)
{
    str_add_n(out, "{", 1);
    for (int i = 0; i < n; i++) {
        sqlite3_value *v = sqlite3_column_value(q->stmt, i);
        size_t skip = i ? 0 : 2;
        str_add_n(out, key[i].text + skip, key[i].len - skip);
        switch (sqlite3_value_type(v)) {
        case SQLITE_NULL:
            str_add_n(out, "null", 4);
            break;
        case SQLITE_INTEGER:
            add_int(out, sqlite3_value_int64(v));
            break;
        case SQLITE_FLOAT:
            print_json_real(out, sqlite3_value_double(v));
            break;
        case SQLITE_BLOB:
            str_add_n(out, "\"", 1);
            add_blob(out, q, i);
            str_add_n(out, "\"", 1);
            break;
        default:
            print_json_text(out, sql_get_text(q, i));
        }
    }
    str_add_n(out, "}\n", 2);
}

/* --- CSV --- */

static void csv_text(struct str *out, const char *text)
{
    if (*text && !strpbrk(text, ",\"\r\n")) {
        str_add(out, text);
        return;
    }
    str_add_n(out, "\"", 1);
    for (const char *s = text; *s; s++)
        str_add_n(out, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    str_add_n(out, "\"", 1);
}

static void csv_row(struct str *out, struct sql *q, int n)
{
    for (int i = 0; i < n; i++) {
        sqlite3_value *v = sqlite3_column_value(q->stmt, i);
        if (i)
            add_char(out, ',');
        switch (sqlite3_value_type(v)) {
        case SQLITE_NULL:
            break;
        case SQLITE_INTEGER:
            add_int(out, sqlite3_value_int64(v));
            break;
        case SQLITE_FLOAT:
            add_real(out, sqlite3_value_double(v));
            break;
        case SQLITE_BLOB:
            add_blob(out, q, i);
            break;
        default:
            csv_text(out, sql_get_text(q, i));
        }
    }
    add_char(out, '\n');
}

/* --- Markdown --- */

static void md_text(struct str *out, const char *text)
{
    for (; *text; text++)
        if (*text == '|')
            str_add(out, "\\|");
        else
            str_add_n(out, (unsigned char)*text < 0x20 ? " " : text, 1);
}

static void md_row(struct str *out, struct sql *q, int n, struct str *s)
{
    for (int i = 0; i < n; i++) {
        const char *v = print_value(s, q, i, 0);
        str_add(out, i ? " | " : "| ");
        md_text(out, v ? v : "");
    }
    str_add(out, " |\n");
}

/* --- all of them --- */

/* What stands above the rows; key[i] is ', "name": ' for JSON. */
static void head(struct str *out, struct str *key, struct sql *q, int n,
                 enum query_format format)
{
    for (int i = 0; i < n; i++) {
        const char *name = sqlite3_column_name(q->stmt, i);
        str_init(&key[i]);
        str_add(&key[i], ", ");
        print_json_text(&key[i], name);
        str_add(&key[i], ": ");
        if (format == QUERY_CSV) {
            str_add(out, i ? "," : "");
            csv_text(out, name);
        } else if (format == QUERY_MD) {
            str_add(out, i ? " | " : "| ");
            md_text(out, name);
        }
    }
    if (format == QUERY_CSV)
        str_add(out, "\n");
    if (format == QUERY_MD) {
        str_add(out, " |\n|");
        for (int i = 0; i < n; i++)
            str_add(out, "---|");
        str_add(out, "\n");
    }
}

static int print_stream(FILE *f, struct sql *q, int n, enum query_format format,
                        struct err *e)
{
    struct str *key = xcalloc((size_t)n, sizeof *key), out, value;
    int rc;

    str_init(&out);
    str_init(&value);
    head(&out, key, q, n, format);
    while ((rc = sql_step(q, e)) == 1 && !ferror(f)) {
        if (format == QUERY_CSV)
            csv_row(&out, q, n);
        else if (format == QUERY_JSON)
            json_row(&out, q, key, n);
        else
            md_row(&out, q, n, &value);
        if (out.len >= BLOCK) {
            fwrite(out.text, 1, out.len, f);
            str_clear(&out);
        }
    }
    fwrite(out.text, 1, out.len, f);
    for (int i = 0; i < n; i++)
        str_release(&key[i]);
    free(key);
    str_release(&value);
    str_release(&out);
    return rc;
}

int print_rows(FILE *out, struct sql *q, enum query_format format,
               struct err *e)
{
    int n = sqlite3_column_count(q->stmt), rc;

    BUG_ON(n == 0);
    rc = format == QUERY_TABLE ? print_table(out, q, e)
                               : print_stream(out, q, n, format, e);
    if (rc >= 0 && (fflush(out) || ferror(out)))
        return err_errno(e, "output");
    return rc < 0 ? -1 : 0;
}
