/* problem: the data, form and objective of one surface fit, ready to be
 * evaluated: what the searches, the profile and the bootstrap share.
 *
 * Internal variables and their frame are those of surface_form.h. */
#ifndef LOGLOG_ANALYSIS_PROBLEM_H
#define LOGLOG_ANALYSIS_PROBLEM_H

#include "analysis/lse_kernel.h"
#include "analysis/surface_form.h"

#include "base/err.h"

struct problem {
    struct surface_options o;
    const struct form_info *info; /* of o.form */
    struct frame frame;
    size_t n;             /* rows */
    double total;         /* sum of weights */
    double sx, sd;        /* standard deviations of x, d */
    double mean_loss;     /* of L */
    struct lse_data data; /* columns of the kernel, padded */
    double *u;            /* ln unique tokens in the frame, or NULL */
    double *L;            /* losses */
    struct rho rho;       /* exact (asymmetric: narrow; likelihood: unused) */
    double *block;        /* the memory of all columns */
};

/* Copy and check the data; the frame is their (unweighted) mean, so that
 * refits with other weights share it. */
int problem_init(struct problem *p, const struct surface_data *d,
                 const struct surface_options *o, struct err *e);
void problem_release(struct problem *p);
/* Other weights (n), or NULL for all 1. */
void problem_weights(struct problem *p, const double *weight);

/* sum w rho(r) at q, its gradient (n) and Hessian (n,n); g and H may be NULL.
 */
double problem_eval(double *g, double *H, const double *q,
                    const struct problem *p, const struct rho *rho);
/* Residuals of the objective: ln L_hat - ln L, or L_hat - L. */
void problem_residuals(double *r, const double *q, const struct problem *p);
/* The gradient of row i's residual (n of the form). */
void problem_row(double *g, const double *q, const struct problem *p, size_t i);

/* The objective with its corners rounded to `width` where it has any. */
struct rho problem_rho(const struct surface_options *o, double width);
/* A rounder objective on which a search does not stumble. */
struct rho problem_smooth(const struct problem *p);
/* L-BFGS from q on rho, in scaled variables; returns evaluations. */
int problem_descend(double *q, const struct problem *p, const struct rho *rho,
                    double rel, int max_iter);
/* To the minimum of the exact objective near q, by Newton's method through a
 * sequence of ever sharper ones where it has corners.  fixed may be NULL.
 * Returns its value; *converged (may be NULL). */
double problem_solve(double *q, const int *fixed, const struct problem *p,
                     int *converged);
/* The exact objective at q (a sum; the caller divides the asymmetric one by
 * n); *scale (may be NULL) is the fitted scale of the likelihood. */
double problem_value(const double *q, const struct problem *p, double *scale);

/* 2 (F - F_min) times this is a chi-square deviance of 1 degree of freedom
 * per parameter: E psi' / E psi^2 of the residuals r at the optimum (1 for a
 * likelihood).  *slope (may be NULL): E psi'. */
double problem_deviance(const double *r, const struct problem *p, int free,
                        double *slope);

#endif
