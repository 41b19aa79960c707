/* linfit, powerlaw and stat: against numpy and scipy (1.10, float64). */
#include "analysis/linfit.h"
#include "analysis/powerlaw.h"
#include "analysis/stat.h"
#include "base/mem.h"
#include "base/rng.h"

#include "check.h"

#include <string.h>

static void quantiles_agree_with_scipy(void **state)
{
    static const struct {
        double p, z;
    } normal[] = {
        {1e-10, -6.36134090240406}, {0.0001, -3.71901648545568},
        {0.02, -2.05374891063182},  {0.025, -1.95996398454005},
        {0.3, -0.524400512708041},  {0.95, 1.64485362695147},
        {0.999, 3.09023230616781},
    };
    static const struct {
        double p, dof, x;
    } t[] = {{0.95, 1, 6.31375151480093},    {0.95, 3, 2.35336343480183},
             {0.975, 10, 2.22813885196494},  {0.05, 6, -1.94318028039278},
             {0.995, 2.5, 7.16372813894877}, {0.9, 200, 1.2857987939946}},
      chi2[] = {{0.9, 1, 2.7055434540954},
                {0.95, 1, 3.84145882069412},
                {0.95, 5, 11.0704976935164},
                {0.05, 20, 10.8508113941826},
                {0.99, 2, 9.21034037197618}};
    static const struct {
        double p, d1, d2, x;
    } f[] = {{0.95, 1, 10, 4.96460274373071},
             {0.95, 5, 2, 19.2964096520172},
             {0.5, 3, 7, 0.870944253187285},
             {0.99, 4, 40, 3.82829354940487}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(normal); i++)
        near(stat_normal_quantile(normal[i].p), normal[i].z, 1e-12);
    within(stat_normal_quantile(0.5), 0, 1e-15);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        near(stat_t_quantile(t[i].p, t[i].dof), t[i].x, 1e-10);
    for (size_t i = 0; i < ARRAY_LEN(chi2); i++)
        near(stat_chi2_quantile(chi2[i].p, chi2[i].dof), chi2[i].x, 1e-10);
    for (size_t i = 0; i < ARRAY_LEN(f); i++)
        near(stat_f_quantile(f[i].p, f[i].d1, f[i].d2), f[i].x, 1e-10);
}

static void quantiles_of_samples_are_type_7(void **state)
{
    double x[] = {5, 1, NAN, 2, 9}, y[] = {1, 2, 5, 9};

    (void)state;
    stat_sort(x, 5);
    assert_true(isnan(x[4]));
    near(stat_quantile_sorted(x, 4, 0.5), 3.5, 1e-15);
    near(stat_quantile(y, 4, 0.05), 1.15, 1e-15);
    near(stat_quantile(y, 4, 1), 9, 0);
    near(stat_sd(y, 4), 3.593976442141304, 1e-14);
    assert_true(isnan(stat_quantile(y, 0, 0.5)));
}

/* Eight budgets, and the M_opt that a noisy DeepSeek Eq. 4 gives. */
static const double budget[] = {1e17, 3e17, 1e18, 3e18, 1e19, 3e19, 1e20, 3e20};
static const double m_opt[] = {142846000.0,  260232000.0,  477353000.0,
                               782566000.0,  1642947000.0, 2856352000.0,
                               5112159000.0, 9616956000.0};

static void power_law_agrees_with_numpy(void **state)
{
    static const double w[] = {1, 2, 1, 3, 1, 2, 5, 1};
    double w7[8];
    struct powerlaw f;
    struct err e;
    double lo, hi, coef, exponent;

    (void)state;
    ok(powerlaw_fit(&f, budget, m_opt, NULL, 8, 0.9, &e));
    near(f.coef, 0.18345855953963, 1e-11);
    near(f.exponent, 0.522968148420314, 1e-12);
    near(f.se_log_coef, 0.233787443259045, 1e-10);
    near(f.se_exponent, 0.00540832209153261, 1e-10);
    near(f.r2, 0.999358720620337, 1e-12);
    near(f.exponent_ci[0], 0.512458803582035, 1e-11);
    near(f.exponent_ci[1], 0.533477493258593, 1e-11);
    near(powerlaw_at(&f, 1e23), 195796711302.309, 1e-11);
    powerlaw_interval(&lo, &hi, &f, 1e23, 0.9, 0);
    near(lo, 175969310990.201, 1e-9);
    near(hi, 217858170501.87, 1e-9);
    powerlaw_interval(&lo, &hi, &f, 1e23, 0.9, 1);
    near(hi, 223507771977.558, 1e-9);

    ok(powerlaw_fit(&f, budget, m_opt, w, 8, 0.9, &e));
    near(f.coef, 0.198529787689105, 1e-11);
    near(f.exponent, 0.520817147227689, 1e-12);
    near(f.se_log_coef, 0.273504143964688, 1e-10);
    near(f.r2, 0.999137898243299, 1e-12);
    near(f.exponent_ci[1], 0.532953530760339, 1e-11);

    /* weights are relative: a common factor changes nothing */
    for (int i = 0; i < 8; i++)
        w7[i] = 7 * w[i];
    ok(powerlaw_fit(&f, budget, m_opt, w7, 8, 0.9, &e));
    near(f.se_exponent, 0.00624562921675871, 1e-10);
    assert_int_equal(powerlaw_fit_fast(&coef, &exponent, budget, m_opt, w, 8),
                     0);
    near(exponent, f.exponent, 1e-12);
    near(coef, f.coef, 1e-10);
}

static void power_law_refuses_what_has_no_slope(void **state)
{
    static const double same[] = {2, 2, 2}, bad[] = {1, -1, 2};
    struct powerlaw f;
    struct err e;
    double a, b;

    (void)state;
    assert_int_equal(powerlaw_fit(&f, same, m_opt, NULL, 3, 0.9, &e), -1);
    assert_non_null(strstr(e.text, "two different"));
    assert_int_equal(powerlaw_fit(&f, budget, bad, NULL, 3, 0.9, &e), -1);
    assert_non_null(strstr(e.text, "point 1"));
    assert_int_equal(powerlaw_fit_fast(&a, &b, same, m_opt, NULL, 3), -1);
    ok(powerlaw_fit(&f, budget, m_opt, NULL, 2, 0.9, &e));
    assert_true(isnan(f.se_exponent));
}

/* Rows of a cubic in x, whose normal equations would lose half the digits. */
static void qr_keeps_the_digits(void **state)
{
    enum { N = 40, P = 4 };
    static const double truth[P] = {3, -2, 1e-3, 5e-7};
    double X[N * P], y[N];
    struct linfit f;
    struct err e;

    (void)state;
    for (int i = 0; i < N; i++) {
        double x = 100 + i;
        for (int j = 0; j < P; j++)
            X[i * P + j] = pow(x, j);
        y[i] = 0;
        for (int j = 0; j < P; j++)
            y[i] += truth[j] * X[i * P + j];
    }
    ok(linfit(&f, X, y, NULL, N, P, &e));
    for (int j = 0; j < P; j++)
        near(f.coef[j], truth[j], 1e-6);
    between(f.cond, 1e4, 1e6);
    within(f.r2, 1, 1e-12);
}

static void singular_designs_are_refused(void **state)
{
    double X[] = {1, 2, 2, 1, 3, 3, 1, 5, 5, 1, 7, 7}, y[] = {1, 2, 3, 4};
    double w[] = {1, 0, 0, 1};
    struct linfit f;
    struct err e;

    (void)state;
    assert_int_equal(linfit(&f, X, y, NULL, 4, 3, &e), -1);
    assert_non_null(strstr(e.text, "column 2"));
    assert_int_equal(linfit(&f, X, y, w, 4, 3, &e), -1);
    assert_non_null(strstr(e.text, "2 points"));
    y[2] = NAN;
    assert_int_equal(linfit(&f, X, y, NULL, 4, 1, &e), -1);
    assert_non_null(strstr(e.text, "row 2"));
}

/* Rows of weight 0 do not exist; an integer weight is a repeated row. */
static void weights_are_repeats(void **state)
{
    double X[] = {1, 1, 1, 2, 1, 3, 1, 9}, y[] = {1, 3, 2, 500};
    double w[] = {1, 2, 1, 0};
    double X2[] = {1, 1, 1, 2, 1, 2, 1, 3}, y2[] = {1, 3, 3, 2};
    struct linfit a, b;
    struct err e;

    (void)state;
    ok(linfit(&a, X, y, w, 4, 2, &e));
    ok(linfit(&b, X2, y2, NULL, 4, 2, &e));
    assert_int_equal(a.n, 3);
    within(a.coef[0], b.coef[0], 1e-14);
    within(a.coef[1], b.coef[1], 1e-14);
    near(a.rss, b.rss, 1e-13);
}

static void nonnegative_fit_stops_at_zero(void **state)
{
    /* free solution has a negative first coefficient */
    double X[] = {1, 1, 1, 2, 1, 3, 1, 4}, y[] = {0.5, 1.7, 2.9, 4.1};
    int nonneg[] = {1, 1}, none[] = {0, 0};
    double c[2];
    struct err e;

    (void)state;
    ok(linfit_nonneg(c, X, y, NULL, 4, 2, none, &e));
    near(c[0], -0.7, 1e-12);
    ok(linfit_nonneg(c, X, y, NULL, 4, 2, nonneg, &e));
    assert_true(c[0] == 0);
    near(c[1], (0.5 + 3.4 + 8.7 + 16.4) / 30, 1e-12);
}

/* Every non-negative solution satisfies the Kuhn-Tucker conditions. */
static void nonnegative_fits_are_optimal(void **state)
{
    enum { N = 12, P = 4 };
    struct rng r = {5, RNG_TEST, 0};
    int nonneg[P] = {1, 1, 1, 1}, zeros = 0;
    struct err e;

    (void)state;
    for (int trial = 0; trial < 300; trial++) {
        double X[N * P], y[N], c[P];
        for (int i = 0; i < N * P; i++)
            X[i] = rng_next_normal(&r);
        for (int i = 0; i < N; i++)
            y[i] = rng_next_normal(&r);
        ok(linfit_nonneg(c, X, y, NULL, N, P, nonneg, &e));
        for (int j = 0; j < P; j++) {
            double g = 0;
            for (int i = 0; i < N; i++) {
                double res = y[i];
                for (int k = 0; k < P; k++)
                    res -= c[k] * X[i * P + k];
                g += res * X[i * P + j];
            }
            assert_true(c[j] >= 0);
            if (c[j] > 0)
                within(g, 0, 1e-10);
            else
                between(g, -INFINITY, 1e-10);
            zeros += c[j] == 0;
        }
    }
    assert_true(zeros > 100);
}

static void small_systems_and_eigenvalues(void **state)
{
    double A[] = {4, 1, 0, 1, 3, 1, 0, 1, 2}, b[] = {1, 2, 3}, x[3], inv[9];
    double value[3], vec[9], not_pd[] = {1, 2, 2, 1};

    (void)state;
    assert_int_equal(linfit_solve_spd(x, inv, A, b, 3), 0);
    for (int i = 0; i < 3; i++) {
        double s = 0, t = 0;
        for (int j = 0; j < 3; j++) {
            s += A[3 * i + j] * x[j];
            t += inv[3 * i + j] * b[j];
        }
        near(s, b[i], 1e-14);
        near(t, x[i], 1e-13);
    }
    assert_int_equal(linfit_solve_spd(x, NULL, not_pd, b, 2), -1);
    linfit_eigen(value, vec, A, 3);
    assert_true(value[0] < value[1] && value[1] < value[2]);
    near(value[0] + value[1] + value[2], 9, 1e-14);
    near(value[0] * value[1] * value[2], 18, 1e-13);
    for (int i = 0; i < 3; i++) { /* A v = lambda v, for the largest */
        double s = 0;
        for (int j = 0; j < 3; j++)
            s += A[3 * i + j] * vec[3 * j + 2];
        near(s, value[2] * vec[3 * i + 2], 1e-12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_agree_with_scipy),
        cmocka_unit_test(quantiles_of_samples_are_type_7),
        cmocka_unit_test(power_law_agrees_with_numpy),
        cmocka_unit_test(power_law_refuses_what_has_no_slope),
        cmocka_unit_test(qr_keeps_the_digits),
        cmocka_unit_test(singular_designs_are_refused),
        cmocka_unit_test(weights_are_repeats),
        cmocka_unit_test(nonnegative_fit_stops_at_zero),
        cmocka_unit_test(nonnegative_fits_are_optimal),
        cmocka_unit_test(small_systems_and_eigenvalues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
