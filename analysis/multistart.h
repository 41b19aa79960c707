/* multistart: a minimisation from every point of a grid of starts.
 *
 * The starts of Hoffmann et al. (Chinchilla, approach 3) as Besiroglu et al.
 * list them: alpha, beta in {0, .5, 1, 1.5, 2}, ln E in {-1, -.5, 0, .5, 1},
 * ln A, ln B in {0, 5, ..., 25}: 4500 for the full form, its projections for
 * the smaller ones; k and R begin at one value.
 *
 * From each: L-BFGS, then Newton's method, on a rounder objective over a part
 * of the points; a term that has vanished although the objective would fall if
 * it grew is brought back.  Starts that have come to the same point (a term
 * that has vanished in both aside) go on as one: Newton's method on the exact
 * objective over all points. */
#ifndef LOGLOG_ANALYSIS_MULTISTART_H
#define LOGLOG_ANALYSIS_MULTISTART_H

#include "analysis/problem.h"

struct multistart {
    size_t starts;  /* of the grid */
    size_t reached; /* ended within 1e-6 (relative) of the best */
    double f;       /* the best objective (before any polishing) */
    double q[SURFACE_MAX];
};

/* Where the first descents end: one row for all starts that came to a point. */
struct start_ends {
    size_t n;
    size_t *starts; /* (n): how many came here */
    double (*q)[SURFACE_MAX];
};

/* The first descents alone.  Free with start_ends_release, also after -1. */
int start_ends_find(struct start_ends *s, const struct problem *p, int threads,
                    struct err *e);
void start_ends_release(struct start_ends *s);

/* From these ends to the best minimum of p, whose frame is that of the problem
 * they were found for.  threads: 0 or 1 for none.  -1 when none ends at a
 * finite objective. */
int multistart_from(struct multistart *r, const struct start_ends *s,
                    const struct problem *p, int threads, struct err *e);

/* Both. */
int multistart(struct multistart *r, const struct problem *p, int threads,
               struct err *e);

#endif
