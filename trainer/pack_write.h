/* pack_write: append documents to a packed set being made. */
#ifndef LOGLOG_TRAINER_PACK_WRITE_H
#define LOGLOG_TRAINER_PACK_WRITE_H

#include "base/err.h"
#include "base/str.h"
#include "trainer/shard_manifest.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/* What the tokens are. */
struct pack_format {
    const char *tokenizer;
    int64_t vocab;
    int32_t mark; /* ends documents */
};

struct pack_writer {
    char dir[PATH_MAX];
    int64_t shard_bytes;
    struct manifest manifest; /* of what is finished */
    size_t cap;
    int width;     /* bytes of a token */
    uint8_t *seen; /* a byte for each token of the vocabulary */
    /* the open shard */
    int fd; /* -1: none */
    char path[PATH_MAX];
    int64_t tokens, bytes;
    struct str pending; /* bytes not yet written */
    struct str index;
};

/* Make the directory (its parent must be there).  format NULL: bytes. */
int pack_writer_open(struct pack_writer *w, const char *dir,
                     int64_t shard_bytes, const struct pack_format *format,
                     struct err *e);
/* One document of bytes, without its mark; it holds no NUL. */
int pack_writer_add(struct pack_writer *w, const uint8_t *text, size_t n,
                    struct err *e);
/* One document of tokens, without its mark; `bytes` of text. */
int pack_writer_add_tokens(struct pack_writer *w, const int32_t *id, size_t n,
                           int64_t bytes, struct err *e);
/* Finish the last shard and write the manifest; `source` (JSON text) goes
 * into it.  At least one document must have been added. */
int pack_writer_finish(struct pack_writer *w, const char *source,
                       struct err *e);
/* Free; files stay. */
void pack_writer_release(struct pack_writer *w);

#endif
