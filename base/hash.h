/* hash: identity (SHA-256, checkable with sha256sum) and integrity (XXH3). */
#ifndef LOGLOG_BASE_HASH_H
#define LOGLOG_BASE_HASH_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define HASH_HEX 65 /* 64 hex digits and the NUL */

void hash_sha256(char hex[HASH_HEX], const void *data, size_t len);
int hash_sha256_file(char hex[HASH_HEX], const char *path, struct err *e);

/* The first 63 bits of the SHA-256 of a text: a run's id.  Never negative, so
 * that it fits SQLite's integers, and never 0. */
int64_t hash_id(const char *text);

/* XXH3 64-bit of a block, at memory speed: checksums of shards, checkpoints. */
uint64_t hash_xxh3(const void *data, size_t len);

/* Each bit of the result depends on all of h, and it is a bijection: for keys
 * of tables out of sums whose low bits depend on little. */
static inline uint64_t hash_mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    return h;
}

#endif
