/* mix: one training set out of several packed ones.
 *
 * Whole documents are drawn from each source without repeats, in an order by
 * the seed, so that the tokens of each are its weight of the total at every
 * point; the sources must have one tokenizer.  Two ways to make a corpus worse
 * without changing its subject, for a study of data quality: a share of the
 * documents has its words in random order, or a share of the text are copies
 * of documents that are there already.  The total does not change by either. */
#ifndef LOGLOG_TRAINER_MIX_H
#define LOGLOG_TRAINER_MIX_H

#include "base/err.h"
#include "trainer/shard.h"

#include <stdint.h>

#define MIX_SOURCES 16

struct mix_source {
    const struct shard_set *set; /* borrowed */
    double weight;
};

struct mix_options {
    struct mix_source source[MIX_SOURCES];
    int n_source;
    int64_t tokens;    /* of the result, about; 0: all that fits the weights */
    double shuffled;   /* share of the tokens in shuffled documents */
    double duplicated; /* share of the tokens that are copies */
    uint64_t seed;
};

struct mix_report {
    struct shard_info info;
    int64_t tokens[MIX_SOURCES], documents[MIX_SOURCES]; /* of each source */
    int64_t shuffled, duplicated;                        /* tokens */
};

/* Write set `dir` (its parent must be there, it must not).  -1 with ERR_USAGE
 * when a source holds too little for its weight or tokenizers differ. */
int mix(struct mix_report *r, const char *dir, const struct mix_options *o,
        struct err *e);

/* A copy of a set, document by document. */
int mix_copy(struct shard_info *info, const char *dir,
             const struct shard_set *set, struct err *e);

/* The share of the 64-byte windows of `valid` that occur in `train`; sets of
 * bytes only (-1 else, and where documents are not known). */
double mix_overlap(const struct shard_set *train,
                   const struct shard_set *valid);

#endif
