/* A YAML file becomes a tree with lines, or one clear message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "sweep/doc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int parse(struct doc **d, const char *text, struct err *e)
{
    return doc_parse(d, "f.yaml", text, strlen(text), e);
}

static void nodes_know_their_line(void **state)
{
    static const char text[] = "a: 1\n"
                               "b:\n"
                               "  - x\n"
                               "  - {c: 3e-4,\n"
                               "     d: no}\n";
    struct doc *d;
    struct err e;
    int root, b, map;
    double v;

    (void)state;
    assert_int_equal(parse(&d, text, &e), 0);
    root = doc_root(d);
    assert_int_equal(doc_kind(d, root), DOC_MAP);
    assert_int_equal(doc_count(d, root), 2);
    b = doc_get(d, root, "b");
    assert_int_equal(doc_kind(d, b), DOC_LIST);
    assert_int_equal(doc_line(d, b), 3);
    assert_string_equal(doc_text(d, doc_item(d, b, 0)), "x");
    map = doc_item(d, b, 1);
    assert_int_equal(doc_line(d, doc_get(d, map, "c")), 4);
    assert_int_equal(doc_line(d, doc_get(d, map, "d")), 5);
    assert_int_equal(doc_double(&v, d, doc_get(d, map, "c"), "c", &e), 0);
    assert_true(v == 3e-4);
    assert_string_equal(doc_text(d, doc_get(d, map, "d")), "no");
    assert_int_equal(doc_get(d, map, "e"), 0);
    assert_int_equal(doc_get(d, b, "e"), 0);
    doc_close(d);
}

static void what_is_no_study_file_is_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "f.yaml:1: empty; a study expected"},
        {"# only a comment\n", "f.yaml:1: empty; a study expected"},
        {"a: 1\nb: \xff\xfe\n", "f.yaml:2: not UTF-8 text"},
        {"a: 1\nb: \xc3\n", "f.yaml:2: not UTF-8 text"},
        {"a: 1\nb: \x01\n", "f.yaml:2: not UTF-8 text"},
        {"a: 1\nb: [1, 2\n", "f.yaml:3: not YAML"},
        {"a: 1\n  b: 2\n", "f.yaml:2: not YAML"},
        {"a: 1\n\tb: 2\n", "f.yaml:2: not YAML"},
        {"a: \"x\n", "f.yaml:2: not YAML"},
        {"a: 1\n---\na: 2\n", "f.yaml:2: a second document"},
        {"a: 1\nb: &x 2\n", "f.yaml:2: an anchor (&name)"},
        {"a: 1\nb: *x\n", "f.yaml:2: an alias (*name)"},
        {"a: 1\nb: !!int 2\n", "f.yaml:2: a tag (!name)"},
        {"a: &a [*a]\n", "f.yaml:1: an anchor (&name)"},
        {"a: [[[[[[[[[[[[[[1]]]]]]]]]]]]]]\n", "f.yaml:1: nested too deeply"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct doc *d;
        struct err e;
        if (!parse(&d, bad[i].text, &e))
            fail_msg("accepted: %s", bad[i].text);
        if (strncmp(e.text, bad[i].message, strlen(bad[i].message)))
            fail_msg("'%s' instead of '%s'", e.text, bad[i].message);
        assert_int_equal(e.cls, ERR_USAGE);
    }
}

static void size_is_bounded(void **state)
{
    struct doc *d;
    struct err e;
    struct str text;
    char *huge = xmalloc(DOC_MAX_BYTES + 1);

    (void)state;
    memset(huge, ' ', DOC_MAX_BYTES + 1);
    assert_int_equal(doc_parse(&d, "f", huge, DOC_MAX_BYTES + 1, &e), -1);
    assert_string_equal(e.text, "f: 1048577 bytes, at most 1048576 expected");
    free(huge);
    assert_int_equal(doc_parse(&d, "f", "a: \0", 4, &e), -1);
    assert_string_equal(e.text, "f: a NUL byte; text expected");
    str_init(&text);
    str_add(&text, "a: [");
    for (int i = 0; i < DOC_MAX_NODES; i++)
        str_add(&text, "1,");
    str_add(&text, "]\n");
    assert_int_equal(parse(&d, text.text, &e), -1);
    assert_string_equal(e.text, "f.yaml:1: too many values");
    str_release(&text);
}

static void a_missing_file_is_the_users_mistake(void **state)
{
    struct doc *d;
    struct err e;

    (void)state;
    assert_int_equal(doc_open(&d, "/nonexistent/study.yaml", &e), -1);
    assert_string_equal(e.text,
                        "/nonexistent/study.yaml: No such file or directory");
    assert_int_equal(e.cls, ERR_USAGE);
    assert_int_equal(doc_open(&d, "/", &e), -1);
    assert_string_equal(e.text, "/: not a regular file");
}

static void maps_are_checked_against_their_keys(void **state)
{
    static const char *const keys[] = {"batch", "lr", "width"};
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"x: 1\nbatchh: 2\n", "f.yaml:1: unknown key 'x' in hyper"},
        {"lr: 1\nbatchh: 2\n",
         "f.yaml:2: unknown key 'batchh' in hyper; did you mean 'batch'?"},
        {"lr: 1\nwidth: 2\nlr: 3\n", "f.yaml:3: hyper: 'lr' is also on line 1"},
        {"[1, 2]\n", "f.yaml:1: hyper: a map 'key: value' expected"},
        {"lr\n", "f.yaml:1: hyper: a map 'key: value' expected"},
        {"[lr]: 1\n", "f.yaml:1: unknown key '' in hyper"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct doc *d;
        struct err e;
        assert_int_equal(parse(&d, bad[i].text, &e), 0);
        assert_int_equal(
            doc_check_map(d, doc_root(d), "hyper", keys, ARRAY_LEN(keys), &e),
            -1);
        assert_string_equal(e.text, bad[i].message);
        doc_close(d);
    }
}

static void scalars_are_strict(void **state)
{
    struct doc *d;
    struct err e;
    double x;
    int64_t i;
    int yes;
    char text[8];

    (void)state;
    assert_int_equal(
        parse(&d, "[1e6, 0x10, 1_000, .inf, yes, a/b, 123456789, [1]]", &e), 0);
#define ITEM(k) d, doc_item(d, doc_root(d), k), "k", &e
    assert_int_equal(doc_i64(&i, ITEM(0)), 0);
    assert_int_equal(i, 1000000);
    assert_int_equal(doc_double(&x, ITEM(1)), -1);
    assert_string_equal(e.text, "f.yaml:1: k: '0x10': a number expected");
    assert_int_equal(doc_double(&x, ITEM(2)), -1);
    assert_int_equal(doc_double(&x, ITEM(3)), -1);
    assert_int_equal(doc_bool(&yes, ITEM(4)), -1);
    assert_string_equal(e.text, "f.yaml:1: k: 'yes': true or false expected");
    assert_int_equal(doc_name(text, sizeof text, ITEM(5)), -1);
    assert_int_equal(doc_string(text, sizeof text, ITEM(5)), 0);
    assert_string_equal(text, "a/b");
    assert_int_equal(doc_string(text, sizeof text, ITEM(6)), -1);
    assert_string_equal(e.text, "f.yaml:1: k: 9 bytes, at most 7 expected");
    assert_int_equal(doc_i64(&i, ITEM(7)), -1);
    assert_int_equal(doc_string(text, sizeof text, ITEM(7)), -1);
#undef ITEM
    doc_close(d);
}

/* What YAML can write by an escape and cannot read back raw. */
static void unprintable_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "\"a\\0b\"",   "\"a\\nb\"",       "\"a\\x7f\"",
        "\"\\x85\"",   "\"\\xa0x\\x9f\"", "\"\\u2028\"",
        "\"\\uFEFF\"", "\"\\uFFFE\"",     "\"\"",
    };
    struct doc *d;
    struct err e;
    char text[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(parse(&d, bad[i], &e), 0);
        if (!doc_string(text, sizeof text, d, doc_root(d), "path", &e))
            fail_msg("accepted: %s", bad[i]);
        doc_close(d);
    }
    assert_int_equal(parse(&d, "\"d\\xe9j\xc3\xa0\"", &e), 0);
    assert_int_equal(doc_string(text, sizeof text, d, 1, "path", &e), 0);
    assert_string_equal(text, "d\xc3\xa9j\xc3\xa0");
    doc_close(d);
    doc_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_their_line),
        cmocka_unit_test(what_is_no_study_file_is_refused),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(a_missing_file_is_the_users_mistake),
        cmocka_unit_test(maps_are_checked_against_their_keys),
        cmocka_unit_test(scalars_are_strict),
        cmocka_unit_test(unprintable_texts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
