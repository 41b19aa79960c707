/* shard_link: a set out of another program's token files, which stay where
 * they are.
 *
 * The manifest (shard_manifest.h) lists their paths, counts and SHA-256, and
 * holds what the files do not say: the vocabulary, the tokenizer, and how many
 * bytes of text each token stands for, without which there are no bits per
 * byte. */
#ifndef LOGLOG_TRAINER_SHARD_LINK_H
#define LOGLOG_TRAINER_SHARD_LINK_H

#include "base/err.h"

#include <stdint.h>

struct link_options {
    const char *out;          /* directory of the manifest */
    const char *const *input; /* paths or patterns, each as shard_open takes;
                                 files in the order given */
    int n_input;
    const char *layout;     /* of all of them; NULL: told by the files */
    const char *tokenizer;  /* its name; NULL: the layout's */
    int64_t vocab;          /* 0: llm.c's, else the largest token + 1 */
    int64_t bytes;          /* of the text; 0: not known */
    const char *token_file; /* the tokenizer's file: bytes of each token
                               (see shard_lengths); NULL: none */
    int64_t mark;           /* the token that marks documents, one byte of
                               text; -1: none */
    int force;              /* replace another linked set */
};

/* Reads every token once.  -1 when a file is not what it seems, a token is
 * outside the vocabulary or has no bytes, or `out` holds something else. */
int shard_link(const struct link_options *o, struct err *e);

/* Bytes of text of each token below `vocab`, into length (0: not in the file),
 * from a tokenizer's file: llm.c's (magic 20240328) or tiktoken's (a line
 * "BASE64 RANK" for each token). */
int shard_lengths(uint16_t *length, int64_t vocab, const char *path,
                  struct err *e);

#endif
