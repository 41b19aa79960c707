/* fit_json: the one form in which every fit is printed, stored and read.
 *
 * A law fills a struct fit_result; as JSON it is the object that `loglog fit
 * --json` prints and the database keeps (docs/fit-json.md), as text it is the
 * table a person reads. */
#ifndef LOGLOG_ANALYSIS_FIT_JSON_H
#define LOGLOG_ANALYSIS_FIT_JSON_H

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

#include <jansson.h>
#include <stddef.h>

struct fit_param {
    char name[32];
    double value;
    double se;     /* NaN: not known */
    double lo, hi; /* interval at `level`; NaN: none */
};

#define FIT_PARAMS 24

struct fit_result {
    char law[32];            /* hyper, isoflop, surface, loss */
    char method[32];         /* how it was fitted: varpro, parabola, ... */
    char form[32];           /* which equation, "" if the law has one */
    size_t n;                /* points used */
    size_t excluded;         /* points left out */
    size_t repeated;         /* of those that were there: more than an epoch */
    double objective;        /* NaN: none */
    char objective_name[32]; /* huber, ... ; "" if none */
    double level;            /* of the intervals; NaN: none */
    char interval[32];       /* percentile, basic, bca, profile, t; "" */
    size_t n_params;
    struct fit_param param[FIT_PARAMS];
    int identified;
    char refused[512];    /* "" when not refused */
    char input[HASH_HEX]; /* points_hash of the points used */
    int exploratory;      /* the holdout was opened before this fit */
    char version[64];     /* of the program, "" if not said */
    json_t *options;      /* object: what was asked for */
    json_t *diagnostics;  /* object: anything a law has to say */
};

void fit_result_init(struct fit_result *r, const char *law);
void fit_result_release(struct fit_result *r);
/* Append a parameter; lo, hi, se may be NaN. */
void fit_result_add(struct fit_result *r, const char *name, double value,
                    double se, double lo, double hi);
const struct fit_param *fit_result_find(const struct fit_result *r,
                                        const char *name);
/* Not identified, with the reason; the first reason stays. */
void fit_result_refuse(struct fit_result *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Set a diagnostic; a number that is not finite becomes null. */
void fit_result_number(struct fit_result *r, const char *key, double value);
void fit_result_text(struct fit_result *r, const char *key, const char *text);
/* Takes over the reference to v. */
void fit_result_json(struct fit_result *r, const char *key, json_t *v);

/* A finite number, or null: what every number in our JSON is. */
json_t *fit_json_number(double v);

/* The object, a new reference.  */
json_t *fit_result_to_json(const struct fit_result *r);
/* Its text: keys in order, numbers with 17 digits; the caller's to free. */
char *fit_result_dump(const struct fit_result *r);
/* Read one back (from the database or a file): *r is initialised by it. */
int fit_result_from_json(struct fit_result *r, const char *text, struct err *e);
/* The table for people. */
void fit_result_print(struct str *out, const struct fit_result *r);

#endif
