/* cell: runs as grids and profiles want them.
 *
 * Both kinds of stage put runs into cells (a budget and a size, perhaps a
 * learning rate and a batch) and average over seeds.  This is the part they
 * share: which number is the loss, what counts as the same budget, and how far
 * two seeds of one cell lie apart. */
#ifndef LOGLOG_ANALYSIS_CELL_H
#define LOGLOG_ANALYSIS_CELL_H

#include "analysis/points.h"

#include <stddef.h>

/* One run that may be averaged, or that diverged. */
struct cell_run {
    double y; /* the metric; INFINITY when it diverged */
    double M, N, D, flops, budget, lr, batch, wd;
    int budget_id, M_id; /* clusters, numbered by increasing value */
    int trunk;           /* runs of one number share their first steps */
    size_t row;          /* of the points */
};

struct cell_runs {
    struct cell_run *run;
    size_t n;
    size_t n_used, n_excluded, n_diverged; /* of the points given */
    int n_budget, n_M;
    int n_trunk, shared;   /* shared: some trunk serves two budgets */
    enum point_col metric; /* POINT_BPB where every used run has it */
};

/* Gather the used runs with a loss, and the diverged ones (a bound).  Missing
 * columns are derived: M = flops/D or 6N, D = flops/M, budget = flops.  Runs
 * whose budgets differ by less than 0.1 % (5 % where there is no nominal one)
 * share budget_id, sizes by less than 0.1 % share M_id.  Runs of one group,
 * size, learning rate and batch are of one trunk. */
void cell_runs_init(struct cell_runs *c, const struct points *p);
/* The trunks of the runs in their present order, to outlive them; (c->n), the
 * caller's to free. */
int *cell_trunks(const struct cell_runs *c);
/* One standard normal deviate for the mean of n runs: of each trunk's own, z,
 * or drawn from r where z is NULL. */
struct rng;
double cell_deviate(struct rng *r, const double *z, const int *trunk, int n);
void cell_runs_release(struct cell_runs *c);

/* Number the values that are the same within a factor 1 + tol of their
 * neighbour: id[i] in [0, n), by increasing value; -1 for what is not a
 * positive number.  Returns the count. */
int cell_cluster(int *id, const double *x, size_t n, double tol);

/* Spread between seeds, pooled over cells as a relative SD. */
struct cell_noise {
    double ss; /* sum of squared relative deviations from cell means */
    int dof;
};
/* Add the runs y[0..n) of one cell; infinite ones are left out. */
void cell_noise_add(struct cell_noise *s, const double *y, size_t n);
double cell_noise_sd(const struct cell_noise *s); /* NaN when dof is 0 */

#endif
