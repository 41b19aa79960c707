/* anneal: the loss along a run as a law of its learning rates.
 *
 * Tissue et al., arXiv 2408.11029:
 *     L(s) = L0 + A S1(s)^-alpha - C S2(s)
 *     S1(s) = sum_{i<=s} lr_i
 *     S2(s) = sum_{i<=s} m_i,   m_i = lambda m_{i-1} + (lr_{i-1} - lr_i)
 * so that every fall of the rate pays off over the 1/(1 - lambda) steps after
 * it.  Rises during the warm-up do not count as negative falls.  The law is
 * fitted to one run, the trunk, and predicts every other run of its family:
 * the branches, which decay at other steps.
 *
 * What is minimised is the sum of Huber(delta) of ln L_hat - ln L, as there.
 * For given alpha and lambda the law is linear in L0, A and C (none below
 * zero), which are solved for; alpha and lambda are searched. */
#ifndef LOGLOG_ANALYSIS_ANNEAL_H
#define LOGLOG_ANALYSIS_ANNEAL_H

#include "analysis/series.h"
#include "base/err.h"

#include <stdint.h>

struct fit_result; /* analysis/fit_json.h */

struct anneal_options {
    const char *trunk; /* label of the run to fit; NULL: of each family the
                          longest */
    double delta;      /* of Huber, 1e-3 */
    double skip;       /* share of a run that is left out at its beginning: its
                          warm-up, and at least this; 0.1 */
    double lambda;     /* NaN: fitted */
    double level;      /* of the intervals, 0.9 */
    int bootstrap;     /* resamples of blocks of the trunk, 200; 0: none */
    uint64_t seed;
    int interval;        /* enum boot_kind; percentile */
    const char *indices; /* draws of blocks (bootstrap.h), or NULL */
};
void anneal_options_default(struct anneal_options *o);

struct anneal_law {
    double L0, A, alpha, C, lambda;
};

/* One branch, or the trunk itself. */
struct anneal_row {
    char run[POINT_TEXT];
    int fitted; /* 1: the trunk */
    double steps;
    int n;                      /* points judged */
    double observed, predicted; /* at the end, over the last 2 % of the run */
    double error;               /* predicted / observed - 1 there */
    double rms;                 /* relative, over all points judged */
};

struct anneal_family {
    char name[POINT_TEXT];
    size_t trunk; /* index in the set */
    double steps; /* of the trunk */
    struct anneal_law law;
    double ci[5][2]; /* of L0, A, alpha, C, lambda, for the first family; NaN:
                        none */
    double objective;
    int n; /* points fitted */
    int identified;
    char refused[256];
    struct anneal_row *row; /* the trunk first, then the branches */
    int n_row;
};

struct anneal_fit {
    struct anneal_options opts;
    struct anneal_family *family; /* with the most runs first, then the longest;
                                     those of one run only where there is
                                     nothing else */
    size_t n_family;
    int n_branch;           /* branches predicted, of all families */
    double mean_abs, worst; /* of their |error|; NaN: no branch */
    double rms;             /* of their errors */
};

/* Fit.  -1 with *e when there is no run with learning rates and a loss, or no
 * run of the name in opts.  Laws that a trunk does not determine are refused,
 * which is no failure.  Release what succeeded. */
int anneal_fit(struct anneal_fit *f, const struct series_set *t,
               const struct anneal_options *o, struct err *e);
void anneal_fit_release(struct anneal_fit *f);

/* S1 and S2 at the end of each row of s; (n) each. */
void anneal_sums(double *S1, double *S2, const struct series *s, double lambda);
/* The loss that the law gives row by row: at its end, or over its stretch
 * where the losses are means. */
void anneal_predict(double *loss, const struct anneal_law *law,
                    const struct series *s);

/* As hyper_fit_result; law "curve": the first family's parameters. */
void anneal_fit_result(struct fit_result *r, const struct anneal_fit *f);

#endif
