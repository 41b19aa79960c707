/* tokenizer_tiktoken: ranks of tiktoken; see tokenizer.h.
 *
 * A line "BASE64 RANK" for each token.  Two neighbours are merged when their
 * bytes together are a token, the lowest rank first; so the merges are all
 * ways to cut a token in two tokens.  The patterns are those of tiktoken's
 * openai_public.py and of the tokenizer.json of the models named. */
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "trainer/tokenizer_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"

/* clang-format off */
static const struct {
    const char *name;
    size_t ranks;     /* of the published file; 0: none */
    int32_t mark;     /* its end of text */
    enum split_flavour flavour;
    const char *pattern[4];
} known[] = {
    {"gpt2", 50256, 50256, SPLIT_RUST,
     {"'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++"
      "|\\s++$|\\s+(?!\\S)|\\s"}},
    {"gpt2", 50280, 50256, SPLIT_RUST, /* p50k_base */
     {"'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++"
      "|\\s++$|\\s+(?!\\S)|\\s"}},
    {"cl100k", 100256, 100257, SPLIT_RUST,
     {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+"
      "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s"}},
    {"o200k", 199998, 199999, SPLIT_RUST,
     {"[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*"
      "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+" CONTRACTIONS "?"
      "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
      "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*" CONTRACTIONS "?"
      "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+"
      "|\\s+(?!\\S)|\\s+"}},
    {"llama3", 128000, 128001, SPLIT_RUST,
     {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
      "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
    {"deepseek", 0, 0, SPLIT_RUST, /* DeepSeek-V3 */
     {"\\p{N}{1,3}", "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}"
      "\\x{30a0}-\\x{30ff}]+",
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
      "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"
      "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
};
/* clang-format on */

/* Into out, 3 bytes for 4 characters; -1 when it is no base64. */
static int64_t from_base64(uint8_t *out, const char *text, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int64_t made = 0;
    size_t pad = 0;

    if (!n || n % 4)
        return -1;
    while (pad < 2 && text[n - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < n; i++) {
        const char *d = i < n - pad && text[i] ? strchr(digits, text[i]) : NULL;

        if (!d && i < n - pad)
            return -1;
        bits = bits << 6 | (d ? (uint32_t)(d - digits) : 0);
        if (i % 4 == 3) {
            out[made++] = (uint8_t)(bits >> 16);
            out[made++] = (uint8_t)(bits >> 8);
            out[made++] = (uint8_t)bits;
        }
    }
    return made - (int64_t)pad;
}

/* The line at [at, stop). */
static int read_line(struct token_table *table, const char *at,
                     const char *stop, const char *path, int64_t line,
                     struct err *e)
{
    const char *space = memchr(at, ' ', (size_t)(stop - at));
    uint8_t bytes[1024];
    char number[24] = "";
    int64_t n = -1, rank = -1;

    if (space && space - at <= 1024 && stop - space - 1 < 24) {
        n = from_base64(bytes, at, (size_t)(space - at));
        memcpy(number, space + 1, (size_t)(stop - space - 1));
        number[strcspn(number, "\r")] = '\0';
    }
    if (n < 1 || strspn(number, "0123456789") != strlen(number) ||
        str_to_i64(number, &rank))
        return err_set(e, ERR_USAGE, "%s:%" PRId64 ": expected \"BASE64 RANK\"",
                       path, line);
    if (token_table_put(table, rank, bytes, (size_t)n, path, e))
        return err_prefix(e, "line %" PRId64 ": ", line);
    return 0;
}

static int read_ranks(struct token_table *table, size_t *ranks,
                      const char *path, struct err *e)
{
    const char *at, *end, *stop;
    struct file_map map;
    int64_t line = 1;
    int rc = 0;

    if (file_map(&map, path, e))
        return -1;
    at = (const char *)map.data;
    end = at + map.len;
    for (; at < end && !rc; at = stop + 1, line++) {
        stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        rc = read_line(table, at, stop, path, line, e);
        *ranks += !rc;
    }
    file_unmap(&map);
    if (!rc && !*ranks)
        rc = err_set(e, ERR_USAGE, "%s: empty", path);
    return rc;
}

/* Tokens by their text: id + 1, 0 where there is none. */
struct by_text {
    const struct token_table *table;
    size_t *slot, mask;
};

static size_t *by_text(const struct by_text *b, const uint8_t *text, size_t n)
{
    size_t i = hash_xxh3(text, n) & b->mask;

    for (; b->slot[i]; i = (i + 1) & b->mask) {
        const struct token_entry *t = &b->table->entry[b->slot[i] - 1];
        if (t->n == n && !memcmp(t->text, text, n))
            break;
    }
    return &b->slot[i];
}

static int is_made(const struct token_entry *t)
{
    return t->text && !t->special;
}

/* Every way to cut a token in two. */
static struct bpe_merge *all_merges(size_t *n, const struct token_table *table)
{
    struct by_text b = {table, NULL, 63};
    struct bpe_merge *merge = NULL;
    size_t cap = 0;

    while (b.mask < 2 * table->n)
        b.mask = 2 * b.mask + 1;
    b.slot = xcalloc(b.mask + 1, sizeof *b.slot);
    for (size_t id = 0; id < table->n; id++) {
        const struct token_entry *t = &table->entry[id];
        size_t *slot = is_made(t) ? by_text(&b, t->text, t->n) : NULL;

        if (slot && !*slot)
            *slot = id + 1;
    }
    *n = 0;
    for (size_t id = 0; id < table->n; id++) {
        const struct token_entry *t = &table->entry[id];

        for (uint32_t cut = 1; is_made(t) && cut < t->n; cut++) {
            size_t left = *by_text(&b, t->text, cut);
            size_t right = *by_text(&b, t->text + cut, t->n - cut);

            if (!left || !right)
                continue;
            merge = mem_grow(merge, &cap, *n + 1, sizeof *merge);
            merge[(*n)++] =
                (struct bpe_merge){(int32_t)left - 1, (int32_t)right - 1,
                                   (int32_t)id, (uint32_t)id};
        }
    }
    free(b.slot);
    return merge;
}

/* Which pattern: named, or told by the number of ranks; the entry of known,
 * and whether the file is the published one. */
static int choose(size_t *k, const char *pattern, size_t ranks,
                  const char *path, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].ranks == ranks &&
            (!pattern || !strcmp(pattern, known[i].name))) {
            *k = i;
            return 0;
        }
    for (size_t i = 0; pattern && i < ARRAY_LEN(known); i++)
        if (!strcmp(pattern, known[i].name)) {
            *k = i;
            return 0;
        }
    if (pattern)
        return err_set(e, ERR_USAGE,
                       "%s: '%s' is no pattern: gpt2, cl100k, o200k, llama3 or "
                       "deepseek",
                       path, pattern);
    return err_set(e, ERR_USAGE,
                   "%s: %zu ranks tell no pattern; name it: %s:gpt2 (or "
                   "cl100k, o200k, llama3, deepseek)",
                   path, ranks, path);
}

static int build(struct tokenizer *t, struct token_table *table, size_t ranks,
                 const char *pattern, const char *mark, const char *path,
                 struct err *e)
{
    struct bpe_merge *merge;
    uint8_t *unmade;
    char id[24];
    size_t k = 0, n;
    int rc;

    if (choose(&k, pattern, ranks, path, e) || split_create(&t->split, e))
        return -1;
    for (int i = 0; i < 4 && known[k].pattern[i]; i++)
        if (split_add(t->split, known[k].pattern[i], known[k].flavour, e))
            return -1;
    if (!mark && known[k].ranks == ranks) {
        snprintf(id, sizeof id, "%" PRId32, known[k].mark);
        mark = id;
    }
    if (tokenizer_set_mark(t, table, mark, path, e))
        return -1;
    token_texts_init(&t->texts, table, (size_t)t->info.vocab);
    merge = all_merges(&n, table);
    unmade = xcalloc((size_t)t->info.vocab, 1);
    for (size_t i = 0; i < table->n; i++)
        unmade[i] = table->entry[i].special;
    rc = bpe_create(&t->bpe, &t->texts, unmade, (size_t)t->info.vocab, merge, n,
                    1, path, e);
    free(unmade);
    free(merge);
    return rc;
}

int tokenizer_open_tiktoken(struct tokenizer *t, const char *path,
                            const char *pattern, const char *mark,
                            struct err *e)
{
    struct token_table table = {0};
    size_t ranks = 0;
    int rc;

    rc = read_ranks(&table, &ranks, path, e);
    if (!rc)
        rc = build(t, &table, ranks, pattern, mark, path, e);
    token_table_release(&table);
    return rc;
}
