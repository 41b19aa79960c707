/* print: see print.h.
 *
 * Everything streams but the table, whose widths come from its first rows; a
 * later row that needs more room takes it. */
#include "db/print.h"

#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_ROWS 1000 /* rows that decide the widths of a table */
#define WIDTH_MAX 60    /* of one column of a table */

/* --- values --- */

static const char *real_text(char buf[STR_DOUBLE], double v)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buf, STR_DOUBLE, "%.*g", digits, v);
        if (digits == 17 || strtod(buf, NULL) == v)
            break;
    }
    return buf;
}

void print_json_real(FILE *out, double v)
{
    char buf[STR_DOUBLE];

    fputs(isfinite(v) ? real_text(buf, v) : "null", out);
}

/* Bytes of the UTF-8 character at s; 0 when there is none (RFC 3629). */
static int utf8_length(const unsigned char *s)
{
    int n = s[0] < 0x80                    ? 1
            : s[0] >= 0xC2 && s[0] <= 0xDF ? 2
            : (s[0] & 0xF0) == 0xE0        ? 3
            : s[0] >= 0xF0 && s[0] <= 0xF4 ? 4
                                           : 0;

    for (int i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

void print_json_text(FILE *out, const char *text)
{
    static const char escaped[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const unsigned char *s = (const unsigned char *)text;

    fputc('"', out);
    while (*s) {
        const char *at = strchr(escaped, *s);
        int n = utf8_length(s);
        if (at)
            fprintf(out, "\\%c", letter[at - escaped]);
        else if (*s < 0x20)
            fprintf(out, "\\u%04x", *s);
        else if (n == 0)
            fputs("\\ufffd", out);
        else
            fwrite(s, 1, (size_t)n, out);
        s += n ? n : 1;
    }
    fputc('"', out);
}

void print_csv_text(FILE *out, const char *text)
{
    if (*text && !strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (const char *s = text; *s; s++) {
        if (*s == '"')
            fputc('"', out);
        fputc(*s, out);
    }
    fputc('"', out);
}

const char *print_value(struct str *s, struct sql *q, int i, int rounded)
{
    char buf[STR_DOUBLE];
    const unsigned char *blob;
    int n;

    str_clear(s);
    switch (sqlite3_column_type(q->stmt, i)) {
    case SQLITE_NULL:
        return NULL;
    case SQLITE_FLOAT:
        if (rounded)
            str_addf(s, "%.6g", sql_get_real(q, i));
        else
            str_add(s, real_text(buf, sql_get_real(q, i)));
        break;
    case SQLITE_BLOB:
        blob = sqlite3_column_blob(q->stmt, i);
        n = sqlite3_column_bytes(q->stmt, i);
        for (int k = 0; k < n; k++)
            str_addf(s, "%02x", blob[k]);
        break;
    default:
        str_add(s, sql_get_text(q, i));
    }
    return s->text;
}

/* --- CSV, JSON, Markdown --- */

static void csv_head(FILE *out, struct sql *q, int n)
{
    for (int i = 0; i < n; i++) {
        fputs(i ? "," : "", out);
        print_csv_text(out, sqlite3_column_name(q->stmt, i));
    }
    fputc('\n', out);
}

static void csv_row(FILE *out, struct sql *q, int n, struct str *s)
{
    for (int i = 0; i < n; i++) {
        const char *v = print_value(s, q, i, 0);
        fputs(i ? "," : "", out);
        if (v)
            print_csv_text(out, v);
    }
    fputc('\n', out);
}

static void json_row(FILE *out, struct sql *q, int n, struct str *s)
{
    for (int i = 0; i < n; i++) {
        const char *v = print_value(s, q, i, 0);
        int type = sqlite3_column_type(q->stmt, i);

        fputs(i ? ", " : "{", out);
        print_json_text(out, sqlite3_column_name(q->stmt, i));
        fputs(": ", out);
        if (!v)
            fputs("null", out);
        else if (type == SQLITE_INTEGER)
            fputs(v, out);
        else if (type == SQLITE_FLOAT)
            print_json_real(out, sql_get_real(q, i));
        else
            print_json_text(out, v);
    }
    fputs("}\n", out);
}

static void md_text(FILE *out, const char *text)
{
    for (; *text; text++)
        if (*text == '|')
            fputs("\\|", out);
        else
            fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
}

static void md_head(FILE *out, struct sql *q, int n)
{
    for (int i = 0; i < n; i++) {
        fputs(i ? " | " : "| ", out);
        md_text(out, sqlite3_column_name(q->stmt, i));
    }
    fputs(" |\n", out);
    for (int i = 0; i < n; i++)
        fputs(i ? "---|" : "|---|", out);
    fputc('\n', out);
}

static void md_row(FILE *out, struct sql *q, int n, struct str *s)
{
    for (int i = 0; i < n; i++) {
        const char *v = print_value(s, q, i, 0);
        fputs(i ? " | " : "| ", out);
        md_text(out, v ? v : "");
    }
    fputs(" |\n", out);
}

/* --- table --- */

struct cell {
    char *text;
    int right; /* a number */
};

static int width(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* What a terminal may be shown: no control characters, no endless columns. */
static char *cell_text(const char *text)
{
    char *copy = xstrdup(text), *cut = NULL;
    int n = 0;

    for (char *s = copy; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
        if (((unsigned char)*s & 0xC0) == 0x80)
            continue;
        if (n == WIDTH_MAX - 3)
            cut = s;
        n++;
    }
    if (n > WIDTH_MAX)
        memcpy(cut, "...", 4);
    return copy;
}

static void table_row(FILE *out, const struct cell *c, const int *wide, int n)
{
    while (n > 1 && !c[n - 1].text[0])
        n--;
    for (int i = 0; i < n; i++) {
        int pad = wide[i] - width(c[i].text), last = i == n - 1;
        pad = pad < 0 ? 0 : pad;
        fprintf(out, "%s%*s%s%*s", i ? "  " : "", c[i].right ? pad : 0, "",
                c[i].text, c[i].right || last ? 0 : pad, "");
    }
    fputc('\n', out);
}

static void table_head(FILE *out, struct sql *q, const struct cell *first,
                       const int *wide, int n)
{
    struct cell *head = xcalloc((size_t)n, sizeof *head);

    for (int i = 0; i < n; i++)
        head[i] = (struct cell){cell_text(sqlite3_column_name(q->stmt, i)),
                                first && first[i].right};
    table_row(out, head, wide, n);
    for (int i = 0; i < n; i++) {
        fputs(i ? "  " : "", out);
        for (int k = 0; k < wide[i]; k++)
            fputc('-', out);
        free(head[i].text);
    }
    fputc('\n', out);
    free(head);
}

static void read_cells(struct cell *c, struct sql *q, int n, struct str *s)
{
    for (int i = 0; i < n; i++) {
        const char *v = print_value(s, q, i, 1);
        int type = sqlite3_column_type(q->stmt, i);
        c[i] = (struct cell){cell_text(v ? v : ""),
                             type == SQLITE_INTEGER || type == SQLITE_FLOAT};
    }
}

static int print_table(FILE *out, struct sql *q, int n, struct str *s,
                       struct err *e)
{
    size_t rows = 0, cols = (size_t)n;
    struct cell *cell = xcalloc(WIDTH_ROWS * cols, sizeof *cell);
    int *wide = xcalloc(cols, sizeof *wide);
    int rc;

    for (int i = 0; i < n; i++)
        wide[i] = width(sqlite3_column_name(q->stmt, i));
    while (rows < WIDTH_ROWS && (rc = sql_step(q, e)) == 1) {
        read_cells(cell + rows * cols, q, n, s);
        for (size_t i = 0; i < cols; i++) {
            int w = width(cell[rows * cols + i].text);
            wide[i] = w > wide[i] ? w : wide[i];
        }
        rows++;
    }
    if (rows == WIDTH_ROWS)
        rc = 1;
    if (rc >= 0)
        table_head(out, q, rows ? cell : NULL, wide, n);
    for (size_t r = 0; r < rows; r++) {
        if (rc >= 0)
            table_row(out, cell + r * cols, wide, n);
        for (size_t i = 0; i < cols; i++)
            free(cell[r * cols + i].text);
    }
    while (rc == 1 && (rc = sql_step(q, e)) == 1) {
        read_cells(cell, q, n, s);
        table_row(out, cell, wide, n);
        for (size_t i = 0; i < cols; i++)
            free(cell[i].text);
    }
    free(cell);
    free(wide);
    return rc;
}

static int print_stream(FILE *out, struct sql *q, int n, struct str *s,
                        enum query_format format, struct err *e)
{
    int rc;

    if (format == QUERY_CSV)
        csv_head(out, q, n);
    if (format == QUERY_MD)
        md_head(out, q, n);
    while ((rc = sql_step(q, e)) == 1) {
        if (format == QUERY_CSV)
            csv_row(out, q, n, s);
        else if (format == QUERY_JSON)
            json_row(out, q, n, s);
        else
            md_row(out, q, n, s);
        if (ferror(out))
            break;
    }
    return rc;
}

int print_rows(FILE *out, struct sql *q, enum query_format format,
               struct err *e)
{
    int n = sqlite3_column_count(q->stmt), rc;
    struct str s;

    if (n == 0)
        return err_set(e, ERR_USAGE, "that statement yields no rows");
    str_init(&s);
    rc = format == QUERY_TABLE ? print_table(out, q, n, &s, e)
                               : print_stream(out, q, n, &s, format, e);
    str_release(&s);
    if (rc >= 0 && (fflush(out) || ferror(out)))
        return err_errno(e, "output");
    return rc < 0 ? -1 : 0;
}
