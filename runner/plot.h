/* plot: curves in a grid, four times two dots a cell (braille) or one character
 * a cell in ASCII. */
#ifndef LOGLOG_RUNNER_PLOT_H
#define LOGLOG_RUNNER_PLOT_H

#include "runner/grid.h"

#include <stddef.h>

struct plot_series {
    const double *x, *y; /* finite; what is not positive is left out on a
                            logarithmic axis */
    size_t n;
    enum paint paint;
    char mark; /* drawn at each point; 0: a line through all of them */
};
struct plot {
    const struct plot_series *series;
    size_t n;
    int log_x, log_y;
    const char *x_name, *y_name;
};

/* Draw into the rectangle; at least 4 rows and 20 columns are needed, else
 * nothing is drawn.  The axes are as wide as the data. */
void plot_draw(struct grid *g, int top, int left, int rows, int cols,
               const struct plot *p);

#endif
