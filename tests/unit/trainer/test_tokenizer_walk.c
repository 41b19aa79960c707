/* tokenizer_walk and tokenizer_merge: the tokens of a word are those of the
 * definition, whatever the vocabulary: merges that were learned in their order,
 * every way to cut a token (as with ranks of tiktoken), ranks in disorder. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "trainer/tokenizer_impl.h"
#include "trainer/tokenizer_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VOCAB 600
#define LONG 400

struct vocabulary {
    struct token_texts texts;
    struct bpe_merge merge[8 * VOCAB];
    size_t n, n_merge;
};

static uint64_t draws;

static uint32_t draw(uint32_t below)
{
    return (uint32_t)rng_below(7, RNG_TEST, draws++, below);
}

static const uint8_t *text_of(size_t *n, const struct vocabulary *v, int32_t id)
{
    *n = v->texts.at[id + 1] - v->texts.at[id];
    return (const uint8_t *)v->texts.bytes.text + v->texts.at[id];
}

/* Text of a script: letters of which some are much more frequent. */
static size_t random_text(uint8_t *text, size_t n)
{
    static const char *const script[] = {"a",
                                         "b",
                                         "ab",
                                         "e",
                                         " ",
                                         "th",
                                         "\xc3\xa9",
                                         "\xd0\xb6",
                                         "\xd1\x8f",
                                         "\xe4\xb8\xad",
                                         "\xe6\x96\x87",
                                         "\xe7\x9a\x84",
                                         "\xe4\xb8\x80",
                                         "\xef\xbc\x8c",
                                         "\xe3\x81\xae",
                                         "\xed\x95\x9c",
                                         "\xf0\x9f\x98\x80",
                                         "\x80",
                                         "\xff",
                                         "0",
                                         "\xd8\xa7",
                                         "\xe0\xa4\x95"};
    uint32_t from = draw(ARRAY_LEN(script)), kinds = 1 + draw(5);
    size_t k = 0;

    while (k < n) {
        const char *s =
            script[(from + draw(1 + draw(kinds))) % ARRAY_LEN(script)];
        for (; *s && k < n; s++)
            text[k++] = (uint8_t)*s;
    }
    return k;
}

static int32_t find_text(const struct vocabulary *v, const uint8_t *text,
                         size_t n)
{
    size_t len;

    for (size_t id = 0; id < v->n; id++) {
        const uint8_t *t = text_of(&len, v, (int32_t)id);
        if (len == n && !memcmp(t, text, n))
            return (int32_t)id;
    }
    return -1;
}

/* The definition. */
static size_t merge_all(int32_t *id, size_t n, const struct vocabulary *v)
{
    for (;;) {
        const struct bpe_merge *best = NULL;
        size_t where = 0;

        for (size_t i = 0; i + 1 < n; i++)
            for (size_t m = 0; m < v->n_merge; m++)
                if (v->merge[m].left == id[i] &&
                    v->merge[m].right == id[i + 1]) {
                    if (!best || v->merge[m].rank < best->rank) {
                        best = &v->merge[m];
                        where = i;
                    }
                    break;
                }
        if (!best)
            return n;
        id[where] = best->made;
        memmove(id + where + 1, id + where + 2, (n - where - 2) * sizeof *id);
        n--;
    }
}

static void add_token(struct vocabulary *v, const void *text, size_t n)
{
    str_add_n(&v->texts.bytes, text, n);
    v->texts.at[++v->n] = (uint32_t)v->texts.bytes.len;
}

/* Bytes and n more tokens, each two neighbours in some text, in the order in
 * which they are learned. */
static void learn(struct vocabulary *v, size_t n)
{
    uint8_t text[24];
    int32_t id[sizeof text];
    const uint8_t *token;

    str_init(&v->texts.bytes);
    v->texts.at = xcalloc(VOCAB + 1, sizeof *v->texts.at);
    v->n = v->n_merge = 0;
    for (int c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        add_token(v, &byte, 1);
    }
    while (v->n < 256 + n) {
        size_t left = random_text(text, sizeof text), at, len;

        for (size_t i = 0; i < left; i++)
            id[i] = text[i];
        left = merge_all(id, left, v);
        if (left < 2)
            continue;
        at = draw((uint32_t)left - 1);
        token = text_of(&left, v, id[at]);
        memcpy(text, token, left);
        token = text_of(&len, v, id[at + 1]);
        memcpy(text + left, token, len);
        if (find_text(v, text, left + len) >= 0)
            continue;
        v->merge[v->n_merge++] = (struct bpe_merge){
            id[at], id[at + 1], (int32_t)v->n, (uint32_t)v->n};
        add_token(v, text, left + len);
    }
}

/* Instead of the merges every way to cut a token in two, by rank[token]. */
static void cut_all(struct vocabulary *v, const uint32_t *rank)
{
    size_t n;

    v->n_merge = 0;
    for (size_t id = 256; id < v->n; id++) {
        const uint8_t *text = text_of(&n, v, (int32_t)id);

        for (size_t cut = 1; cut < n; cut++) {
            int32_t left = find_text(v, text, cut);
            int32_t right = find_text(v, text + cut, n - cut);

            if (left >= 0 && right >= 0 && v->n_merge < ARRAY_LEN(v->merge))
                v->merge[v->n_merge++] =
                    (struct bpe_merge){left, right, (int32_t)id, rank[id]};
        }
    }
}

static void disorder(uint32_t *rank, size_t n)
{
    for (size_t i = n; i-- > 1;) {
        uint32_t j = draw((uint32_t)i + 1), was = rank[i];

        rank[i] = rank[j];
        rank[j] = was;
    }
}

/* Words of all lengths under the vocabulary; returns whether it is walked. */
static int check(const struct vocabulary *v)
{
    static const uint8_t unmade[VOCAB];
    struct bpe_cache *cache = bpe_cache_create();
    struct token_list got = {0};
    int32_t want[LONG], byte[256];
    struct bpe_pairs pairs;
    struct bpe_walk *walk;
    uint8_t text[LONG];
    struct bpe *bpe;
    int walked;

    for (int c = 0; c < 256; c++)
        byte[c] = c;
    bpe_pairs_init(&pairs, v->merge, v->n_merge);
    walk = bpe_walk_create(&pairs, byte, &v->texts, v->n);
    walked = walk != NULL;
    bpe_walk_destroy(walk);
    assert_int_equal(bpe_create(&bpe, &v->texts, unmade, v->n, v->merge,
                                v->n_merge, 0, "test", NULL),
                     0);
    for (int trial = 0; trial < 60; trial++) {
        size_t n = random_text(text, 1 + draw(trial % 20 ? 40 : LONG)), left;
        struct bpe_word word = {.text = text, .n = n, .id = -1};
        int32_t merged[LONG];

        for (size_t i = 0; i < n; i++)
            merged[i] = want[i] = text[i];
        left = merge_all(want, n, v);
        assert_int_equal(bpe_merge(&pairs, merged, n, 1), left);
        assert_memory_equal(merged, want, left * sizeof *want);
        got.n = 0;
        bpe_soon(&word, cache, n);
        assert_int_equal(bpe_word(&got, bpe, cache, &word), 0);
        assert_int_equal(got.n, left);
        assert_memory_equal(got.id, want, left * sizeof *want);
    }
    free(got.id);
    bpe_destroy(bpe);
    bpe_pairs_release(&pairs);
    bpe_cache_destroy(cache);
    return walked;
}

static void learned_merges_are_walked(void **state)
{
    struct vocabulary v;

    (void)state;
    for (int k = 0; k < 12; k++) {
        learn(&v, 20 + draw(VOCAB - 256 - 20));
        assert_true(check(&v));
        str_release(&v.texts.bytes);
        free(v.texts.at);
    }
}

/* With ranks in the order of learning such merges are walked too; in disorder
 * few are, and the others are merged. */
static void any_ranks_give_the_tokens_of_the_definition(void **state)
{
    uint32_t rank[VOCAB];
    struct vocabulary v;
    int walked = 0;

    (void)state;
    for (int k = 0; k < 24; k++) {
        learn(&v, 5 + draw(120));
        for (uint32_t i = 0; i < VOCAB; i++)
            rank[i] = i;
        if (k % 2)
            disorder(rank + 256, v.n - 256);
        cut_all(&v, rank);
        walked += check(&v);
        str_release(&v.texts.bytes);
        free(v.texts.at);
    }
    assert_true(walked >= 6 && walked < 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learned_merges_are_walked),
        cmocka_unit_test(any_ranks_give_the_tokens_of_the_definition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
