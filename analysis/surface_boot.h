/* surface_boot: the bootstrap of a surface fit.
 *
 * Every resample is fitted again by variable projection over a grid of
 * exponents of its own and from the optimum of the data, so a resample whose
 * best surface lies elsewhere is found there.  With options.refit all starts of
 * the grid descend again; or their first descents, on points of the data, are
 * made once, and each resample goes on from where they ended.  Rows drawn
 * several times weigh as much.
 *
 * With options.smooth, where the objective has fine corners, resamples by
 * variable projection are smoothed (surface_smooth.h), unless the draws are
 * read from a file: those repeat a bootstrap of the points themselves.  The
 * values kept are then the estimate and what the resample differs from the
 * optimum of the smoothed points, by a factor for A, B and R. */
#ifndef LOGLOG_ANALYSIS_SURFACE_BOOT_H
#define LOGLOG_ANALYSIS_SURFACE_BOOT_H

#include "analysis/bootstrap.h"
#include "analysis/surface.h"

/* The statistics: the parameters in their order, then a (NaN-free forms only:
 * those with alpha and beta). */
int surface_boot_stats(enum surface_form f);
const char *surface_boot_name(enum surface_form f, int k);

/* group: as in bootstrap_run(); NULL: rows. */
int surface_bootstrap(struct bootstrap *b, const struct surface_fit *fit,
                      const struct surface_data *d, const size_t *group,
                      size_t n_groups, const struct boot_options *o,
                      struct err *e);

#endif
