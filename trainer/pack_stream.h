/* pack_stream: the documents of files that are not plain text: compressed
 * (.gz .bz2 .xz .zst, by the programs of those formats) and JSON lines
 * (.jsonl, .ndjson), or both. */
#ifndef LOGLOG_TRAINER_PACK_STREAM_H
#define LOGLOG_TRAINER_PACK_STREAM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* What the name says. */
int pack_is_compressed(const char *path);
int pack_is_json_lines(const char *path);

/* Call `document` for each document of such a file: what lies between NUL
 * bytes, or the text of `field` of each line; offset is that of the document
 * or line in the unpacked stream.  Memory: the longest document.  Stops at the
 * first nonzero return and returns it; -1 when the file is damaged, a line is
 * no object with that field, or the program is not there. */
int pack_stream_each(const char *path, const char *field,
                     int (*document)(void *ctx, const uint8_t *text, size_t n,
                                     int64_t offset, struct err *e),
                     void *ctx, struct err *e);

#endif
