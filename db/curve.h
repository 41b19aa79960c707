/* curve: the steps of one run, few enough to draw.
 *
 * The steps asked for are divided into ranges, evenly or by their logarithm; a
 * range keeps the mean of its losses and their extent, so that no spike is
 * lost.  From a range of many steps only its first ones are read: the time a
 * curve takes does not grow with the run. */
#ifndef LOGLOG_DB_CURVE_H
#define LOGLOG_DB_CURVE_H

#include "base/err.h"
#include "db/store.h"

#include <stddef.h>
#include <stdint.h>

#define CURVE_READ 128 /* steps read of one range */

struct db_bucket {
    int64_t step;         /* the last one read */
    double tokens, flops; /* by then */
    double loss, lo, hi;  /* nats: mean, least, most; NaN: none was finite */
    double lr, norm;      /* of that step; the largest gradient norm */
    double seconds;       /* mean of a step */
};
struct db_curve_eval { /* a pass over a validation set */
    char set[32];
    double step, loss, bpb;
};
struct db_curve {
    struct db_bucket *at;
    struct db_curve_eval *eval;
    size_t n, n_eval;
    int64_t first, last; /* steps that are recorded; 0: none */
    int thinned;         /* 1: some ranges were too long to read whole */
};

/* Steps from `from` to `to` (0: to the last) in at most `buckets` ranges; log:
 * ranges that grow with the step.  A run without steps gives n = 0; an unknown
 * one too.  Free with db_curve_release. */
int db_curve(struct db_curve *c, struct store *db, int64_t run, int64_t from,
             int64_t to, int buckets, int log, struct err *e);
/* Its finite evaluations, in order, into a curve that was read. */
int db_curve_evals(struct db_curve *c, struct store *db, int64_t run,
                   struct err *e);
void db_curve_release(struct db_curve *c);

#endif
