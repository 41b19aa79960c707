/* Buffers grow, numbers are strict and read back exactly, and a misspelt word
 * finds its neighbour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_buffer_grows_and_is_always_a_text(void **state)
{
    struct str s;
    char *taken;

    (void)state;
    str_init(&s);
    assert_string_equal(s.text, "");
    for (int i = 0; i < 1000; i++) {
        str_addf(&s, "%d,", i);
        assert_int_equal(strlen(s.text), s.len);
    }
    assert_int_equal(s.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_string_equal(s.text + s.len - 8, "998,999,");
    taken = str_take(&s);
    assert_int_equal(strlen(taken), 3890);
    free(taken);
    assert_string_equal(s.text, "");
    str_add_n(&s, "a\0b", 3);
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.text, "a\0b", 4);
    str_clear(&s);
    str_add(&s, "x");
    assert_string_equal(s.text, "x");
    str_release(&s);
    assert_null(s.text);
}

static void numbers_are_strict(void **state)
{
    static const struct {
        const char *text;
        double v;
    } good[] = {
        {"3e-4", 3e-4}, {"1e10", 1e10},  {"-2", -2}, {".5", 0.5},
        {"5.", 5},      {"+1E+3", 1000}, {"007", 7}, {"1e-320", 1e-320},
        {"0", 0},       {"1e-999", 0},
    };
    static const char *const bad[] = {
        "",   " 1",  "1 ",  "1x", "0x10",  "nan",      "inf",   "1e999", "1,5",
        "1e", "--1", "1e+", ".",  "1.2.3", "infinity", "1_000", "+",     "e5",
    };
    double v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(str_to_double(good[i].text, &v), 0);
        assert_true(v == good[i].v);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        v = 42;
        if (!str_to_double(bad[i], &v))
            fail_msg("'%s' was read as %g", bad[i], v);
        assert_true(v == 42);
    }
}

static void integers_are_exact(void **state)
{
    static const struct {
        const char *text;
        int64_t v;
    } good[] = {
        {"0", 0},
        {"-17", -17},
        {"1e6", 1000000},
        {"3e10", 30000000000},
        {"2.5e1", 25},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"9007199254740993", 9007199254740993},
        {"4.096e3", 4096},
    };
    static const char *const bad[] = {
        "",     "1.5",  "1e-1", "9223372036854775808",
        "1e19", "0x10", " 1",   "1 ",
        "abc",  "1e6x", "nan",  "12,000",
    };
    int64_t v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(str_to_i64(good[i].text, &v), 0);
        assert_true(v == good[i].v);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        v = 42;
        if (!str_to_i64(bad[i], &v))
            fail_msg("'%s' was read as %lld", bad[i], (long long)v);
        assert_true(v == 42);
    }
}

static void a_double_reads_back_exactly(void **state)
{
    static const struct {
        double v;
        const char *text;
    } known[] = {
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {1e22, "1e+22"},
        {0, "0"},
        {-2.5, "-2.5"},
        {123456789, "123456789"},
        {5e-324, "4.94066e-324"},
    };
    struct rng r = {1, RNG_TEST, 0};
    char buf[STR_DOUBLE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        assert_string_equal(str_double(buf, known[i].v), known[i].text);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = rng_u64(r.seed, r.stream, r.next++);
        double v, back;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        assert_int_equal(str_to_double(str_double(buf, v), &back), 0);
        assert_memory_equal(&v, &back, sizeof v);
    }
}

static void a_misspelt_word_finds_its_neighbour(void **state)
{
    static const char *const words[] = {"batch",   "lr",    "head_dim",
                                        "isoflop", "hyper", "seeds"};
    static const struct {
        const char *word, *near;
    } t[] = {
        {"batchh", "batch"},
        {"bacth", "batch"},
        {"headdim", "head_dim"},
        {"isoflops", "isoflop"},
        {"hypre", "hyper"},
        {"seed", "seeds"},
        {"lrr", "lr"},
        {"zzzzzz", NULL},
        {"x", NULL},
        {"", NULL},
        {"temperature", NULL},
    };
    char huge[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        const char *near = str_nearest(t[i].word, words, ARRAY_LEN(words));
        if (!near != !t[i].near || (near && strcmp(near, t[i].near)))
            fail_msg("'%s' -> '%s'", t[i].word, near ? near : "nothing");
    }
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_null(str_nearest(huge, words, ARRAY_LEN(words)));
    assert_null(str_nearest("batch", words, 0));
}

static void people_read_rounded_numbers(void **state)
{
    static const struct {
        double v;
        const char *bytes, *seconds;
    } t[] = {
        {0, "0 B", "0 ms"},
        {0.0123, "0 B", "12 ms"},
        {12.34, "12 B", "12.3 s"},
        {999.4, "999 B", "16m 39s"},
        {1234, "1.2 kB", "20m 34s"},
        {34000, "34 kB", "9h 26m"},
        {3.4e8, "340 MB", "3935d 04h"},
        {1.25e9, "1.2 GB", "14467d 14h"},
    };
    char buf[STR_DOUBLE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        assert_string_equal(str_bytes(buf, t[i].v), t[i].bytes);
        assert_string_equal(str_seconds(buf, t[i].v), t[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_grows_and_is_always_a_text),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(a_double_reads_back_exactly),
        cmocka_unit_test(a_misspelt_word_finds_its_neighbour),
        cmocka_unit_test(people_read_rounded_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
