/* tokenizer_scan: the words of the patterns that are matched without an engine
 * are those of PCRE2.  It matches the same pattern in a group, which is not
 * known by its text. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/utf8.h"
#include "trainer/tokenizer_impl.h"
#include "trainer/tokenizer_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LLAMA3(digits)                                                         \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits       \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define DEEPSEEK                                                               \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"                    \
    "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"  \
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CJK "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"

static const struct {
    enum split_flavour flavour;
    const char *pattern[3]; /* a stage each */
} splits[] = {
    {SPLIT_RUST,
     {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+"
      "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)"
      "|\\s"}},
    {SPLIT_ONIG, {LLAMA3("\\p{N}{1,3}")}},
    {SPLIT_ONIG, {LLAMA3("\\p{N}")}},
    {SPLIT_RUST, {DEEPSEEK}},
    {SPLIT_ONIG, {"\\p{N}{1,3}", CJK, DEEPSEEK}},
    {SPLIT_RUST, {"[a1\\x{4e00}-\\x{9fff}]+", LLAMA3("\\p{N}")}},
    {SPLIT_RUST, {"[^\\p{P}a\\]-]"}},
};

struct words {
    size_t *end, n, cap, at;
};

static void note(void *ctx, const uint8_t *text, size_t n, int32_t id)
{
    struct words *w = ctx;

    (void)text;
    (void)id;
    w->end = mem_grow(w->end, &w->cap, w->n + 1, sizeof *w->end);
    w->end[w->n++] = w->at += n;
}

struct pair {
    struct split *split[2];
    struct split_state *state[2];
    struct words words[2];
};

static void open_pair(struct pair *p, size_t k)
{
    struct str group;
    struct err e;

    memset(p, 0, sizeof *p);
    str_init(&group);
    for (int i = 0; i < 2; i++) {
        if (split_create(&p->split[i], &e))
            skip(); /* a build without PCRE2 */
        for (int stage = 0; stage < 3 && splits[k].pattern[stage]; stage++) {
            str_clear(&group);
            str_addf(&group, i ? "(?:%s)" : "%s", splits[k].pattern[stage]);
            assert_int_equal(
                split_add(p->split[i], group.text, splits[k].flavour, &e), 0);
        }
        assert_int_equal(split_needs_engine(p->split[i]), i);
        p->state[i] = split_state_create(p->split[i]);
    }
    str_release(&group);
}

static void close_pair(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        split_state_destroy(p->state[i]);
        split_destroy(p->split[i]);
        free(p->words[i].end);
    }
}

static void compare(struct pair *p, const struct str *text)
{
    struct err e;

    for (int i = 0; i < 2; i++) {
        p->words[i].n = p->words[i].at = 0;
        assert_int_equal(split_words(p->split[i], p->state[i],
                                     (const uint8_t *)text->text, text->len,
                                     note, &p->words[i], &e),
                         0);
    }
    assert_int_equal(p->words[0].n, p->words[1].n);
    assert_memory_equal(p->words[0].end, p->words[1].end,
                        p->words[0].n * sizeof(size_t));
}

/* What patterns tell apart, in random order. */
static void random_texts(void **state)
{
    static const char *const part[] = {
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "'",
        "'s",
        "'LL",
        "'re",
        "'Ve",
        "a",
        "Zq",
        "7",
        "42",
        "!",
        "-->",
        "$",
        "_",
        "\xc5\xbf",         /* long s */
        "\xcc\x81",         /* a mark */
        "\xd9\xa3",         /* a digit */
        "\xc2\xa0",         /* white space */
        "\xe3\x80\x80",     /* white space */
        "\xe4\xb8\xad",     /* Han */
        "\xe3\x81\xae",     /* Hiragana */
        "\xef\xbc\x8c",     /* a comma */
        "\xe2\x82\xac",     /* Euro */
        "\xe2\x80\x8b",     /* of no class */
        "\xf0\x9f\x98\x80", /* an emoji */
        "\xf0\xa0\x80\x80", /* Han, above the rest */
        "\xf4\x8f\xbf\xbf", /* the last one */
    };
    struct pair p;
    struct str text;
    uint64_t draws = 0;

    (void)state;
    str_init(&text);
    for (size_t k = 0; k < ARRAY_LEN(splits); k++) {
        open_pair(&p, k);
        for (int trial = 0; trial < 8000; trial++) {
            uint64_t n = 1 + rng_below(1, RNG_TEST, draws++, 12);

            str_clear(&text);
            for (uint64_t i = 0; i < n; i++)
                str_add(&text,
                        part[rng_below(1, RNG_TEST, draws++, ARRAY_LEN(part))]);
            compare(&p, &text);
        }
        close_pair(&p);
    }
    str_release(&text);
}

/* Each character there is, between letters, digits and white space. */
static void every_character(void **state)
{
    static const char between[] = "a!1 x\n ";
    struct pair p;
    struct str text;
    uint8_t c[4];

    (void)state;
    str_init(&text);
    for (uint32_t k = 0; k < 0x110000; k++) {
        str_add_n(&text, c, utf8_put(c, k));
        str_add_n(&text, &between[k * 7919 % (sizeof between - 1)], 1);
    }
    for (size_t k = 0; k < ARRAY_LEN(splits); k++) {
        open_pair(&p, k);
        compare(&p, &text);
        close_pair(&p);
    }
    str_release(&text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(random_texts),
    cmocka_unit_test(every_character),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
