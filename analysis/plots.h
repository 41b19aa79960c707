/* plots: the figures of a study, each one <svg> appended to *out.
 *
 * id: unique in the document.  Every figure says in its <desc> what it shows;
 * the table behind it is the report's business. */
#ifndef LOGLOG_ANALYSIS_PLOTS_H
#define LOGLOG_ANALYSIS_PLOTS_H

#include "analysis/curve.h"
#include "analysis/hyper_fit.h"
#include "analysis/isoflop_fit.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/* Relative excess loss of each cell of a grid; near-optimal ones framed, the
 * law's choice (may be NULL) marked. */
void plot_grid(struct str *out, const char *id, const struct hyper_grid *g,
               const struct hyper_law *law);
/* Best lr (or batch) of each grid against compute, the law in use, Eq. 1. */
void plot_hyper_law(struct str *out, const char *id, const struct hyper_fit *f,
                    const struct hyper_law *law, int batch);

/* Loss against M at each budget with parabolas and minima. */
void plot_isoflop(struct str *out, const char *id, const struct isoflop_fit *f);
/* M_opt (or D_opt) against compute with its law and interval, and Eq. 4. */
void plot_allocation(struct str *out, const char *id,
                     const struct isoflop_fit *f, int data);

/* What was predicted and what was measured at one budget. */
struct plot_forecast {
    double flops, bpb, lo, hi;
    const double *measured;
    size_t n;
};
/* The loss law with both forms and the interval of one run, forecasts and
 * measurements on it. */
void plot_loss_law(struct str *out, const char *id, const struct curve_fit *f,
                   int bpb, const struct plot_forecast *p, size_t n);
/* Measured over predicted, in percent, with the intervals. */
void plot_forecasts(struct str *out, const char *id,
                    const struct plot_forecast *p, size_t n);

/* One run's curve: x flops, y loss. */
struct plot_curve {
    char label[48];
    double budget;
    double *x, *y;
    size_t n;
};
void plot_curves(struct str *out, const char *id, const struct plot_curve *c,
                 size_t n);

/* Who trained what when: attempts as bars, a row for each lane. */
struct plot_attempt {
    int lane;        /* index into lane */
    double from, to; /* seconds since the first began */
    char state[16];  /* as in the database; running: to is now */
};
struct plot_schedule {
    char (*lane)[80]; /* "host:rank" */
    size_t n_lane;
    struct plot_attempt *attempt;
    size_t n;
};
void plot_schedule(struct str *out, const char *id,
                   const struct plot_schedule *s);

/* Residuals of a surface (log measured - log fitted) over (M, D) or (N, D);
 * size: the name of its axis. */
void plot_residuals(struct str *out, const char *id, const char *size,
                    const double *M, const double *D, const double *residual,
                    size_t n);

#endif
