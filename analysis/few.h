/* few: how wide the interval of a law is that few independent optima tell.
 *
 * Resampling five budgets with replacement does not give the width: the
 * residuals of a fit are smaller than the errors, and the designs that are
 * drawn are poorer than the one that was run; the one makes an interval too
 * narrow, the other too wide, and which of them wins depends on n.  Where the
 * errors of the optima are equal but for their weights, Student's t of the
 * residuals has the width exactly, and that is the width here.  How lopsided an
 * interval is about the estimate is what the resamples say, with a weight of
 * n/16: of five groups their skewness is mostly chance. */
#ifndef LOGLOG_ANALYSIS_FEW_H
#define LOGLOG_ANALYSIS_FEW_H

#include <stddef.h>

#define FEW_GROUPS 16 /* from here on resamples stand as they are */
#define FEW_MAX 4     /* columns */

/* y = X coef + error.  Rows of one set share their error, and enter as one row
 * at their weighted mean. */
struct few {
    const double *X, *y; /* (n,p) row-major, (n) */
    const double *w;     /* (n) weights of the fit, or NULL: all 1 */
    const size_t *set;   /* (n) in [0, n_set), or NULL: each row alone */
    size_t n, n_set;
    int p;
    /* 1: the errors of all sets have one variance; 0: 1 / their weights */
    int equal;
    /* Where they have one: the variance that they have at least, as far as rows
     * can be read (lines of a grid); 0: none.  Residuals that stay below its
     * quantile of 1 % are luck, and the width is that of this variance then. */
    double least;
};

/* Half the width of the interval of each coefficient; -1 when there are not
 * more sets than coefficients, or the sets do not tell them. */
int few_half_widths(double half[FEW_MAX], const struct few *f, double level);

/* The errors' variance over what `equal` says it is, from the residuals: chi2
 * over its degrees of freedom where the weights are inverse variances.  NaN as
 * above. */
double few_scatter(const struct few *f);

/* Make the interval ci of resamples of n groups 2 half wide. */
void few_stretch(double ci[2], double estimate, double half, size_t n);

/* Student's t over the normal's quantile at a level; 1 where dof is not above
 * 0. */
double few_t_over_z(double level, double dof);

#endif
