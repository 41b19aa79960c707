/* shard: see shard.h.
 *
 * A set is a list of pieces, each a mapped file with its tokens, in the order
 * of the manifest; token i of the set lies in the last piece whose first
 * token is not behind i.  The page cache keeps the tokens: every process of a
 * machine that opens a set shares them. */
#include "trainer/shard.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "trainer/shard_format.h"
#include "trainer/shard_manifest.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct piece {
    char path[PATH_MAX];
    struct file_map map;
    struct shard_header head;
    const uint8_t *tokens, *index;
    int64_t first;          /* token of the set */
    int64_t first_document; /* of the set */
};

struct shard_set {
    char path[PATH_MAX];
    struct manifest manifest;
    struct piece *piece; /* manifest.info.shards of them */
};

static int open_piece(struct piece *p, const struct shard_set *set, int64_t k,
                      struct err *e)
{
    const struct manifest_shard *s = &set->manifest.shard[k];

    if (snprintf(p->path, sizeof p->path, "%s/%s", set->path, s->file) >=
        (int)sizeof p->path)
        return err_set(e, ERR_USAGE, "%s: path too long", set->path);
    if (file_map(&p->map, p->path, e) ||
        shard_header_read(&p->head, p->map.data, p->map.len, p->path, e))
        return -1;
    if (p->head.vocab != set->manifest.info.vocab || p->head.width != 1 ||
        p->head.tokens != s->tokens || p->head.documents != s->documents ||
        p->head.bytes != s->bytes || (int64_t)p->map.len != s->size)
        return err_set(e, ERR_USAGE,
                       "%s: not the shard that " SHARD_MANIFEST " describes",
                       p->path);
    p->tokens = p->map.data + SHARD_HEADER;
    p->index = p->map.data + shard_index_offset(&p->head);
    return 0;
}

/* A directory without a manifest is most often one level too high. */
static int not_a_set(const char *path, struct err *e)
{
    char inner[PATH_MAX];
    struct stat st;

    if (stat(path, &st))
        return err_errno(e, "%s", path);
    snprintf(inner, sizeof inner, "%.*s/train/" SHARD_MANIFEST,
             (int)(sizeof inner - 64), path);
    if (file_exists(inner))
        return err_set(e, ERR_USAGE,
                       "%s: not a packed set, did you mean %s/train?", path,
                       path);
    return err_set(e, ERR_USAGE,
                   "%s: not a packed set (no " SHARD_MANIFEST
                   "); make one with: loglog data pack",
                   path);
}

int shard_open(struct shard_set **out, const char *path, struct err *e)
{
    struct shard_set *set = xcalloc(1, sizeof *set);
    char manifest[PATH_MAX];
    int64_t first = 0, documents = 0;

    if (snprintf(set->path, sizeof set->path, "%s", path) >=
            (int)sizeof set->path ||
        snprintf(manifest, sizeof manifest, "%s/" SHARD_MANIFEST, path) >=
            (int)sizeof manifest) {
        err_set(e, ERR_USAGE, "%.200s...: path too long", path);
        goto fail;
    }
    if (!file_exists(manifest)) {
        not_a_set(path, e);
        goto fail;
    }
    if (manifest_read(&set->manifest, path, e))
        goto fail;
    set->piece =
        xcalloc((size_t)set->manifest.info.shards, sizeof(struct piece));
    for (int64_t k = 0; k < set->manifest.info.shards; k++) {
        struct piece *p = &set->piece[k];
        if (open_piece(p, set, k, e))
            goto fail;
        p->first = first;
        p->first_document = documents;
        first += p->head.tokens;
        documents += p->head.documents;
    }
    *out = set;
    return 0;
fail:
    shard_close(set);
    return -1;
}

void shard_close(struct shard_set *set)
{
    if (!set)
        return;
    if (set->piece)
        for (int64_t k = 0; k < set->manifest.info.shards; k++)
            file_unmap(&set->piece[k].map);
    free(set->piece);
    manifest_release(&set->manifest);
    free(set);
}

const struct shard_info *shard_info(const struct shard_set *set)
{
    return &set->manifest.info;
}

const char *shard_tokenizer(const struct shard_set *set)
{
    return set->manifest.tokenizer;
}

const char *shard_path(const struct shard_set *set)
{
    return set->path;
}

/* The piece that holds token i, or (by_document) document i. */
static const struct piece *find(const struct shard_set *set, int64_t i,
                                int by_document)
{
    int64_t lo = 0, hi = set->manifest.info.shards;

    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        const struct piece *p = &set->piece[mid];
        if ((by_document ? p->first_document : p->first) <= i)
            lo = mid;
        else
            hi = mid;
    }
    return &set->piece[lo];
}

/* The token behind document d of a piece. */
static int64_t document_end(const struct piece *p, int64_t d)
{
    return d < 0 ? 0 : (int64_t)le_get(p->index + d * SHARD_INDEX_ENTRY, 8);
}

static void check_range(const struct shard_set *set, int64_t from, int64_t n)
{
    BUG_ON(from < 0 || n < 0 || from > set->manifest.info.tokens ||
           n > set->manifest.info.tokens - from);
}

void shard_read(int32_t *out, const struct shard_set *set, int64_t from,
                int64_t n)
{
    check_range(set, from, n);
    while (n) {
        const struct piece *p = find(set, from, 0);
        int64_t at = from - p->first;
        int64_t take = p->head.tokens - at < n ? p->head.tokens - at : n;

        for (int64_t i = 0; i < take; i++)
            out[i] = p->tokens[at + i];
        out += take;
        from += take;
        n -= take;
    }
}

int64_t shard_bytes(const struct shard_set *set, int64_t from, int64_t n)
{
    check_range(set, from, n);
    return n; /* a token is a byte */
}

void shard_document(int64_t *from, int64_t *n, const struct shard_set *set,
                    int64_t k)
{
    const struct piece *p;
    int64_t start;

    BUG_ON(k < 0 || k >= set->manifest.info.documents);
    p = find(set, k, 1);
    start = document_end(p, k - p->first_document - 1);
    *from = p->first + start;
    *n = document_end(p, k - p->first_document) - start;
    BUG_ON(*n < 0 || start > p->head.tokens - *n);
}

/* Documents follow one another, each ends with its mark and holds no other,
 * and their bytes add up. */
static int verify_documents(const struct piece *p, struct err *e)
{
    int64_t start = 0, bytes = 0;

    for (int64_t d = 0; d < p->head.documents; d++) {
        const uint8_t *entry = p->index + d * SHARD_INDEX_ENTRY;
        uint64_t end = le_get(entry, 8), size = le_get(entry + 8, 8);
        const uint8_t *mark;

        if (end <= (uint64_t)start || end > (uint64_t)p->head.tokens ||
            size != end - (uint64_t)start)
            return err_set(e, ERR_USAGE,
                           "%s: offset %td: document %" PRId64
                           " of the index is impossible",
                           p->path, entry - p->map.data, d);
        mark = memchr(p->tokens + start, 0, (size_t)end - (size_t)start);
        if (mark != p->tokens + end - 1)
            return err_set(
                e, ERR_USAGE,
                "%s: offset %td: document %" PRId64
                " does not end with its mark, or holds one inside",
                p->path, (mark ? mark : p->tokens + end - 1) - p->map.data, d);
        start = (int64_t)end;
        bytes += (int64_t)size;
    }
    if (start != p->head.tokens || bytes != p->head.bytes)
        return err_set(e, ERR_USAGE,
                       "%s: the index covers %" PRId64 " of %" PRId64 " tokens",
                       p->path, start, p->head.tokens);
    return 0;
}

static int verify_piece(const struct piece *p, const char *sha, struct err *e)
{
    char hex[HASH_HEX];

    if (hash_xxh3(p->tokens, (size_t)(p->head.tokens * p->head.width)) !=
        p->head.tokens_xxh3)
        return err_set(e, ERR_USAGE,
                       "%s: tokens damaged (checksum of the bytes from offset "
                       "%d)",
                       p->path, SHARD_HEADER);
    if (hash_xxh3(p->index, (size_t)(p->head.documents * SHARD_INDEX_ENTRY)) !=
        p->head.index_xxh3)
        return err_set(e, ERR_USAGE,
                       "%s: document index damaged (checksum of the bytes from "
                       "offset %td)",
                       p->path, p->index - p->map.data);
    if (verify_documents(p, e))
        return -1;
    if (!sha)
        return 0;
    hash_sha256(hex, p->map.data, p->map.len);
    if (strcmp(hex, sha))
        return err_set(e, ERR_USAGE,
                       "%s: sha256 %s, " SHARD_MANIFEST " says %s", p->path,
                       hex, sha);
    return 0;
}

static int64_t count_distinct(const struct shard_set *set)
{
    uint8_t seen[256] = {0};
    int64_t distinct = 0;

    for (int64_t k = 0; k < set->manifest.info.shards; k++)
        for (int64_t i = 0; i < set->piece[k].head.tokens; i++)
            seen[set->piece[k].tokens[i]] = 1;
    for (size_t i = 0; i < sizeof seen; i++)
        distinct += seen[i];
    return distinct;
}

int shard_verify(const struct shard_set *set, int sha, struct err *e)
{
    for (int64_t k = 0; k < set->manifest.info.shards; k++)
        if (verify_piece(&set->piece[k],
                         sha ? set->manifest.shard[k].sha256 : NULL, e))
            return -1;
    if (count_distinct(set) != set->manifest.info.distinct)
        return err_set(e, ERR_USAGE,
                       "%s/" SHARD_MANIFEST ": \"distinct\" is %" PRId64
                       ", the tokens have %" PRId64,
                       set->path, set->manifest.info.distinct,
                       count_distinct(set));
    return 0;
}

int shard_data_id(char id[SPEC_DATA_ID], const struct shard_set *train,
                  struct shard_set *const *valid, int n_valid)
{
    char hex[HASH_HEX];
    struct str text;

    str_init(&text);
    str_addf(&text, "train %s %" PRId64 "\n", shard_info(train)->sha256,
             shard_info(train)->vocab);
    for (int i = 0; i < n_valid; i++)
        str_addf(&text, "valid %s %" PRId64 "\n", shard_info(valid[i])->sha256,
                 shard_info(valid[i])->vocab);
    hash_sha256(hex, text.text, text.len);
    memcpy(id, hex, SPEC_DATA_ID - 1);
    id[SPEC_DATA_ID - 1] = '\0';
    str_release(&text);
    return 0;
}
