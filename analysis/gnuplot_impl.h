/* gnuplot_impl: what the scripts share. */
#ifndef LOGLOG_ANALYSIS_GNUPLOT_IMPL_H
#define LOGLOG_ANALYSIS_GNUPLOT_IMPL_H

#include "analysis/gnuplot.h"
#include "analysis/svg.h"

/* A block of the data: its index follows from the order.  It must get a row. */
void gnuplot_block(struct gnuplot *g, const char *name, const char *columns);
/* A row of n numbers, each a double. */
void gnuplot_row(struct gnuplot *g, int n, ...);
/* An axis, 'x' or 'y', with the range and the ticks that the figure of the
 * report has.  s holds the values, which margins are added to. */
void gnuplot_axis(struct gnuplot *g, char which, struct scale *s, double margin,
                  const char *name);

#endif
