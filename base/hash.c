/* hash: see hash.h.  SHA-256 from nettle, which uses the instructions that
 * processors have for it (9 times the speed), or from libmd; XXH3 from xxHash.
 */
#include "base/hash.h"

#include "base/file.h"

#include <string.h>
#include <xxhash.h>
#ifdef LOGLOG_HAVE_NETTLE
#include <nettle/sha2.h>
#else
#include <sha2.h>
#endif

#define DIGEST 32 /* bytes */

static void to_hex(char hex[HASH_HEX], const uint8_t d[DIGEST])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < DIGEST; i++) {
        hex[2 * i] = digits[d[i] >> 4];
        hex[2 * i + 1] = digits[d[i] & 15];
    }
    hex[HASH_HEX - 1] = '\0';
}

static void digest(uint8_t d[DIGEST], const void *data, size_t len)
{
#ifdef LOGLOG_HAVE_NETTLE
    struct sha256_ctx ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, len, data);
    sha256_digest(&ctx, DIGEST, d);
#else
    SHA2_CTX ctx;

    SHA256Init(&ctx);
    SHA256Update(&ctx, data, len);
    SHA256Final(d, &ctx);
#endif
}

void hash_sha256(char hex[HASH_HEX], const void *data, size_t len)
{
    uint8_t d[DIGEST];

    digest(d, data, len);
    to_hex(hex, d);
}

int hash_sha256_file(char hex[HASH_HEX], const char *path, struct err *e)
{
    struct file_map m;

    if (file_map(&m, path, e))
        return -1;
    hash_sha256(hex, m.data, m.len);
    file_unmap(&m);
    return 0;
}

int64_t hash_id(const char *text)
{
    uint8_t d[DIGEST];
    uint64_t id = 0;

    digest(d, text, strlen(text));
    for (int i = 0; i < 8; i++)
        id = id << 8 | d[i];
    id >>= 1;
    return id ? (int64_t)id : 1;
}

uint64_t hash_xxh3(const void *data, size_t len)
{
    return XXH3_64bits(data, len);
}
