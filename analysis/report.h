/* report: a study as a paper's appendix would print it.
 *
 * It takes plain data, already read from wherever it lies, and writes a page:
 * what was found, predicted and measured; the method in the four groups that
 * (Mis)Fitting (arXiv 2502.18969) asks of a scaling-law paper; data, figures
 * with the tables behind them, every run, every exclusion and why, fits with
 * their diagnostics, cost, provenance. */
#ifndef LOGLOG_ANALYSIS_REPORT_H
#define LOGLOG_ANALYSIS_REPORT_H

#include "analysis/collapse.h"
#include "analysis/page.h"
#include "analysis/plots.h"
#include "analysis/points.h"
#include "analysis/predict.h"
#include "sweep/study.h"

#include <stddef.h>
#include <stdint.h>

/* Rows of text; cell[row * cols + col], NULL is empty. */
struct report_table {
    const char *title;       /* NULL: the table is left out */
    const char *note;        /* a sentence before it, or NULL */
    const char *const *head; /* ends with NULL */
    char **cell;
    size_t rows;
    int cols;
};

/* What was registered, and the runs that checked it. */
struct report_prediction {
    double flops, M, N, D, lr, batch;
    int64_t n_layer, d_model;
    double bpb, lo, hi, level, decades;
    const char *made, *sha256;
    double *measured;
    int64_t *seed, *run; /* of each measurement */
    size_t n;
};

enum report_tables {
    REPORT_EXCLUDED, /* from every fit, and why */
    REPORT_RUNS,     /* every run, ended or not */
    REPORT_STAGES,
    REPORT_COST,
    REPORT_TRIES,    /* every attempt */
    REPORT_ATTEMPTS, /* by where they were: provenance */
    REPORT_DATA,
    REPORT_FITS,
    REPORT_EVENTS,
    REPORT_TABLES
};

struct report_data {
    const char *name;          /* of the study */
    const char *subtitle;      /* file, date, program version */
    const struct study *study; /* NULL: imported points */
    const char *study_text;    /* as it ran, or NULL */
    const struct laws *laws;   /* NULL: nothing could be fitted ... */
    const char *no_laws;       /* ... and why */
    const struct points *hyper, *isoflop, *verify;
    const struct report_prediction *prediction;
    size_t n_prediction;
    const struct plot_curve *curve; /* a few loss curves */
    size_t n_curve;
    const struct collapse_fit *collapse;  /* NULL: no curves ... */
    const char *no_collapse;              /* ... and why */
    const struct plot_schedule *schedule; /* NULL: nothing was trained here */
    struct report_table table[REPORT_TABLES];
};

/* Write the whole page; *p is initialised by it.  stem: see page.h. */
void report_write(struct page *p, const struct report_data *r,
                  enum page_format format, const char *stem);

#endif
