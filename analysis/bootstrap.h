/* bootstrap: intervals by refitting resamples of what is independent.
 *
 * The unit of resampling is the group: a run, a trunk with its branches, a
 * budget, a cell, a seed.  With group NULL every row is its own.  A resample
 * draws as many groups as there are and takes all rows of each, in row order,
 * so a group drawn twice has its rows twice.
 *
 * Resample b draws its i-th group as rng_below(seed, RNG_BOOT, b*G + i, G):
 * the same whatever the number of threads.  Or the draws are read from a
 * file, so that a published bootstrap can be repeated: one resample a line,
 * whitespace or commas between 0-based group numbers; every line must have
 * the same count. */
#ifndef LOGLOG_ANALYSIS_BOOTSTRAP_H
#define LOGLOG_ANALYSIS_BOOTSTRAP_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum boot_kind { BOOT_PERCENTILE, BOOT_BASIC, BOOT_BCA };
#define BOOT_KINDS 3

struct boot_options {
    size_t resamples; /* ignored when `indices` is given */
    uint64_t seed;
    const char *indices; /* file of draws, or NULL */
    int threads;         /* 0 or 1: this thread alone */
    int jackknife;       /* also leave each group out once: needed by BCa */
};

/* Which refit it is. */
struct boot_turn {
    int worker;    /* 0 .. threads-1: for a buffer of its own */
    size_t number; /* of the resample */
    int left_out;  /* 1: the data without group `number` (jackknife) */
};

/* Refit on rows idx[0..m) (repeats allowed) and write n_stat numbers; -1 when
 * the fit failed on this resample (counted, left out).  Nothing may be shared
 * for writing but what is the worker's own. */
typedef int boot_fn(double *stat, const size_t *idx, size_t m,
                    const struct boot_turn *turn, void *ctx);

struct bootstrap {
    size_t n_stat;
    size_t n_groups;
    size_t resamples; /* asked for */
    size_t good;      /* succeeded: rows of `value` */
    double *value;    /* (good, n_stat) row-major */
    double *estimate; /* (n_stat): of the data themselves */
    double *jack;     /* (n_jack, n_stat), or NULL */
    size_t n_jack;
    int smoothed; /* by the caller: `value` is of smoothed resamples */
};

/* Run it.  estimate: the statistics of the whole data (copied); fewer than
 * half of the resamples succeeding is a failure (ERR_FAILED).  group[i] in
 * [0, n_groups) is the group of row i; NULL: rows. */
int bootstrap_run(struct bootstrap *b, const struct boot_options *o,
                  size_t n_rows, const size_t *group, size_t n_groups,
                  const double *estimate, size_t n_stat, boot_fn *fn, void *ctx,
                  struct err *e);
void bootstrap_release(struct bootstrap *b);

/* Statistics of statistic k over the resamples. */
double bootstrap_se(const struct bootstrap *b, size_t k);
double bootstrap_mean(const struct bootstrap *b, size_t k);
/* All its values, sorted, in the caller's array of b->good. */
void bootstrap_sorted(double *v, const struct bootstrap *b, size_t k);
/* Central interval of the given level.  BCa without a jackknife, or whose
 * correction is undefined (all resamples on one side), falls back to the
 * percentile interval and returns 1; else 0. */
int bootstrap_interval(double *lo, double *hi, const struct bootstrap *b,
                       size_t k, enum boot_kind kind, double level);

const char *boot_kind_name(enum boot_kind k); /* percentile, basic, bca */
int boot_kind_parse(const char *name);        /* -1: unknown */

/* Number the distinct labels in order of first appearance: group[i] in
 * [0, *n_groups).  labels[i] is a text; equal texts are one group,
 * except that "" is alone. */
void boot_groups_of_text(size_t *group, size_t *n_groups,
                         const char *const *label, size_t n);
/* The same of numbers (bitwise equal ones are one group). */
void boot_groups_of_number(size_t *group, size_t *n_groups, const double *x,
                           size_t n);

#endif
