/* table: rows for people; see print.h.  Widths come from the first rows; a
 * later row that needs more room takes it. */
#include "base/mem.h"
#include "db/print.h"

#include <stdlib.h>
#include <string.h>

#define WIDTH_ROWS 1000 /* rows that decide the widths */
#define WIDTH_MAX 60    /* of one column */

struct cell {
    char *text;
    int right; /* a number */
};

/* Characters, taking each for one column wide. */
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

static void put_row(FILE *out, const struct cell *c, const int *wide, int n)
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

/* Column names and the line below; columns of numbers (by the first row) have
 * their names on the right. */
static void put_head(FILE *out, struct sql *q, const struct cell *first,
                     const int *wide, int n)
{
    struct cell *head = xcalloc((size_t)n, sizeof *head);

    for (int i = 0; i < n; i++)
        head[i] = (struct cell){cell_text(sqlite3_column_name(q->stmt, i)),
                                first && first[i].right};
    put_row(out, head, wide, n);
    for (int i = 0; i < n; i++) {
        fputs(i ? "  " : "", out);
        for (int k = 0; k < wide[i]; k++)
            fputc('-', out);
        free(head[i].text);
    }
    fputc('\n', out);
    free(head);
}

static void read_row(struct cell *c, struct sql *q, int n, struct str *s)
{
    for (int i = 0; i < n; i++) {
        const char *v = print_value(s, q, i, 1);
        int type = sqlite3_column_type(q->stmt, i);
        c[i] = (struct cell){cell_text(v ? v : ""),
                             type == SQLITE_INTEGER || type == SQLITE_FLOAT};
    }
}

static void free_row(struct cell *c, int n)
{
    for (int i = 0; i < n; i++)
        free(c[i].text);
}

int print_table(FILE *out, struct sql *q, struct err *e)
{
    int n = sqlite3_column_count(q->stmt), rc = 1;
    struct cell *row = xcalloc(WIDTH_ROWS * (size_t)n, sizeof *row);
    int *wide = xcalloc((size_t)n, sizeof *wide);
    size_t rows = 0;
    struct str s;

    str_init(&s);
    for (int i = 0; i < n; i++)
        wide[i] = width(sqlite3_column_name(q->stmt, i));
    while (rows < WIDTH_ROWS && (rc = sql_step(q, e)) == 1) {
        struct cell *c = row + rows++ * (size_t)n;
        read_row(c, q, n, &s);
        for (int i = 0; i < n; i++)
            if (width(c[i].text) > wide[i])
                wide[i] = width(c[i].text);
    }
    if (rc >= 0)
        put_head(out, q, rows ? row : NULL, wide, n);
    for (size_t r = 0; r < rows; r++) {
        if (rc >= 0)
            put_row(out, row + r * (size_t)n, wide, n);
        free_row(row + r * (size_t)n, n);
    }
    while (rc == 1 && (rc = sql_step(q, e)) == 1) {
        read_row(row, q, n, &s);
        put_row(out, row, wide, n);
        free_row(row, n);
    }
    str_release(&s);
    free(row);
    free(wide);
    return rc;
}
