/* grid: text for a terminal as cells, before anybody draws it.  The pages of
 * status and top are made of it, and tests read it. */
#ifndef LOGLOG_RUNNER_GRID_H
#define LOGLOG_RUNNER_GRID_H

#include <stdio.h>

enum paint {
    PAINT_PLAIN,
    PAINT_BOLD,
    PAINT_DIM,
    PAINT_GOOD,
    PAINT_BAD,
    PAINT_BUSY,
    PAINT_BAR, /* reversed: what is selected */
    PAINTS
};

struct cell {
    char text[5]; /* one character in UTF-8; "": covered by the one before */
    unsigned char paint;
};

/* Row i is cell[i * cols, (i + 1) * cols). */
struct grid {
    int rows, cols;
    int ascii; /* the terminal has no UTF-8: bars and curves without it */
    struct cell *cell;
};

/* No rows yet; cols at least 1. */
void grid_init(struct grid *g, int cols, int ascii);
void grid_release(struct grid *g);
/* One more empty row; its number. */
int grid_line(struct grid *g);
/* Empty rows until there are `rows`. */
void grid_grow(struct grid *g, int rows);

/* Text at a place, cut at the right edge and left out beyond the rows; what a
 * terminal must not be shown (control characters, halves of characters) becomes
 * a '?' or a blank.  Returns the column behind it. */
int grid_put(struct grid *g, int row, int col, enum paint paint,
             const char *text);
int grid_putf(struct grid *g, int row, int col, enum paint paint,
              const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* So that the text ends before column `end`. */
void grid_right(struct grid *g, int row, int end, enum paint paint,
                const char *text);
/* A new row with this text. */
int grid_addf(struct grid *g, enum paint paint, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void grid_paint_row(struct grid *g, int row, enum paint paint);
/* A copy of a row of another grid, cut or padded. */
void grid_copy_row(struct grid *to, int row, const struct grid *from,
                   int which);
/* The text of a row without blanks at its end, into buf of `room` bytes. */
const char *grid_row_text(char *buf, size_t room, const struct grid *g,
                          int row);

/* All rows as lines, with escape sequences if `colour`. */
void grid_print(FILE *out, const struct grid *g, int colour);

#endif
