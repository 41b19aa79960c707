/* isoflop_min: parabolas and Akima's cubic, against other programs. */
#include "check.h"

#include "analysis/isoflop_min.h"
#include "analysis/linfit.h"

static void test_parabola_is_exact(void **state)
{
    double x[5] = {10, 11, 12.5, 14, 15}, y[5], at, value, var;
    struct poly q;

    (void)state;
    for (int i = 0; i < 5; i++)
        y[i] = 2 + 0.3 * (x[i] - 12.2) * (x[i] - 12.2);
    assert_int_equal(poly_fit(&q, 2, x, y, NULL, 5), 0);
    assert_int_equal(parabola_minimum(&at, &value, &var, &q), 0);
    near(at, 12.2, 1e-12);
    near(value, 2, 1e-12);
    near(parabola_curvature(&var, &q), 0.3, 1e-10);
    for (int i = 0; i < 5; i++)
        y[i] = -y[i];
    assert_int_equal(poly_fit(&q, 2, x, y, NULL, 5), 0);
    assert_int_equal(parabola_minimum(&at, &value, NULL, &q), -1);
    assert_int_equal(poly_fit(&q, 2, x, y, NULL, 2), -1);
    x[1] = x[2] = x[3] = x[4] = x[0];
    assert_int_equal(poly_fit(&q, 2, x, y, NULL, 5), -1);
}

/* Standard errors of a weighted parabola against linfit's. */
static void test_poly_variance(void **state)
{
    double x[6] = {1, 2, 3, 4, 6, 7}, y[6] = {5, 3, 2.2, 2, 3.1, 4.4};
    double w[6] = {1, 2, 1, 3, 1, 1}, X[18], row[3] = {1, 3.3, 3.3 * 3.3};
    double var, se, value;
    struct linfit f;
    struct poly q;
    struct err e;

    (void)state;
    for (int i = 0; i < 6; i++) {
        X[3 * i] = 1;
        X[3 * i + 1] = x[i];
        X[3 * i + 2] = x[i] * x[i];
    }
    ok(linfit(&f, X, y, w, 6, 3, &e));
    assert_int_equal(poly_fit(&q, 2, x, y, w, 6), 0);
    value = poly_at(&var, &q, 3.3);
    near(value, linfit_at(&f, row, &se), 1e-10);
    near(q.rss, f.rss, 1e-9);
    near(sqrt(var * f.rss / 3), se, 1e-9);
}

/* Values of scipy.interpolate.Akima1DInterpolator (scipy 1.10, default
 * options) at these points. */
static void test_akima_agrees_with_scipy(void **state)
{
    static const double x[7] = {0, 1, 2.5, 3, 4, 6, 7};
    static const double y[7] = {3, 2.1, 1.7, 1.65, 1.8, 2.6, 3.5};
    static const double at[6] = {0.5, 1.7, 2.6, 3.5, 5.1, 6.6};
    static const double value[6] = {2.4477430555555557, 1.8662427207081294,
                                    1.6853811320754717, 1.6958333333333333,
                                    2.1574999999999998, 3.0720000000000001};
    double x_min, y_min;

    (void)state;
    for (int i = 0; i < 6; i++)
        near(akima_at(x, y, 7, at[i]), value[i], 1e-12);
    assert_int_equal(akima_minimum(&x_min, &y_min, x, y, 7), 0);
    for (double t = 0; t <= 7; t += 1e-3)
        assert_true(akima_at(x, y, 7, t) >= y_min - 1e-12);
    near(akima_at(x, y, 7, x_min), y_min, 1e-12);
    assert_int_equal(akima_minimum(&x_min, &y_min, x, y, 4), -1); /* edge */
}

/* What defines the natural spline: it goes through its points, its slope and
 * curvature are continuous, its curvature is 0 at the ends; and a straight line
 * stays one. */
static void test_the_spline_is_natural(void **state)
{
    static const double x[7] = {0, 1, 2.5, 3, 4, 6, 7};
    static const double y[7] = {3, 2.1, 1.7, 1.65, 1.8, 2.6, 3.5};
    double line[7], h = 1e-3, x_min, y_min;

    (void)state;
    for (int i = 0; i < 7; i++)
        line[i] = 2 - 3 * x[i];
    for (int i = 1; i < 6; i++) {
        double at[7], left, right;
        near(spline_at(x, y, 7, x[i]), y[i], 1e-12);
        for (int k = 0; k < 7; k++)
            at[k] = spline_at(x, y, 7, x[i] + (k - 3) * h);
        within((at[3] - at[2]) / h, (at[4] - at[3]) / h, 5 * h);
        left = (at[3] - 2 * at[2] + at[1]) / (h * h);
        right = (at[5] - 2 * at[4] + at[3]) / (h * h);
        within(left, right, 20 * h);
    }
    within((spline_at(x, y, 7, 2 * h) - 2 * spline_at(x, y, 7, h) + y[0]) /
               (h * h),
           0, 5 * h);
    for (double t = 0; t <= 7; t += 0.1)
        within(spline_at(x, line, 7, t), 2 - 3 * t, 1e-12);
    assert_int_equal(spline_minimum(&x_min, &y_min, x, y, 7), 0);
    for (double t = 0; t <= 7; t += 1e-3)
        assert_true(spline_at(x, y, 7, t) >= y_min - 1e-12);
    assert_int_equal(spline_minimum(&x_min, &y_min, x, y, 4), -1); /* edge */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parabola_is_exact),
        cmocka_unit_test(test_poly_variance),
        cmocka_unit_test(test_akima_agrees_with_scipy),
        cmocka_unit_test(test_the_spline_is_natural),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
