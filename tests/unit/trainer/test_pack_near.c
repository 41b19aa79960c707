/* pack_near: the estimated similarity is the true one within its error, near
 * copies are left out and others stay. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "trainer/pack_near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* n random words from the stream of `seed`. */
static void add_words(struct str *s, uint64_t seed, int n)
{
    for (int i = 0; i < n; i++)
        str_addf(s, "%s%llu", i ? " " : "",
                 (unsigned long long)rng_below(seed, RNG_TEST, (uint64_t)i,
                                               1000000));
}

static void values(uint32_t v[PACK_NEAR_VALUES], const struct str *s)
{
    pack_near_values(v, (const uint8_t *)s->text, s->len);
}

/* Two texts that share m of n lines: the similarity of their shingles is
 * about m / (2 n - m). */
static void estimate_is_near_the_truth(void **state)
{
    static const double shares[] = {0, 0.3, 0.6, 0.9, 1};
    uint32_t a[PACK_NEAR_VALUES], b[PACK_NEAR_VALUES];
    struct str x, y;

    (void)state;
    str_init(&x);
    str_init(&y);
    for (size_t k = 0; k < ARRAY_LEN(shares); k++) {
        double m = shares[k], mean = 0;

        for (uint64_t trial = 0; trial < 20; trial++) {
            str_clear(&x);
            str_clear(&y);
            add_words(&x, trial, (int)(2000 * m));
            str_add(&y, x.text);
            add_words(&x, 1000 + trial, (int)(2000 * (1 - m)));
            add_words(&y, 2000 + trial, (int)(2000 * (1 - m)));
            values(a, &x);
            values(b, &y);
            mean += pack_near_similarity(a, b) / 20;
        }
        assert_true(fabs(mean - m / (2 - m)) < 0.03);
    }
    str_release(&x);
    str_release(&y);
}

static void space_and_case_do_not_count(void **state)
{
    static const char x[] = "One line of text that is long enough";
    static const char y[] = "one  line\nof\tTEXT that is  long ENOUGH";
    uint32_t a[PACK_NEAR_VALUES], b[PACK_NEAR_VALUES];

    (void)state;
    pack_near_values(a, (const uint8_t *)x, sizeof x - 1);
    pack_near_values(b, (const uint8_t *)y, sizeof y - 1);
    assert_true(pack_near_similarity(a, b) == 1);
}

/* 300 texts, of each a copy with one word in 200 changed: the first stays.
 * Two that are too short to compare stay both. */
static void near_copies_are_left_out(void **state)
{
    enum { N = 300 };
    char dir[] = "/tmp/test_near.XXXXXX";
    struct pack_near p = {.fd = -1};
    struct pack_docs docs = {0};
    struct str s;
    struct err e;
    int wrong = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pack_near_open(&p, dir, &e), 0);
    docs.doc = xcalloc(2 * N + 2, sizeof *docs.doc);
    docs.n = 2 * N + 2;
    str_init(&s);
    for (size_t k = 0; k < 2 * N; k++) {
        str_clear(&s);
        add_words(&s, k / 2, 100);
        str_add(&s, k % 2 ? " changed " : " same ");
        add_words(&s, 5000 + k / 2, 100);
        assert_int_equal(pack_near_add(&p, (uint8_t *)s.text, s.len, &e), 0);
    }
    for (int k = 0; k < 2; k++) /* without a shingle */
        assert_int_equal(pack_near_add(&p, (const uint8_t *)"ab", 2, &e), 0);
    assert_int_equal(pack_near_dedup(&p, &docs, 0.8, &e), 0);
    for (size_t k = 0; k < docs.n; k++) {
        int out = k < 2 * N && k % 2;
        wrong += (docs.doc[k].set == PACK_NOWHERE) != out;
        if (out && docs.doc[k].set == PACK_NOWHERE)
            assert_int_equal(docs.doc[k].unit, k - 1);
    }
    assert_int_equal(wrong, 0);
    pack_near_release(&p);
    assert_int_equal(rmdir(dir), 0);
    str_release(&s);
    free(docs.doc);
}

/* 60 of one text, each with another last word: more than are compared with
 * each other.  The first stays; each says how much it is like it. */
static void many_copies_of_one_are_left_out(void **state)
{
    enum { N = 60 };
    char dir[] = "/tmp/test_near.XXXXXX";
    struct pack_near p = {.fd = -1};
    struct pack_docs docs = {.n = N};
    struct str s;
    struct err e;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pack_near_open(&p, dir, &e), 0);
    docs.doc = xcalloc(N, sizeof *docs.doc);
    str_init(&s);
    for (size_t k = 0; k < N; k++) {
        str_clear(&s);
        add_words(&s, 1, 1000);
        str_addf(&s, " %zu", k);
        assert_int_equal(pack_near_add(&p, (uint8_t *)s.text, s.len, &e), 0);
    }
    assert_int_equal(pack_near_dedup(&p, &docs, 0.8, &e), 0);
    assert_int_not_equal(docs.doc[0].set, PACK_NOWHERE);
    for (size_t k = 1; k < N; k++) {
        assert_int_equal(docs.doc[k].set, PACK_NOWHERE);
        assert_int_equal(docs.doc[k].unit, 0);
        assert_in_range(docs.doc[k].same, 0.8 * PACK_NEAR_VALUES,
                        PACK_NEAR_VALUES);
    }
    pack_near_release(&p);
    assert_int_equal(rmdir(dir), 0);
    str_release(&s);
    free(docs.doc);
}

/* More documents than are looked at in one pass: the last 200,000 are copies of
 * every tenth, in random order of their hashes. */
static void copies_are_left_out_whatever_their_number(void **state)
{
    enum { N = 2000000, COPIES = 200000 };
    struct pack_docs docs = {0};
    char dir[] = "/tmp/test_near.XXXXXX";
    struct err e;
    size_t wrong = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pack_docs_open(&docs, dir, &e), 0);
    assert_int_equal(
        pack_table_room(&docs.table, N + COPIES, sizeof *docs.doc, &e), 0);
    docs.doc = docs.table.at;
    docs.n = N + COPIES;
    for (size_t k = 0; k < docs.n; k++) {
        uint64_t of = k < N ? k : 10 * (k - N);

        docs.doc[k].hash = (of + 1) * UINT64_C(0x9e3779b97f4a7c15);
        docs.doc[k].hash2 = of;
    }
    pack_docs_dedup(&docs);
    for (size_t k = 0; k < docs.n; k++) {
        const struct pack_doc *d = &docs.doc[k];

        wrong += (d->set == PACK_NOWHERE) != (k >= N);
        wrong += k >= N && (d->why != PACK_COPY || d->unit != 10 * (k - N));
    }
    assert_int_equal(wrong, 0);
    pack_docs_release(&docs);
    assert_int_equal(rmdir(dir), 0); /* nothing was left in it */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(estimate_is_near_the_truth),
    cmocka_unit_test(space_and_case_do_not_count),
    cmocka_unit_test(near_copies_are_left_out),
    cmocka_unit_test(many_copies_of_one_are_left_out),
    cmocka_unit_test(copies_are_left_out_whatever_their_number),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
