/* batches: which tokens a step sees, decided by (seed, step) alone.
 *
 * The N tokens of the training set are cut into n = floor((N - 1) / T)
 * windows: window w is the T + 1 tokens from w T on, so that each token but
 * the first is a target once (up to T - 1 tokens at the end are left out).
 * Row r of step t (1-based) of S rows is sample i = (t - 1) S + r of the run;
 * it lies in epoch i / n, which goes through all windows once in an order of
 * its own: position i mod n of a pseudo-random permutation keyed by (seed,
 * epoch).  Nothing is drawn and nothing remembered, so any member of a gang
 * finds any row, and a resumed run goes on where it was. */
#ifndef LOGLOG_TRAINER_BATCHES_H
#define LOGLOG_TRAINER_BATCHES_H

#include "base/err.h"
#include "sweep/spec.h"
#include "trainer/shard.h"

#include <stdint.h>

struct batches {
    const struct shard_set *set; /* borrowed */
    int64_t windows;             /* n: samples of an epoch */
    int64_t seq_len;             /* T */
    int64_t rows;                /* S: sequences of a step */
    uint64_t seed;
};

/* How many windows of T + 1 tokens `tokens` tokens hold. */
int64_t batches_windows(int64_t tokens, int64_t seq_len);

/* Can this run use this set, to train or to be validated?  -1 with ERR_USAGE
 * when it does not hold one window or its vocabulary is larger than the
 * model's. */
int batches_check(const struct shard_set *set, const struct run_spec *spec,
                  struct err *e);

/* For these data and this run; `set` is borrowed.  -1 as batches_check. */
int batches_init(struct batches *b, const struct shard_set *set,
                 const struct run_spec *spec, struct err *e);

/* The window of row `row` of step t, in [0, windows). */
int64_t batches_window(const struct batches *b, int64_t t, int64_t row);

/* Rows [from, from + rows) of step t: out is rows x (T + 1). */
void batches_read(int32_t *out, const struct batches *b, int64_t t,
                  int64_t from, int64_t rows);

/* Passes over the data after `steps` steps. */
double batches_epochs(const struct batches *b, int64_t steps);

#endif
