/* varpro: variable projection (Golub and Pereyra 1973), for scaling laws
 * Czech et al., arXiv 2603.22339.
 *
 * With the exponents fixed a surface is linear in E, A and B: those are solved
 * for exactly, not below zero, over a grid of exponents, in the centred frame
 * where three columns of powers are well conditioned.  The best cells are
 * refined by reweighting for the objective's shape; the caller polishes what
 * is returned in all parameters. */
#ifndef LOGLOG_ANALYSIS_VARPRO_H
#define LOGLOG_ANALYSIS_VARPRO_H

#include "analysis/problem.h"

#define VARPRO_MAX 8 /* candidates returned at most */

/* Up to `most` starting points, best first, into q; cells: exponents tried on
 * each axis (24 for a fit, 12 for a refit).  Returns how many; *searched (may
 * be NULL) counts the cells. */
int varpro_search(double (*q)[SURFACE_MAX], int most, const struct problem *p,
                  int cells, size_t *searched);

#endif
