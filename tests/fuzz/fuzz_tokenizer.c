/* Any bytes as a tokenizer's file: tokenizer_open refuses them with a message,
 * or what it made encodes text that it gives back.  And any bytes as text
 * under tokenizers that are sound.  And any bytes as merges and a word: its
 * tokens are those of the definition.  And any UTF-8 as text to be cut: the
 * words without an engine are those of PCRE2.  The first byte of an input says
 * which.
 */
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "trainer/tokenizer_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH 128

static void save(const char *path, const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "wb");

    BUG_ON(!f);
    BUG_ON(fwrite(data, 1, size, f) != size);
    fclose(f);
}

/* There and back; what cannot come back is an error with a message. */
static void round_trip(const struct tokenizer *t, const uint8_t *text, size_t n)
{
    struct tokenizer_coder *c = tokenizer_coder_create(t);
    struct token_list l = {0};
    struct err e = {0};
    struct str back;

    str_init(&back);
    if (tokenizer_encode(&l, c, text, n, &e)) {
        BUG_ON(!e.text[0]);
    } else {
        BUG_ON(tokenizer_decode(&back, t, l.id, l.n, &e));
        BUG_ON(back.len != n || memcmp(back.text, text, n));
    }
    str_release(&back);
    free(l.id);
    tokenizer_coder_destroy(c);
}

static void as_file(const char *suffix, const char *pattern,
                    const uint8_t *data, size_t size)
{
    static const char text[] = "The 12 quick\n  brown \xe4\xb8\xad\xe6\x96\x87 "
                               "it's\t\xff<|endoftext|>!!  ";
    char path[PATH], named[2 * PATH];
    struct tokenizer *t;
    struct err e = {0};

    snprintf(path, sizeof path, "/dev/shm/fuzz_tokenizer.%ld.%s",
             (long)getpid(), suffix);
    snprintf(named, sizeof named, "%s%s", path, pattern);
    save(path, data, size);
    if (tokenizer_open(&t, named, NULL, &e)) {
        BUG_ON(!e.text[0]);
    } else {
        round_trip(t, (const uint8_t *)text, sizeof text - 1);
        tokenizer_close(t);
    }
    unlink(path);
}

/* --- merges: four bytes each, and ranks that need not be in their order */

#define MERGES 60

struct made {
    struct token_texts texts;
    struct bpe_merge merge[MERGES];
    size_t vocab, n;
};

static void make_token(struct made *m, const uint8_t *four)
{
    int32_t of[2];

    for (int i = 0; i < 2; i++) {
        size_t from = four[2 * i] & 1 ? 256 : 0, n = m->vocab - from;

        of[i] = (int32_t)(from + (n ? four[2 * i + 1] % n : 0));
        if (of[i] >= (int32_t)m->vocab ||
            m->texts.at[of[i] + 1] - m->texts.at[of[i]] > 100)
            return;
    }
    m->merge[m->n++] = (struct bpe_merge){
        of[0], of[1], (int32_t)m->vocab,
        (uint32_t)(four[2] & 2 ? four[0] << 16 : 0) + (uint32_t)m->vocab};
    for (int i = 0; i < 2; i++) {
        uint32_t at = m->texts.at[of[i]], n = m->texts.at[of[i] + 1] - at;
        uint8_t text[128];

        memcpy(text, m->texts.bytes.text + at, n);
        str_add_n(&m->texts.bytes, text, n);
    }
    m->texts.at[++m->vocab] = (uint32_t)m->texts.bytes.len;
}

static void as_merges(const uint8_t *data, size_t size)
{
    static const uint8_t unmade[256 + MERGES];
    static struct bpe_cache *cache;
    uint32_t at[256 + MERGES + 1];
    struct made m = {.texts = {.at = at}, .vocab = 256};
    struct token_list got = {0};
    struct bpe_pairs pairs;
    struct bpe_word word = {.id = -1};
    int32_t *want;
    struct bpe *bpe;
    size_t n, left;

    cache = cache ? cache : bpe_cache_create();
    str_init(&m.texts.bytes);
    for (int c = 0; c <= 256; c++) {
        uint8_t byte = (uint8_t)c;

        at[c] = (uint32_t)c;
        if (c < 256)
            str_add_n(&m.texts.bytes, &byte, 1);
    }
    for (n = data[0] % MERGES, data++, size--; n && size > 4; n--) {
        make_token(&m, data);
        data += 4;
        size -= 4;
    }
    word.text = data;
    word.n = size;
    BUG_ON(
        bpe_create(&bpe, &m.texts, unmade, m.vocab, m.merge, m.n, 0, "", NULL));
    bpe_pairs_init(&pairs, m.merge, m.n);
    want = xmalloc((size + 1) * sizeof *want);
    for (size_t i = 0; i < size; i++)
        want[i] = data[i];
    left = bpe_merge(&pairs, want, size, 1);
    if (size > 15) /* shorter ones are remembered, of other merges */
        BUG_ON(bpe_word(&got, bpe, cache, &word) || got.n != left ||
               memcmp(got.id, want, left * sizeof *want));
    free(got.id);
    free(want);
    bpe_pairs_release(&pairs);
    bpe_destroy(bpe);
    str_release(&m.texts.bytes);
}

/* --- words with and without an engine, which does not know a pattern that
 * stands in a group */

#define WORDS 5000

struct words {
    const uint8_t *end[WORDS];
    size_t n;
};

static void note(void *ctx, const uint8_t *text, size_t n, int32_t id)
{
    struct words *w = ctx;

    (void)id;
    BUG_ON(w->n == WORDS);
    w->end[w->n++] = text + n;
}

static struct split *make_split(const char *const *pattern, const char *form)
{
    struct split *s;
    struct str text;

    BUG_ON(split_create(&s, NULL));
    str_init(&text);
    for (; *pattern; pattern++) {
        str_clear(&text);
        str_addf(&text, form, *pattern);
        BUG_ON(split_add(s, text.text, SPLIT_RUST, NULL));
    }
    str_release(&text);
    return s;
}

static void as_words(const uint8_t *data, size_t size)
{
    static const char *const pattern[2][4] = {
        {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+"
         "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)"
         "|\\s"},
        {"\\p{N}{1,3}",
         "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+",
         "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
         "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
         "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}};
    static struct split *split[2][2];
    static struct split_state *state[2][2];
    static struct words words[2];
    int of = data[0] & 1;

    size = utf8_prefix(data + 1, size - 1 > WORDS ? WORDS : size - 1);
    for (int i = 0; i < 2; i++) {
        if (!split[of][i]) {
            split[of][i] = make_split(pattern[of], i ? "(?:%s)" : "%s");
            state[of][i] = split_state_create(split[of][i]);
            BUG_ON(split_needs_engine(split[of][i]) != i);
        }
        words[i].n = 0;
        BUG_ON(split_words(split[of][i], state[of][i], data + 1, size, note,
                           &words[i], NULL));
    }
    BUG_ON(
        words[0].n != words[1].n ||
        memcmp(words[0].end, words[1].end, words[0].n * sizeof *words[0].end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"gpt2.json", "deepseek3.json",
                                        "small.tiktoken:cl100k",
                                        "small.tiktoken:o200k"};
    static struct tokenizer *sound[ARRAY_LEN(names)];
    char path[512];

    if (!sound[0])
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            snprintf(path, sizeof path, LOGLOG_GOLDEN "/tokenizers/%s",
                     names[i]);
            BUG_ON(tokenizer_open(&sound[i], path, NULL, NULL));
        }
    if (!size)
        return 0;
    if (data[0] == '{')
        as_file("json", "", data, size);
    else if (data[0] < ARRAY_LEN(names))
        round_trip(sound[data[0]], data + 1, size - 1);
    else if (data[0] == ARRAY_LEN(names) && size > 1)
        as_merges(data + 1, size - 1);
    else if (data[0] == ARRAY_LEN(names) + 1 && size > 1)
        as_words(data + 1, size - 1);
    else
        as_file("tiktoken", ":llama3", data, size);
    return 0;
}
