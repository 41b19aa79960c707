/* shard_foreign: tokens of other programs, read in place.
 *
 * A path is a file or a glob pattern ({a,b} too), in byte order of the names;
 * behind a ':' it may name the layout and what the files do not say:
 *
 *     fineweb_train_*.bin                       told by its first bytes
 *     train.bin:u16,vocab=50304,bytes=1115394   nanoGPT
 *
 * The identity of such a set is made of its tokens: all of them up to 64 MB,
 * else 1024 blocks of 64 kB spread evenly, so that it costs no time; a set
 * made by `data link` has the SHA-256 of every byte. */
#include "base/hash.h"
#include "base/mem.h"
#include "trainer/shard_impl.h"

#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_ALL ((int64_t)64 << 20)
#define SAMPLE_BLOCK 65536
#define SAMPLE_BLOCKS 1024

const struct token_reader *const token_readers[] = {
    &tokens_own, &tokens_llmc,  &tokens_npy, &tokens_megatron,
    &tokens_u16, &tokens_bytes, &tokens_u32, NULL};

const struct token_reader *token_reader_find(const char *name)
{
    for (int i = 0; token_readers[i]; i++)
        if (!strcmp(token_readers[i]->name, name))
            return token_readers[i];
    return NULL;
}

/* X.bin beside an X.idx of Megatron. */
static int has_megatron_index(const char *path)
{
    size_t len = strlen(path);
    struct file_map map;
    char *idx;
    int is = 0;

    if (len < 4 || strcmp(path + len - 4, ".bin"))
        return 0;
    idx = xstrdup(path);
    memcpy(idx + len - 4, ".idx", 4);
    if (!file_map(&map, idx, NULL)) {
        is = tokens_megatron.sniff(map.data, map.len);
        file_unmap(&map);
    }
    free(idx);
    return is;
}

static const struct token_reader *sniff(const struct shard_piece *p)
{
    if (has_megatron_index(p->path))
        return &tokens_megatron;
    for (int i = 0; token_readers[i]; i++)
        if (token_readers[i]->sniff &&
            token_readers[i]->sniff(p->map.data, p->map.len))
            return token_readers[i];
    return NULL;
}

int shard_piece_open(struct shard_piece *p, const char *path,
                     const struct token_reader *reader, struct err *e)
{
    memset(p, 0, sizeof *p);
    p->path = xstrdup(path);
    if (file_map(&p->map, path, e))
        return -1;
    p->reader = reader ? reader : sniff(p);
    if (!p->reader)
        return err_set(e, ERR_USAGE,
                       "%s: not a layout of tokens known by its first bytes; "
                       "if it holds bare 16-bit tokens (nanoGPT) say %s:u16, "
                       "if it is text pack it (loglog data pack)",
                       path, path);
    p->tokenizer = p->reader->tokenizer;
    return p->reader->open(p, e);
}

void shard_piece_release(struct shard_piece *p)
{
    file_unmap(&p->map);
    file_unmap(&p->index_map);
    free(p->path);
}

struct asked {
    const struct token_reader *reader; /* NULL: to be told */
    int64_t vocab, bytes;              /* 0: not given */
};

/* "u16,vocab=N,bytes=N". */
static int read_options(struct asked *a, char *text, const char *path,
                        struct err *e)
{
    char *save = NULL, *word = strtok_r(text, ",", &save);

    a->reader = token_reader_find(word ? word : "");
    if (!a->reader)
        return err_set(e, ERR_USAGE,
                       "%s: no such file, and '%s' is no layout of tokens: "
                       "llmc, npy, megatron, u16, u32 or bytes",
                       path, word ? word : "");
    while ((word = strtok_r(NULL, ",", &save))) {
        int64_t *slot = !strncmp(word, "vocab=", 6)   ? &a->vocab
                        : !strncmp(word, "bytes=", 6) ? &a->bytes
                                                      : NULL;
        if (!slot || str_to_i64(word + 6, slot) || *slot < 1)
            return err_set(e, ERR_USAGE,
                           "%s: '%s': expected vocab=N or bytes=N", path, word);
    }
    if (a->vocab > INT64_C(1) << 31)
        return err_set(e, ERR_USAGE, "%s: vocab: at most 2^31 expected", path);
    return 0;
}

static int open_files(struct shard_set *set, const struct asked *a,
                      char *const *name, size_t n, struct err *e)
{
    struct shard_info *info = &set->manifest.info;

    set->piece = xcalloc(n, sizeof *set->piece);
    for (size_t k = 0; k < n; k++) {
        struct shard_piece *p = &set->piece[set->n_piece++];

        if (shard_piece_open(p, name[k], a->reader, e))
            return -1;
        if (p->reader == &tokens_own)
            return err_set(e, ERR_USAGE,
                           "%s: a shard of a packed set; name its directory",
                           p->path);
        info->tokens += p->n;
        info->vocab = p->vocab > info->vocab ? p->vocab : info->vocab;
        if (p->reader == &tokens_bytes)
            info->bytes += p->n;
    }
    info->shards = (int64_t)n;
    if (a->vocab)
        info->vocab = a->vocab;
    if (a->bytes)
        info->bytes = a->bytes;
    snprintf(set->manifest.tokenizer, sizeof set->manifest.tokenizer, "%s",
             set->piece[0].tokenizer);
    return 0;
}

static void hash_piece(struct str *text, const struct shard_piece *p,
                       int64_t all)
{
    int64_t bytes = p->n * p->width;
    int64_t blocks = 2 + SAMPLE_BLOCKS * bytes / all;

    str_addf(text, "%d %" PRId64 "\n", p->width, p->n);
    if (all <= SAMPLE_ALL || bytes <= blocks * SAMPLE_BLOCK) {
        str_addf(text, "%016" PRIx64 "\n", hash_xxh3(p->tokens, (size_t)bytes));
        return;
    }
    for (int64_t b = 0; b < blocks; b++)
        str_addf(
            text, "%016" PRIx64 "\n",
            hash_xxh3(p->tokens + (bytes - SAMPLE_BLOCK) / (blocks - 1) * b,
                      SAMPLE_BLOCK));
}

static void identify(struct shard_set *set)
{
    struct str text;
    int64_t all = 0;

    str_init(&text);
    for (int64_t k = 0; k < set->n_piece; k++)
        all += set->piece[k].n * set->piece[k].width;
    for (int64_t k = 0; k < set->n_piece; k++)
        hash_piece(&text, &set->piece[k], all);
    hash_sha256(set->manifest.info.sha256, text.text, text.len);
    str_release(&text);
}

int shard_open_foreign(struct shard_set *set, const char *path, struct err *e)
{
    char *pattern = xstrdup(path), *colon = strrchr(pattern, ':');
    struct asked a = {0};
    glob_t found = {0};
    int rc = 0;

    if (!file_exists(pattern) && colon && !strchr(colon, '/')) {
        *colon = '\0';
        rc = read_options(&a, colon + 1, path, e);
    }
    if (!rc && file_exists(pattern)) {
        rc = open_files(set, &a, &pattern, 1, e);
    } else if (!rc && glob(pattern, GLOB_BRACE, NULL, &found)) {
        rc = err_set(e, ERR_USAGE, "%s: No such file or directory", path);
    } else if (!rc) {
        rc = open_files(set, &a, found.gl_pathv, found.gl_pathc, e);
    }
    if (!rc)
        identify(set);
    globfree(&found);
    free(pattern);
    return rc;
}
