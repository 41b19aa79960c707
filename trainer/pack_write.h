/* pack_write: append documents to a packed set being made. */
#ifndef LOGLOG_TRAINER_PACK_WRITE_H
#define LOGLOG_TRAINER_PACK_WRITE_H

#include "base/err.h"
#include "base/str.h"
#include "trainer/shard_manifest.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct pack_writer {
    char dir[PATH_MAX];
    int64_t shard_bytes;
    struct manifest manifest; /* of what is finished */
    size_t cap;
    uint8_t seen[256];
    /* the open shard */
    int fd; /* -1: none */
    char path[PATH_MAX];
    int64_t tokens;
    struct str pending; /* bytes not yet written */
    struct str index;
};

/* Make the directory (its parent must be there). */
int pack_writer_open(struct pack_writer *w, const char *dir,
                     int64_t shard_bytes, struct err *e);
/* One document, without its mark; it holds no NUL. */
int pack_writer_add(struct pack_writer *w, const uint8_t *text, size_t n,
                    struct err *e);
/* Finish the last shard and write the manifest; `source` (JSON text) goes
 * into it.  At least one document must have been added. */
int pack_writer_finish(struct pack_writer *w, const char *source,
                       struct err *e);
/* Free; files stay. */
void pack_writer_release(struct pack_writer *w);

#endif
