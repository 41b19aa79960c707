/* hyper_fit: laws in (N, D) and (N, D, B), and what following a law costs. */
#include "check.h"

#include "analysis/hyper_fit.h"
#include "base/mem.h"
#include "grids.h"

static void fit_budgets(struct hyper_fit *f, int budgets, double ratio,
                        int seeds, double noise)
{
    struct rng r = {6, RNG_TEST, 0};
    struct hyper_opts o;
    struct points p;
    struct err e;

    points_init(&p);
    add_law_grids(&p, budgets, ratio, seeds, noise, &r);
    hyper_opts_default(&o);
    o.bootstrap = 300;
    ok(hyper_fit(f, &p, &o, &e));
    points_release(&p);
}

/* --- (N, D): Step Law's form on grids like its own --- */

static void add_step_law(struct points *p, double noise, struct rng *r)
{
    static const double N[4] = {2e8, 4e8, 6e8, 1.1e9};
    static const double D[4] = {4e9, 1.2e10, 4e10, 1e11};

    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) {
            double lr = 1.79 * pow(N[i], -0.713) * pow(D[k], 0.307);
            double batch = 0.58 * pow(D[k], 0.571);
            struct bowl b = {2.5, lr, batch, 0.03, 0.02, 0.01};
            struct grid g = {6 * N[i] * D[k], N[i],  D[k],  2.4e-4,  2.3e-2,
                             pow(2, 0.25),    3.3e4, 4.2e6, sqrt(2), 1,
                             noise,           0};
            add_grid(p, &g, &b, r);
        }
}

static void test_step_law(void **state)
{
    struct rng r = {8, RNG_TEST, 0};
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    add_step_law(&p, 0.0003, &r);
    hyper_opts_default(&o);
    ok(hyper_fit(&f, &p, &o, &e));
    assert_int_equal(f.n_grid, 16);
    assert_int_equal(f.lr_nd.ok, 1);
    within(f.lr_nd.n, -0.713, 0.05);
    within(f.lr_nd.d, 0.307, 0.04);
    within(f.batch_d.d, 0.571, 0.05);
    assert_true(f.lr_nd.n_ci[0] < -0.713 && -0.713 < f.lr_nd.n_ci[1]);
    /* the law in C mixes two opposite exponents: its sign is not known */
    assert_int_equal(f.lr.identified, 0);
    assert_non_null(strstr(f.lr.refused, "sign is open"));
    /* and by what its advice costs, held out, (N, D) wins */
    assert_int_equal(f.score[HYPER_FORM_ND].n, 16);
    assert_true(f.score[HYPER_FORM_ND].mean < 0.5 * f.score[HYPER_FORM_C].mean);
    assert_true(f.score[HYPER_FORM_ND].mean < 0.004);
    assert_true(f.score[HYPER_FORM_PAPER].mean > f.score[HYPER_FORM_ND].mean);
    hyper_fit_release(&f);
    points_release(&p);
}

/* lr rises with the batch at fixed (N, D): the cross term of the bowl, whose
 * ridge in log lr has slope c / (2 a). */
static void test_lr_of_the_batch(void **state)
{
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    add_step_law(&p, 0, NULL);
    hyper_opts_default(&o);
    ok(hyper_fit(&f, &p, &o, &e));
    assert_int_equal(f.lr_ndb.ok, 1);
    within(f.lr_ndb.b, 0.01 / (2 * 0.03), 0.06);
    assert_true(f.score[HYPER_FORM_NDB].n > 8);
    assert_true(f.score[HYPER_FORM_TAU].n > 8);
    hyper_fit_release(&f);
    points_release(&p);
}

static void test_one_line_refuses_N_D(void **state)
{
    struct hyper_fit f;

    (void)state;
    fit_budgets(&f, 6, sqrt(2), 1, 0);
    assert_int_equal(f.lr_nd.ok, 0);
    assert_non_null(strstr(f.lr_nd.why, "one line"));
    assert_int_equal(f.score[HYPER_FORM_ND].n, 0);
    hyper_fit_release(&f);
}

static void test_scores_of_the_fed_law(void **state)
{
    struct hyper_fit f;

    (void)state;
    fit_budgets(&f, 6, sqrt(2), 1, 0);
    assert_int_equal(f.score[HYPER_FORM_C].n, 6);
    assert_true(f.score[HYPER_FORM_C].max < 1e-6);
    /* a constant is wrong by up to 5 decades of C^0.33 */
    assert_true(f.score[HYPER_FORM_FLAT].mean > 0.01);
    hyper_fit_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_law),
        cmocka_unit_test(test_lr_of_the_batch),
        cmocka_unit_test(test_one_line_refuses_N_D),
        cmocka_unit_test(test_scores_of_the_fed_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
