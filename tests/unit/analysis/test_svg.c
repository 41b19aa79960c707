/* svg: only finite numbers, escaped text, axes that read well. */
#include "check.h"

#include "analysis/svg.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void test_escape(void **state)
{
    static const struct {
        const char *text, *escaped;
    } cases[] = {
        {"plain", "plain"},
        {"<script>alert('x')</script>",
         "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"},
        {"a & b \"c\"", "a &amp; b &quot;c&quot;"},
        {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
        {"bad \xff\xc3", "bad \xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\xaf overlong", "\xef\xbf\xbd\xef\xbf\xbd overlong"},
        {"bell\a", "bell\xef\xbf\xbd"},
        {"tab\tand\nline", "tab\tand\nline"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str s;
        str_init(&s);
        markup_escape(&s, cases[i].text);
        assert_string_equal(s.text, cases[i].escaped);
        str_release(&s);
    }
}

static void test_nothing_that_is_not_finite_is_drawn(void **state)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY, 1e300};
    struct str s;

    (void)state;
    str_init(&s);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        double xy[6] = {1, 2, bad[i], 4, 5, 6};
        svg_line(&s, "a", bad[i], 0, 0, 0);
        svg_circle(&s, "a", 0, bad[i], 1);
        svg_rect(&s, "a", 0, 0, bad[i], 1);
        svg_text(&s, "a", "end", bad[i], 0, "t");
        svg_polygon(&s, "a", xy, 3);
        svg_polyline(&s, "a", xy, 3); /* what is left is single points */
        for (int m = 0; m < SVG_MARKS; m++)
            svg_mark(&s, "a", (enum svg_mark)m, bad[i], 1, 3);
    }
    assert_string_equal(s.text, "");
    str_release(&s);
}

static void test_a_gap_breaks_a_line(void **state)
{
    double xy[] = {0, 0, 1, 1, NAN, 2, 3, 3, 4, 4};
    struct str s;

    (void)state;
    str_init(&s);
    svg_polyline(&s, "a", xy, 5);
    assert_string_equal(s.text, "<polyline class=\"a\" points=\"0,0 1,1\"/>\n"
                                "<polyline class=\"a\" points=\"3,3 4,4\"/>\n");
    str_release(&s);
}

static void test_numbers_are_short(void **state)
{
    struct str s;

    (void)state;
    str_init(&s);
    svg_line(&s, "a", -0.001, 1.5, 100, 2.3456);
    assert_string_equal(s.text, "<line class=\"a\" x1=\"0\" y1=\"1.5\" "
                                "x2=\"100\" y2=\"2.35\"/>\n");
    str_release(&s);
}

static void test_title_and_description_are_escaped(void **state)
{
    struct str s;

    (void)state;
    str_init(&s);
    svg_begin(&s, "f1", 10, 10, "a < b", "c & d");
    svg_end(&s);
    assert_non_null(strstr(s.text, "<title id=\"f1-t\">a &lt; b</title>"));
    assert_non_null(strstr(s.text, "<desc id=\"f1-d\">c &amp; d</desc>"));
    assert_non_null(strstr(s.text, "aria-labelledby=\"f1-t f1-d\""));
    str_release(&s);
}

/* --- scales --- */

static void test_scales_map_both_ways(void **state)
{
    struct scale x = {1e10, 1e14, 1, 0, 400}, y = {2, 4, 0, 300, 100};

    (void)state;
    within(scale_at(&x, 1e12), 200, 1e-9);
    within(scale_at(&x, 1e10), 0, 1e-9);
    within(scale_at(&y, 3), 200, 1e-9);
    within(scale_at(&y, 4), 100, 1e-9);
}

static void test_ticks(void **state)
{
    static const struct {
        double lo, hi;
        int log;
    } cases[] = {{1e9, 1e15, 1},   {1e10, 3e11, 1}, {2.1, 2.4, 1},
                 {3e-4, 5e-2, 1},  {1e2, 1e26, 1},  {2.05, 2.43, 0},
                 {-3, 5, 0},       {0, 1e-5, 0},    {-1e6, 2e6, 0},
                 {5e11, 5.2e11, 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scale s = {cases[i].lo, cases[i].hi, cases[i].log, 0, 100};
        char last[STR_DOUBLE] = "";
        struct ticks t;
        int labels = 0;
        scale_ticks(&t, &s);
        for (int k = 0; k < t.n; k++) {
            char buf[STR_DOUBLE];
            assert_true(t.v[k] >= s.lo - 1e-6 * (s.hi - s.lo));
            assert_true(t.v[k] <= s.hi + 1e-6 * (s.hi - s.lo));
            if (!t.label[k])
                continue;
            scale_label(buf, t.v[k], &s);
            assert_string_not_equal(buf, last); /* told apart */
            assert_null(strstr(buf, "e+"));
            strcpy(last, buf);
            labels++;
        }
        between(labels, 2, 9);
    }
}

static void test_labels(void **state)
{
    struct scale s = {1, 1e6, 1, 0, 1};
    static const struct {
        double v;
        const char *text;
    } cases[] = {{1e12, "1e12"},   {3e-5, "3e-5"},       {2500, "2500"},
                 {0.001, "0.001"}, {3.16e11, "3.16e11"}, {1e-12, "1e-12"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[STR_DOUBLE];
        scale_label(buf, cases[i].v, &s);
        assert_string_equal(buf, cases[i].text);
    }
}

static void test_a_scale_of_nothing_or_of_one_value(void **state)
{
    (void)state;
    for (int is_log = 0; is_log < 2; is_log++) {
        struct scale s;
        scale_empty(&s, is_log);
        scale_hold(&s, NAN);
        scale_finish(&s, 0.1);
        assert_true(isfinite(s.lo) && s.lo < s.hi);
        scale_empty(&s, is_log);
        scale_hold(&s, 5);
        scale_hold(&s, -INFINITY);
        scale_finish(&s, 0.1);
        assert_true(s.lo < 5 && 5 < s.hi);
    }
    struct scale s;
    scale_empty(&s, 1);
    scale_hold(&s, -3); /* no place on a log axis */
    scale_hold(&s, 3);
    scale_finish(&s, 0);
    assert_true(s.lo > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_nothing_that_is_not_finite_is_drawn),
        cmocka_unit_test(test_a_gap_breaks_a_line),
        cmocka_unit_test(test_numbers_are_short),
        cmocka_unit_test(test_title_and_description_are_escaped),
        cmocka_unit_test(test_scales_map_both_ways),
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_a_scale_of_nothing_or_of_one_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
