/* pack_write: see pack_write.h.
 *
 * Tokens are appended behind room for the header; the index and the header,
 * which holds the checksums, come last, so a shard cut short is never taken
 * for a whole one. */
#include "trainer/pack_write.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "trainer/shard_format.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PENDING ((size_t)1 << 20)

int pack_writer_open(struct pack_writer *w, const char *dir,
                     int64_t shard_bytes, const struct pack_format *format,
                     struct err *e)
{
    static const struct pack_format bytes = {SHARD_TOKENIZER, 256, 0};

    memset(w, 0, sizeof *w);
    w->fd = -1;
    w->shard_bytes = shard_bytes;
    str_init(&w->pending);
    str_init(&w->index);
    if (snprintf(w->dir, sizeof w->dir, "%s", dir) >= (int)sizeof w->dir)
        return err_set(e, ERR_USAGE, "%.200s...: path too long", dir);
    format = format ? format : &bytes;
    snprintf(w->manifest.tokenizer, sizeof w->manifest.tokenizer, "%s",
             format->tokenizer);
    w->manifest.token_bytes = format != &bytes;
    w->manifest.mark = format->mark;
    w->manifest.info.vocab = format->vocab;
    w->width = format->vocab <= 256 ? 1 : format->vocab <= 65536 ? 2 : 4;
    w->seen = xcalloc((size_t)format->vocab, 1);
    if (mkdir(dir, 0777))
        return err_errno(e, "%s", dir);
    return 0;
}

static int flush(struct pack_writer *w, struct err *e)
{
    if (file_write_all(w->fd, w->pending.text, w->pending.len, e))
        return err_prefix(e, "%s: ", w->path);
    str_clear(&w->pending);
    return 0;
}

static int begin_shard(struct pack_writer *w, struct err *e)
{
    static const uint8_t room[SHARD_HEADER];
    struct manifest_shard *s;
    int64_t k = w->manifest.info.shards;

    w->manifest.shard = mem_grow(w->manifest.shard, &w->cap, (size_t)k + 1,
                                 sizeof *w->manifest.shard);
    s = &w->manifest.shard[k];
    memset(s, 0, sizeof *s);
    if (snprintf(w->path, sizeof w->path, "%s/shard-%05lld.tok", w->dir,
                 (long long)k) >= (int)sizeof w->path)
        return err_set(e, ERR_USAGE, "%.200s...: path too long", w->dir);
    w->fd = open(w->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd < 0)
        return err_errno(e, "%s", w->path);
    w->tokens = w->bytes = 0;
    str_clear(&w->index);
    str_add_n(&w->pending, room, sizeof room);
    return 0;
}

/* Header of the finished tokens and index, which are mapped to be hashed. */
static int write_header(struct pack_writer *w, struct shard_header *h,
                        struct err *e)
{
    uint8_t head[SHARD_HEADER];
    struct file_map map;

    if (file_map(&map, w->path, e))
        return -1;
    h->tokens_xxh3 =
        hash_xxh3(map.data + SHARD_HEADER, (size_t)(h->tokens * h->width));
    h->index_xxh3 = hash_xxh3(map.data + shard_index_offset(h), w->index.len);
    file_unmap(&map);
    shard_header_write(head, h);
    if (lseek(w->fd, 0, SEEK_SET) < 0)
        return err_errno(e, "%s", w->path);
    if (file_write_all(w->fd, head, sizeof head, e))
        return err_prefix(e, "%s: ", w->path);
    if (fsync(w->fd))
        return err_errno(e, "%s", w->path);
    return 0;
}

static int end_shard(struct pack_writer *w, struct err *e)
{
    static const uint8_t zero[8];
    struct manifest_shard *s = &w->manifest.shard[w->manifest.info.shards];
    struct shard_info *info = &w->manifest.info;
    struct shard_header h = {.width = w->width,
                             .vocab = info->vocab,
                             .tokens = w->tokens,
                             .documents =
                                 (int64_t)w->index.len / SHARD_INDEX_ENTRY,
                             .bytes = w->bytes};

    str_add_n(
        &w->pending, zero,
        (size_t)(shard_index_offset(&h) - SHARD_HEADER - h.tokens * h.width));
    str_add_n(&w->pending, w->index.text, w->index.len);
    if (flush(w, e) || write_header(w, &h, e))
        return -1;
    if (close(w->fd)) {
        w->fd = -1;
        return err_errno(e, "%s", w->path);
    }
    w->fd = -1;
    if (hash_sha256_file(s->sha256, w->path, e))
        return -1;
    s->file = xstrdup(strrchr(w->path, '/') + 1);
    s->size = shard_file_size(&h);
    s->documents = h.documents;
    s->tokens = h.tokens;
    s->bytes = h.bytes;
    info->shards++;
    info->documents += h.documents;
    info->tokens += h.tokens;
    info->bytes += h.bytes;
    return 0;
}

/* The mark behind a document, and its entry. */
static int end_document(struct pack_writer *w, int64_t bytes, struct err *e)
{
    uint8_t entry[SHARD_INDEX_ENTRY], mark[4];

    le_put(mark, (uint64_t)w->manifest.mark, w->width);
    str_add_n(&w->pending, mark, (size_t)w->width);
    w->seen[w->manifest.mark] = 1;
    w->tokens++;
    w->bytes += bytes + 1;
    le_put(entry, (uint64_t)w->tokens, 8);
    le_put(entry + 8, (uint64_t)bytes + 1, 8);
    str_add_n(&w->index, entry, sizeof entry);
    return w->tokens * w->width >= w->shard_bytes ? end_shard(w, e) : 0;
}

int pack_writer_add(struct pack_writer *w, const uint8_t *text, size_t n,
                    struct err *e)
{
    int64_t bytes = (int64_t)n;

    BUG_ON(w->width != 1);
    if (w->fd < 0 && begin_shard(w, e))
        return -1;
    for (size_t i = 0; i < n; i++)
        w->seen[text[i]] = 1;
    while (n) {
        size_t take = n < PENDING ? n : PENDING;
        str_add_n(&w->pending, text, take);
        if (w->pending.len >= PENDING && flush(w, e))
            return -1;
        w->tokens += (int64_t)take;
        text += take;
        n -= take;
    }
    return end_document(w, bytes, e);
}

int pack_writer_add_tokens(struct pack_writer *w, const int32_t *id, size_t n,
                           int64_t bytes, struct err *e)
{
    uint8_t token[4096];
    size_t width = (size_t)w->width, most = sizeof token / width;

    if (w->fd < 0 && begin_shard(w, e))
        return -1;
    for (size_t from = 0, take; from < n; from += take) {
        take = n - from < most ? n - from : most;
        for (size_t i = 0; i < take; i++) {
            int32_t k = id[from + i];

            BUG_ON(k < 0 || k >= w->manifest.info.vocab);
            w->seen[k] = 1;
            le_put(token + i * width, (uint64_t)k, w->width);
        }
        str_add_n(&w->pending, token, take * width);
        if (w->pending.len >= PENDING && flush(w, e))
            return -1;
    }
    w->tokens += (int64_t)n;
    return end_document(w, bytes, e);
}

int pack_writer_finish(struct pack_writer *w, const char *source, struct err *e)
{
    char path[PATH_MAX];
    struct str text;
    int rc;

    if (w->fd >= 0 && end_shard(w, e))
        return -1;
    BUG_ON(!w->manifest.info.shards);
    for (int64_t i = 0; i < w->manifest.info.vocab; i++)
        w->manifest.info.distinct += w->seen[i];
    manifest_hash(&w->manifest);
    w->manifest.source = xstrdup(source);
    if (snprintf(path, sizeof path, "%s/" SHARD_MANIFEST, w->dir) >=
        (int)sizeof path)
        return err_set(e, ERR_USAGE, "%.200s...: path too long", w->dir);
    str_init(&text);
    manifest_print(&text, &w->manifest);
    rc = file_write(path, text.text, text.len, e);
    str_release(&text);
    return rc;
}

void pack_writer_release(struct pack_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    str_release(&w->pending);
    str_release(&w->index);
    free(w->seen);
    w->seen = NULL;
    manifest_release(&w->manifest);
}
