/* Any bytes as a token file, an index or a manifest: shard_open refuses them
 * with a message, or the set can be read from end to end.  The first byte of
 * an input says what the rest is, or LOGLOG_FUZZ_LAYOUT=N does for all: 0 told
 * by itself, 1 llm.c, 2 NumPy, 3 u16, 4 u32, 5 bytes, 6 loglog, 7 Megatron, 16
 * a manifest, in which 64 times @ is the SHA-256 of the shard and # that of the
 * set, 32 a shard of loglog with right checksums and the manifest that
 * belongs to it. */
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
#define VOCAB_MAX 512 /* of sets with the lengths of tokens */

static char dir[PATH];
static const char own_mark[] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
                               "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";
static const char set_mark[] = "################################"
                               "################################";

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
static void own_shard(struct shard_header *out, const uint8_t *data,
                      size_t size)
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
    h.bytes = (int64_t)le_get(data + 8, 4);
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
    *out = h;
}

static void put_hash(char *text, size_t n, const char *mark,
                     const char hex[HASH_HEX])
{
    char *at = memmem(text, n, mark, HASH_HEX - 1);

    if (at)
        memcpy(at, hex, HASH_HEX - 1);
}

static void save_manifest(const char *data, size_t n)
{
    char path[2 * PATH], hex[HASH_HEX], line[128], *text = xmalloc(n + 1);

    memcpy(text, data, n);
    snprintf(path, sizeof path, "%s/shard-00000.tok", dir);
    if (!hash_sha256_file(hex, path, NULL)) {
        put_hash(text, n, own_mark, hex);
        snprintf(line, sizeof line, "%s  shard-00000.tok\n", hex);
        hash_sha256(hex, line, strlen(line));
        put_hash(text, n, set_mark, hex);
    }
    save("manifest.json", (uint8_t *)text, n);
    free(text);
}

/* The texts of the tokens, a byte each but for the mark, and how long they
 * are. */
static void save_texts(int64_t vocab)
{
    uint8_t length[2 * VOCAB_MAX] = {0}, text[VOCAB_MAX] = {0};

    for (int64_t i = 0; i < vocab; i++)
        le_put(length + 2 * i, 1, 2);
    save("token_bytes.bin", length, (size_t)(2 * vocab));
    save("token_text.bin", text, (size_t)(vocab - 1));
}

/* A shard and what belongs to it: its tokens and its index are tried. */
static void own_set(const uint8_t *data, size_t size)
{
    struct shard_header h = {0};
    uint8_t seen[VOCAB_MAX] = {0};
    int64_t distinct = 0;
    char text[1024];

    own_shard(&h, data, size);
    if (h.vocab < 1 || h.vocab > VOCAB_MAX ||
        h.tokens * h.width > (int64_t)size - 12 || h.width > 4)
        return;
    for (int64_t i = 0; i < h.tokens; i++) {
        uint64_t k = le_get(data + 12 + i * h.width, (int)h.width);

        if (k < (uint64_t)h.vocab && !seen[k]++)
            distinct++;
    }
    snprintf(text, sizeof text,
             "{\"format\": \"loglog-packed\", \"version\": 1,"
             " \"tokenizer\": \"%s\", \"vocab\": %lld, %s"
             "\"documents\": %lld, \"tokens\": %lld, \"bytes\": %lld,"
             " \"distinct\": %lld, \"sha256\": \"%s\", \"shards\": ["
             "{\"file\": \"shard-00000.tok\", \"size\": %lld, "
             "\"documents\": %lld, \"tokens\": %lld, \"bytes\": %lld, "
             "\"sha256\": \"%s\"}], \"source\": {}}",
             h.vocab == 256 ? "bytes" : "bpe 0", (long long)h.vocab,
             h.vocab == 256 ? "" : "\"token_bytes\": true, \"mark\": 0, ",
             (long long)h.documents, (long long)h.tokens, (long long)h.bytes,
             (long long)distinct, set_mark, (long long)shard_file_size(&h),
             (long long)h.documents, (long long)h.tokens, (long long)h.bytes,
             own_mark);
    save_manifest(text, strlen(text));
    save_texts(h.vocab);
    try_open("");
}

static void drop_set(void)
{
    drop("manifest.json");
    drop("shard-00000.tok");
    drop("token_bytes.bin");
    drop("token_text.bin");
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
    struct shard_header h = {0};
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
        own_shard(&h, data + split, size - split);
        save_manifest((const char *)data + 2, split - 2);
        save_texts(h.vocab > 0 && h.vocab <= VOCAB_MAX ? h.vocab : 1);
        try_open("");
        drop_set();
    } else {
        own_set(data + 1, size - 1);
        drop_set();
    }
    return 0;
}
