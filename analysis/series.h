/* series: the loss curves of runs, with the learning rate of every stretch.
 *
 * A run is a list of rows.  A row is a stretch of steps at one learning rate
 * that ends with `step`; its loss is what was measured at that step, or the
 * mean over the stretch.  Losses are nats a token, or whatever the source
 * has. */
#ifndef LOGLOG_ANALYSIS_SERIES_H
#define LOGLOG_ANALYSIS_SERIES_H

#include "analysis/points.h"
#include "base/err.h"

#include <stddef.h>

struct series {
    char label[POINT_TEXT];  /* of the run, unique in a set */
    char family[POINT_TEXT]; /* equal on runs that differ in length (and so in
                                their decay) alone */
    char cell[POINT_TEXT];   /* equal on runs that differ in seed alone */
    double flops;            /* of the whole run; NaN: not known */
    int mean;                /* losses are means over their stretch */
    size_t n, cap;
    double *step, *lr, *loss; /* (n); lr NaN: not known */
};

struct series_set {
    struct series *s;
    size_t n, cap;
};

void series_init(struct series_set *t);
void series_release(struct series_set *t);
/* A new run without rows; valid until the next one. */
struct series *series_add(struct series_set *t, const char *label,
                          const char *family, const char *cell);
/* Append a row; step must increase, else -1 with *e. */
int series_row(struct series *s, double step, double lr, double loss,
               struct err *e);
/* The steps of the whole run: its last row's. */
double series_steps(const struct series *s);
/* Mean loss over the steps in (from, to]: of the rows that lie there, each by
 * its steps; between rows, the line between them.  NaN outside. */
double series_loss(const struct series *s, double from, double to);
/* The step at which the learning rate first reaches its highest: the end of
 * the warm-up. */
double series_peak(const struct series *s);

/* The runs of a file of curves: one row a point with group (the run), steps
 * and loss; lr, flops, seed and stage (the family) where there are any.  Rows
 * of a run need not be in order.  Fails with the row that is wrong. */
int series_of_points(struct series_set *t, const struct points *p,
                     struct err *e);

#endif
