/* varpro, multistart, lbfgs, newton: the searches, and that they agree. */
#include "analysis/lbfgs.h"
#include "analysis/multistart.h"
#include "analysis/newton.h"
#include "analysis/surface_boot.h"
#include "analysis/varpro.h"

#include "check.h"
#include "synthetic.h"
#include "table_row.h"
#include "tests/unit/sanitized.h"

#include <stdlib.h>
#include <string.h>

static const struct surface chinchilla = {SURFACE_CHINCHILLA,
                                          {1.69, 406.4, 410.7, 0.34, 0.28}};

/* Rosenbrock's valley in four dimensions. */
static double valley(double *g, const double *x, void *ctx)
{
    double f = 0;

    ++*(int *)ctx;
    memset(g, 0, 4 * sizeof(*g));
    for (int i = 0; i < 3; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
        f += 100 * a * a + b * b;
        g[i] += -400 * a * x[i] - 2 * b;
        g[i + 1] += 200 * a;
    }
    return f;
}

static double valley_hess(double *g, double *H, const double *x, void *ctx)
{
    double f = valley(g, x, ctx);

    memset(H, 0, 16 * sizeof(*H));
    for (int i = 0; i < 3; i++) {
        H[5 * i] += 1200 * x[i] * x[i] - 400 * x[i + 1] + 2;
        H[5 * (i + 1)] += 200;
        H[4 * i + i + 1] += -400 * x[i];
        H[4 * (i + 1) + i] += -400 * x[i];
    }
    return f;
}

static void minimisers_find_the_valley(void **state)
{
    double start[4] = {-1.2, 1, -0.5, 2}, x[4];
    struct lbfgs_options lo = {500, 1e-16, 10};
    struct newton_options no = {200, 1e-16, 10, 0};
    struct lbfgs_report lr;
    struct newton_report nr;
    int evals = 0;

    (void)state;
    memcpy(x, start, sizeof(x));
    lbfgs_min(x, 4, valley, &evals, &lo, &lr);
    assert_int_equal(lr.evals, evals);
    between(lr.evals, 10, 200);
    for (int i = 0; i < 4; i++)
        near(x[i], 1, 1e-6);
    memcpy(x, (double[4]){1.5, 2, 2, 3}, sizeof(x));
    newton_min(x, 4, NULL, valley_hess, &evals, &no, &nr);
    assert_true(nr.converged);
    between(nr.evals, 3, 60);
    for (int i = 0; i < 4; i++)
        near(x[i], 1, 1e-9);
}

/* A factor on the objective changes no step. */
static double tiny_valley(double *g, const double *x, void *ctx)
{
    double f = valley(g, x, ctx);

    for (int i = 0; i < 4; i++)
        g[i] *= 1e-12;
    return 1e-12 * f;
}

static void convergence_is_relative(void **state)
{
    double a[4] = {-1.2, 1, -0.5, 2}, b[4] = {-1.2, 1, -0.5, 2};
    struct lbfgs_options o = {500, 1e-12, 10};
    struct lbfgs_report ra, rb;
    int evals = 0;

    (void)state;
    lbfgs_min(a, 4, valley, &evals, &o, &ra);
    lbfgs_min(b, 4, tiny_valley, &evals, &o, &rb);
    within(ra.iters, rb.iters, 3);
    for (int i = 0; i < 4; i++)
        near(b[i], 1, 1e-5);
}

static void held_variables_stay(void **state)
{
    double x[4] = {0.5, 1, 1, 1}, g[4];
    int fixed[4] = {1, 0, 0, 0}, evals = 0;
    struct newton_options o = {200, 1e-16, 10, 0};
    struct newton_report r;

    (void)state;
    newton_min(x, 4, fixed, valley_hess, &evals, &o, &r);
    assert_true(x[0] == 0.5);
    valley(g, x, &evals);
    for (int i = 1; i < 4; i++)
        within(g[i], 0, 1e-8);
}

/* The simulated data of vpnls' README: eight budgets of 1e17 to 1e22, sixteen
 * sizes each, no noise: all five parameters come back exactly. */
static void exact_isoflops_are_recovered(void **state)
{
    static const enum surface_objective objectives[] = {
        OBJECTIVE_HUBER, OBJECTIVE_MSE, OBJECTIVE_MSE_RAW, OBJECTIVE_HUBER_RAW};
    struct synthetic s;
    struct err e;

    (void)state;
    synthetic_init(&s);
    for (int b = 0; b < 8; b++) {
        double flops = 1e17 * pow(1e5, b / 7.0), size, tokens, loss;
        surface_optimum(&size, &tokens, &loss, &chinchilla, flops, 6, NULL);
        for (int k = 0; k < 16; k++) {
            double N = size * pow(256, k / 15.0 - 0.5), D = flops / (6 * N);
            synthetic_add(&s, N, D, surface_loss(&chinchilla, N, D, NAN));
        }
    }
    for (size_t ob = 0; ob < ARRAY_LEN(objectives); ob++)
        for (int units = 0; units < 2; units++) {
            struct surface_options o = surface_defaults;
            struct surface_fit f;
            double A = 406.4, B = 410.7;
            o.objective = objectives[ob];
            if (units)
                for (size_t i = 0; i < s.data.n; i++) {
                    s.size[i] /= 1e6;
                    s.tokens[i] /= 1e9;
                }
            ok(surface_fit(&f, &s.data, &o, &e));
            if (units) {
                A /= pow(1e6, 0.34);
                B /= pow(1e9, 0.28);
                for (size_t i = 0; i < s.data.n; i++) {
                    s.size[i] *= 1e6;
                    s.tokens[i] *= 1e9;
                }
            }
            for (int k = 0; k < 5 && ob == 0 && !units; k++)
                table_row("vpnls, simulated", surface_param_name(f.s.form, k),
                          chinchilla.p[k], f.s.p[k]);
            near(f.s.p[0], 1.69, 1e-6);
            near(f.s.p[1], A, 1e-5);
            near(f.s.p[2], B, 1e-5);
            near(f.s.p[3], 0.34, 1e-6);
            near(f.s.p[4], 0.28, 1e-6);
            assert_true(f.identified);
            /* the projected problem is well conditioned, the full one not */
            between(f.cond_projected, 1, 20);
            between(f.cond, 100, 1e8);
        }
    synthetic_release(&s);
}

/* Both methods, every objective of a linear form: one optimum. */
static void methods_agree(void **state)
{
    struct synthetic s;
    struct err e;

    (void)state;
    synthetic_grid(&s, &chinchilla, 8, 0.01, 21);
    for (int form = SURFACE_CHINCHILLA; form <= SURFACE_POWER; form++)
        for (int ob = 0; ob < OBJECTIVES; ob++) {
            struct surface_options o = surface_defaults;
            struct surface_fit a, b;
            o.form = (enum surface_form)form;
            o.objective = (enum surface_objective)ob;
            o.profile = 0;
            ok(surface_fit(&a, &s.data, &o, &e));
            o.method = METHOD_GRID;
            ok(surface_fit(&b, &s.data, &o, &e));
            near(a.objective, b.objective, 1e-8);
            between((double)b.reached, 1, (double)b.starts);
        }
    synthetic_release(&s);
}

static void threads_change_nothing(void **state)
{
    struct surface_options o = surface_defaults;
    struct surface_fit a, b;
    struct synthetic s;
    struct err e;

    (void)state;
    synthetic_grid(&s, &chinchilla, 7, 0.01, 22);
    o.method = METHOD_GRID;
    o.profile = 0;
    ok(surface_fit(&a, &s.data, &o, &e));
    o.threads = 3;
    ok(surface_fit(&b, &s.data, &o, &e));
    assert_memory_equal(a.s.p, b.s.p, 5 * sizeof(double));
    assert_int_equal(a.reached, b.reached);
    assert_int_equal(a.starts, 4500);
    between((double)a.reached, 2250, 4500);
    synthetic_release(&s);
}

/* A refit of a resample is the fit of that resample, from scratch. */
static void refits_are_fits(void **state)
{
    struct surface_options o = surface_defaults;
    struct surface_fit f, again;
    struct synthetic s;
    struct err e;
    struct rng r = {9, RNG_TEST, 0};

    (void)state;
    synthetic_grid(&s, &chinchilla, 8, 0.01, 23);
    o.profile = 0;
    ok(surface_fit(&f, &s.data, &o, &e));
    for (int trial = 0; trial < 40; trial++) {
        double w[64] = {0};
        for (int i = 0; i < 64; i++)
            w[rng_next_below(&r, 64)]++;
        struct surface_fit refit = f;
        s.data.weight = w;
        ok(surface_refit(&refit, &s.data, &e));
        ok(surface_fit(&again, &s.data, &o, &e));
        near(refit.objective, again.objective, 1e-9);
        near(refit.s.p[3], again.s.p[3], 1e-5);
        near(refit.a, again.a, 1e-5);
    }
    synthetic_release(&s);
}

/* From where the first descents of all starts ended, a resample comes to the
 * same fit as from all starts again. */
static void ends_are_as_good_as_starts(void **state)
{
    struct surface_options o = surface_defaults;
    struct surface_fit f, again, from_ends;
    struct start_ends ends;
    struct synthetic s;
    struct err e;
    struct rng r = {10, RNG_TEST, 0};
    size_t all = 0;

    (void)state;
    synthetic_grid(&s, &chinchilla, 10, 0.01, 23);
    o.profile = 0;
    o.refit = REFIT_GRID;
    ok(surface_fit(&f, &s.data, &o, &e));
    ok(surface_ends(&ends, &f, &s.data, &e));
    for (size_t i = 0; i < ends.n; i++)
        all += ends.starts[i];
    assert_int_equal(all, 4500);
    assert_true(ends.n > 1 && ends.n < 2250);
    for (int trial = 0; trial < 3; trial++) {
        double w[100] = {0};
        for (int i = 0; i < 100; i++)
            w[rng_next_below(&r, 100)]++;
        s.data.weight = w;
        from_ends = again = f;
        ok(surface_refit_from(&from_ends, &s.data, &ends, &e));
        ok(surface_refit(&again, &s.data, &e));
        near(from_ends.objective, again.objective, 1e-9);
        near(from_ends.s.p[3], again.s.p[3], 1e-5);
    }
    start_ends_release(&ends);
    synthetic_release(&s);
}

/* The spread of refits is the spread of fits to fresh noise. */
static void bootstrap_errors_are_those_of_new_data(void **state)
{
    enum { STUDIES = 120 };
    struct surface_options o = surface_defaults;
    struct boot_options bo = {.resamples = 300, .seed = 2};
    double alpha[STUDIES], se = 0;
    struct surface_fit f;
    struct bootstrap b;
    struct err e;

    (void)state;
    if (SANITIZED)
        skip();
    o.objective = OBJECTIVE_MSE;
    o.profile = 0;
    for (int k = 0; k < STUDIES; k++) {
        struct synthetic s;
        synthetic_grid(&s, &chinchilla, 8, 0.01, (uint64_t)(100 + k));
        ok(surface_fit(&f, &s.data, &o, &e));
        alpha[k] = f.s.p[3];
        if (k < 5) {
            ok(surface_bootstrap(&b, &f, &s.data, NULL, 0, &bo, &e));
            assert_string_equal(surface_boot_name(f.s.form, 5), "a");
            se += bootstrap_se(&b, 3) / 5;
            near(sqrt(f.cov[3 * 5 + 3]), bootstrap_se(&b, 3), 0.5);
            bootstrap_release(&b);
        }
        synthetic_release(&s);
    }
    double mean = 0, sd = 0;
    for (int k = 0; k < STUDIES; k++)
        mean += alpha[k] / STUDIES;
    for (int k = 0; k < STUDIES; k++)
        sd += (alpha[k] - mean) * (alpha[k] - mean) / (STUDIES - 1);
    near(se, sqrt(sd), 0.25);
    within(mean, 0.34, 4 * sqrt(sd / STUDIES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minimisers_find_the_valley),
        cmocka_unit_test(convergence_is_relative),
        cmocka_unit_test(held_variables_stay),
        cmocka_unit_test(exact_isoflops_are_recovered),
        cmocka_unit_test(methods_agree),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(refits_are_fits),
        cmocka_unit_test(ends_are_as_good_as_starts),
        cmocka_unit_test(bootstrap_errors_are_those_of_new_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
