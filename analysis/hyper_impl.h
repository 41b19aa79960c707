/* hyper_impl: the inside of hyper_fit, shared by its files: hyper_grid.c (runs
 * to grids), hyper_quad.c, hyper_fit.c (grids to laws), hyper_multi.c (laws in
 * more than compute), hyper_score.c (what a law costs), hyper_use.c,
 * hyper_out.c. */
#ifndef LOGLOG_ANALYSIS_HYPER_IMPL_H
#define LOGLOG_ANALYSIS_HYPER_IMPL_H

#include "analysis/bootstrap.h"
#include "analysis/cell.h"
#include "analysis/hyper_fit.h"

#include <stddef.h>

#define HYPER_SAME 1e-6 /* relative: the same value on an axis */

enum hyper_axis { AXIS_LR, AXIS_BATCH };

/* Eq. 1's exponent on this axis. */
double hyper_eq1(enum hyper_axis a);

/* Fill f->grid from the runs (sorted in place): cells, noise, near-optimal
 * sets, quadratics, edges. */
void hyper_build(struct hyper_fit *f, struct cell_runs *c);
/* g->quad; needs the near-optimal rule to have been applied. */
void hyper_fit_quad(struct hyper_grid *g);
void hyper_grid_release(struct hyper_grid *g);

double hyper_cell_value(const struct hyper_cell *c, enum hyper_axis a);
/* Number of different values on an axis; ratio between the last two. */
int hyper_axis_n(const struct hyper_grid *g, enum hyper_axis a);
int hyper_axis_edge(const struct hyper_grid *g, enum hyper_axis a);
/* The axis was varied and the optimum is not at its edge. */
int hyper_interior(const struct hyper_grid *g, enum hyper_axis a);
/* May this grid's optimum enter a law of this axis?  Interior ones may. */
int hyper_enters(const struct hyper_fit *f, const struct hyper_grid *g,
                 enum hyper_axis a);
/* Log of the optimum on this axis, the better of quadratic and near centre:
 * see hyper_fit_use. */
double hyper_log_optimum(const struct hyper_fit *f, const struct hyper_grid *g,
                         enum hyper_axis a);

/* Laws in N, D, B from interior grids; -1 when draws cannot be used. */
int hyper_fit_multi(struct hyper_fit *f, struct err *e);
/* Number the independent sets among the n grids: grids that share a trunk are
 * in one.  set[i] of grid[i] in [0, return), by first appearance. */
size_t hyper_sets(size_t *set, const struct hyper_fit *f, const size_t *grid,
                  size_t n);
/* What opts ask of the bootstrap of whole grids. */
enum boot_kind hyper_boot(struct boot_options *b, const struct hyper_opts *o);
/* ln lr at the best of each batch row: x = (1, ln N, ln D, ln B), y.  Rows of
 * one grid (n at most g->n_batch); the lr must be interior to its row. */
int hyper_rows(double (*x)[4], double *y, const struct hyper_grid *g);

/* Fill f->score. */
void hyper_judge(struct hyper_fit *f);
/* Relative excess loss at (lr, batch) over the grid's best cell. */
double hyper_excess_at(const struct hyper_grid *g, double log_lr,
                       double log_batch);

#endif
