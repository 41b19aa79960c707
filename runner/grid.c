/* grid: see grid.h. */
#include "runner/grid.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define TEXT_MAX 1024

static const char *const escape[PAINTS] = {
    [PAINT_PLAIN] = "\033[0m",  [PAINT_BOLD] = "\033[0;1m",
    [PAINT_DIM] = "\033[0;2m",  [PAINT_GOOD] = "\033[0;32m",
    [PAINT_BAD] = "\033[0;31m", [PAINT_BUSY] = "\033[0;36m",
    [PAINT_BAR] = "\033[0;7m",
};

void grid_init(struct grid *g, int cols, int ascii)
{
    *g = (struct grid){.cols = cols > 1 ? cols : 1, .ascii = ascii};
}

void grid_release(struct grid *g)
{
    free(g->cell);
    *g = (struct grid){.cols = 1};
}

void grid_grow(struct grid *g, int rows)
{
    size_t old = (size_t)g->rows * (size_t)g->cols,
           all = (size_t)rows * (size_t)g->cols;

    if (rows <= g->rows)
        return;
    g->cell = xrealloc(g->cell, all * sizeof *g->cell);
    for (size_t i = old; i < all; i++)
        g->cell[i] = (struct cell){" ", PAINT_PLAIN};
    g->rows = rows;
}

int grid_line(struct grid *g)
{
    grid_grow(g, g->rows + 1);
    return g->rows - 1;
}

static struct cell *at(struct grid *g, int row, int col)
{
    return &g->cell[(size_t)row * (size_t)g->cols + (size_t)col];
}

/* The character at s: its bytes (0: none that is whole), and how many columns
 * it takes (negative: not to be shown). */
static int decode(const char *s, int *wide)
{
    const unsigned char *u = (const unsigned char *)s;
    int n = u[0] < 0x80 ? 1 : u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
    uint32_t c = u[0] & (0xffu >> (n == 1 ? 0 : n + 1));

    if (n > 1 && (u[0] < 0xc2 || u[0] > 0xf4))
        return 0;
    for (int i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (u[i] & 0x3f);
    }
    *wide = wcwidth((wchar_t)c);
    return n;
}

int grid_put(struct grid *g, int row, int col, enum paint paint,
             const char *text)
{
    while (*text && row >= 0 && row < g->rows && col < g->cols) {
        int wide = -1, n = decode(text, &wide);
        struct cell *c = at(g, row, col);

        if (wide == 0) { /* a mark on the letter before: left out */
            text += n;
            continue;
        }
        *c = (struct cell){"?", (unsigned char)paint};
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            c->text[0] = ' ';
        else if (n && wide > 0 && col + wide <= g->cols)
            memcpy(c->text, text, (size_t)n);
        else
            wide = 1;
        for (int i = 1; i < wide; i++)
            c[i] = (struct cell){"", (unsigned char)paint};
        col += wide > 0 ? wide : 1;
        text += n ? n : 1;
    }
    return col;
}

int grid_putf(struct grid *g, int row, int col, enum paint paint,
              const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return grid_put(g, row, col, paint, text);
}

void grid_right(struct grid *g, int row, int end, enum paint paint,
                const char *text)
{
    struct grid line;
    int n;

    grid_init(&line, g->cols, g->ascii);
    grid_line(&line);
    n = grid_put(&line, 0, 0, paint, text);
    grid_release(&line);
    grid_put(g, row, end > n ? end - n : 0, paint, text);
}

int grid_addf(struct grid *g, enum paint paint, const char *fmt, ...)
{
    char text[TEXT_MAX];
    int row = grid_line(g);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    grid_put(g, row, 0, paint, text);
    return row;
}

void grid_paint_row(struct grid *g, int row, enum paint paint)
{
    for (int i = 0; i < g->cols; i++)
        at(g, row, i)->paint = (unsigned char)paint;
}

void grid_copy_row(struct grid *to, int row, const struct grid *from, int which)
{
    int n = to->cols < from->cols ? to->cols : from->cols;

    if (row < 0 || row >= to->rows || which < 0 || which >= from->rows)
        return;
    memcpy(at(to, row, 0), &from->cell[(size_t)which * (size_t)from->cols],
           (size_t)n * sizeof *to->cell);
}

/* Cells of the row up to the last that shows something. */
static int used(const struct grid *g, int row)
{
    const struct cell *c = &g->cell[(size_t)row * (size_t)g->cols];
    int n = g->cols;

    while (n && !strcmp(c[n - 1].text, " ") && c[n - 1].paint != PAINT_BAR)
        n--;
    return n;
}

const char *grid_row_text(char *buf, size_t room, const struct grid *g, int row)
{
    const struct cell *c = &g->cell[(size_t)row * (size_t)g->cols];
    size_t len = 0;

    for (int i = 0; i < used(g, row); i++) {
        size_t n = strlen(c[i].text);
        if (len + n + 1 > room)
            break;
        memcpy(buf + len, c[i].text, n);
        len += n;
    }
    buf[len] = '\0';
    return buf;
}

void grid_print(FILE *out, const struct grid *g, int colour)
{
    for (int row = 0; row < g->rows; row++) {
        const struct cell *c = &g->cell[(size_t)row * (size_t)g->cols];
        int paint = PAINT_PLAIN;

        for (int i = 0; i < used(g, row); i++) {
            if (colour && c[i].paint != paint)
                fputs(escape[c[i].paint], out);
            paint = c[i].paint;
            fputs(c[i].text, out);
        }
        if (colour && paint != PAINT_PLAIN)
            fputs(escape[PAINT_PLAIN], out);
        fputc('\n', out);
    }
}
