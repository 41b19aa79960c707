/* Every law takes every kind of interval, and the draws of somebody else. */
#include "analysis/anneal.h"
#include "analysis/bootstrap.h"
#include "analysis/curve.h"
#include "analysis/hyper_fit.h"
#include "base/mem.h"

#include "check.h"
#include "grids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KINDS 3
#define DRAWS "test_interval_kinds.draws"

/* Three resamples of n groups: every group once, or group `only` n times. */
static void write_draws(size_t n, long only)
{
    FILE *f = fopen(DRAWS, "w");

    assert_non_null(f);
    for (int line = 0; line < 3; line++) {
        for (size_t i = 0; i < n; i++)
            fprintf(f, "%zu ", only >= 0 ? (size_t)only : i);
        fputc('\n', f);
    }
    fclose(f);
}

/* Basic is the percentile interval mirrored about the estimate; BCa is one
 * about it. */
static void compare(double (*ci)[2], double estimate)
{
    const double *p = ci[BOOT_PERCENTILE], *b = ci[BOOT_BASIC];

    within(b[0], 2 * estimate - p[1], 1e-9 * fabs(estimate));
    within(b[1], 2 * estimate - p[0], 1e-9 * fabs(estimate));
    between(ci[BOOT_BCA][0], -1e9, estimate);
    between(ci[BOOT_BCA][1], estimate, 1e9);
    assert_true(ci[BOOT_BCA][0] != p[0] || ci[BOOT_BCA][1] != p[1]);
}

static void hyper(void **state)
{
    struct rng r = {2, RNG_TEST, 0};
    double ci[KINDS][2], batch[KINDS][2];
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    add_law_grids(&p, 7, sqrt(2), 2, 0.001, &r);
    hyper_opts_default(&o);
    for (int k = 0; k < KINDS; k++) {
        o.interval = k;
        ok(hyper_fit(&f, &p, &o, &e));
        memcpy(ci[k], f.lr.exponent_ci, sizeof ci[k]);
        memcpy(batch[k], f.batch.exponent_ci, sizeof batch[k]);
        if (k == KINDS - 1) {
            compare(ci, f.lr.exponent);
            compare(batch, f.batch.exponent);
        }
        hyper_fit_release(&f);
    }
    o.interval = BOOT_PERCENTILE;
    o.indices = DRAWS;
    write_draws(7, -1);
    ok(hyper_fit(&f, &p, &o, &e));
    for (int k = 0; k < 2; k++)
        near(f.lr.exponent_ci[k], f.lr.exponent, 1e-12);
    hyper_fit_release(&f);
    write_draws(7, 7);
    assert_int_equal(hyper_fit(&f, &p, &o, &e), -1);
    assert_non_null(strstr(e.text, "expected 0 to 6"));
    points_release(&p);
}

static void loss(void **state)
{
    struct rng r = {5, RNG_TEST, 0};
    struct curve_point at[8];
    double ci[KINDS][2], pure[KINDS][2];
    struct curve_opts o;
    struct curve_fit f;
    struct err e;

    (void)state;
    for (int i = 0; i < 8; i++) {
        double C = 1e17 * pow(3, i), L = 1.7 + 1000 * pow(C, -0.15);
        at[i] =
            (struct curve_point){.flops = C,
                                 .loss = L * (1 + 0.002 * rng_next_normal(&r)),
                                 .se = 0.002 * L};
    }
    curve_opts_default(&o);
    o.bootstrap = 100;
    for (int k = 0; k < KINDS; k++) {
        o.interval = k;
        ok(curve_fit(&f, at, 8, 0.002, &o, &e));
        memcpy(ci[k], f.with_E.p_ci, sizeof ci[k]);
        memcpy(pure[k], f.pure.p_ci, sizeof pure[k]);
        if (k == KINDS - 1) {
            compare(ci, f.with_E.p);
            compare(pure, f.pure.p);
        }
        curve_fit_release(&f);
    }
    o.interval = BOOT_PERCENTILE;
    o.indices = DRAWS;
    write_draws(8, -1);
    ok(curve_fit(&f, at, 8, 0.002, &o, &e));
    for (int k = 0; k < 2; k++) {
        near(f.with_E.p_ci[k], f.with_E.p, 1e-6);
        near(f.pure.p_ci[k], f.pure.p, 1e-6);
    }
    curve_fit_release(&f);
    write_draws(8, 3); /* one budget alone is no law */
    assert_int_equal(curve_fit(&f, at, 8, 0.002, &o, &e), -1);
    assert_non_null(strstr(e.text, "refits"));
}

/* A run with two drops of the rate, by its own law, with noise. */
static void curve_run(struct series_set *t)
{
    const struct anneal_law law = {2.1, 3, 0.45, 0.9, 0.99};
    struct series *s = series_add(t, "trunk", "f", "trunk");
    struct rng r = {7, RNG_TEST, 0};
    double loss[600];
    struct err e;

    for (int k = 1; k <= 600; k++)
        ok(series_row(s, k, k < 480 ? 4e-3 : k < 540 ? 1.3e-3 : 4e-4, 1, &e));
    anneal_predict(loss, &law, s);
    for (int k = 0; k < 600; k++)
        s->loss[k] = loss[k] * (1 + 0.001 * rng_next_normal(&r));
}

static void curve(void **state)
{
    struct anneal_options o;
    struct series_set t;
    double ci[KINDS][2];
    struct anneal_fit f;
    struct err e;

    (void)state;
    series_init(&t);
    curve_run(&t);
    anneal_options_default(&o);
    o.bootstrap = 60;
    o.lambda = 0.99;
    for (int k = 0; k < KINDS; k++) {
        o.interval = k;
        ok(anneal_fit(&f, &t, &o, &e));
        memcpy(ci[k], f.family[0].ci[0], sizeof ci[k]);
        if (k == KINDS - 1)
            compare(ci, f.family[0].law.L0);
        anneal_fit_release(&f);
    }
    o.indices = DRAWS;
    write_draws(10, 1000000);
    assert_int_equal(anneal_fit(&f, &t, &o, &e), -1);
    assert_non_null(strstr(e.text, "index 1000000"));
    series_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hyper),
        cmocka_unit_test(loss),
        cmocka_unit_test(curve),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    unlink(DRAWS);
    return rc;
}
