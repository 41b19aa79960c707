/* points: columns, exclusion, derivation, identity; and the JSON of a fit. */
#include "analysis/fit_json.h"
#include "analysis/points.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

static void names_parse_both_ways(void **state)
{
    (void)state;
    for (int c = 0; c < POINT_COLS; c++)
        assert_int_equal(point_col_parse(point_col_name((enum point_col)c)), c);
    assert_int_equal(point_col_parse("LOSS"), POINT_LOSS);
    assert_int_equal(point_col_parse("losses"), -1);
}

static void fill(struct points *p, int n)
{
    struct point r;

    points_init(p);
    for (int i = 0; i < n; i++) {
        point_init(&r);
        r.run = 100 + i;
        r.col[POINT_LOSS] = 3 + i;
        r.col[POINT_N] = 1e6 * (i + 1);
        points_add(p, &r);
    }
}

static void rows_keep_their_reason(void **state)
{
    struct points p, used;
    struct point r;

    (void)state;
    fill(&p, 200);
    points_exclude(&p, 7, "diverged");
    points_exclude(&p, 7, "second reason");
    assert_string_equal(p.why[7], "diverged");
    assert_int_equal(points_used(&p), 199);
    points_init(&used);
    points_select(&used, &p, NULL);
    assert_int_equal(used.n, 199);
    assert_int_equal(used.run[7], 108);
    points_row(&r, &p, 199);
    near(r.col[POINT_LOSS], 202, 0);
    assert_true(isnan(r.col[POINT_LR]));
    points_release(&used);
    points_release(&p);
}

static void what_follows_is_derived(void **state)
{
    struct points p;
    struct point r;

    (void)state;
    points_init(&p);
    point_init(&r);
    r.col[POINT_M] = 2e6;
    r.col[POINT_D] = 1e9;
    r.col[POINT_N1] = 3e5;
    points_add(&p, &r);
    point_init(&r);
    r.col[POINT_N] = 1e6;
    r.col[POINT_FLOPS] = 6e15;
    points_add(&p, &r);
    points_derive(&p);
    near(p.col[POINT_FLOPS][0], 2e15, 1e-15);
    near(p.col[POINT_N][0], 3e5, 0);
    near(p.col[POINT_D][1], 1e9, 1e-15);
    near(p.col[POINT_M][1], 6e6, 1e-15);
    assert_true(isnan(p.col[POINT_BATCH][0]));
    points_release(&p);
}

static void missing_columns_are_named(void **state)
{
    struct points p;
    struct err e;

    (void)state;
    fill(&p, 3);
    ok(points_require(&p, POINT_N, &e));
    assert_int_equal(points_require(&p, POINT_D, &e), -1);
    assert_non_null(strstr(e.text, "run 100: no 'd'"));
    p.col[POINT_N][1] = -2;
    assert_int_equal(points_require(&p, POINT_N, &e), -1);
    assert_non_null(strstr(e.text, "run 101: n = -2"));
    points_exclude(&p, 1, "bad");
    ok(points_require(&p, POINT_N, &e));
    assert_true(points_has(&p, POINT_LOSS));
    assert_false(points_has(&p, POINT_LR));
    points_release(&p);
}

static void the_hash_is_of_what_is_used(void **state)
{
    char a[HASH_HEX], b[HASH_HEX];
    struct points p;

    (void)state;
    fill(&p, 5);
    points_hash(a, &p);
    p.run[2] = 77; /* where a row came from is not what was fitted */
    points_hash(b, &p);
    assert_string_equal(a, b);
    p.col[POINT_LOSS][2] += 1e-12;
    points_hash(b, &p);
    assert_string_not_equal(a, b);
    p.col[POINT_LOSS][2] = 5;
    points_exclude(&p, 4, "x");
    points_hash(b, &p);
    assert_string_not_equal(a, b);
    points_release(&p);
}

static void a_fit_survives_its_json(void **state)
{
    struct fit_result r, s;
    struct err e;

    (void)state;
    fit_result_init(&r, "surface");
    strcpy(r.form, "chinchilla");
    strcpy(r.method, "varpro");
    strcpy(r.objective_name, "huber");
    strcpy(r.interval, "profile");
    r.n = 240;
    r.excluded = 5;
    r.objective = 0.1 + 0.2;
    r.level = 0.9;
    fit_result_add(&r, "alpha", 1.0 / 3, 0.01, 0.32, INFINITY);
    fit_result_add(&r, "E", 1.7, NAN, NAN, NAN);
    fit_result_refuse(&r, "width is %d", 512);
    fit_result_refuse(&r, "later");
    fit_result_number(&r, "cond", INFINITY);
    fit_result_number(&r, "a", 0.5);
    char *text = fit_result_dump(&r);
    assert_non_null(strstr(text, "\"cond\": null"));
    assert_non_null(strstr(text, "[0.32000000000000001, null]"));
    ok(fit_result_from_json(&s, text, &e));
    assert_string_equal(s.refused, "width is 512");
    assert_int_equal(s.identified, 0);
    assert_int_equal(s.n, 240);
    near(s.objective, 0.1 + 0.2, 0);
    near(fit_result_find(&s, "alpha")->value, 1.0 / 3, 0);
    assert_true(isnan(fit_result_find(&s, "alpha")->hi));
    assert_true(isnan(fit_result_find(&s, "E")->lo));
    assert_null(fit_result_find(&s, "beta"));
    /* again the same text */
    char *again = fit_result_dump(&s);
    assert_string_equal(text, again);
    free(again);
    free(text);

    struct str out;
    str_init(&out);
    fit_result_print(&out, &r);
    assert_non_null(strstr(out.text, "not identified: width is 512"));
    assert_non_null(strstr(out.text, "240 points, 5 left out"));
    str_release(&out);
    fit_result_release(&r);
    fit_result_release(&s);
    assert_int_equal(fit_result_from_json(&s, "{\"law\": 3}", &e), -1);
    assert_int_equal(fit_result_from_json(&s, "nonsense", &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_parse_both_ways),
        cmocka_unit_test(rows_keep_their_reason),
        cmocka_unit_test(what_follows_is_derived),
        cmocka_unit_test(missing_columns_are_named),
        cmocka_unit_test(the_hash_is_of_what_is_used),
        cmocka_unit_test(a_fit_survives_its_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
