/* shard_format: one shard file, byte by byte.  All numbers little-endian.
 *
 *   offset  bytes
 *        0      8  magic "LOGLOGTK"
 *        8      4  version, 1
 *       12      4  width of a token in bytes: 1, 2 or 4
 *       16      8  vocab: every token is below it
 *       24      8  tokens, n
 *       32      8  documents, d
 *       40      8  bytes of the text, one for each document mark included
 *       48      8  XXH3-64 of the tokens (n * width bytes)
 *       56      8  XXH3-64 of the index
 *       64     56  zero
 *      120      8  XXH3-64 of the 120 bytes above
 *      128      .  tokens, then zeros up to a multiple of 8
 *        .   16 d  index: for each document the token behind its mark
 *                  (u64, counted from the start of this shard) and the bytes
 *                  of its text with the mark (u64)
 *
 * and nothing behind it.  A document lies in one shard as a whole.  The file
 * is named shard-00000.tok, shard-00001.tok, ... and the manifest beside it
 * lists them in order.  The same tokens make the same bytes, so the SHA-256
 * of the files identifies the data. */
#ifndef LOGLOG_TRAINER_SHARD_FORMAT_H
#define LOGLOG_TRAINER_SHARD_FORMAT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SHARD_HEADER 128
#define SHARD_INDEX_ENTRY 16
#define SHARD_MANIFEST "manifest.json"
#define SHARD_MANIFEST_MAX ((size_t)64 << 20)

struct shard_header {
    int64_t width, vocab, tokens, documents, bytes;
    uint64_t tokens_xxh3, index_xxh3;
};

uint64_t le_get(const uint8_t *p, int bytes);
void le_put(uint8_t *p, uint64_t v, int bytes);

/* Where the index of such a file begins, and how long the file is. */
int64_t shard_index_offset(const struct shard_header *h);
int64_t shard_file_size(const struct shard_header *h);

void shard_header_write(uint8_t out[SHARD_HEADER],
                        const struct shard_header *h);
/* Read and check the header of a file of `len` bytes at `path` (for
 * messages): magic, version, checksum, ranges, and that the sizes it states
 * are those of the file. */
int shard_header_read(struct shard_header *h, const uint8_t *data, size_t len,
                      const char *path, struct err *e);

#endif
