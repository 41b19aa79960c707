/* shard_lengths: bytes of each token, from a tokenizer's file; see
 * shard_link.h.
 *
 * llm.c's gpt2_tokenizer.bin: 256 u32 (20240328, version 1 or 2, tokens), then
 * for each token a byte with its length, and its bytes.
 * tiktoken's *.tiktoken: lines of "BASE64 RANK". */
#include "base/file.h"
#include "base/mem.h"
#include "trainer/shard_format.h"
#include "trainer/shard_link.h"

#include <inttypes.h>
#include <string.h>

#define LLMC_MAGIC 20240328
#define LLMC_HEADER 1024

static int from_llmc(uint16_t *length, int64_t vocab,
                     const struct file_map *map, const char *path,
                     struct err *e)
{
    uint64_t n = le_get(map->data + 8, 4), at = LLMC_HEADER;

    if (n > (uint64_t)vocab)
        return err_set(e, ERR_USAGE,
                       "%s: %" PRIu64 " tokens, the vocabulary is %" PRId64,
                       path, n, vocab);
    for (uint64_t t = 0; t < n; t++) {
        if (at >= map->len || at + 1 + map->data[at] > map->len)
            return err_set(e, ERR_USAGE, "%s: cut at token %" PRIu64, path, t);
        length[t] = map->data[at];
        at += 1 + (uint64_t)length[t];
    }
    return 0;
}

/* Bytes that a base64 text stands for; -1 if it is none. */
static int64_t base64_bytes(const char *text, size_t n)
{
    size_t pad = 0;

    while (pad < 2 && n && text[n - 1] == '=') {
        n--;
        pad++;
    }
    for (size_t i = 0; i < n; i++)
        if (!((text[i] >= 'A' && text[i] <= 'Z') ||
              (text[i] >= 'a' && text[i] <= 'z') ||
              (text[i] >= '0' && text[i] <= '9') || text[i] == '+' ||
              text[i] == '/'))
            return -1;
    return !n || (n + pad) % 4 ? -1 : (int64_t)(n * 3 / 4);
}

static int from_tiktoken(uint16_t *length, int64_t vocab,
                         const struct file_map *map, const char *path,
                         struct err *e)
{
    const char *at = (const char *)map->data, *end = at + map->len;

    for (int64_t line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *space = memchr(at, ' ', (size_t)(end - at));
        int64_t rank = 0, bytes;

        stop = stop ? stop : end;
        bytes =
            space && space < stop ? base64_bytes(at, (size_t)(space - at)) : -1;
        if (space)
            for (const char *p = space + 1; p < stop && *p != '\r'; p++)
                rank = *p < '0' || *p > '9' || rank > vocab
                           ? INT64_MAX / 16
                           : 10 * rank + (*p - '0');
        if (bytes < 1 || bytes > UINT16_MAX)
            return err_set(e, ERR_USAGE,
                           "%s:%" PRId64 ": expected \"BASE64 RANK\", or a "
                           "tokenizer of llm.c",
                           path, line);
        if (rank >= vocab)
            return err_set(e, ERR_USAGE,
                           "%s:%" PRId64 ": rank outside the vocabulary of "
                           "%" PRId64,
                           path, line, vocab);
        length[rank] = (uint16_t)bytes;
        at = stop + 1;
    }
    return 0;
}

int shard_lengths(uint16_t *length, int64_t vocab, const char *path,
                  struct err *e)
{
    struct file_map map;
    int rc;

    if (file_map(&map, path, e))
        return -1;
    memset(length, 0, (size_t)vocab * sizeof *length);
    if (map.len >= LLMC_HEADER && le_get(map.data, 4) == LLMC_MAGIC)
        rc = from_llmc(length, vocab, &map, path, e);
    else
        rc = from_tiktoken(length, vocab, &map, path, e);
    file_unmap(&map);
    return rc;
}
