/* gnuplot: the figures of plots.h as scripts and their data, to be edited.
 *
 * A script draws from the blocks of its data file, which it knows as `data`, to
 * whatever terminal and file are set: gnuplot_head writes those lines.  Numbers
 * in the data are exact; what is not finite is "nan", which gnuplot skips. */
#ifndef LOGLOG_ANALYSIS_GNUPLOT_H
#define LOGLOG_ANALYSIS_GNUPLOT_H

#include "analysis/collapse.h"
#include "analysis/plots.h"
#include "base/str.h"

struct gnuplot {
    struct str script, data;
};
void gnuplot_init(struct gnuplot *g);
void gnuplot_release(struct gnuplot *g);

/* What stands in front of the script in the file NAME.gp. */
void gnuplot_head(struct str *out, const char *name, const char *caption);

/* As the functions plot_... of these names. */
void gnuplot_grid(struct gnuplot *g, const struct hyper_grid *grid,
                  const struct hyper_law *law);
void gnuplot_hyper_law(struct gnuplot *g, const struct hyper_fit *f,
                       const struct hyper_law *law, int batch);
void gnuplot_isoflop(struct gnuplot *g, const struct isoflop_fit *f);
void gnuplot_allocation(struct gnuplot *g, const struct isoflop_fit *f,
                        int data);
void gnuplot_loss_law(struct gnuplot *g, const struct curve_fit *f, int bpb,
                      const struct plot_forecast *p, size_t n);
void gnuplot_forecasts(struct gnuplot *g, const struct plot_forecast *p,
                       size_t n);
void gnuplot_curves(struct gnuplot *g, const struct plot_curve *c, size_t n);
void gnuplot_residuals(struct gnuplot *g, const double *M, const double *D,
                       const double *residual, size_t n);
void gnuplot_collapse(struct gnuplot *g, const struct collapse_fit *f);
void gnuplot_schedule(struct gnuplot *g, const struct plot_schedule *s);

#endif
