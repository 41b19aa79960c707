/* pack_tokenize: a set of bytes as a set of a tokenizer's tokens.
 *
 * The same documents in the same order, each encoded by itself and decoded
 * again to be compared.  Threads take stretches of about 1 MB; what they make
 * is written in the order of the documents, so the result does not depend on
 * how many there are.  Memory: some stretches a thread, at least one document
 * each, as 32-bit tokens. */
#ifndef LOGLOG_TRAINER_PACK_TOKENIZE_H
#define LOGLOG_TRAINER_PACK_TOKENIZE_H

#include "base/err.h"
#include "trainer/shard.h"
#include "trainer/tokenizer.h"

struct pack_tokenize_report {
    struct shard_info info; /* of the new set */
    double seconds;         /* wall time */
};

/* Write set `dir` (its parent must be there, it must not).  `set` holds
 * documents of bytes.  threads 0: one for each CPU this process may use. */
int pack_tokenize(struct pack_tokenize_report *r, const char *dir,
                  const struct shard_set *set, const struct tokenizer *t,
                  int threads, int64_t shard_bytes, struct err *e);

/* The same, and the new set takes the place of set `dir` of a stage. */
int pack_tokenize_in_place(struct pack_tokenize_report *r, const char *dir,
                           const struct tokenizer *t, int threads,
                           int64_t shard_bytes, struct err *e);

#endif
