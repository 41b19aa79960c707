/* shard_format: see shard_format.h. */
#include "trainer/shard_format.h"

#include "base/hash.h"

#include <inttypes.h>
#include <string.h>

static const char magic[8] = {'L', 'O', 'G', 'L', 'O', 'G', 'T', 'K'};

#define VERSION 1
/* No count in a file may be larger: sums of them cannot overflow. */
#define COUNT_MAX (INT64_C(1) << 48)

enum {
    AT_VERSION = 8,
    AT_WIDTH = 12,
    AT_VOCAB = 16,
    AT_TOKENS = 24,
    AT_DOCUMENTS = 32,
    AT_BYTES = 40,
    AT_TOKENS_XXH3 = 48,
    AT_INDEX_XXH3 = 56,
    AT_CHECK = 120
};

uint64_t le_get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;

    for (int i = bytes; i--;)
        v = v << 8 | p[i];
    return v;
}

void le_put(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++, v >>= 8)
        p[i] = (uint8_t)v;
}

int64_t shard_index_offset(const struct shard_header *h)
{
    return (SHARD_HEADER + h->tokens * h->width + 7) / 8 * 8;
}

int64_t shard_file_size(const struct shard_header *h)
{
    return shard_index_offset(h) + h->documents * SHARD_INDEX_ENTRY;
}

void shard_header_write(uint8_t out[SHARD_HEADER], const struct shard_header *h)
{
    memset(out, 0, SHARD_HEADER);
    memcpy(out, magic, sizeof magic);
    le_put(out + AT_VERSION, VERSION, 4);
    le_put(out + AT_WIDTH, (uint64_t)h->width, 4);
    le_put(out + AT_VOCAB, (uint64_t)h->vocab, 8);
    le_put(out + AT_TOKENS, (uint64_t)h->tokens, 8);
    le_put(out + AT_DOCUMENTS, (uint64_t)h->documents, 8);
    le_put(out + AT_BYTES, (uint64_t)h->bytes, 8);
    le_put(out + AT_TOKENS_XXH3, h->tokens_xxh3, 8);
    le_put(out + AT_INDEX_XXH3, h->index_xxh3, 8);
    le_put(out + AT_CHECK, hash_xxh3(out, AT_CHECK), 8);
}

static int count(int64_t *v, const uint8_t *p, const char *name,
                 const char *path, struct err *e)
{
    uint64_t u = le_get(p, 8);

    if (u > (uint64_t)COUNT_MAX)
        return err_set(e, ERR_USAGE, "%s: %s is %" PRIu64 ", impossible", path,
                       name, u);
    *v = (int64_t)u;
    return 0;
}

/* Relations between the counts, once each is in range. */
static int check(const struct shard_header *h, size_t len, const char *path,
                 struct err *e)
{
    if (h->width != 1 && h->width != 2 && h->width != 4)
        return err_set(e, ERR_USAGE,
                       "%s: tokens of %" PRId64 " bytes, expected 1, 2 or 4",
                       path, h->width);
    if (h->vocab < 1 || h->vocab > INT64_C(1)
                                       << (h->width == 4 ? 31 : 8 * h->width))
        return err_set(e, ERR_USAGE,
                       "%s: vocab %" PRId64 " does not fit %" PRId64
                       "-byte tokens",
                       path, h->vocab, h->width);
    if (h->documents > h->tokens)
        return err_set(e, ERR_USAGE,
                       "%s: %" PRId64 " documents in %" PRId64 " tokens", path,
                       h->documents, h->tokens);
    if ((uint64_t)shard_file_size(h) != len)
        return err_set(e, ERR_USAGE,
                       "%s: %zu bytes, the header says %" PRId64
                       " (truncated or overwritten)",
                       path, len, shard_file_size(h));
    return 0;
}

int shard_header_read(struct shard_header *h, const uint8_t *data, size_t len,
                      const char *path, struct err *e)
{
    struct shard_header r;

    if (len < SHARD_HEADER || memcmp(data, magic, sizeof magic))
        return err_set(e, ERR_USAGE, "%s: not a token shard of loglog", path);
    if (le_get(data + AT_VERSION, 4) != VERSION)
        return err_set(e, ERR_USAGE,
                       "%s: shard format version %" PRIu64
                       ", this program reads version %d",
                       path, le_get(data + AT_VERSION, 4), VERSION);
    if (le_get(data + AT_CHECK, 8) != hash_xxh3(data, AT_CHECK))
        return err_set(e, ERR_USAGE, "%s: header damaged (checksum)", path);
    r.width = (int64_t)le_get(data + AT_WIDTH, 4);
    r.tokens_xxh3 = le_get(data + AT_TOKENS_XXH3, 8);
    r.index_xxh3 = le_get(data + AT_INDEX_XXH3, 8);
    if (count(&r.vocab, data + AT_VOCAB, "vocab", path, e) ||
        count(&r.tokens, data + AT_TOKENS, "the token count", path, e) ||
        count(&r.documents, data + AT_DOCUMENTS, "the document count", path,
              e) ||
        count(&r.bytes, data + AT_BYTES, "the byte count", path, e) ||
        check(&r, len, path, e))
        return -1;
    *h = r;
    return 0;
}
