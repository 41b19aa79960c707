/* tokens_megatron: Megatron-LM's indexed dataset, X.bin and X.idx
 * (megatron/core/datasets/indexed_dataset.py).
 *
 *   X.idx   0  "MMIDIDX\0\0"
 *           9  u64 version, 1
 *          17  u8 type: 1 u8, 2 i8, 3 i16, 4 i32, 5 i64, 6 f64, 7 f32, 8 u16
 *          18  u64 S, sequences
 *          26  u64 N, entries of document_indices: documents + 1
 *          34  i32 lengths[S]; i64 pointers[S], bytes into X.bin;
 *              i64 document_indices[N], sequences, the first 0;
 *              multimodal only: i8 modes[S]
 *   X.bin      the tokens
 *
 * Nothing is aligned.  A sequence follows the one before it without a gap, as
 * the writer makes them. */
#include "base/mem.h"
#include "trainer/shard_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 34

static const struct {
    const char *name;
    int width; /* 0: not tokens */
    int64_t vocab;
} types[] = {
    {"none", 0, 0},
    {"uint8", 1, 256},
    {"int8", 0, 0},
    {"int16", 2, 32768},
    {"int32", 4, INT64_C(1) << 31},
    {"int64", 0, 0},
    {"float64", 0, 0},
    {"float32", 0, 0},
    {"uint16", 2, 65536},
};

/* Told by its .idx, which stands beside it: the path names either. */
static int megatron_sniff(const uint8_t *data, size_t len)
{
    return len >= 9 && !memcmp(data, "MMIDIDX\0", 9);
}

static const uint8_t *pointers(const struct shard_piece *p)
{
    return p->index_map.data + HEADER + 4 * p->sequences;
}

static int64_t pointer(const struct shard_piece *p, int64_t s)
{
    return (int64_t)le_get(pointers(p) + 8 * s, 8);
}

static int64_t document_start(const struct shard_piece *p, int64_t d)
{
    int64_t s = (int64_t)le_get(p->index + 8 * d, 8);

    return s < 0 || s >= p->sequences ? p->n : pointer(p, s) / p->width;
}

static int64_t megatron_document_end(const struct shard_piece *p, int64_t d)
{
    return document_start(p, d + 1);
}

/* Map both files, whichever was named. */
static int map_both(struct shard_piece *p, struct err *e)
{
    size_t len = strlen(p->path);
    char *bin = xstrdup(p->path), *idx = xstrdup(p->path);
    int rc = 0;

    if (len < 4 || (strcmp(p->path + len - 4, ".idx") &&
                    strcmp(p->path + len - 4, ".bin")))
        rc = err_set(e, ERR_USAGE,
                     "%s: Megatron's files are named X.bin and X.idx", p->path);
    if (!rc) {
        memcpy(bin + len - 4, ".bin", 4);
        memcpy(idx + len - 4, ".idx", 4);
        file_unmap(&p->map);
        rc = file_map(&p->map, bin, e) || file_map(&p->index_map, idx, e);
    }
    free(p->path);
    p->path = bin;
    free(idx);
    return rc ? -1 : 0;
}

static int read_header(struct shard_piece *p, struct err *e)
{
    const uint8_t *d = p->index_map.data;
    size_t len = p->index_map.len;
    uint64_t S, N;
    unsigned type;

    if (len < HEADER || !megatron_sniff(d, len) || le_get(d + 9, 8) != 1)
        return err_set(e, ERR_USAGE,
                       "%s: its .idx is no index of Megatron, version 1",
                       p->path);
    type = d[17];
    if (type >= ARRAY_LEN(types) || !types[type].width)
        return err_set(
            e, ERR_USAGE,
            "%s: its .idx names type %u (%s), expected uint8, int16, "
            "uint16 or int32",
            p->path, type,
            type < ARRAY_LEN(types) ? types[type].name : "unknown");
    S = le_get(d + 18, 8);
    N = le_get(d + 26, 8);
    if (S < 1 || N < 2 || S > len / 12 || N > len / 8 || N > S + 1 ||
        (len != HEADER + 12 * S + 8 * N && len != HEADER + 13 * S + 8 * N))
        return err_set(e, ERR_USAGE,
                       "%s: its .idx of %zu bytes cannot hold %" PRIu64
                       " sequences and %" PRIu64 " document entries",
                       p->path, len, S, N);
    p->width = types[type].width;
    p->vocab = types[type].vocab;
    p->sequences = (int64_t)S;
    p->documents = (int64_t)N - 1;
    p->index = d + HEADER + 12 * S;
    return 0;
}

static int megatron_open(struct shard_piece *p, struct err *e)
{
    int64_t last;
    int32_t length;

    if (map_both(p, e) || read_header(p, e))
        return -1;
    last = pointer(p, p->sequences - 1);
    length = (int32_t)(uint32_t)le_get(
        p->index_map.data + HEADER + 4 * (p->sequences - 1), 4);
    if (last < 0 || length < 0 || last > (int64_t)p->map.len ||
        (uint64_t)last + (uint64_t)length * (unsigned)p->width != p->map.len ||
        !p->map.len)
        return err_set(e, ERR_USAGE,
                       "%s: %zu bytes, its .idx describes another length",
                       p->path, p->map.len);
    p->tokens = p->map.data;
    p->n = (int64_t)(p->map.len / (size_t)p->width);
    return 0;
}

static int megatron_verify(const struct shard_piece *p, struct err *e)
{
    int64_t at = 0, before = 0;

    for (int64_t s = 0; s < p->sequences; s++) {
        int32_t length =
            (int32_t)(uint32_t)le_get(p->index_map.data + HEADER + 4 * s, 4);

        if (length < 0 || pointer(p, s) != at)
            return err_set(e, ERR_USAGE,
                           "%s: sequence %" PRId64 " of its .idx does not "
                           "follow the one before it",
                           p->path, s);
        at += (int64_t)length * p->width;
    }
    for (int64_t d = 0; d <= p->documents; d++) {
        int64_t s = (int64_t)le_get(p->index + 8 * d, 8);

        if (s < before || s > p->sequences || (!d && s) ||
            (d == p->documents && s != p->sequences))
            return err_set(e, ERR_USAGE,
                           "%s: document entry %" PRId64
                           " of its .idx is impossible",
                           p->path, d);
        before = s;
    }
    return 0;
}

const struct token_reader tokens_megatron = {
    "megatron",     "unknown",     "Megatron-LM's .bin with its .idx",
    megatron_sniff, megatron_open, megatron_document_end,
    megatron_verify};
