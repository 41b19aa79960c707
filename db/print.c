/* print: see print.h.  Rows are made in memory and written by the block. */
#include "db/print.h"

#include "base/mem.h"
#include "db/decimal.h"
#include "db/stream.h"
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

static void add_hex(struct str *s, const char *bytes, int n)
{
    for (int i = 0; i < n; i++)
        str_addf(s, "%02x", (unsigned char)bytes[i]);
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
        add_hex(s, sqlite3_column_blob(q->stmt, i),
                sqlite3_column_bytes(q->stmt, i));
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

/* A row on its way: its cells, the bytes of its texts, and how many they are.
 */
struct row {
    const struct stream_cell *cell;
    const char *bytes;
    int n;
};

/* `key` holds ', "name": ' for each column. */
static void json_row(struct str *out, const struct row *r,
                     const struct str *key)
{
    str_add_n(out, "{", 1);
    for (int i = 0; i < r->n; i++) {
        const struct stream_cell *c = &r->cell[i];
        size_t skip = i ? 0 : 2;
        str_add_n(out, key[i].text + skip, key[i].len - skip);
        switch (c->type) {
        case SQLITE_NULL:
            str_add_n(out, "null", 4);
            break;
        case SQLITE_INTEGER:
            add_int(out, c->is.whole);
            break;
        case SQLITE_FLOAT:
            print_json_real(out, c->is.real);
            break;
        case SQLITE_BLOB:
            str_add_n(out, "\"", 1);
            add_hex(out, r->bytes + c->is.at, c->len);
            str_add_n(out, "\"", 1);
            break;
        default:
            print_json_text(out, r->bytes + c->is.at);
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

/* As it stands in a table of text, without marks around it. */
static void plain(struct str *out, const struct stream_cell *c,
                  const char *bytes, void (*text)(struct str *, const char *))
{
    switch (c->type) {
    case SQLITE_NULL:
        break;
    case SQLITE_INTEGER:
        add_int(out, c->is.whole);
        break;
    case SQLITE_FLOAT:
        add_real(out, c->is.real);
        break;
    case SQLITE_BLOB:
        add_hex(out, bytes + c->is.at, c->len);
        break;
    default:
        text(out, bytes + c->is.at);
    }
}

static void csv_row(struct str *out, const struct row *r)
{
    for (int i = 0; i < r->n; i++) {
        if (i)
            add_char(out, ',');
        plain(out, &r->cell[i], r->bytes, csv_text);
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

static void md_row(struct str *out, const struct row *r)
{
    for (int i = 0; i < r->n; i++) {
        str_add(out, i ? " | " : "| ");
        plain(out, &r->cell[i], r->bytes, md_text);
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

struct printer {
    FILE *f;
    enum query_format format;
    int n;
    struct str *key; /* see head */
    struct str out;  /* to be written */
    int failed;      /* errno of a write */
};

static void flush(struct printer *p)
{
    if (!p->failed && fwrite(p->out.text, 1, p->out.len, p->f) < p->out.len)
        p->failed = errno;
    str_clear(&p->out);
}

static int print_batch(void *ctx, const struct stream_batch *b)
{
    struct printer *p = ctx;

    for (size_t i = 0; i < b->rows; i++) {
        struct row r = {b->cell + i * (size_t)p->n, b->bytes.text, p->n};
        if (p->format == QUERY_CSV)
            csv_row(&p->out, &r);
        else if (p->format == QUERY_JSON)
            json_row(&p->out, &r, p->key);
        else
            md_row(&p->out, &r);
    }
    if (p->out.len >= BLOCK)
        flush(p);
    return p->failed;
}

static int print_stream(FILE *f, struct sql *q, int n, enum query_format format,
                        struct err *e)
{
    struct printer p = {.f = f, .format = format, .n = n};
    int rc;

    p.key = xcalloc((size_t)n, sizeof *p.key);
    str_init(&p.out);
    head(&p.out, p.key, q, n, format);
    rc = stream_rows(q, print_batch, &p, e);
    flush(&p);
    for (int i = 0; i < n; i++)
        str_release(&p.key[i]);
    free(p.key);
    str_release(&p.out);
    errno = p.failed; /* maybe of the other thread */
    return rc;
}

int print_rows(FILE *out, struct sql *q, enum query_format format,
               struct err *e)
{
    int n = sqlite3_column_count(q->stmt), rc;

    BUG_ON(n == 0);
    rc = format == QUERY_TABLE ? print_table(out, q, e)
                               : print_stream(out, q, n, format, e);
    if (rc >= 0 && (ferror(out) || fflush(out)))
        return err_errno(e, "output");
    return rc < 0 ? -1 : 0;
}
