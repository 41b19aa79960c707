/* mix: weights are kept, no document comes twice, and noise changes neither
 * the amount nor the words. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "tests/unit/trainer/scratch.h"
#include "trainer/mix.h"
#include "trainer/pack_write.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DOCUMENTS 500

static struct shard_set *sets[2];

/* Documents "x<k> <number> <number> ...", x the name of the set. */
static int write_set(const char *name)
{
    struct pack_writer w;
    struct str text;
    int rc;

    str_init(&text);
    rc = pack_writer_open(&w, in_dir(name), 1 << 30, NULL, NULL);
    for (int k = 0; k < DOCUMENTS && !rc; k++) {
        str_clear(&text);
        str_addf(&text, "%s%d", name, k);
        for (int i = 0; i < 20 + k % 50; i++)
            str_addf(&text, " %d", i * k);
        rc = pack_writer_add(&w, (const uint8_t *)text.text, text.len, NULL);
    }
    rc = rc || pack_writer_finish(&w, "{}", NULL);
    pack_writer_release(&w);
    str_release(&text);
    return rc;
}

static int open_sets(void **state)
{
    return set_up(state) || write_set("a") || write_set("b") ||
           shard_open(&sets[0], in_dir("a"), NULL) ||
           shard_open(&sets[1], in_dir("b"), NULL);
}

static int close_sets(void **state)
{
    shard_close(sets[0]);
    shard_close(sets[1]);
    return tear_down(state);
}

/* How often each document of set `name` is in the mixture, by its first
 * word. */
static void count(int seen[DOCUMENTS], const char *mixed, char name)
{
    struct shard_set *set;
    struct str text;
    int64_t from, n;

    memset(seen, 0, DOCUMENTS * sizeof *seen);
    assert_int_equal(shard_open(&set, in_dir(mixed), NULL), 0);
    assert_int_equal(shard_verify(set, 1, NULL), 0);
    str_init(&text);
    for (int64_t k = 0; k < shard_info(set)->documents; k++) {
        shard_document(&from, &n, set, k);
        str_clear(&text);
        shard_text(&text, set, from, n);
        if (text.text[0] == name)
            seen[atoi(text.text + 1)]++;
    }
    str_release(&text);
    shard_close(set);
}

static void weights_are_kept(void **state)
{
    struct mix_options o = {
        .source = {{sets[0], 3}, {sets[1], 1}}, .n_source = 2, .seed = 1};
    struct mix_report r;
    int seen[DOCUMENTS], all = 0;
    struct err e;

    (void)state;
    if (mix(&r, in_dir("mixed"), &o, &e))
        fail_msg("%s", e.text);
    assert_true(fabs((double)r.tokens[0] / (double)r.info.tokens - 0.75) <
                0.01);
    /* all of the one that limits it */
    assert_true(r.documents[0] >= DOCUMENTS - 2);
    for (int name = 'a'; name <= 'b'; name++) {
        count(seen, "mixed", (char)name);
        for (int k = 0; k < DOCUMENTS; k++) {
            assert_true(seen[k] <= 1);
            all += seen[k];
        }
    }
    assert_int_equal(all, r.info.documents);
    o.tokens = 2 * r.info.tokens;
    assert_int_equal(mix(&r, in_dir("more"), &o, &e), -1);
    assert_non_null(strstr(e.text, "too few for its weight"));
}

static void copies_are_a_share(void **state)
{
    struct mix_options o = {.source = {{sets[0], 1}},
                            .n_source = 1,
                            .duplicated = 0.3,
                            .tokens = 60000,
                            .seed = 2};
    struct mix_report r;
    struct shard_set *set;
    int seen[DOCUMENTS], copies = 0;

    (void)state;
    assert_int_equal(mix(&r, in_dir("copies"), &o, NULL), 0);
    assert_true(llabs(r.info.tokens - o.tokens) < 400);
    assert_true(fabs((double)r.duplicated / (double)r.info.tokens - 0.3) <
                0.01);
    count(seen, "copies", 'a');
    for (int k = 0; k < DOCUMENTS; k++)
        copies += seen[k] > 1 ? seen[k] - 1 : 0;
    assert_true(copies > 0);
    /* what is there twice is known without being told */
    assert_int_equal(shard_open(&set, in_dir("copies"), NULL), 0);
    assert_int_equal(shard_repeated(set), r.duplicated);
    shard_close(set);
    assert_int_equal(shard_repeated(sets[0]), 0);
}

static int by_byte(const void *a, const void *b)
{
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

/* Shuffled or not, the bytes of each document are those it had. */
static void words_are_moved(void **state)
{
    struct mix_options o = {
        .source = {{sets[0], 1}}, .n_source = 1, .shuffled = 0.5, .seed = 3};
    struct mix_report r;
    struct shard_set *set;
    struct str text;
    int64_t from, n, bytes[2] = {0};
    uint64_t sum[2] = {0};

    (void)state;
    assert_int_equal(mix(&r, in_dir("moved"), &o, NULL), 0);
    assert_true(fabs((double)r.shuffled / (double)r.info.tokens - 0.5) < 0.01);
    assert_int_equal(r.info.documents, DOCUMENTS);
    assert_int_equal(shard_open(&set, in_dir("moved"), NULL), 0);
    str_init(&text);
    for (int i = 0; i < 2; i++)
        for (int64_t k = 0; k < DOCUMENTS; k++) {
            uint64_t hash = 1;

            shard_document(&from, &n, i ? set : sets[0], k);
            str_clear(&text);
            shard_text(&text, i ? set : sets[0], from, n);
            qsort(text.text, text.len, 1, by_byte);
            for (size_t c = 0; c < text.len; c++)
                hash = hash * 31 + (uint8_t)text.text[c];
            sum[i] += hash;
            bytes[i] += (int64_t)text.len;
        }
    assert_int_equal(bytes[0], bytes[1]);
    assert_true(sum[0] == sum[1]);
    str_release(&text);
    shard_close(set);
}

static void overlap_is_measured(void **state)
{
    (void)state;
    assert_true(mix_overlap(sets[0], sets[0]) == 1);
    /* the sets differ in the first word of each document alone */
    assert_true(mix_overlap(sets[0], sets[1]) > 0.5);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(weights_are_kept),
    cmocka_unit_test(copies_are_a_share),
    cmocka_unit_test(words_are_moved),
    cmocka_unit_test(overlap_is_measured),
};

int main(void)
{
    return cmocka_run_group_tests(tests, open_sets, close_sets);
}
