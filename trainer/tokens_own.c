/* tokens_own: shards that data pack writes; the layout is in shard_format.h. */
#include "base/hash.h"
#include "trainer/shard_impl.h"

#include <inttypes.h>
#include <string.h>

static int own_sniff(const uint8_t *data, size_t len)
{
    return len >= 8 && !memcmp(data, "LOGLOGTK", 8);
}

static int own_open(struct shard_piece *p, struct err *e)
{
    struct shard_header h;

    if (shard_header_read(&h, p->map.data, p->map.len, p->path, e))
        return -1;
    p->tokens = p->map.data + SHARD_HEADER;
    p->width = (int)h.width;
    p->n = h.tokens;
    p->documents = h.documents;
    p->vocab = h.vocab;
    p->index = p->map.data + shard_index_offset(&h);
    return 0;
}

static int64_t own_document_end(const struct shard_piece *p, int64_t d)
{
    return (int64_t)le_get(p->index + d * SHARD_INDEX_ENTRY, 8);
}

/* Of the tokens [from, end): the first mark, and the bytes of them all. */
static int64_t first_mark(int64_t *bytes, const struct shard_piece *p,
                          int64_t from, int64_t end)
{
    const uint8_t *mark;
    int64_t first = end;

    *bytes = end - from;
    if (!p->lengths && p->width == 1) {
        mark = memchr(p->tokens + from, 0, (size_t)(end - from));
        return mark ? mark - p->tokens : end;
    }
    *bytes = 0;
    for (int64_t i = end; i-- > from;) {
        uint64_t t = le_get(p->tokens + i * p->width, p->width);

        if ((int64_t)t >= p->vocab)
            continue; /* for shard_verify to find */
        *bytes += p->lengths ? (int64_t)le_get(p->lengths + 2 * t, 2) : 1;
        first = (int64_t)t == p->mark ? i : first;
    }
    return first;
}

/* Documents follow one another, each ends with its mark and holds no other,
 * and their bytes add up. */
static int verify_documents(const struct shard_piece *p, struct err *e)
{
    int64_t start = 0, bytes;

    for (int64_t d = 0; d < p->documents; d++) {
        const uint8_t *entry = p->index + d * SHARD_INDEX_ENTRY;
        uint64_t end = le_get(entry, 8), size = le_get(entry + 8, 8);
        int64_t mark;

        if (end <= (uint64_t)start || end > (uint64_t)p->n)
            return err_set(e, ERR_USAGE,
                           "%s: offset %td: document %" PRId64
                           " of the index is impossible",
                           p->path, entry - p->map.data, d);
        mark = first_mark(&bytes, p, start, (int64_t)end);
        if (mark != (int64_t)end - 1)
            return err_set(e, ERR_USAGE,
                           "%s: offset %td: document %" PRId64
                           " does not end with its mark, or holds one inside",
                           p->path,
                           p->tokens +
                               (mark < (int64_t)end ? mark : (int64_t)end - 1) *
                                   p->width -
                               p->map.data,
                           d);
        if ((uint64_t)bytes != size)
            return err_set(e, ERR_USAGE,
                           "%s: offset %td: document %" PRId64 " has %" PRId64
                           " bytes, the index says %" PRIu64,
                           p->path, entry - p->map.data, d, bytes, size);
        start = (int64_t)end;
    }
    if (start != p->n)
        return err_set(e, ERR_USAGE,
                       "%s: the index covers %" PRId64 " of %" PRId64 " tokens",
                       p->path, start, p->n);
    return 0;
}

static int own_verify(const struct shard_piece *p, struct err *e)
{
    struct shard_header h;

    if (shard_header_read(&h, p->map.data, p->map.len, p->path, e))
        return -1;
    if (hash_xxh3(p->tokens, (size_t)(p->n * p->width)) != h.tokens_xxh3)
        return err_set(e, ERR_USAGE,
                       "%s: tokens damaged (checksum of the bytes from offset "
                       "%d)",
                       p->path, SHARD_HEADER);
    if (hash_xxh3(p->index, (size_t)(p->documents * SHARD_INDEX_ENTRY)) !=
        h.index_xxh3)
        return err_set(e, ERR_USAGE,
                       "%s: document index damaged (checksum of the bytes from "
                       "offset %td)",
                       p->path, p->index - p->map.data);
    return verify_documents(p, e);
}

const struct token_reader tokens_own = {
    "loglog",         "bytes",   "a shard of data pack", own_sniff, own_open,
    own_document_end, own_verify};
