/* shard: see shard.h, and shard_impl.h for the parts.
 *
 * Token i of the set lies in the last piece whose first token is not behind i.
 * The page cache keeps the tokens: every process of a machine that opens a set
 * shares them. */
#include "trainer/shard.h"

#include "base/hash.h"
#include "base/mem.h"
#include "trainer/shard_impl.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SOME 256 /* tokens at a time */

/* One file of a set with a manifest. */
static int open_listed(struct shard_piece *p, const struct shard_set *set,
                       int64_t k, struct err *e)
{
    const struct manifest *m = &set->manifest;
    const struct manifest_shard *s = &m->shard[k];
    const struct token_reader *reader =
        m->layout[0] ? token_reader_find(m->layout) : &tokens_own;
    char path[PATH_MAX];

    if (!reader)
        return err_set(e, ERR_USAGE, "%s/" SHARD_MANIFEST ": layout '%s'",
                       set->path, m->layout);
    if (snprintf(path, sizeof path, "%s%s%s", m->layout[0] ? "" : set->path,
                 m->layout[0] ? "" : "/", s->file) >= (int)sizeof path)
        return err_set(e, ERR_USAGE, "%s: path too long", set->path);
    if (shard_piece_open(p, path, reader, e))
        return -1;
    if (p->n != s->tokens || (int64_t)p->map.len != s->size ||
        (!m->layout[0] &&
         (p->documents != s->documents || p->vocab != m->info.vocab)))
        return err_set(e, ERR_USAGE,
                       "%s: not the shard that " SHARD_MANIFEST " describes",
                       p->path);
    p->mark = m->mark;
    p->lengths = set->lengths.len ? set->lengths.data : NULL;
    return 0;
}

/* The texts of the tokens, which their lengths cut. */
static int open_texts(struct shard_set *set, struct err *e)
{
    int64_t vocab = set->manifest.info.vocab;
    char path[PATH_MAX];
    uint64_t at = 0;

    if (set->manifest.layout[0])
        return 0;
    if (snprintf(path, sizeof path, "%s/" SHARD_TOKEN_TEXT, set->path) >=
        (int)sizeof path)
        return err_set(e, ERR_USAGE, "%s: path too long", set->path);
    if (file_map(&set->texts, path, e))
        return -1;
    set->text_at = xcalloc((size_t)vocab + 1, sizeof *set->text_at);
    for (int64_t id = 0; id < vocab; id++) {
        if (id != set->manifest.mark)
            at += le_get(set->lengths.data + 2 * id, 2);
        if (at > set->texts.len)
            break;
        set->text_at[id + 1] = (uint32_t)at;
    }
    if (at != set->texts.len || at > UINT32_MAX)
        return err_set(e, ERR_USAGE,
                       "%s: %zu bytes, not what " SHARD_TOKEN_BYTES " says",
                       path, set->texts.len);
    return 0;
}

/* Bytes of text of each token, where they are known. */
static int open_lengths(struct shard_set *set, struct err *e)
{
    char path[PATH_MAX];

    if (!set->manifest.token_bytes)
        return 0;
    if (snprintf(path, sizeof path, "%s/" SHARD_TOKEN_BYTES, set->path) >=
        (int)sizeof path)
        return err_set(e, ERR_USAGE, "%s: path too long", set->path);
    if (file_map(&set->lengths, path, e))
        return -1;
    if (set->lengths.len != 2 * (size_t)set->manifest.info.vocab)
        return err_set(e, ERR_USAGE,
                       "%s: %zu bytes, expected 2 for each of %" PRId64
                       " tokens",
                       path, set->lengths.len, set->manifest.info.vocab);
    return open_texts(set, e);
}

static int open_manifest(struct shard_set *set, struct err *e)
{
    if (manifest_read(&set->manifest, set->path, e) || open_lengths(set, e))
        return -1;
    set->n_piece = set->manifest.info.shards;
    set->piece = xcalloc((size_t)set->n_piece, sizeof *set->piece);
    for (int64_t k = 0; k < set->n_piece; k++)
        if (open_listed(&set->piece[k], set, k, e))
            return -1;
    return 0;
}

/* A directory without a manifest is most often one level too high. */
static int not_a_set(const char *path, struct err *e)
{
    char inner[PATH_MAX];

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

static int open_path(struct shard_set *set, struct err *e)
{
    char manifest[PATH_MAX];
    struct stat st;

    if (strlen(set->path) > PATH_MAX - 64)
        return err_set(e, ERR_USAGE, "%.200s...: path too long", set->path);
    if (stat(set->path, &st) || !S_ISDIR(st.st_mode))
        return shard_open_foreign(set, set->path, e);
    snprintf(manifest, sizeof manifest, "%.*s/" SHARD_MANIFEST,
             (int)(sizeof manifest - 64), set->path);
    return file_exists(manifest) ? open_manifest(set, e)
                                 : not_a_set(set->path, e);
}

int shard_open(struct shard_set **out, const char *path, struct err *e)
{
    struct shard_set *set = xcalloc(1, sizeof *set);
    int64_t first = 0, documents = 0;
    struct shard_info *info = &set->manifest.info;

    set->path = xstrdup(path);
    if (open_path(set, e)) {
        shard_close(set);
        return -1;
    }
    set->indexed = 1;
    for (int64_t k = 0; k < set->n_piece; k++) {
        set->piece[k].first = first;
        set->piece[k].first_document = documents;
        first += set->piece[k].n;
        documents += set->piece[k].documents;
        set->indexed = set->indexed && set->piece[k].reader->document_end;
    }
    if (set->indexed)
        info->documents = documents;
    *out = set;
    return 0;
}

void shard_close(struct shard_set *set)
{
    if (!set)
        return;
    for (int64_t k = 0; k < set->n_piece; k++)
        shard_piece_release(&set->piece[k]);
    free(set->piece);
    file_unmap(&set->lengths);
    file_unmap(&set->texts);
    free(set->text_at);
    manifest_release(&set->manifest);
    free(set->path);
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
static const struct shard_piece *find(const struct shard_set *set, int64_t i,
                                      int by_document)
{
    int64_t lo = 0, hi = set->n_piece;

    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        const struct shard_piece *p = &set->piece[mid];
        if ((by_document ? p->first_document : p->first) <= i)
            lo = mid;
        else
            hi = mid;
    }
    return &set->piece[lo];
}

const struct shard_piece *shard_piece_at(const struct shard_set *set, int64_t i)
{
    return find(set, i, 0);
}

static void check_range(const struct shard_set *set, int64_t from, int64_t n)
{
    BUG_ON(from < 0 || n < 0 || from > set->manifest.info.tokens ||
           n > set->manifest.info.tokens - from);
}

/* n tokens that begin at `at`; returns the largest. */
static uint32_t decode(int32_t *out, const uint8_t *at, int width, int64_t n)
{
    uint32_t largest = 0;

    for (int64_t i = 0; i < n; i++, at += width) {
        uint32_t v = width == 1   ? at[0]
                     : width == 2 ? (uint32_t)le_get(at, 2)
                                  : (uint32_t)le_get(at, 4);
        largest = v > largest ? v : largest;
        out[i] = (int32_t)v;
    }
    return largest;
}

void shard_read(int32_t *out, const struct shard_set *set, int64_t from,
                int64_t n)
{
    check_range(set, from, n);
    while (n) {
        const struct shard_piece *p = find(set, from, 0);
        int64_t at = from - p->first;
        int64_t take = p->n - at < n ? p->n - at : n;

        BUG_ON(decode(out, p->tokens + at * p->width, p->width, take) >=
               set->manifest.info.vocab);
        out += take;
        from += take;
        n -= take;
    }
}

int64_t shard_bytes(const struct shard_set *set, int64_t from, int64_t n)
{
    const struct shard_info *i = &set->manifest.info;
    int32_t token[SOME];
    int64_t bytes = 0;

    check_range(set, from, n);
    if (set->lengths.len) {
        for (int64_t take; n; from += take, n -= take) {
            take = n < SOME ? n : SOME;
            shard_read(token, set, from, take);
            for (int64_t k = 0; k < take; k++)
                bytes += (int64_t)le_get(set->lengths.data + 2 * token[k], 2);
        }
        return bytes;
    }
    if (i->bytes == i->tokens || !i->bytes)
        return i->bytes ? n : 0;
    return (int64_t)((double)n * (double)i->bytes / (double)i->tokens + 0.5);
}

int shard_text(struct str *out, const struct shard_set *set, int64_t from,
               int64_t n)
{
    int bytes = !strcmp(set->manifest.tokenizer, SHARD_TOKENIZER);
    int32_t token[SOME];

    if (!set->text_at && !bytes)
        return -1;
    check_range(set, from, n);
    for (int64_t take; n; from += take, n -= take) {
        take = n < SOME ? n : SOME;
        shard_read(token, set, from, take);
        for (int64_t k = 0; k < take; k++) {
            const uint32_t *at = set->text_at ? set->text_at + token[k] : NULL;
            char byte = (char)token[k];

            if (token[k] == set->manifest.mark)
                continue;
            str_add_n(out, at ? (const char *)set->texts.data + at[0] : &byte,
                      at ? at[1] - at[0] : 1);
        }
    }
    return 0;
}

int shard_indexed(const struct shard_set *set)
{
    return set->indexed;
}

void shard_document(int64_t *from, int64_t *n, const struct shard_set *set,
                    int64_t k)
{
    const struct shard_piece *p;
    int64_t start, end;

    BUG_ON(!set->indexed || k < 0 || k >= set->manifest.info.documents);
    p = find(set, k, 1);
    k -= p->first_document;
    start = k ? p->reader->document_end(p, k - 1) : 0;
    end = p->reader->document_end(p, k);
    BUG_ON(start < 0 || start > end || end > p->n);
    *from = p->first + start;
    *n = end - start;
}

/* Bytes are most sets' tokens, and a loop over bytes alone is done in vecs. */
static uint8_t largest_byte(const uint8_t *tokens, int64_t n)
{
    uint8_t largest = 0;

    for (int64_t i = 0; i < n; i++)
        largest = tokens[i] > largest ? tokens[i] : largest;
    return largest;
}

uint32_t shard_largest(const uint8_t *tokens, int width, int64_t n, int64_t *at)
{
    uint32_t largest = 0;

    *at = 0;
    if (width == 1 && n > 0) {
        largest = largest_byte(tokens, n);
        *at = (const uint8_t *)memchr(tokens, (int)largest, (size_t)n) - tokens;
        return largest;
    }
    for (int64_t i = 0; i < n; i++) {
        uint32_t v = (uint32_t)le_get(tokens + i * width, width);

        if (v > largest) {
            largest = v;
            *at = i;
        }
    }
    return largest;
}

static int verify_piece(const struct shard_set *set, int64_t k, int sha,
                        struct err *e)
{
    const struct shard_piece *p = &set->piece[k];
    char hex[HASH_HEX];
    uint32_t largest;
    int64_t at;

    if (p->reader->verify && p->reader->verify(p, e))
        return -1;
    at = 0;
    largest = p->width == 1 && set->manifest.info.vocab > UINT8_MAX
                  ? 0 /* no byte is outside */
                  : shard_largest(p->tokens, p->width, p->n, &at);
    if (largest >= set->manifest.info.vocab)
        return err_set(e, ERR_USAGE,
                       "%s: offset %td: token %" PRIu32
                       " is outside the vocabulary of %" PRId64,
                       p->path, p->tokens + at * p->width - p->map.data,
                       largest, set->manifest.info.vocab);
    if (!sha || !set->manifest.shard)
        return 0;
    hash_sha256(hex, p->map.data, p->map.len);
    if (strcmp(hex, set->manifest.shard[k].sha256))
        return err_set(e, ERR_USAGE,
                       "%s: sha256 %s, " SHARD_MANIFEST " says %s", p->path,
                       hex, set->manifest.shard[k].sha256);
    return 0;
}

/* Mark the bytes that occur among n tokens of one byte: pairs of them, which
 * are half as many, then what the pairs are of. */
static void see_bytes(uint8_t *seen, const uint8_t *tokens, int64_t n)
{
    uint8_t *pair = xcalloc(1 << 16, 1);
    int64_t i = 0;
    uint16_t two;

    for (; i + 2 <= n; i += 2) {
        memcpy(&two, tokens + i, sizeof two);
        pair[two] = 1;
    }
    if (i < n)
        seen[tokens[i]] = 1;
    for (int k = 0; k < 1 << 16; k++)
        if (pair[k])
            seen[k & 255] = seen[k >> 8] = 1;
    free(pair);
}

/* Of a packed set whose tokens are in the vocabulary: how many occur. */
static int verify_distinct(const struct shard_set *set, struct err *e)
{
    uint8_t *seen = xcalloc((size_t)set->manifest.info.vocab, 1);
    int64_t distinct = 0;

    for (int64_t k = 0; k < set->n_piece; k++) {
        /* in registers: a store of bytes might be to any of them */
        const uint8_t *tokens = set->piece[k].tokens;
        const int64_t n = set->piece[k].n;
        const int width = set->piece[k].width;

        if (width == 1)
            see_bytes(seen, tokens, n);
        for (int64_t i = 0; width > 1 && i < n; i++)
            seen[le_get(tokens + i * width, width)] = 1;
    }
    for (int64_t i = 0; i < set->manifest.info.vocab; i++)
        distinct += seen[i];
    free(seen);
    if (distinct == set->manifest.info.distinct)
        return 0;
    return err_set(e, ERR_USAGE,
                   "%s/" SHARD_MANIFEST ": \"distinct\" is %" PRId64
                   ", the tokens have %" PRId64,
                   set->path, set->manifest.info.distinct, distinct);
}

int shard_verify(const struct shard_set *set, int sha, struct err *e)
{
    for (int64_t k = 0; k < set->n_piece; k++)
        if (verify_piece(set, k, sha, e))
            return -1;
    if (set->n_piece && set->piece[0].reader == &tokens_own)
        return verify_distinct(set, e);
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
