/* curve_rolling: a row for every cut-off and larger budget, from what is at or
 * below the cut-off alone. */
#include "check.h"

#include "analysis/curve.h"
#include "analysis/curve_rolling.h"
#include "analysis/fit_json.h"
#include "analysis/isoflop_fit.h"
#include "profiles.h"

#include <stdlib.h>

static void study(struct points *p, int budgets, double to)
{
    struct design d = {1e18, to, budgets, 7, 2, 4, 1, 1, 0.002};
    struct rng r = {9, RNG_TEST, 0};

    points_init(p);
    simulate(p, &truth_chinchilla, &d, &r);
}

static void test_every_pair(void **state)
{
    struct curve_rolling_row *rows;
    struct isoflop_opts o;
    struct fit_result r;
    struct points p;
    struct err e;
    size_t n;
    int inside = 0;

    (void)state;
    study(&p, 6, 1e20);
    isoflop_opts_default(&o);
    ok(curve_rolling(&rows, &n, &p, &o, &e));
    assert_int_equal(n, 3 + 2 + 1); /* from 3, 4 and 5 budgets */
    for (size_t i = 0; i < n; i++) {
        assert_true(rows[i].flops > rows[i].cutoff * 2);
        within(rows[i].decades, log10(rows[i].flops / rows[i].cutoff), 1e-9);
        near(rows[i].observed, truth_best(&truth_chinchilla, rows[i].flops),
             5e-3);
        near(rows[i].predicted, rows[i].observed, 0.03);
        near(rows[i].error, rows[i].predicted / rows[i].observed - 1, 1e-12);
        inside += rows[i].inside;
    }
    assert_int_equal(rows[0].budgets, 3);
    assert_int_equal(rows[n - 1].budgets, 5);
    assert_true(inside >= 5);
    fit_result_init(&r, "loss");
    curve_rolling_result(&r, rows, n);
    assert_int_equal(json_array_size(json_object_get(r.diagnostics, "rolling")),
                     n);
    near(json_number_value(json_object_get(r.diagnostics, "rolling_inside")),
         inside / 6.0, 1e-12);
    fit_result_release(&r);
    free(rows);
    points_release(&p);
}

/* The runs above a cut-off have no say in what is forecast from it. */
static void test_the_future_is_not_seen(void **state)
{
    struct curve_rolling_row *a, *b;
    struct isoflop_opts o;
    struct points p;
    struct err e;
    size_t n, m;

    (void)state;
    study(&p, 5, 1e20);
    isoflop_opts_default(&o);
    ok(curve_rolling(&a, &n, &p, &o, &e));
    for (size_t i = 0; i < p.n; i++)
        if (p.col[POINT_BUDGET][i] > 5e19)
            p.col[POINT_BPB][i] *= 1.1;
    ok(curve_rolling(&b, &m, &p, &o, &e));
    assert_int_equal(n, 3);
    assert_int_equal(m, 3);
    for (size_t i = 0; i < n; i++)
        near(b[i].predicted, a[i].predicted, 1e-6);
    near(b[2].observed, 1.1 * a[2].observed, 1e-6);
    assert_int_equal(b[2].inside, 0);
    free(a);
    free(b);
    points_release(&p);
}

static void test_too_few_budgets(void **state)
{
    struct curve_rolling_row *rows;
    struct isoflop_opts o;
    struct points p;
    struct err e;
    size_t n;

    (void)state;
    study(&p, 3, 1e20);
    isoflop_opts_default(&o);
    assert_int_equal(curve_rolling(&rows, &n, &p, &o, &e), -1);
    assert_non_null(strstr(e.text, "four are the least"));
    points_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_the_future_is_not_seen),
        cmocka_unit_test(test_too_few_budgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
