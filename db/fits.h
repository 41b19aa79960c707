/* fits: what was fitted and what was predicted.
 *
 * A fit is one JSON object (the one `fit --json` prints) plus the columns
 * that people query.  A prediction is registered before its verification may
 * run: its text is hashed (SHA-256) and dated, and rows are never updated. */
#ifndef LOGLOG_DB_FITS_H
#define LOGLOG_DB_FITS_H

#include "base/err.h"
#include "db/store.h"
#include "sweep/plan.h"

struct db_fit {
    const char *law; /* hyper, isoflop, surface, loss, curve, ... */
    const char *method;
    int64_t n; /* points used */
    int identified;
    const char *refused; /* the reason, or NULL */
    const char *input;   /* sha256 of the points it saw */
    const char *json;    /* the whole fit */
};
int db_fit_put(int64_t *id, struct store *db, int64_t study,
               const struct db_fit *f, struct err *e);

struct db_prediction {
    int64_t id;
    struct choice choice; /* what to run */
    double M, N, D;
    double bpb, bpb_lo, bpb_hi, level; /* interval of the first valid set */
    double decades;                    /* beyond the largest fitted budget */
    char sha256[65];                   /* of json */
    char made[32];                     /* UTC, ISO 8601 */
    char *json;                        /* the caller's to free when read */
};
/* Register: sets id, sha256 and made.  If this study has one for the same stage
 * and choice.flops already, that one stays (a prediction is made once) and *p
 * becomes it; p->json, which must come from malloc, is then freed and
 * replaced. */
int db_prediction_put(struct store *db, int64_t study, int stage,
                      struct db_prediction *p, struct err *e);
/* All of a study, by flops; free each json and the array. */
int db_predictions(struct db_prediction **p, size_t *n, struct store *db,
                   int64_t study, struct err *e);

#endif
