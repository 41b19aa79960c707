/* hash: see hash.h.  SHA-256 from libmd, XXH3 from xxHash. */
#include "base/hash.h"

#include "base/file.h"

#include <sha2.h>
#include <string.h>
#include <xxhash.h>

static void to_hex(char hex[HASH_HEX], const uint8_t d[SHA256_DIGEST_LENGTH])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        hex[2 * i] = digits[d[i] >> 4];
        hex[2 * i + 1] = digits[d[i] & 15];
    }
    hex[HASH_HEX - 1] = '\0';
}

static void digest(uint8_t d[SHA256_DIGEST_LENGTH], const void *data,
                   size_t len)
{
    SHA2_CTX ctx;

    SHA256Init(&ctx);
    SHA256Update(&ctx, data, len);
    SHA256Final(d, &ctx);
}

void hash_sha256(char hex[HASH_HEX], const void *data, size_t len)
{
    uint8_t d[SHA256_DIGEST_LENGTH];

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
    uint8_t d[SHA256_DIGEST_LENGTH];
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
