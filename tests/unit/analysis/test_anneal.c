/* The LR-aware law on curves made by it: what went in comes back, and one
 * trunk predicts every branch. */
#include "analysis/anneal.h"
#include "analysis/fit_json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/unit/analysis/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct anneal_law truth = {2.1, 3.0, 0.45, 0.9, 0.99};

/* Warm-up, constant, then two drops at 80 and 90 %: lr of a step. */
static double multi_step(double step, double steps)
{
    double at = step / steps;

    return 4e-3 * fmin(1, step / 40) *
           (at <= 0.8   ? 1
            : at <= 0.9 ? 0.316
                        : 0.1);
}

static double cosine(double step, double steps)
{
    return 4e-3 * fmin(1, step / 40) *
           (0.55 + 0.45 * cos(3.14159265358979 * step / steps));
}

static void add_run(struct series_set *t, const char *label, double steps,
                    double stride, double (*lr)(double, double), double noise,
                    uint64_t seed)
{
    struct series *s = series_add(t, label, "f", label);
    struct rng r = {seed, RNG_BOOT, 0};
    double *p;
    struct err e;

    /* every step is a row, so that the law's own sums are exact */
    for (double k = 1; k <= steps; k++)
        ok(series_row(s, k, lr(k, steps), 1, &e));
    p = xmalloc(s->n * sizeof *p);
    anneal_predict(p, &truth, s);
    for (size_t i = 0; i < s->n; i++)
        s->loss[i] = fmod(s->step[i], stride) == 0
                         ? p[i] * (1 + noise * rng_next_normal(&r))
                         : NAN;
    free(p);
}

/* S1 and S2 by their definition, sums of sums. */
static void test_sums(void **state)
{
    struct series_set t;
    double S1[60], S2[60], coarse1[6], coarse2[6];
    const struct series *s;

    (void)state;
    series_init(&t);
    add_run(&t, "fine", 60, 1, multi_step, 0, 1);
    s = &t.s[0];
    anneal_sums(S1, S2, s, 0.9);
    for (size_t n = 0; n < 60; n++) {
        double s1 = 0, s2 = 0;
        for (size_t i = 0; i <= n; i++) {
            s1 += s->lr[i];
            for (size_t k = 1; k <= i; k++)
                if (s->step[k] > 40) /* after the warm-up */
                    s2 += (s->lr[k - 1] - s->lr[k]) * pow(0.9, (double)(i - k));
        }
        near(S1[n], s1, 1e-12);
        within(S2[n], s2, 1e-15);
    }
    series_release(&t);
    /* the same in stretches of ten steps of one rate, after a warm-up of ten */
    series_init(&t);
    struct series *c = series_add(&t, "coarse", "", "");
    struct err e;
    const double lr[6] = {1, 1, 0.3, 0.3, 0.1, 0.1};
    for (int i = 0; i < 6; i++)
        ok(series_row(c, 10 * (i + 1), lr[i], 1, &e));
    anneal_sums(coarse1, coarse2, c, 0.9);
    struct series *f = series_add(&t, "steps", "", "");
    for (int i = 0; i < 60; i++)
        ok(series_row(f, i + 1, lr[i / 10], 1, &e));
    anneal_sums(S1, S2, f, 0.9);
    for (int i = 0; i < 6; i++) {
        near(coarse1[i], S1[10 * i + 9], 1e-12);
        within(coarse2[i], S2[10 * i + 9], 1e-12);
    }
    series_release(&t);
}

static void test_recovers(void **state)
{
    struct anneal_options o;
    struct series_set t;
    struct anneal_fit f;
    struct err e;

    (void)state;
    series_init(&t);
    add_run(&t, "trunk", 2000, 10, multi_step, 0, 1);
    add_run(&t, "half", 1000, 10, multi_step, 0, 1);
    add_run(&t, "quarter", 500, 10, multi_step, 0, 1);
    add_run(&t, "cosine", 1500, 10, cosine, 0, 1);
    anneal_options_default(&o);
    o.bootstrap = 0;
    ok(anneal_fit(&f, &t, &o, &e));
    assert_int_equal(f.n_family, 1);
    assert_int_equal(f.n_branch, 3);
    assert_string_equal(f.family[0].row[0].run, "trunk");
    assert_true(f.family[0].identified);
    near(f.family[0].law.L0, truth.L0, 1e-4);
    near(f.family[0].law.alpha, truth.alpha, 1e-3);
    near(f.family[0].law.C, truth.C, 1e-3);
    near(1 - f.family[0].law.lambda, 1 - truth.lambda, 1e-2);
    assert_true(f.worst < 1e-4);
    anneal_fit_release(&f);
    series_release(&t);
}

/* With noise the branches are predicted within it, and the intervals hold the
 * law; a lambda that is given stays. */
static void test_noise(void **state)
{
    struct anneal_options o;
    struct series_set t;
    struct anneal_fit f;
    struct fit_result r;
    struct err e;

    (void)state;
    series_init(&t);
    add_run(&t, "trunk", 2000, 10, multi_step, 0.003, 1);
    add_run(&t, "half", 1000, 10, multi_step, 0.003, 2);
    add_run(&t, "cosine", 1500, 10, cosine, 0.003, 3);
    anneal_options_default(&o);
    o.lambda = 0.99;
    o.bootstrap = 50;
    ok(anneal_fit(&f, &t, &o, &e));
    assert_true(f.family[0].law.lambda == 0.99);
    between(truth.alpha, f.family[0].ci[2][0] - 0.1,
            f.family[0].ci[2][1] + 0.1);
    assert_true(f.family[0].ci[2][0] < f.family[0].ci[2][1]);
    assert_true(f.worst < 0.004);
    anneal_fit_result(&r, &f);
    assert_string_equal(r.law, "curve");
    assert_true(r.identified);
    fit_result_release(&r);
    anneal_fit_release(&f);
    series_release(&t);
}

static double constant(double step, double steps)
{
    (void)steps;
    return 4e-3 * fmin(1, step / 40);
}

static void test_refuses(void **state)
{
    struct anneal_options o;
    struct series_set t;
    struct anneal_fit f;
    struct err e;

    (void)state;
    anneal_options_default(&o);
    o.bootstrap = 0;
    series_init(&t);
    assert_int_equal(anneal_fit(&f, &t, &o, &e), -1);
    add_run(&t, "trunk", 2000, 10, constant, 0, 1);
    add_run(&t, "half", 1000, 10, multi_step, 0, 1);
    ok(anneal_fit(&f, &t, &o, &e));
    assert_false(f.family[0].identified);
    assert_non_null(strstr(f.family[0].refused, "does not fall"));
    anneal_fit_release(&f);
    o.trunk = "half"; /* which decays: then it can be done */
    ok(anneal_fit(&f, &t, &o, &e));
    assert_true(f.family[0].identified);
    assert_true(f.worst < 1e-3);
    anneal_fit_release(&f);
    o.trunk = "nobody";
    assert_int_equal(anneal_fit(&f, &t, &o, &e), -1);
    assert_non_null(strstr(e.text, "nobody"));
    series_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_recovers),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
