/* points: finished runs as columns of numbers; what every fit starts from.
 *
 * A column that is not known for a row is NaN there.  Rows that may not enter
 * a fit stay, with `used` 0 and the reason, so that a report can show them.
 * They come from the results database (this is the only reader of db/ in
 * analysis/), or from a CSV or JSON-lines file (import.h). */
#ifndef LOGLOG_ANALYSIS_POINTS_H
#define LOGLOG_ANALYSIS_POINTS_H

#include "base/err.h"
#include "base/hash.h"

#include <stddef.h>
#include <stdint.h>

enum point_col {
    POINT_BUDGET,      /* nominal flops of its IsoFLOP or grid cell */
    POINT_M,           /* non-embedding FLOPs per token, DeepSeek LLM Eq. 2 */
    POINT_N,           /* parameters as the source counts them; N2 of a study */
    POINT_N1,          /* non-embedding parameters */
    POINT_N2,          /* complete parameters */
    POINT_D,           /* training tokens, achieved */
    POINT_UNIQUE,      /* unique training tokens (U of data-constrained) */
    POINT_FLOPS,       /* training compute: M*D of a study */
    POINT_FLOPS_EXACT, /* with head and causal attention */
    POINT_LR,          /* peak learning rate */
    POINT_BATCH,       /* tokens per step */
    POINT_WD,          /* weight decay */
    POINT_D_MODEL,
    POINT_N_LAYER,
    POINT_SEED,
    POINT_STEPS,
    POINT_LOSS, /* nats per token, validation */
    POINT_BPB,  /* bits per byte, validation */
    POINT_COLS
};

#define POINT_TEXT 64

struct points {
    size_t n, cap;
    double *col[POINT_COLS]; /* (n) each */
    char file[256];          /* they come from; "": the database */
    int64_t *run;            /* id in the database; line of a file */
    int *used;               /* 1: may enter a fit */
    char (*stage)[POINT_TEXT];
    char (*group)[POINT_TEXT]; /* what is resampled together; "" if alone */
    char (*why)[POINT_TEXT];   /* reason when not used; "" if used */
};

/* One row, for points_add. */
struct point {
    double col[POINT_COLS];
    int64_t run;
    int used;
    char stage[POINT_TEXT], group[POINT_TEXT], why[POINT_TEXT];
};

void points_init(struct points *p);
void points_release(struct points *p);
/* A row whose columns are all NaN and whose texts are empty, used = 1. */
void point_init(struct point *r);
void points_add(struct points *p, const struct point *r);
/* Row i as a struct point. */
void points_row(struct point *r, const struct points *p, size_t i);
/* Row i may not enter a fit; the first reason stays. */
void points_exclude(struct points *p, size_t i, const char *why);
/* Number of rows with used = 1. */
size_t points_used(const struct points *p);
/* Of these, the rows whose tokens are more than their unique ones. */
size_t points_repeated(const struct points *p);
/* The used rows (keep[i] != 0 too when keep is not NULL) of `from`, into an
 * initialised, empty `to`. */
void points_select(struct points *to, const struct points *from,
                   const int *keep);

/* Names of columns: "n", "d", "flops", "loss", ... (any case). */
const char *point_col_name(enum point_col c);
int point_col_parse(const char *name); /* -1: unknown */
/* Fails unless every used row has a positive finite value of column c; says
 * which row and what to map. */
int points_require(const struct points *p, enum point_col c, struct err *e);
/* Leave out the used rows that have no value of column c, unless none has. */
void points_need(struct points *p, enum point_col c);
/* 1 when some used row has a value of column c. */
int points_has(const struct points *p, enum point_col c);

/* Fill what follows from other columns where it is NaN: flops = M*D or 6*N*D;
 * D = flops/M or flops/(6N); N from N2 or N1; M = flops/D. */
void points_derive(struct points *p);

/* SHA-256 over the columns and texts of the used rows in order: the identity
 * of a fit's input. */
void points_hash(char hex[HASH_HEX], const struct points *p);

/* Append the points of a study; stage NULL: all stages; where: SQL condition
 * on the columns of the view `points`, or NULL. */
struct store;
int points_from_db(struct points *p, struct store *db, int64_t study,
                   const char *stage, const char *where, struct err *e);

#endif
