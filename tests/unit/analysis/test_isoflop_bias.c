/* isoflop_fit: without noise the parabola has a known bias, to the digit. */
#include "check.h"

#include "analysis/isoflop_fit.h"
#include "base/mem.h"
#include "profiles.h"
#include "table_row.h"

#include <stdio.h>

static struct isoflop_opts options(int bootstrap)
{
    struct isoflop_opts o;
    isoflop_opts_default(&o);
    o.bootstrap = bootstrap;
    return o;
}

/* --- the noise-free bias of approach 2 --- */

/* DeepSeek LLM's design, 8 budgets 1e17 .. 3e20 with 10 sizes each: exponent
 * and mean relative error of N_opt, in percent. */
static const struct bias {
    const char *name;
    const struct truth *t;
    double W, a, error;
} bias_table[] = {
    {".31/.31", &truth_even, 2, 0.5000, 0.00},
    {".31/.31", &truth_even, 16, 0.5000, 0.00},
    {".34/.28", &truth_chinchilla, 2, 0.4516, 0.35},
    {".34/.28", &truth_chinchilla, 4, 0.4516, 1.40},
    {".34/.28", &truth_chinchilla, 8, 0.4516, 3.18},
    {".34/.28", &truth_chinchilla, 16, 0.4516, 5.71},
    {".3478/.3658", &truth_epoch, 2, 0.5126, -0.10},
    {".3478/.3658", &truth_epoch, 4, 0.5126, -0.42},
    {".3478/.3658", &truth_epoch, 8, 0.5126, -0.93},
    {".3478/.3658", &truth_epoch, 16, 0.5126, -1.66},
    {".465/.155", &truth_skewed, 4, 0.2500, 7.4},
    {".465/.155", &truth_skewed, 8, 0.2500, 17.2},
    {".465/.155", &truth_skewed, 16, 0.2500, 32.1},
};

static void bias_row(const struct bias *b, double a, double error)
{
    char what[64];

    snprintf(what, sizeof what, "parabola, W %g: a", b->W);
    table_row(b->name, what, b->a, a);
    snprintf(what, sizeof what, "parabola, W %g: N_opt off by %%", b->W);
    table_row(b->name, what, b->error, error);
}

static void deepseek_design(struct isoflop_fit *f, const struct truth *t,
                            double W, double c0, double c1)
{
    struct design d = {1e17, 3e20, 8, 10, 1, W, c0, c1, 0};
    struct isoflop_opts o = options(0);
    struct points p;
    struct err e;

    points_init(&p);
    simulate(&p, t, &d, NULL);
    ok(isoflop_fit(f, &p, &o, &e));
    points_release(&p);
}

static void test_bias_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bias_table); i++) {
        const struct bias *b = &bias_table[i];
        double sum = 0, tol = b->t == &truth_skewed ? 0.05 : 0.005;
        struct isoflop_fit f;
        deepseek_design(&f, b->t, b->W, 1, 1);
        assert_int_equal(f.n_ok, 8);
        for (int k = 0; k < f.n_budget; k++)
            sum += f.budget[k].N / truth_N(b->t, f.budget[k].flops) - 1;
        bias_row(b, f.N.exponent, 100 * sum / 8);
        within(f.N.exponent, b->a, 5e-5);
        within(100 * sum / 8, b->error, tol + 1e-9);
        /* the law itself is as wrong as its optima */
        within(100 * (f.N.coef * pow(1e20, f.N.exponent) / truth_N(b->t, 1e20) -
                      1),
               b->error, tol + 1e-9);
        isoflop_fit_release(&f);
    }
}

static void test_drifting_centre_biases_the_exponent(void **state)
{
    struct isoflop_fit f;
    double at[2] = {1e20, 1e24}, error[2] = {2.7, 6.4};

    (void)state;
    deepseek_design(&f, &truth_chinchilla, 8, 1.0 / 3, 3);
    table_row(".34/.28", "parabola, drifting: a", 0.4555, f.N.exponent);
    within(f.N.exponent, 0.4555, 5e-5);
    for (int i = 0; i < 2; i++)
        within(100 * (f.N.coef * pow(at[i], f.N.exponent) /
                          truth_N(&truth_chinchilla, at[i]) -
                      1),
               error[i], 0.05);
    isoflop_fit_release(&f);
}

static void test_window_removes_the_bias(void **state)
{
    struct design d = {1e17, 3e20, 8, 40, 1, 16, 1, 1, 0};
    struct isoflop_opts o = options(0);
    struct isoflop_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    simulate(&p, &truth_chinchilla, &d, NULL);
    o.window = 2;
    ok(isoflop_fit(&f, &p, &o, &e));
    for (int k = 0; k < f.n_budget; k++)
        within(f.budget[k].N / truth_N(&truth_chinchilla, f.budget[k].flops), 1,
               0.006);
    isoflop_fit_release(&f);
    points_release(&p);
}

static void test_cubics_have_no_shape_bias(void **state)
{
    static const enum isoflop_method methods[] = {ISOFLOP_AKIMA,
                                                  ISOFLOP_SPLINE};
    struct design d = {1e17, 3e20, 8, 33, 1, 16, 1, 1, 0};
    struct isoflop_opts o = options(0);
    struct isoflop_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    simulate(&p, &truth_chinchilla, &d, NULL);
    for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
        o.method = methods[m];
        ok(isoflop_fit(&f, &p, &o, &e));
        for (int k = 0; k < f.n_budget; k++)
            within(f.budget[k].N /
                       truth_N(&truth_chinchilla, f.budget[k].flops),
                   1, 0.01);
        within(f.N.exponent, 0.45161, 1e-4);
        isoflop_fit_release(&f);
    }
    points_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bias_table),
        cmocka_unit_test(test_drifting_centre_biases_the_exponent),
        cmocka_unit_test(test_window_removes_the_bias),
        cmocka_unit_test(test_cubics_have_no_shape_bias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
