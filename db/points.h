/* points: finished runs as rows of numbers, for analysis/. */
#ifndef LOGLOG_DB_POINTS_H
#define LOGLOG_DB_POINTS_H

#include "base/err.h"
#include "db/store.h"

#include <stddef.h>
#include <stdint.h>

/* A row of the view `points`: one finished or excluded run of one stage. */
struct db_point {
    int64_t run;
    char stage[32];
    double budget;       /* nominal flops of its cell */
    double M, N1, N2, D; /* flops.h; D achieved */
    double flops, flops_exact;
    double lr, batch; /* tokens */
    double d_model, n_layer;
    int64_t seed, steps;
    double wd, unique_tokens; /* weight decay; distinct training tokens */
    double loss, bpb; /* first validation set, at the end; NaN if none */
    int used;         /* 1: may enter a fit */
    char cluster[64]; /* equal on runs that are not independent; "" if alone */
    char why[64];     /* reason when it may not: "diverged", "failed", ... */
};
/* Points of a study; stage NULL: all.  where: an SQL condition on the columns
 * of the view, or NULL.  The array is the caller's to free. */
int db_points(struct db_point **p, size_t *n, struct store *db, int64_t study,
              const char *stage, const char *where, struct err *e);

#endif
