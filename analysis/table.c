/* Tables from CSV; table_json.c reads the other kind. */
#include "analysis/table.h"

#include "analysis/table_impl.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int table_add_column(struct table *t, const char *name)
{
    t->name = mem_grow(t->name, &t->name_cap, t->cols + 1, sizeof(*t->name));
    t->name[t->cols] = xstrdup(name);
    return (int)t->cols++;
}

/* A new row of empty cells. */
void table_add_row(struct table *t, int line)
{
    size_t need = (t->rows + 1) * t->stored;

    t->cell = mem_grow(t->cell, &t->cell_cap, need + 1, sizeof(*t->cell));
    t->line = mem_grow(t->line, &t->line_cap, t->rows + 1, sizeof(*t->line));
    for (size_t c = 0; c < t->stored; c++)
        t->cell[t->rows * t->stored + c] = NULL;
    t->line[t->rows++] = line;
}

/* Make room for more columns in every row. */
void table_widen(struct table *t, size_t cols)
{
    size_t wide = t->stored ? t->stored : 8;

    while (wide < cols)
        wide *= 2;
    if (wide == t->stored)
        return;
    char **cell = xcalloc(t->rows * wide + 1, sizeof(*cell));
    for (size_t r = 0; r < t->rows; r++)
        if (t->stored)
            memcpy(cell + r * wide, t->cell + r * t->stored,
                   t->stored * sizeof(*cell));
    free(t->cell);
    t->cell = cell;
    t->cell_cap = t->rows * wide + 1;
    t->stored = wide;
}

void table_set_cell(struct table *t, size_t col, const char *text)
{
    char **at = &t->cell[(t->rows - 1) * t->stored + col];

    free(*at);
    *at = xstrdup(text);
}

struct csv {
    const char *at, *end;
    const char *path;
    char delimiter;
    int line;
};

/* The next cell into s; *ended: it was the last of its line. */
static int csv_cell(struct str *s, struct csv *c, int *ended, struct err *e)
{
    int begun = c->line;

    str_clear(s);
    if (c->at < c->end && *c->at == '"') {
        for (c->at++;; c->at++) {
            if (c->at >= c->end)
                return err_set(e, ERR_USAGE, "%s:%d: a quote is never closed",
                               c->path, begun);
            if (*c->at == '"') {
                if (c->at + 1 >= c->end || c->at[1] != '"')
                    break;
                c->at++;
            }
            c->line += *c->at == '\n';
            str_add_n(s, c->at, 1);
        }
        c->at++;
    } else {
        const char *start = c->at;
        while (c->at < c->end && *c->at != c->delimiter && *c->at != '\n' &&
               *c->at != '\r')
            c->at++;
        str_add_n(s, start, (size_t)(c->at - start));
    }
    *ended = 1;
    if (c->at >= c->end)
        return 0;
    if (*c->at == c->delimiter) {
        c->at++;
        *ended = 0;
        return 0;
    }
    if (*c->at == '\r')
        c->at++;
    if (c->at < c->end && *c->at == '\n') {
        c->at++;
        c->line++;
    } else if (c->at < c->end && c->at[-1] != '\r') {
        return err_set(e, ERR_USAGE,
                       "%s:%d: '%c' after a closing quote, expected the end of "
                       "the cell",
                       c->path, c->line, *c->at);
    }
    return 0;
}

static char csv_delimiter(const char *text, size_t len)
{
    static const char kinds[] = {',', ';', '\t'};
    size_t count[3] = {0};
    int quoted = 0, best = 0;

    for (size_t i = 0; i < len && (quoted || text[i] != '\n'); i++) {
        quoted ^= text[i] == '"';
        for (int k = 0; k < 3 && !quoted; k++)
            count[k] += text[i] == kinds[k];
    }
    for (int k = 1; k < 3; k++)
        if (count[k] > count[best])
            best = k;
    return kinds[best];
}

static void trim(struct str *s)
{
    size_t lead = strspn(s->text, " \t");

    while (s->len > lead && strchr(" \t", s->text[s->len - 1]))
        s->text[--s->len] = '\0';
    memmove(s->text, s->text + lead, s->len - lead + 1);
    s->len -= lead;
}

static int csv_header(struct table *t, struct csv *c, struct str *s,
                      struct err *e)
{
    int line = c->line;

    for (int ended = 0; !ended;) {
        if (csv_cell(s, c, &ended, e))
            return -1;
        trim(s);
        if (t->cols == TABLE_COLS)
            return err_set(e, ERR_USAGE, "%s:%d: more than %d columns", t->path,
                           line, TABLE_COLS);
        for (size_t k = 0; k < t->cols; k++)
            if (s->len && strcmp(t->name[k], s->text) == 0)
                return err_set(e, ERR_USAGE, "%s:%d: column '%s' appears twice",
                               t->path, line, s->text);
        table_add_column(t, s->text);
    }
    table_widen(t, t->cols);
    return 0;
}

static int csv_row(struct table *t, struct csv *c, struct str *s, struct err *e)
{
    size_t col = 0;
    int line = c->line;

    table_add_row(t, line);
    for (int ended = 0; !ended; col++) {
        if (csv_cell(s, c, &ended, e))
            return -1;
        if (memchr(s->text, '\0', s->len))
            return err_set(e, ERR_USAGE, "%s:%d: a NUL byte: not a text file",
                           t->path, line);
        if (col < t->cols)
            table_set_cell(t, col, s->text);
    }
    if (col != t->cols)
        return err_set(e, ERR_USAGE,
                       "%s:%d: %zu cells, expected %zu as in "
                       "the header",
                       t->path, line, col, t->cols);
    return 0;
}

static int read_csv(struct table *t, const char *text, size_t len, int line,
                    struct err *e)
{
    struct csv c = {text, text + len, t->path, csv_delimiter(text, len), line};
    struct str s;
    int rc = -1;

    t->delimiter = c.delimiter;
    str_init(&s);
    if (csv_header(t, &c, &s, e))
        goto out;
    while (c.at < c.end) {
        if (*c.at == '\n' || *c.at == '\r') { /* an empty line */
            c.line += *c.at == '\n';
            c.at++;
            continue;
        }
        if (t->rows == TABLE_ROWS) {
            err_set(e, ERR_USAGE, "%s:%d: more than %d rows", t->path, c.line,
                    TABLE_ROWS);
            goto out;
        }
        if (csv_row(t, &c, &s, e))
            goto out;
    }
    rc = 0;
out:
    str_release(&s);
    return rc;
}

/* Past empty lines and lines that begin with '#'; counts them. */
static size_t first_line(const char *text, size_t at, size_t len, int *line)
{
    while (at < len) {
        size_t blank = at + strspn(text + at, " \t\r");
        if (blank < len && text[blank] == '#')
            blank += strcspn(text + blank, "\n");
        if (blank < len && text[blank] != '\n')
            break;
        at = blank < len ? blank + 1 : len;
        ++*line;
    }
    return at;
}

/* What a file is that is not text we read, and what makes it so; NULL: text. */
static const char *not_text(const char *text, size_t len)
{
    static const struct {
        const char *magic, *what;
    } known[] = {
        {"\x1f\x8b", "gzip: unpack it first (gunzip -k)"},
        {"\x28\xb5\x2f\xfd", "zstd: unpack it first (unzstd)"},
        {"PK\x03\x04", "a zip or a spreadsheet: save it as CSV"},
        {"PAR1", "Parquet: save it as CSV or JSON lines"},
        {"\xff\xfe", "UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)"},
        {"\xfe\xff", "UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)"},
    };

    for (size_t k = 0; k < ARRAY_LEN(known); k++) {
        size_t n = strlen(known[k].magic);
        if (len >= n && memcmp(text, known[k].magic, n) == 0)
            return known[k].what;
    }
    return NULL;
}

int table_read(struct table *t, const char *path, struct err *e)
{
    char *text;
    size_t len, skip = 0;
    int rc, line = 1;

    memset(t, 0, sizeof(*t));
    if (file_read(&text, &len, path, TABLE_BYTES, e))
        return -1;
    t->path = xstrdup(path);
    table_widen(t, 1);
    const char *other = not_text(text, len);
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        skip = 3;
    skip = first_line(text, skip, len, &line);
    if (other)
        rc = err_set(e, ERR_USAGE, "%s is %s", path, other);
    else if (skip >= len)
        rc = err_set(e, ERR_USAGE, "%s: empty", path);
    else if (text[skip + strspn(text + skip, " \t")] == '{' ||
             text[skip + strspn(text + skip, " \t")] == '[')
        rc = table_read_json(t, text + skip, len - skip, line, e);
    else
        rc = read_csv(t, text + skip, len - skip, line, e);
    free(text);
    if (rc)
        table_release(t);
    return rc;
}

void table_release(struct table *t)
{
    for (size_t i = 0; i < t->rows * t->stored; i++)
        free(t->cell[i]);
    for (size_t i = 0; i < t->cols; i++)
        free(t->name[i]);
    free(t->cell);
    free(t->name);
    free(t->line);
    free(t->path);
    memset(t, 0, sizeof(*t));
}

int table_column(const struct table *t, const char *name)
{
    int found = -1;

    for (size_t c = 0; c < t->cols; c++)
        if (strcmp(t->name[c], name) == 0)
            return (int)c;
    for (size_t c = 0; c < t->cols; c++)
        if (strcasecmp(t->name[c], name) == 0) {
            if (found >= 0)
                return -1;
            found = (int)c;
        }
    return found;
}

const char *table_cell(const struct table *t, size_t row, size_t col)
{
    const char *text = t->cell[row * t->stored + col];

    return text ? text : "";
}

static int three_digits(const char *p)
{
    return isdigit((unsigned char)p[0]) && isdigit((unsigned char)p[1]) &&
           isdigit((unsigned char)p[2]) && !isdigit((unsigned char)p[3]);
}

/* Take the separators out of 1,234,567.8 (also blanks, _ and '): groups of
 * three digits after one to three.  A lone comma between semicolons or tabs
 * may be a decimal one, so it stays. */
static void ungroup(char *text, char delimiter)
{
    char *from = text + (*text == '-' || *text == '+'), *to, separator;
    size_t lead = strspn(from, "0123456789"), groups = 0;

    separator = from[lead];
    if (lead < 1 || lead > 3 || !separator || !strchr(",_' ", separator))
        return;
    for (to = from + lead; *to == separator; to += 4, groups++)
        if (!three_digits(to + 1))
            return;
    if (separator == ',' && groups == 1 && delimiter && delimiter != ',')
        return;
    for (from = to = text; *from; from++)
        if (*from != separator)
            *to++ = *from;
    *to = '\0';
}

int table_number(double *v, const struct table *t, size_t row, size_t col,
                 struct err *e)
{
    static const char *const none[] = {"",     "nan",      "na",  "n/a",
                                       "null", "none",     "inf", "+inf",
                                       "-inf", "infinity", "-"};
    struct str s;
    int rc = 0;

    str_init(&s);
    str_add(&s, table_cell(t, row, col));
    trim(&s);
    *v = NAN;
    for (size_t k = 0; k < ARRAY_LEN(none); k++)
        if (strcasecmp(s.text, none[k]) == 0)
            goto out;
    ungroup(s.text, t->delimiter);
    if (str_to_double(s.text, v))
        rc = err_set(e, ERR_USAGE,
                     "%s:%d: column '%.60s': '%.60s' is not a number, expected "
                     "one such as 1.5e6",
                     t->path, t->line[row], t->name[col], s.text);
out:
    str_release(&s);
    return rc;
}
