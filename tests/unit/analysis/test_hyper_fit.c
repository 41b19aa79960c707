/* hyper_fit: near-optimal cells, edges, laws fed and recovered, refusals. */
#include "check.h"

#include "analysis/fit_json.h"
#include "analysis/hyper_fit.h"
#include "analysis/points.h"
#include "base/mem.h"
#include "grids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_recovers_the_law(void **state)
{
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    add_law_grids(&p, 7, sqrt(2), 1, 0, NULL);
    hyper_opts_default(&o);
    ok(hyper_fit(&f, &p, &o, &e));
    assert_int_equal(f.n_grid, 7);
    for (int i = 0; i < 7; i++) {
        const struct hyper_grid *g = &f.grid[i];
        assert_int_equal(g->n_lr, 9);
        assert_int_equal(g->n_batch, 9);
        assert_int_equal(g->n_cell, 81);
        assert_int_equal(g->dlr, 0);
        assert_int_equal(g->dbatch, 0);
        near(g->threshold, 0.0025, 1e-12);
        assert_int_equal(g->quad.ok, 1);
        near(g->quad.lr, hyper_lr(&fed, g->flops), 1e-6);
        near(g->quad.batch, hyper_batch(&fed, g->flops), 1e-6);
        near(g->lr, hyper_lr(&fed, g->flops), 1e-6);
    }
    near(f.lr.exponent, -0.12, 1e-9);
    near(f.lr.coef, 0.3, 1e-7);
    near(f.batch.exponent, 0.33, 1e-9);
    near(f.batch.coef, 0.3, 1e-7);
    assert_int_equal(hyper_fit_identified(&f), 1);
    assert_true(isnan(f.noise));
    hyper_fit_release(&f);
    points_release(&p);
}

/* Pooled is Step Law's own rule: every run less than 0.25 % above the least of
 * its cell, a grid whose optimum is at its edge included, whatever the seeds
 * scatter. */
static void test_pooled_takes_every_near_run(void **state)
{
    struct rng r = {3, RNG_TEST, 0};
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;
    int count = 0;

    (void)state;
    points_init(&p);
    for (int i = 0; i < 6; i++) {
        double C = 1e12 * pow(10, i), D = sqrt(C / 6);
        double lr = hyper_lr(&fed, C), batch = hyper_batch(&fed, C);
        double edge = i < 2 ? 4 : 1; /* of the first two */
        struct bowl b = {3, lr, batch, 0.02, 0.01, 0.01};
        struct grid g = {C,       D,       D,         lr / 4 * edge,
                         lr * 16, sqrt(2), batch / 4, batch * 4,
                         2,       1,       1e-4,      0};
        size_t from = p.n;
        double least = INFINITY;
        add_grid(&p, &g, &b, &r);
        for (size_t k = from; k < p.n; k++)
            least = fmin(least, p.col[POINT_LOSS][k]);
        for (size_t k = from; k < p.n; k++)
            count += p.col[POINT_LOSS][k] / least - 1 < 0.0025;
    }
    hyper_opts_default(&o);
    o.bootstrap = 50;
    ok(hyper_fit(&f, &p, &o, &e));
    assert_int_equal(f.lr.n_grid, 4);
    assert_true(f.lr.n_point < count);
    hyper_fit_release(&f);
    o.optimum = HYPER_POOLED;
    ok(hyper_fit(&f, &p, &o, &e));
    assert_int_equal(f.lr.n_grid, 6);
    assert_int_equal(f.lr.n_point, count);
    assert_int_equal(f.batch.n_point, count);
    hyper_fit_release(&f);
    points_release(&p);
}

static void test_every_optimum_kind_recovers_the_law(void **state)
{
    struct rng r = {2, RNG_TEST, 0};
    struct points p;

    (void)state;
    points_init(&p);
    add_law_grids(&p, 7, sqrt(2), 2, 0.001, &r);
    for (int how = HYPER_NEAR; how <= HYPER_QUADRATIC; how++) {
        struct hyper_opts o;
        struct hyper_fit f;
        struct err e;
        hyper_opts_default(&o);
        o.optimum = (enum hyper_optimum)how;
        ok(hyper_fit(&f, &p, &o, &e));
        within(f.lr.exponent, -0.12, 0.02);
        within(f.batch.exponent, 0.33, 0.03);
        assert_true(f.lr.exponent_ci[0] < -0.12 && -0.12 < f.lr.exponent_ci[1]);
        near(f.noise, 0.001, 0.3);
        hyper_fit_release(&f);
    }
    points_release(&p);
}

static void test_the_rule_widens_with_the_seeds(void **state)
{
    struct rng r = {4, RNG_TEST, 0};
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    add_law_grids(&p, 3, 2, 3, 0.01, &r);
    hyper_opts_default(&o);
    ok(hyper_fit(&f, &p, &o, &e));
    near(f.noise, 0.01, 0.3);
    near(f.grid[0].threshold, 2 * f.noise, 1e-12);
    for (int i = 0; i < f.grid[0].n_cell; i++) {
        const struct hyper_cell *c = &f.grid[0].cell[i];
        assert_int_equal(c->near, c->excess <= 2 * f.noise);
        assert_int_equal(c->n, 3);
    }
    o.near_sd = 0;
    hyper_fit_release(&f);
    ok(hyper_fit(&f, &p, &o, &e));
    near(f.grid[0].threshold, 0.0025, 1e-12);
    hyper_fit_release(&f);
    points_release(&p);
}

/* --- edges --- */

static const struct edge_case {
    const char *name;
    double lr, batch, diverge; /* where the optimum lies; divergence */
    int dlr, dbatch;
} edges[] = {
    {"inside", 4e-3, 2048, 0, 0, 0},
    {"lr above the grid", 6e-2, 2048, 0, 1, 0},
    {"lr below the grid", 2e-4, 2048, 0, -1, 0},
    {"batch above the grid", 4e-3, 30000, 0, 0, 1},
    {"batch below the grid", 4e-3, 100, 0, 0, -1},
    {"both", 6e-2, 100, 0, 1, -1},
    {"divergence bounds it", 6e-2, 2048, 1.5e-2, 0, 0},
};

static void test_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
        const struct edge_case *c = &edges[i];
        struct grid g = {1e12, 1e4,  1e7, 1e-3, 1.6e-2, 2,
                         512,  8192, 2,   1,    0,      c->diverge};
        struct bowl b = {3, c->lr, c->batch, 0.02, 0.02, 0};
        struct hyper_opts o;
        struct hyper_fit f;
        struct points p;
        struct err e;
        points_init(&p);
        add_grid(&p, &g, &b, NULL);
        hyper_opts_default(&o);
        ok(hyper_fit(&f, &p, &o, &e));
        if (f.grid[0].dlr != c->dlr || f.grid[0].dbatch != c->dbatch)
            fail_msg("%s: dlr %d dbatch %d", c->name, f.grid[0].dlr,
                     f.grid[0].dbatch);
        assert_int_equal(f.grid[0].why[0] != 0, c->dlr || c->dbatch);
        hyper_fit_release(&f);
        points_release(&p);
    }
}

/* One lucky cell at the edge of a bowl whose middle is inside. */
static void test_a_lucky_edge_cell_is_no_edge(void **state)
{
    struct grid g = {1e12, 1e4, 1e7, 1e-3, 1.6e-2, 2, 512, 8192, 2, 1, 0, 0};
    struct bowl b = {3, 5e-3, 2048, 0.005, 0.005, 0};
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    add_grid(&p, &g, &b, NULL);
    for (size_t i = 0; i < p.n; i++)
        if (p.col[POINT_LR][i] > 1.5e-2 && p.col[POINT_BATCH][i] == 2048)
            p.col[POINT_LOSS][i] = 2.995;
    hyper_opts_default(&o);
    ok(hyper_fit(&f, &p, &o, &e));
    near(f.grid[0].cell[f.grid[0].best].lr, 1.6e-2, 1e-9);
    assert_int_equal(f.grid[0].quad.ok, 1);
    assert_int_equal(f.grid[0].dlr, 0);
    hyper_fit_release(&f);
    points_release(&p);
}

static void test_diverged_cells_never_win(void **state)
{
    struct grid g = {1e12, 1e4, 1e7, 1e-3, 1.6e-2, 2, 512, 8192, 2, 2, 0, 0};
    struct bowl b = {3, 4e-3, 2048, 0.02, 0.02, 0};
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    add_grid(&p, &g, &b, NULL);
    for (size_t i = 0; i < p.n; i++) /* one seed of the best cell diverges */
        if (fabs(p.col[POINT_LR][i] - 4e-3) < 1e-9 &&
            p.col[POINT_BATCH][i] == 2048 && p.col[POINT_SEED][i] == 1)
            points_exclude(&p, i, "diverged: loss above 20");
    hyper_opts_default(&o);
    ok(hyper_fit(&f, &p, &o, &e));
    assert_int_equal(f.n_diverged, 1);
    assert_int_equal(f.n_excluded, 1);
    assert_int_equal(f.n_point, 49);
    assert_true(f.grid[0].cell[f.grid[0].best].diverged == 0);
    for (int i = 0; i < f.grid[0].n_cell; i++)
        if (f.grid[0].cell[i].diverged)
            assert_true(isinf(f.grid[0].cell[i].loss) &&
                        !f.grid[0].cell[i].near);
    hyper_fit_release(&f);
    points_release(&p);
}

/* --- refusals, and what to use instead --- */

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

/* Rates of a law in (N, D), on sizes and horizons that cross: in C alone the
 * exponent is open, and the law in (N, D) is taken. */
static void test_an_open_rate_goes_by_size_and_tokens(void **state)
{
    struct rng r = {4, RNG_TEST, 0};
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;
    double range[2];

    (void)state;
    points_init(&p);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 3; k++) {
            double N = 4e7 * pow(2.2, i), D = 4e9 * pow(5, k), C = 6 * N * D;
            double lr = 1.79 * pow(N, -0.713) * pow(D, 0.307);
            double batch = 0.58 * pow(D, 0.571), s = sqrt(2);
            struct bowl b = {3, lr, batch, 0.02, 0.01, 0};
            struct grid g = {C,         N,         D, lr / 4, lr * 4, s,
                             batch / 4, batch * 4, 2, 1,      1e-4,   0};
            add_grid(&p, &g, &b, &r);
        }
    hyper_opts_default(&o);
    o.bootstrap = 200;
    ok(hyper_fit(&f, &p, &o, &e));
    assert_false(f.lr.identified);
    near(hyper_lr_of_ND(&f, 4e8, 1e11),
         1.79 * pow(4e8, -0.713) * pow(1e11, 0.307), 0.1);
    assert_int_equal(hyper_lr_left(range, &f, 1e22), 0);
    assert_true(range[0] > 0 && range[1] > 1.5 * range[0]);
    hyper_fit_release(&f);
    points_release(&p);
    fit_budgets(&f, 7, sqrt(2), 2, 0.001);
    assert_true(f.lr.identified);
    assert_true(isnan(hyper_lr_of_ND(&f, 1e10, 2e11)));
    assert_int_equal(hyper_lr_left(range, &f, 1e22), -1);
    hyper_fit_release(&f);
}

static void test_two_budgets_refuse_but_can_be_used(void **state)
{
    struct hyper_law law;
    struct hyper_fit f;
    struct str how;

    (void)state;
    fit_budgets(&f, 2, 2, 2, 0.005);
    assert_int_equal(f.lr.identified, 0);
    assert_non_null(strstr(f.lr.refused, "needs 3"));
    str_init(&how);
    hyper_fit_use(&law, &how, &f);
    near(law.lr_exp, -0.125, 1e-12);
    near(law.batch_exp, 0.3271, 1e-12);
    assert_non_null(strstr(how.text, "Eq. 1's exponent"));
    /* between the budgets the values are those of the grids */
    near(hyper_lr(&law, 3.16e12), hyper_lr(&fed, 3.16e12), 0.35);
    near(hyper_batch(&law, 3.16e12), hyper_batch(&fed, 3.16e12), 0.6);
    str_release(&how);
    hyper_fit_release(&f);
}

static void test_coarse_noisy_grids_refuse_the_sign(void **state)
{
    struct hyper_law law;
    struct hyper_fit f;
    struct str how;

    (void)state;
    fit_budgets(&f, 3, 2, 1, 0.01); /* one seed: 0.25 % selects noise */
    assert_int_equal(f.lr.identified, 0);
    assert_true(f.lr.refused[0] != 0);
    str_init(&how);
    hyper_fit_use(&law, &how, &f);
    assert_true(law.lr_exp >= f.lr.exponent_ci[0] - 1e-12 &&
                law.lr_exp <= f.lr.exponent_ci[1] + 1e-12);
    assert_true(hyper_lr(&law, 1e13) > 0 && isfinite(hyper_lr(&law, 1e13)));
    str_release(&how);
    hyper_fit_release(&f);
}

static void test_identified_law_is_used_as_fitted(void **state)
{
    struct hyper_law law;
    struct hyper_fit f;
    struct str how;

    (void)state;
    fit_budgets(&f, 7, sqrt(2), 3, 0.001);
    assert_int_equal(hyper_fit_identified(&f), 1);
    str_init(&how);
    hyper_fit_use(&law, &how, &f);
    near(law.lr_exp, f.lr.exponent, 0);
    near(law.batch_coef, f.batch.coef, 0);
    assert_null(strstr(how.text, "not identified"));
    str_release(&how);
    hyper_fit_release(&f);
}

static void test_all_at_the_edge_is_a_bound(void **state)
{
    struct bowl b = {3, 1e-1, 2048, 0.02, 0.02, 0};
    struct hyper_opts o;
    struct hyper_law law;
    struct hyper_fit f;
    struct points p;
    struct err e;
    struct str how;

    (void)state;
    points_init(&p);
    for (int i = 0; i < 3; i++) {
        struct grid g = {
            1e12 * pow(4, i), 1e4, 1e7, 1e-3, 1.6e-2, 2, 512, 8192, 2, 1, 0, 0};
        add_grid(&p, &g, &b, NULL);
    }
    hyper_opts_default(&o);
    ok(hyper_fit(&f, &p, &o, &e));
    assert_int_equal(f.lr.n_grid, 0);
    assert_int_equal(f.batch.n_grid, 3);
    str_init(&how);
    hyper_fit_use(&law, &how, &f);
    assert_non_null(strstr(how.text, "a bound"));
    near(hyper_lr(&law, 4e12), 1.6e-2, 0.2);
    str_release(&how);
    hyper_fit_release(&f);
    points_release(&p);
}

static void test_nothing_to_fit_is_an_error(void **state)
{
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    hyper_opts_default(&o);
    assert_int_equal(hyper_fit(&f, &p, &o, &e), -1);
    assert_non_null(strstr(e.text, "no finished run"));
    points_release(&p);
}

static void test_json_reads_back(void **state)
{
    struct fit_result back, said;
    struct hyper_fit f;
    struct err e;
    char *text;

    (void)state;
    fit_budgets(&f, 6, sqrt(2), 1, 0);
    hyper_fit_result(&said, &f);
    text = fit_result_dump(&said);
    fit_result_release(&said);
    ok(fit_result_from_json(&back, text, &e));
    assert_string_equal(back.law, "hyper");
    assert_int_equal(back.n, 6 * 81);
    near(fit_result_find(&back, "lr_exponent")->value, f.lr.exponent, 0);
    near(fit_result_find(&back, "batch_coef")->value, f.batch.coef, 0);
    assert_int_equal(json_integer_value(
                         json_object_get(back.diagnostics, "near_optimal_lr")),
                     f.lr.n_point);
    fit_result_release(&back);
    free(text);
    hyper_fit_release(&f);
}

/* A grid over the learning rate alone still gives its law. */
static void test_one_batch(void **state)
{
    struct hyper_opts o;
    struct hyper_law law;
    struct hyper_fit f;
    struct points p;
    struct err e;
    struct str how;

    (void)state;
    points_init(&p);
    for (int i = 0; i < 4; i++) {
        double C = 1e12 * pow(10, i), lr = hyper_lr(&fed, C);
        struct bowl b = {3, lr, 4096, 0.02, 0, 0};
        struct grid g = {C,    1e4,  1e7, lr / 4, lr * 4, sqrt(2),
                         4096, 4096, 2,   1,      0,      0};
        add_grid(&p, &g, &b, NULL);
    }
    hyper_opts_default(&o);
    ok(hyper_fit(&f, &p, &o, &e));
    near(f.lr.exponent, -0.12, 1e-9);
    assert_int_equal(f.batch.identified, 0);
    assert_non_null(strstr(f.batch.refused, "not varied"));
    assert_int_equal(f.grid[0].quad.ok, 1);
    str_init(&how);
    hyper_fit_use(&law, &how, &f);
    assert_non_null(strstr(how.text, "not varied"));
    near(hyper_batch(&law, 3.16e13), 4096, 0.01); /* the level is kept */
    str_release(&how);
    hyper_fit_release(&f);
    points_release(&p);
}

/* A diagnostic with an interval is a line of the page, with both its ends. */
static void test_intervals_are_printed(void **state)
{
    struct str page = {0};
    struct fit_result r;

    (void)state;
    fit_result_init(&r, "hyper");
    fit_result_json(&r, "lr_of_N_D",
                    json_pack("{s:f, s:[f, f], s:[n, n]}", "N", 0.5, "N_ci",
                              0.25, 0.75, "B_ci"));
    fit_result_print(&page, &r);
    assert_non_null(strstr(page.text, "N 0.5 N_ci 0.25 .. 0.75\n"));
    str_release(&page);
    fit_result_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recovers_the_law),
        cmocka_unit_test(test_pooled_takes_every_near_run),
        cmocka_unit_test(test_every_optimum_kind_recovers_the_law),
        cmocka_unit_test(test_the_rule_widens_with_the_seeds),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_a_lucky_edge_cell_is_no_edge),
        cmocka_unit_test(test_diverged_cells_never_win),
        cmocka_unit_test(test_an_open_rate_goes_by_size_and_tokens),
        cmocka_unit_test(test_two_budgets_refuse_but_can_be_used),
        cmocka_unit_test(test_coarse_noisy_grids_refuse_the_sign),
        cmocka_unit_test(test_identified_law_is_used_as_fitted),
        cmocka_unit_test(test_all_at_the_edge_is_a_bound),
        cmocka_unit_test(test_nothing_to_fit_is_an_error),
        cmocka_unit_test(test_json_reads_back),
        cmocka_unit_test(test_intervals_are_printed),
        cmocka_unit_test(test_one_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
