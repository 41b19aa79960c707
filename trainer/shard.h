/* shard: packed tokens on disk.
 *
 * A packed set is a directory of shard files and a manifest (manifest.json:
 * tokenizer, vocab, documents, tokens, bytes, distinct tokens, sha256 of each
 * shard and of the whole).  Version 1 holds byte-level tokens (vocab 256, a
 * NUL byte marks the end of each document); the format is in shard.c.
 * Everything read from disk is checked before it is believed. */
#ifndef LOGLOG_TRAINER_SHARD_H
#define LOGLOG_TRAINER_SHARD_H

#include "base/err.h"
#include "sweep/spec.h"

#include <stdint.h>

struct shard_set;

/* Open a packed set (its directory).  *set is the caller's to close. */
int shard_open(struct shard_set **set, const char *path, struct err *e);
void shard_close(struct shard_set *set);

/* Facts from the manifest. */
struct shard_info {
    char sha256[65]; /* of the tokens, in order */
    int64_t vocab;
    int64_t tokens; /* document marks included */
    int64_t documents;
    int64_t bytes;    /* of the original text: what bits per byte divides by */
    int64_t distinct; /* different token values that occur */
    int64_t shards;
};
const struct shard_info *shard_info(const struct shard_set *set);

/* Copy tokens [from, from + n) into out.  BUG if out of range. */
void shard_read(int32_t *out, const struct shard_set *set, int64_t from,
                int64_t n);

/* Identity of training + validation sets: 16 hex digits for run_spec.data. */
int shard_data_id(char id[SPEC_DATA_ID], const struct shard_set *train,
                  struct shard_set *const *valid, int n_valid);

#endif
