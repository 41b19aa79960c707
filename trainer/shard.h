/* shard: packed tokens on disk.
 *
 * A packed set is a directory of shard files and a manifest (manifest.json:
 * tokenizer, vocab, documents, tokens, bytes, distinct tokens, sha256 of each
 * shard and of the whole).  It holds byte-level tokens (vocab 256, a NUL byte
 * marks the end of each document) or those of a tokenizer (tokenizer.h), with
 * the bytes of each; the format is in shard_format.h.  Tokens of other programs
 * are read where they lie: llm.c, NumPy, Megatron, nanoGPT. Everything read
 * from disk is checked before it is believed: sizes, headers and the manifest
 * when a set is opened, every byte by shard_verify.
 *
 * Bits per byte.  A document mark is a target like any other: its nats are
 * summed, and it counts as one byte of the text, the NUL that ends the
 * document in the NUL-separated file.  So info.bytes is the bytes of the
 * original text plus one for each document, whatever the tokenizer, the same
 * text under two tokenizers is divided by the same number, and a model that
 * gives each of 256 bytes the same probability has exactly 8 bits a byte:
 *
 *     bpb = nats of the targets / (ln 2 * shard_bytes of the targets)
 */
#ifndef LOGLOG_TRAINER_SHARD_H
#define LOGLOG_TRAINER_SHARD_H

#include "base/err.h"
#include "sweep/spec.h"

#include <stdint.h>

struct shard_set;

/* Open a set: the directory of a packed or linked one, or a file or glob
 * pattern of another program's tokens, "PATTERN[:LAYOUT[,vocab=N][,bytes=N]]"
 * (shard_foreign.c).  A few system calls a file; of packed and linked sets no
 * token is read, of others at most 64 MB.  *set is the caller's to close; it
 * is read-only from then on and may be shared by threads.  -1 with ERR_USAGE
 * when it is no set or does not agree with its manifest or header. */
int shard_open(struct shard_set **set, const char *path, struct err *e);
void shard_close(struct shard_set *set);

/* Facts from the manifest or the headers. */
struct shard_info {
    char sha256[65]; /* of the tokens, in order: of the text that
                        `sha256sum shard-*.tok` prints in the set */
    int64_t vocab;
    int64_t tokens;    /* document marks included */
    int64_t documents; /* 0: not known */
    int64_t bytes;     /* of the text, document marks included: what bits per
                          byte divides by; 0: not known */
    int64_t distinct;  /* different token values that occur; 0: not counted */
    int64_t shards;
};
const struct shard_info *shard_info(const struct shard_set *set);
/* "bytes" or what made the tokens, and the path it was opened by. */
const char *shard_tokenizer(const struct shard_set *set);
const char *shard_path(const struct shard_set *set);

/* Read everything once: checksums, the document index, document marks, every
 * token inside the vocabulary; with `sha` also the SHA-256 of each file.  To
 * be called when a study starts, before compute is spent; a message names
 * file and offset.  About 1 s a gigabyte (5 s with sha). */
int shard_verify(const struct shard_set *set, int sha, struct err *e);

/* What a study checks before it spends compute: shard_verify of every set, and
 * that no validation set is the training set, has more than 1 % of its
 * documents in it or (where documents are not known) more than half of its
 * text, by samples of 64 tokens. */
int shard_check_data(const struct shard_set *train,
                     struct shard_set *const *valid, int n_valid,
                     struct err *e);

/* Tokens of the documents whose tokens are those of an earlier document of the
 * set: what its repeats are.  0 where documents are not known. */
int64_t shard_repeated(const struct shard_set *set);

/* Copy tokens [from, from + n) into out.  BUG if out of range, or if a token
 * is outside the vocabulary (the file changed after shard_verify). */
void shard_read(int32_t *out, const struct shard_set *set, int64_t from,
                int64_t n);

/* Bytes of the text that tokens [from, from + n) stand for, document marks
 * counted as one: exact where the bytes of each token are known (byte-level,
 * or linked with them), in proportion where only the total is, 0 where nothing
 * is. */
int64_t shard_bytes(const struct shard_set *set, int64_t from, int64_t n);

/* Append the text of tokens [from, from + n) to out, marks left out.  -1 when
 * the set does not know it (another program's tokens). */
struct str;
int shard_text(struct str *out, const struct shard_set *set, int64_t from,
               int64_t n);

/* Is it known where documents begin?  (Their number may be known alone.) */
int shard_indexed(const struct shard_set *set);
/* Document k: its first token and its tokens, mark included.  BUG if out of
 * range or not indexed. */
void shard_document(int64_t *from, int64_t *n, const struct shard_set *set,
                    int64_t k);

/* Identity of training + validation sets: 16 hex digits for run_spec.data.
 * It depends on the tokens and the vocabulary of each set in order, not on
 * where they lie.  Returns 0. */
int shard_data_id(char id[SPEC_DATA_ID], const struct shard_set *train,
                  struct shard_set *const *valid, int n_valid);

#endif
