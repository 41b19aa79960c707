/* jet: a number with its gradient and Hessian in a few variables.
 *
 * Forward-mode differentiation to second order, for the forms of the loss
 * surface that have no kernel of their own, and as the truth for the one that
 * has.  Only the arithmetic that those forms need. */
#ifndef LOGLOG_ANALYSIS_JET_H
#define LOGLOG_ANALYSIS_JET_H

#define JET_MAX 9 /* variables */
#define JET_HESS (JET_MAX * (JET_MAX + 1) / 2)

struct jet {
    double v;
    double g[JET_MAX];
    double h[JET_HESS]; /* lower triangle, row by row */
};

/* How many variables, and whether Hessians are wanted. */
struct jet_space {
    int n, hess;
};

void jet_const(struct jet *r, const struct jet_space *s, double v);
/* The i-th variable, of value v. */
void jet_var(struct jet *r, const struct jet_space *s, int i, double v);
/* r += c * a */
void jet_add(struct jet *r, const struct jet_space *s, double c,
             const struct jet *a);
/* r = c * a */
void jet_scale(struct jet *r, const struct jet_space *s, double c,
               const struct jet *a);
/* r = a * b; r may not be a or b. */
void jet_mul(struct jet *r, const struct jet_space *s, const struct jet *a,
             const struct jet *b);
/* r = f(a), given f and its first two derivatives at a; r may be a. */
void jet_apply(struct jet *r, const struct jet_space *s, const struct jet *a,
               double f, double f1, double f2);
void jet_exp(struct jet *r, const struct jet_space *s, const struct jet *a);
/* r = ln(exp a + exp b), without overflow; r may not be a or b. */
void jet_lse(struct jet *r, const struct jet_space *s, const struct jet *a,
             const struct jet *b);

#endif
