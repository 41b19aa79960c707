/* surface: derivatives, frames, recovery of the law that was fed in, optima,
 * and refusals. */
#include "analysis/lse_kernel.h"
#include "analysis/problem.h"
#include "analysis/surface.h"
#include "analysis/surface_form.h"
#include "base/mem.h"
#include "base/rng.h"

#include "check.h"
#include "synthetic.h"
#include "table_row.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A law of each form, of the size that fits of language models have. */
static const struct surface laws[SURFACE_FORMS] = {
    {SURFACE_CHINCHILLA, {1.69, 406.4, 410.7, 0.34, 0.28}},
    {SURFACE_TIED, {1.8, 400, 1500, 0.33}},
    {SURFACE_POWER, {11, 8, 0.08, 0.06}},
    {SURFACE_SKALING, {1.2, 3000, 9000, 0.5, 0.55, 0.4}},
    {SURFACE_FARSEER, {-0.2, -0.6, 3, 3.5, 0.9, 0.35, 0.05, -0.05, -0.07}},
    {SURFACE_REPEATED, {1.87, 521, 1488, 0.35, 0.36, 15.4}},
};

static void vectors_of_every_width_agree(void **state)
{
    enum { N = 4096 };
    double *x = mem_tensor(N * sizeof(*x)), *y = mem_tensor(N * sizeof(*y));
    double *z = mem_tensor(N * sizeof(*z));
    int width[3], n = lse_widths(width);

    (void)state;
    assert_true(n >= 1 && width[n - 1] == 2);
    for (int i = 0; i < N; i++)
        x[i] = -690 + 1380.0 * i / N + 1e-3 * (i % 7);
    for (int k = 0; k < n; k++) {
        lse_exp(width[k], y, x, N);
        for (int i = 0; i < N; i++)
            near(y[i], exp(x[i]), 4 * DBL_EPSILON);
        lse_log(width[k], z, y, N);
        for (int i = 0; i < N; i++)
            within(z[i], log(y[i]), 2 * DBL_EPSILON * fabs(log(y[i])) + 1e-300);
        if (k > 0) {
            double *first = mem_tensor(N * sizeof(*first));
            lse_exp(width[0], first, x, N);
            assert_memory_equal(first, y, N * sizeof(*y));
            mem_tensor_free(first);
        }
    }
    mem_tensor_free(x);
    mem_tensor_free(y);
    mem_tensor_free(z);
}

static void kernels_of_every_width_give_the_same_bits(void **state)
{
    struct synthetic s;
    struct problem p;
    struct err e;
    int width[3], n = lse_widths(width);
    double q[SURFACE_MAX], g[2][LSE_PARAMS], h[2][LSE_HESS];

    (void)state;
    synthetic_grid(&s, &laws[SURFACE_CHINCHILLA], 6, 0.01, 3);
    ok(problem_init(&p, &s.data, &surface_defaults, &e));
    form_to_internal(q, &laws[SURFACE_CHINCHILLA], &p.frame);
    q[1] += 0.01;
    for (int raw = 0; raw < 2; raw++) {
        struct rho rho = {1, -1e-3, 2e-3, raw};
        double f0 = lse_eval_width(width[0], g[0], h[0], &p.data, q, 0, &rho);
        for (int k = 1; k < n; k++) {
            double f =
                lse_eval_width(width[k], g[1], h[1], &p.data, q, 0, &rho);
            assert_memory_equal(&f, &f0, sizeof(f));
            assert_memory_equal(g[0], g[1], sizeof(g[0]));
            assert_memory_equal(h[0], h[1], sizeof(h[0]));
        }
    }
    problem_release(&p);
    synthetic_release(&s);
}

/* The objective of a problem written down once more, from surface_loss. */
static double plain_objective(const struct surface *l,
                              const struct surface_data *d,
                              const struct rho *rho)
{
    double f = 0;

    for (size_t i = 0; i < d->n; i++) {
        double u = d->unique ? d->unique[i] : NAN;
        double L = surface_loss(l, d->size[i], d->tokens[i], u);
        double r = rho->raw ? L - d->loss[i] : log(L / d->loss[i]);
        f += (d->weight ? d->weight[i] : 1) * rho_at(rho, r);
    }
    return f;
}

/* Objective, gradient and Hessian of every form, log and raw, against its own
 * definition and finite differences. */
static void derivatives_agree_with_differences(void **state)
{
    (void)state;
    for (int form = 0; form < SURFACE_FORMS; form++)
        for (int raw = 0; raw < 2; raw++) {
            struct surface_options o = surface_defaults;
            struct rho rho = {1, -0.7, 0.9, raw};
            struct synthetic s;
            struct problem p;
            struct err e;
            double q[SURFACE_MAX], g[SURFACE_MAX];
            double H[SURFACE_MAX * SURFACE_MAX];
            int n = surface_n_params((enum surface_form)form);
            synthetic_grid(&s, &laws[form], 5, 0.3, 11);
            o.form = (enum surface_form)form;
            if (raw)
                o.objective = OBJECTIVE_MSE_RAW;
            ok(problem_init(&p, &s.data, &o, &e));
            form_to_internal(q, &laws[form], &p.frame);
            double f = problem_eval(g, H, q, &p, &rho);
            near(f, plain_objective(&laws[form], &s.data, &rho), 1e-10);
            for (int i = 0; i < n; i++) {
                double up[SURFACE_MAX], down[SURFACE_MAX], q1[SURFACE_MAX];
                double h = 1e-5 * fmax(fabs(q[i]), 0.1), fu, fd;
                memcpy(q1, q, sizeof(q));
                q1[i] = q[i] + h;
                fu = problem_eval(up, NULL, q1, &p, &rho);
                q1[i] = q[i] - h;
                fd = problem_eval(down, NULL, q1, &p, &rho);
                within(g[i], (fu - fd) / (2 * h),
                       1e-6 * (fabs(f / h) * 1e-4 + fabs(g[i])));
                for (int j = 0; j < n; j++)
                    within(H[i * n + j], (up[j] - down[j]) / (2 * h),
                           2e-5 * sqrt(fabs(H[i * n + i] * H[j * n + j])) +
                               1e-8);
            }
            problem_release(&p);
            synthetic_release(&s);
        }
}

static void internal_variables_go_both_ways(void **state)
{
    struct frame fr = {19.3, 23.1};
    double q[SURFACE_MAX], J[SURFACE_MAX * SURFACE_MAX];

    (void)state;
    for (int f = 0; f < SURFACE_FORMS; f++) {
        struct surface s = {(enum surface_form)f, {0}};
        int n = surface_n_params(s.form);
        form_to_internal(q, &laws[f], &fr);
        form_from_internal(&s, q, &fr);
        for (int i = 0; i < n; i++)
            near(s.p[i], laws[f].p[i], 1e-12);
        /* J: how unframed internals move with framed ones */
        double base[SURFACE_MAX], moved[SURFACE_MAX];
        form_unframe(J, s.form, q, &fr);
        surface_internal(base, &s);
        for (int j = 0; j < n; j++) {
            double q1[SURFACE_MAX], h = 1e-6;
            memcpy(q1, q, sizeof(q));
            q1[j] += h;
            form_from_internal(&s, q1, &fr);
            surface_internal(moved, &s);
            for (int i = 0; i < n; i++)
                within((moved[i] - base[i]) / h, J[i * n + j],
                       1e-4 * (1 + fabs(J[i * n + j])));
        }
    }
}

static void effective_tokens_follow_muennighoff(void **state)
{
    double d1, d2, h = 1e-4;

    (void)state;
    /* one epoch is worth itself; four nearly so; forty much less */
    near(exp(form_effective(log(1e9), log(1e9), log(15.4), NULL, NULL)), 1e9,
         1e-12);
    double U = 1e9, R = 15.387756;
    for (int epochs = 1; epochs <= 44; epochs += 43) {
        double D = epochs * U;
        double expect = U + U * R * (1 - exp(-(D / U - 1) / R));
        near(exp(form_effective(log(D), log(U), log(R), NULL, NULL)), expect,
             1e-12);
    }
    form_effective(log(9e9), log(U), log(R), &d1, &d2);
    double up = form_effective(log(9e9), log(U), log(R) + h, NULL, NULL);
    double mid = form_effective(log(9e9), log(U), log(R), NULL, NULL);
    double down = form_effective(log(9e9), log(U), log(R) - h, NULL, NULL);
    near(d1, (up - down) / (2 * h), 1e-6);
    near(d2, (up - 2 * mid + down) / (h * h), 1e-4);
    /* less than an epoch: every token is new */
    near(exp(form_effective(log(5e8), log(U), log(R), NULL, NULL)), 5e8, 1e-12);
}

/* Fed the exact losses of a law, every form gives the law back. */
static void exact_surfaces_are_recovered(void **state)
{
    static const double tol[SURFACE_FORMS] = {1e-6, 1e-6, 1e-6, 1e-4, 0, 1e-4};

    (void)state;
    for (int form = 0; form < SURFACE_FORMS; form++) {
        struct surface_options o = surface_defaults;
        struct surface_fit f;
        struct synthetic s;
        struct err e;
        synthetic_grid(&s, &laws[form], 9, 0, 1);
        o.form = (enum surface_form)form;
        o.profile = 0;
        ok(surface_fit(&f, &s.data, &o, &e));
        if (form == SURFACE_FARSEER) { /* nine parameters: the surface itself */
            double worst = 0;
            for (size_t i = 0; i < s.data.n; i++)
                worst =
                    fmax(worst,
                         fabs(surface_loss(&f.s, s.size[i], s.tokens[i], NAN) /
                                  s.loss[i] -
                              1));
            table_row("farseer", "largest error of a loss", 0, worst);
            for (size_t i = 0; i < s.data.n; i++)
                near(surface_loss(&f.s, s.size[i], s.tokens[i], NAN), s.loss[i],
                     2e-4);
        } else {
            for (int i = 0; i < surface_n_params(o.form); i++) {
                table_row(surface_form_name(o.form),
                          surface_param_name(o.form, i), laws[form].p[i],
                          f.s.p[i]);
                near(f.s.p[i], laws[form].p[i], tol[form]);
            }
            assert_true(f.identified);
        }
        synthetic_release(&s);
    }
}

/* The objective is a sum; its mean must have the same optimum, from the same
 * starts: convergence is relative to the objective. */
static void a_mean_gives_the_same_answer(void **state)
{
    static const enum surface_method methods[] = {METHOD_VARPRO, METHOD_GRID};
    struct synthetic s;
    struct err e;

    (void)state;
    synthetic_grid(&s, &laws[SURFACE_CHINCHILLA], 7, 0.005, 5);
    double *w = xmalloc(s.data.n * sizeof(*w));
    for (int m = 0; m < 2; m++) {
        struct surface_options o = surface_defaults;
        struct surface_fit sum, mean;
        o.method = methods[m];
        o.profile = 0;
        s.data.weight = NULL;
        ok(surface_fit(&sum, &s.data, &o, &e));
        for (size_t i = 0; i < s.data.n; i++)
            w[i] = 1 / (double)s.data.n;
        s.data.weight = w;
        ok(surface_fit(&mean, &s.data, &o, &e));
        for (int i = 0; i < 5; i++)
            near(mean.s.p[i], sum.s.p[i], 1e-7);
        near(mean.objective * (double)s.data.n, sum.objective, 1e-12);
        within((double)mean.reached, (double)sum.reached,
               0.02 * (double)sum.starts);
    }
    free(w);
    synthetic_release(&s);
}

/* Units are nobody's business: millions and billions give the same law. */
static void units_change_nothing_but_coefficients(void **state)
{
    struct surface_fit a, b;
    struct synthetic s;
    struct err e;

    (void)state;
    synthetic_grid(&s, &laws[SURFACE_CHINCHILLA], 7, 0.005, 6);
    ok(surface_fit(&a, &s.data, &surface_defaults, &e));
    for (size_t i = 0; i < s.data.n; i++) {
        s.size[i] /= 1e6;
        s.tokens[i] /= 1e9;
    }
    ok(surface_fit(&b, &s.data, &surface_defaults, &e));
    near(a.s.p[3], b.s.p[3], 1e-9);
    near(a.s.p[4], b.s.p[4], 1e-9);
    near(b.s.p[1], a.s.p[1] / pow(1e6, a.s.p[3]), 1e-8);
    near(b.s.p[2], a.s.p[2] / pow(1e9, a.s.p[4]), 1e-8);
    near(a.objective, b.objective, 1e-12);
    near(a.profile_lo[3], b.profile_lo[3], 1e-4);
    synthetic_release(&s);
}

/* Integer weights are repeated rows, whatever the objective. */
static void weights_are_repeats(void **state)
{
    (void)state;
    for (int ob = 0; ob < OBJECTIVES; ob++) {
        struct surface_options o = surface_defaults;
        struct surface_fit a, b;
        struct synthetic s, t;
        struct err e;
        double w[400];
        synthetic_grid(&s, &laws[SURFACE_CHINCHILLA], 6, 0.01, 7);
        synthetic_grid(&t, &laws[SURFACE_CHINCHILLA], 6, 0.01, 7);
        size_t n = s.data.n, m = n;
        for (size_t i = 0; i < n; i++) {
            w[i] = i % 3 == 0 ? 2 : 1;
            if (i % 3 == 0)
                synthetic_add(&t, s.size[i], s.tokens[i], s.loss[i]), m++;
        }
        s.data.weight = w;
        o.objective = (enum surface_objective)ob;
        o.profile = 0;
        ok(surface_fit(&a, &s.data, &o, &e));
        ok(surface_fit(&b, &t.data, &o, &e));
        assert_int_equal(t.data.n, m);
        near(a.objective, b.objective, 1e-6);
        near(a.s.p[3], b.s.p[3], 1e-3);
        near(a.s.p[4], b.s.p[4], 1e-3);
        synthetic_release(&s);
        synthetic_release(&t);
    }
}

static void designs_that_cannot_tell_are_refused(void **state)
{
    static const struct {
        const char *what, *why;
        double ratio;            /* D/N of every run; 0: a grid */
        double size_lo, size_hi; /* ends of the range of sizes */
        int sizes, horizons;
    } bad[] = {
        {"two sizes", "model size takes 2 distinct values", 0, 1e7, 1e9, 2, 9},
        {"one horizon", "tokens takes 1 distinct value", 0, 1e7, 1e9, 9, 1},
        {"narrow", "spans a factor of only 1.5", 0, 1e8, 1.5e8, 8, 8},
        {"one ray", "ratios of tokens to parameters", 20, 1e7, 1e9, 14, 1},
    };

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
        struct rng r = {k + 1, RNG_TEST, 0};
        struct surface_fit f;
        struct synthetic s;
        struct err e;
        synthetic_init(&s);
        for (int i = 0; i < bad[k].sizes; i++)
            for (int j = 0; j < bad[k].horizons; j++) {
                double t = i / (double)(bad[k].sizes - 1);
                double N =
                    bad[k].size_lo * pow(bad[k].size_hi / bad[k].size_lo, t);
                double D =
                    bad[k].ratio > 0 ? bad[k].ratio * N : 1e9 * pow(2, j);
                synthetic_add(&s, N, D,
                              surface_loss(&laws[0], N, D, NAN) *
                                  exp(0.004 * rng_next_normal(&r)));
            }
        ok(surface_fit(&f, &s.data, &surface_defaults, &e));
        assert_false(f.identified);
        if (!strstr(f.refused, bad[k].why))
            print_error("%s: %s\n", bad[k].what, f.refused);
        assert_non_null(strstr(f.refused, bad[k].why));
        synthetic_release(&s);
    }
}

/* Without a second epoch nothing tells R; with some it is told. */
static void repeats_that_cannot_tell_are_refused(void **state)
{
    const struct surface *law = &laws[SURFACE_REPEATED];
    static const struct {
        double unique;
        const char *why;
    } bad[] = {
        {1e12, "0 of 64 points saw their text more than once"},
        {2e9, ""},
    };

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
        struct surface_options o = surface_defaults;
        struct rng r = {7, RNG_TEST, 0};
        struct surface_fit f;
        struct synthetic s;
        struct err e;
        synthetic_init(&s);
        s.data.unique = s.unique;
        for (int i = 0; i < 64; i++) {
            double N = 1e7 * pow(3, i % 8), D = 3e8 * pow(2.5, i / 8);
            double U = fmin(D, bad[k].unique);
            synthetic_add(&s, N, D,
                          surface_loss(law, N, D, U) *
                              exp(0.002 * rng_next_normal(&r)));
            s.unique[i] = U;
        }
        o.form = SURFACE_REPEATED;
        ok(surface_fit(&f, &s.data, &o, &e));
        assert_int_equal(f.identified, bad[k].why[0] == 0);
        assert_non_null(strstr(f.refused, bad[k].why));
        if (f.identified)
            near(f.s.p[5], law->p[5], 0.3);
        synthetic_release(&s);
    }
}

static void bad_data_are_errors(void **state)
{
    struct surface_fit f;
    struct synthetic s;
    struct err e;
    struct surface_options o = surface_defaults;

    (void)state;
    synthetic_grid(&s, &laws[0], 4, 0.01, 1);
    s.loss[5] = -1;
    assert_int_equal(surface_fit(&f, &s.data, &o, &e), -1);
    assert_non_null(strstr(e.text, "point 5 of a surface fit has loss -1"));
    s.loss[5] = NAN;
    assert_int_equal(surface_fit(&f, &s.data, &o, &e), -1);
    s.loss[5] = 3;
    s.data.n = 5;
    assert_int_equal(surface_fit(&f, &s.data, &o, &e), -1);
    assert_non_null(strstr(e.text, "5 points cannot determine"));
    s.data.n = 16;
    s.data.unique = NULL;
    o.form = SURFACE_REPEATED;
    assert_int_equal(surface_fit(&f, &s.data, &o, &e), -1);
    assert_non_null(strstr(e.text, "unique"));
    synthetic_release(&s);
}

/* The optimum is where no other size does better, for every form. */
static void optima_are_minima(void **state)
{
    (void)state;
    for (int form = 0; form < SURFACE_FORMS; form++)
        for (double factor = 1; factor <= 6; factor += 5) {
            double size, tokens, loss, flops = 3e20, coef, exponent;
            struct err e;
            ok(surface_optimum(&size, &tokens, &loss, &laws[form], flops,
                               factor, &e));
            near(factor * size * tokens, flops, 1e-9);
            for (double off = 0.97; off < 1.05; off += 0.06)
                assert_true(surface_loss(&laws[form], size * off, tokens / off,
                                         NAN) > loss);
            if (surface_optimum_law(&coef, &exponent, &laws[form], factor) == 0)
                near(coef * pow(flops, exponent), size, 1e-9);
        }
}

/* Tokens per parameter at 5.88e23 flops, as they follow from coefficients that
 * were published (Hoffmann et al. printed and as in their source; Besiroglu
 * et al.). */
static void published_coefficients_give_published_ratios(void **state)
{
    static const struct {
        double E, ln_A, ln_B, alpha, beta, ratio, tol;
    } row[] = {
        {1.69, 6.00734, 6.01787, 0.34, 0.28, 92.8, 0.002},
        {1.69337, 6.0073404, 6.0179186, 0.33917084, 0.2849083, 59.0, 0.002},
        {1.8172, 6.17796, 7.64273, 0.3478, 0.3658, 18.4, 0.02},
        {1.81722, 6.16925, 7.67015, 0.34731, 0.367172, 17.9, 0.005},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct surface s = {SURFACE_CHINCHILLA,
                            {row[i].E, exp(row[i].ln_A), exp(row[i].ln_B),
                             row[i].alpha, row[i].beta}};
        double N, D, L;
        struct err e;
        ok(surface_optimum(&N, &D, &L, &s, 5.88e23, 6, &e));
        near(D / N, row[i].ratio, row[i].tol);
    }
}

static void surfaces_without_optimum_say_so(void **state)
{
    struct surface s = {SURFACE_CHINCHILLA, {1.7, 400, 400, -0.1, 0.3}};
    double N, D, L;
    struct err e;

    (void)state;
    assert_int_equal(surface_optimum(&N, &D, &L, &s, 1e20, 6, &e), -1);
    assert_non_null(strstr(e.text, "no optimum"));
    s.p[3] = 0.3;
    assert_int_equal(surface_optimum(&N, &D, &L, &s, -1, 6, &e), -1);
}

static void names_parse_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < SURFACE_FORMS; i++)
        assert_int_equal(
            surface_form_parse(surface_form_name((enum surface_form)i)), i);
    for (int i = 0; i < OBJECTIVES; i++)
        assert_int_equal(surface_objective_parse(
                             surface_objective_name((enum surface_objective)i)),
                         i);
    for (int i = 0; i < METHODS; i++)
        assert_int_equal(
            surface_method_parse(surface_method_name((enum surface_method)i)),
            i);
    assert_int_equal(surface_form_parse("chinchila"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_every_width_agree),
        cmocka_unit_test(kernels_of_every_width_give_the_same_bits),
        cmocka_unit_test(derivatives_agree_with_differences),
        cmocka_unit_test(internal_variables_go_both_ways),
        cmocka_unit_test(effective_tokens_follow_muennighoff),
        cmocka_unit_test(exact_surfaces_are_recovered),
        cmocka_unit_test(a_mean_gives_the_same_answer),
        cmocka_unit_test(units_change_nothing_but_coefficients),
        cmocka_unit_test(weights_are_repeats),
        cmocka_unit_test(designs_that_cannot_tell_are_refused),
        cmocka_unit_test(repeats_that_cannot_tell_are_refused),
        cmocka_unit_test(bad_data_are_errors),
        cmocka_unit_test(optima_are_minima),
        cmocka_unit_test(published_coefficients_give_published_ratios),
        cmocka_unit_test(surfaces_without_optimum_say_so),
        cmocka_unit_test(names_parse_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
