/* isoflop_fit: recovers the allocation and refuses what a profile does not
 * show. */
#include "check.h"

#include "analysis/bootstrap.h"
#include "analysis/fit_json.h"
#include "analysis/isoflop_fit.h"
#include "base/mem.h"
#include "profiles.h"
#include "tests/unit/sanitized.h"

#include <stdio.h>
#include <stdlib.h>

static struct isoflop_opts options(int bootstrap)
{
    struct isoflop_opts o;
    isoflop_opts_default(&o);
    o.bootstrap = bootstrap;
    return o;
}

static void test_exponents_sum_to_one(void **state)
{
    struct design d = {1e18, 1e20, 5, 7, 3, 4, 1, 1, 0.002};
    struct rng r = {3, RNG_TEST, 0};
    struct isoflop_opts o = options(300);
    struct isoflop_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    simulate(&p, &truth_chinchilla, &d, &r);
    ok(isoflop_fit(&f, &p, &o, &e));
    assert_int_equal(f.identified, 1);
    within(f.M.exponent + f.D.exponent, 1, 1e-12);
    near(f.M.coef * f.D.coef, 1, 1e-12);
    within(f.M.exponent_ci[0] + f.D.exponent_ci[1], 1, 1e-12);
    near(f.M.coef_ci[0] * f.D.coef_ci[1], 1, 1e-9);
    within(f.M.exponent, 28.0 / 62, 0.05);
    near(f.noise, 0.002, 0.4);
    assert_int_equal(f.noise_from_seeds, 1);
    assert_int_equal(f.noise_dof, 5 * 7 * 2);
    for (int i = 0; i < f.n_budget; i++) {
        const struct isoflop_budget *b = &f.budget[i];
        assert_true(b->M_ci[0] < b->M && b->M < b->M_ci[1]);
        near(b->M * b->D, b->flops, 1e-12);
        near(b->loss, truth_best(&truth_chinchilla, b->flops), 0.005);
    }
    isoflop_fit_release(&f);
    points_release(&p);
}

/* --- refusals --- */

struct one {
    const char *name;
    double u[8], loss[8]; /* log(M / 1e6) and loss */
    int n, dir;
    const char *says; /* part of the reason; NULL: accepted */
};

static const struct one profiles[] = {
    {"a clear minimum", {-2, -1, 0, 1, 2}, {3.4, 3.1, 3, 3.1, 3.4}, 5, 0, NULL},
    {"falls all the way",
     {-2, -1, 0, 1, 2},
     {5, 4.1, 3.4, 2.9, 2.6},
     5,
     1,
     "edge"},
    {"rises all the way",
     {-2, -1, 0, 1, 2},
     {2.6, 2.9, 3.4, 4.1, 5},
     5,
     -1,
     "edge"},
    {"opens downwards",
     {-2, -1, 0, 1, 2},
     {3, 3.3, 3.4, 3.25, 2.8},
     5,
     1,
     "downwards"},
    {"opens downwards, other side",
     {-2, -1, 0, 1, 2},
     {2.8, 3.25, 3.4, 3.3, 3},
     5,
     -1,
     "downwards"},
    {"three sizes", {-1, 0, 1}, {3.1, 3, 3.1}, 3, 0, "3 sizes"},
    {"noise",
     {-3, -2, -1, 0, 1, 2, 3},
     {3.02, 2.98, 3.03, 2.99, 3.01, 2.97, 3.021},
     7,
     0,
     "curvature"},
    {"lowest at the end, minimum just inside",
     {-2, -1, 0, 1, 2, 3},
     {3.9, 3.55, 3.3, 3.12, 3.02, 3.01},
     6,
     1,
     "edge"},
};

static void add_one(struct points *p, const struct one *s, double budget)
{
    for (int i = 0; i < s->n; i++) {
        struct point q;
        point_init(&q);
        q.col[POINT_BUDGET] = budget;
        q.col[POINT_M] = 1e6 * exp(s->u[i]);
        q.col[POINT_D] = budget / q.col[POINT_M];
        q.col[POINT_LOSS] = s->loss[i];
        points_add(p, &q);
    }
}

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        const struct one *s = &profiles[i];
        struct isoflop_opts o = options(0);
        struct isoflop_fit f;
        struct points p;
        struct err e;
        points_init(&p);
        add_one(&p, s, 1e15);
        ok(isoflop_fit(&f, &p, &o, &e));
        assert_int_equal(f.n_budget, 1);
        if (!!f.budget[0].ok != !s->says || f.budget[0].dir != s->dir ||
            (s->says && !strstr(f.budget[0].refused, s->says)))
            fail_msg("%s: ok %d, dir %d, '%s'", s->name, f.budget[0].ok,
                     f.budget[0].dir, f.budget[0].refused);
        if (s->says)
            assert_true(isnan(f.budget[0].M));
        assert_int_equal(f.identified, 0);
        assert_non_null(strstr(f.refused, "needs 3"));
        isoflop_fit_release(&f);
        points_release(&p);
    }
}

static void test_diverged_and_excluded_runs_do_not_enter(void **state)
{
    struct isoflop_opts o = options(0);
    struct isoflop_fit f, g;
    struct points p;
    struct err e;
    struct point q;

    (void)state;
    points_init(&p);
    add_one(&p, &profiles[0], 1e15);
    ok(isoflop_fit(&f, &p, &o, &e));
    points_row(&q, &p, 0);
    q.col[POINT_M] = 5e5;
    q.col[POINT_LOSS] = 0.1; /* far below: would win if it entered */
    q.used = 0;
    strcpy(q.why, "failed: out of memory");
    points_add(&p, &q);
    strcpy(q.why, "diverged: loss is not finite");
    points_add(&p, &q);
    ok(isoflop_fit(&g, &p, &o, &e));
    near(g.budget[0].M, f.budget[0].M, 1e-14);
    assert_int_equal(g.n_excluded, 2);
    assert_int_equal(g.n_diverged, 1);
    assert_int_equal(g.n_point, 5);
    isoflop_fit_release(&f);
    isoflop_fit_release(&g);
    points_release(&p);
}

static void test_nothing_to_fit_is_an_error(void **state)
{
    struct isoflop_opts o = options(0);
    struct isoflop_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    assert_int_equal(isoflop_fit(&f, &p, &o, &e), -1);
    assert_non_null(strstr(e.text, "no finished run"));
    points_release(&p);
}

/* A size with several (lr, batch) is worth its best one. */
static void test_best_setting_of_a_size(void **state)
{
    struct isoflop_opts o = options(0);
    struct isoflop_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    add_one(&p, &profiles[0], 1e15);
    for (size_t i = 0; i < 5; i++) {
        struct point q;
        p.col[POINT_LR][i] = 1e-3;
        points_row(&q, &p, i);
        q.col[POINT_LR] = 1e-1;
        q.col[POINT_LOSS] += 1;
        points_add(&p, &q);
    }
    ok(isoflop_fit(&f, &p, &o, &e));
    assert_int_equal(f.budget[0].ok, 1);
    for (int i = 0; i < 5; i++)
        near(f.budget[0].size[i].loss, profiles[0].loss[i], 1e-14);
    isoflop_fit_release(&f);
    points_release(&p);
}

/* --- identified or not, and how often right --- */

static void test_noise_refuses_the_exponent(void **state)
{
    struct design d = {1e18, 3e18, 3, 5, 1, 2, 1, 1, 0.03};
    struct rng r = {11, RNG_TEST, 0};
    struct isoflop_opts o = options(200);
    int identified = 0;
    struct str how;

    (void)state;
    str_init(&how);
    for (int i = 0; i < 20; i++) {
        struct isoflop_fit f;
        struct points p;
        struct err e;
        points_init(&p);
        simulate(&p, &truth_chinchilla, &d, &r);
        ok(isoflop_fit(&f, &p, &o, &e));
        identified += f.identified;
        if (!f.identified) {
            double M;
            assert_true(f.refused[0] && f.settle[0]);
            assert_true(f.settle_flops > 0);
            str_clear(&how);
            M = isoflop_fit_use(&how, &f, 1e19);
            assert_true(M > 0 && isfinite(M));
            assert_non_null(strstr(how.text, "not identified"));
        }
        isoflop_fit_release(&f);
        points_release(&p);
    }
    assert_true(identified <= 2);
    str_release(&how);
}

/* How often the exponent's interval covers the truth, among the studies that
 * are not refused; STUDIES per design. */
#define STUDIES 200

static void coverage(struct design d, int bootstrap, double lo, double hi)
{
    struct isoflop_opts o = options(bootstrap);
    struct rng r = {5, RNG_TEST, 0};
    double a = 0.28 / 0.62;
    int in = 0, n = 0;

    for (int i = 0; i < STUDIES; i++) {
        struct isoflop_fit f;
        struct points p;
        struct err e;
        points_init(&p);
        simulate(&p, &truth_chinchilla, &d, &r);
        o.seed = (uint64_t)i;
        ok(isoflop_fit(&f, &p, &o, &e));
        if (f.n_ok >= 3) {
            n++;
            in += f.M.exponent_ci[0] <= a && a <= f.M.exponent_ci[1];
        }
        isoflop_fit_release(&f);
        points_release(&p);
    }
    print_message("%d budgets, noise %.3f: %d of %d covered\n", d.budgets,
                  d.noise, in, n);
    between((double)in / n, lo, hi);
}

static void test_coverage(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    coverage((struct design){1e18, 1e20, 5, 7, 1, 3, 1, 1, 0.001}, 200, 0.83,
             0.97);
    coverage((struct design){1e18, 1e20, 5, 7, 1, 3, 1, 1, 0.003}, 200, 0.83,
             0.97);
    coverage((struct design){1e18, 1e20, 5, 7, 1, 3, 1, 1, 0.01}, 200, 0.83,
             0.985);
    coverage((struct design){1e17, 3e20, 8, 10, 1, 4, 1, 1, 0.003}, 200, 0.83,
             0.97);
}

/* Percentiles that are asked for are widened for few budgets as those that
 * are not. */
static void test_intervals_asked_for_are_widened(void **state)
{
    struct design d = {1e17, 3e20, 8, 10, 1, 4, 1, 1, 0.003};
    struct isoflop_opts o = options(200);
    struct rng r = {6, RNG_TEST, 0};
    struct isoflop_fit f[2];
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    simulate(&p, &truth_chinchilla, &d, &r);
    o.resample = ISOFLOP_RESAMPLE_BUDGETS;
    for (int k = 0; k < 2; k++) {
        o.interval = k ? BOOT_PERCENTILE : -1;
        ok(isoflop_fit(&f[k], &p, &o, &e));
    }
    for (int k = 0; k < 2; k++)
        near(f[1].M.exponent_ci[k], f[0].M.exponent_ci[k], 1e-12);
    for (int k = 0; k < 2; k++)
        isoflop_fit_release(&f[k]);
    points_release(&p);
}

/* --- as JSON --- */

static void test_json_reads_back(void **state)
{
    struct design d = {1e18, 1e20, 6, 7, 2, 4, 1, 1, 0.001};
    struct rng r = {1, RNG_TEST, 0};
    struct isoflop_opts o = options(200);
    struct fit_result back, said;
    struct isoflop_fit f;
    struct points p;
    struct err e;
    char *text;

    (void)state;
    points_init(&p);
    simulate(&p, &truth_chinchilla, &d, &r);
    ok(isoflop_fit(&f, &p, &o, &e));
    isoflop_fit_result(&said, &f);
    text = fit_result_dump(&said);
    fit_result_release(&said);
    ok(fit_result_from_json(&back, text, &e));
    assert_string_equal(back.law, "isoflop");
    assert_int_equal(back.n, 84);
    assert_int_equal(back.identified, 1);
    near(fit_result_find(&back, "M_exponent")->value, f.M.exponent, 0);
    near(fit_result_find(&back, "M_exponent")->lo, f.M.exponent_ci[0], 0);
    near(fit_result_find(&back, "D_coef")->value, f.D.coef, 0);
    fit_result_release(&back);
    free(text);
    isoflop_fit_release(&f);
    points_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exponents_sum_to_one),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_diverged_and_excluded_runs_do_not_enter),
        cmocka_unit_test(test_nothing_to_fit_is_an_error),
        cmocka_unit_test(test_best_setting_of_a_size),
        cmocka_unit_test(test_noise_refuses_the_exponent),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_intervals_asked_for_are_widened),
        cmocka_unit_test(test_json_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
