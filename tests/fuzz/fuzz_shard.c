/* Any bytes as a token file, an index or a manifest: shard_open refuses them
 * with a message, or the set can be read from end to end.  The first byte of
 * an input says what the rest is, or LOGLOG_FUZZ_LAYOUT=N does for all: 0 told
 * by itself, 1 llm.c, 2 NumPy, 3 u16, 4 u32, 5 bytes, 6 loglog, 7 Megatron, 16
 * a manifest, 32 loglog with right checksums. */
#include "base/hash.h"
#include "base/mem.h"
#include "trainer/shard.h"
#include "trainer/shard_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH 96

static char dir[PATH];

static void save(const char *name, const uint8_t *data, size_t size)
{
    char path[2 * PATH];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    BUG_ON(!f);
    BUG_ON(fwrite(data, 1, size, f) != size);
    fclose(f);
}

static void drop(const char *name)
{
    char path[2 * PATH];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

/* Every token and every document of a set that verifies. */
static void read_all(const struct shard_set *set)
{
    const struct shard_info *i = shard_info(set);
    int32_t out[64];

    for (int64_t at = 0; at < i->tokens; at += 64) {
        int64_t n = i->tokens - at < 64 ? i->tokens - at : 64;
        shard_read(out, set, at, n);
        BUG_ON(out[n - 1] < 0 || out[n - 1] >= i->vocab);
        BUG_ON(shard_bytes(set, at, n) < 0);
    }
    for (int64_t d = 0; shard_indexed(set) && d < i->documents; d++) {
        int64_t from, n;
        shard_document(&from, &n, set, d);
        BUG_ON(from < 0 || n < 0 || from + n > i->tokens);
    }
}

static void try_open(const char *name)
{
    struct shard_set *set;
    struct err e = {0};
    char path[2 * PATH];

    snprintf(path, sizeof path, "%s%s%s", dir, *name ? "/" : "", name);
    if (shard_open(&set, path, &e)) {
        BUG_ON(!e.text[0]);
        return;
    }
    if (shard_verify(set, 0, &e))
        BUG_ON(!e.text[0]);
    else
        read_all(set);
    shard_close(set);
}

/* A header with right checksums over whatever the numbers are: the checks
 * behind the checksums are what is tried. */
static void own_shard(const uint8_t *data, size_t size)
{
    struct shard_header h = {.width = 1, .vocab = 256};
    uint8_t file[SHARD_HEADER + 4096] = {0};
    int64_t at;

    if (size < 12 || size > 4096)
        return;
    h.width = data[0] & 7;
    h.tokens = data[1];
    h.documents = data[2];
    h.vocab = (int64_t)le_get(data + 4, 4);
    memcpy(file + SHARD_HEADER, data + 12, size - 12);
    at = shard_index_offset(&h);
    if (h.tokens * h.width <= (int64_t)size &&
        at + h.documents * SHARD_INDEX_ENTRY <= (int64_t)sizeof file) {
        h.tokens_xxh3 =
            hash_xxh3(file + SHARD_HEADER, (size_t)(h.tokens * h.width));
        h.index_xxh3 =
            hash_xxh3(file + at, (size_t)h.documents * SHARD_INDEX_ENTRY);
    }
    shard_header_write(file, &h);
    save("shard-00000.tok", file, SHARD_HEADER + size - 12);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* clang-format off */
    static const char *const names[] = {
        "x.bin", "x.bin:llmc", "x.bin:npy", "x.bin:u16,vocab=300",
        "x.bin:u32", "x.bin:bytes", "x.bin:loglog",
    };
    /* clang-format on */
    const char *only = getenv("LOGLOG_FUZZ_LAYOUT");
    int kind = only ? atoi(only) : size ? data[0] : 0;
    size_t split;

    if (!dir[0]) {
        snprintf(dir, sizeof dir, "/dev/shm/fuzz_shard.%ld", (long)getpid());
        mkdir(dir, 0700);
    }
    if (size < 4)
        return 0;
    if (kind < (int)ARRAY_LEN(names)) {
        save("x.bin", data + 1, size - 1);
        try_open(names[kind]);
        drop("x.bin");
    } else if (kind < 16) { /* an index, and tokens behind it */
        split = 3 + (size - 3) * data[1] / 256;
        save("m.idx", data + 2, split - 2);
        save("m.bin", data + split, size - split);
        try_open("m.bin");
        drop("m.idx");
        drop("m.bin");
    } else if (kind < 32) { /* a manifest, and a shard beside it */
        split = 3 + (size - 3) * data[1] / 256;
        save("manifest.json", data + 2, split - 2);
        own_shard(data + split, size - split);
        save("token_bytes.bin", data + split, size - split);
        try_open("");
        drop("manifest.json");
        drop("shard-00000.tok");
        drop("token_bytes.bin");
    } else {
        own_shard(data + 1, size - 1);
        try_open("shard-00000.tok:loglog");
        drop("shard-00000.tok");
    }
    return 0;
}
