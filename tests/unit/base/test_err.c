/* An error is one line with a class; it survives prefixes and any length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

#include <errno.h>
#include <string.h>

static void failing_is_one_line(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(err_set(&e, ERR_DB, "%s: %d", "x", 3), -1);
    assert_int_equal(e.cls, ERR_DB);
    assert_string_equal(e.text, "x: 3");
    assert_int_equal(err_set(NULL, ERR_DB, "nobody listens"), -1);
    assert_int_equal(err_prefix(NULL, "nobody listens"), -1);
}

static void errno_is_told_and_kept(void **state)
{
    struct err e;

    (void)state;
    errno = ENOENT;
    assert_int_equal(err_errno(&e, "open %s", "a"), -1);
    assert_string_equal(e.text, "open a: No such file or directory");
    assert_int_equal(e.cls, ERR_ENV);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(err_errno(NULL, "nobody listens"), -1);
}

static void prefixes_go_in_front(void **state)
{
    struct err e;

    (void)state;
    err_set(&e, ERR_USAGE, "bad");
    assert_int_equal(err_prefix(&e, "line %d: ", 3), -1);
    assert_int_equal(err_prefix(&e, "file: "), -1);
    assert_string_equal(e.text, "file: line 3: bad");
    assert_int_equal(e.cls, ERR_USAGE);
}

static void long_texts_are_cut_not_overrun(void **state)
{
    struct {
        struct err e;
        char guard[8];
    } s;
    char text[2000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memset(s.guard, 7, sizeof s.guard);
    err_set(&s.e, ERR_FAILED, "%s", text);
    assert_int_equal(strlen(s.e.text), sizeof s.e.text - 1);
    err_prefix(&s.e, "%.20s", text);
    assert_int_equal(strlen(s.e.text), sizeof s.e.text - 1);
    err_prefix(&s.e, "%s", text);
    assert_int_equal(strlen(s.e.text), sizeof s.e.text - 1);
    errno = EIO;
    err_errno(&s.e, "%s", text);
    assert_int_equal(strlen(s.e.text), sizeof s.e.text - 1);
    for (size_t i = 0; i < sizeof s.guard; i++)
        assert_int_equal(s.guard[i], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_is_one_line),
        cmocka_unit_test(errno_is_told_and_kept),
        cmocka_unit_test(prefixes_go_in_front),
        cmocka_unit_test(long_texts_are_cut_not_overrun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
