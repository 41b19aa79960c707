/* shard_impl: what the files behind shard.h share.
 *
 * A set is a list of pieces, each a mapped file with its tokens in order.  A
 * token_reader knows one file layout; the tables of them is token_readers.
 *
 *   shard.c           the set: open, read, verify, identity
 *   shard_foreign.c   a path that is not a packed set: globs, layout, vocab
 *   tokens_own.c      shards of data pack (shard_format.h)
 *   tokens_llmc.c     llm.c, versions 1 (GPT-2, 16 bits) and 7 (Llama 3, 32)
 *   tokens_npy.c      NumPy .npy, one dimension, u1 u2 i2 u4 i4
 *   tokens_megatron.c Megatron-LM .bin with its .idx
 *   tokens_raw.c      bare tokens of 8, 16 or 32 bits (nanoGPT: 16) */
#ifndef LOGLOG_TRAINER_SHARD_IMPL_H
#define LOGLOG_TRAINER_SHARD_IMPL_H

#include "base/err.h"
#include "base/file.h"
#include "trainer/shard.h"
#include "trainer/shard_format.h"
#include "trainer/shard_manifest.h"

#include <stddef.h>
#include <stdint.h>

struct token_reader;

struct shard_piece {
    char *path;
    const struct token_reader *reader;
    struct file_map map;
    struct file_map index_map; /* Megatron's .idx; else empty */
    const uint8_t *tokens;     /* inside map; need not be aligned */
    int width;                 /* bytes of a token, little-endian: 1, 2, 4 */
    int64_t n;                 /* tokens */
    int64_t documents;         /* 0: not known */
    int64_t vocab;             /* ids the layout can hold, or promises */
    const char *tokenizer;     /* the reader's, unless the file says more */
    const uint8_t *index;      /* reader's own */
    int64_t sequences;         /* Megatron's */
    int64_t mark;              /* ours: ends documents ... */
    const uint8_t *lengths;    /* ... and bytes of each token, u16; or NULL */
    int64_t first;             /* of the set: its first token ... */
    int64_t first_document;    /* ... and document */
};

struct token_reader {
    const char *name;      /* after ':' in a path: "u16" */
    const char *tokenizer; /* what its files are made with, for people */
    const char *help;
    /* Does a file begin like this?  NULL: it cannot be told; by name only. */
    int (*sniff)(const uint8_t *data, size_t len);
    /* Check the layout and fill tokens, width, n, documents, vocab; path and
     * map are there.  Reads the header, not the tokens. */
    int (*open)(struct shard_piece *p, struct err *e);
    /* The token behind document d; NULL: documents are not known. */
    int64_t (*document_end)(const struct shard_piece *p, int64_t d);
    /* Everything but ids below the vocabulary; may be NULL. */
    int (*verify)(const struct shard_piece *p, struct err *e);
};
extern const struct token_reader *const token_readers[];
extern const struct token_reader tokens_own, tokens_llmc, tokens_npy,
    tokens_megatron, tokens_bytes, tokens_u16, tokens_u32;
/* By name; NULL when there is none. */
const struct token_reader *token_reader_find(const char *name);

struct shard_set {
    char *path;
    struct manifest manifest; /* of a foreign set: filled in when opened */
    struct shard_piece *piece;
    int64_t n_piece;
    int indexed;             /* every piece knows its documents */
    struct file_map lengths; /* bytes of each token, u16; len 0: not known */
    struct file_map texts;   /* of the tokens; len 0: not known */
    uint32_t *text_at;       /* where in it each begins, vocab + 1 */
};

/* Map the file and let the reader (NULL: the one that knows it) open it. */
int shard_piece_open(struct shard_piece *p, const char *path,
                     const struct token_reader *reader, struct err *e);
void shard_piece_release(struct shard_piece *p);

/* Open a path that is no directory: "FILE", "GLOB", "GLOB:FORMAT",
 * "GLOB:FORMAT,vocab=N,bytes=N".  Fills path, piece, manifest. */
int shard_open_foreign(struct shard_set *set, const char *path, struct err *e);

/* The piece that holds token i of the set. */
const struct shard_piece *shard_piece_at(const struct shard_set *set,
                                         int64_t i);

/* The largest token of tokens [0, n) of this width, and where it is. */
uint32_t shard_largest(const uint8_t *tokens, int width, int64_t n,
                       int64_t *at);

#endif
