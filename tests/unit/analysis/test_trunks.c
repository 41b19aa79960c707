/* Runs of several budgets that share their first steps share their noise: the
 * laws of budgets and of grids must draw them together. */
#include "analysis/hyper_fit.h"
#include "analysis/isoflop_fit.h"
#include "base/mem.h"

#include "check.h"
#include "grids.h"
#include "profiles.h"

#include <stdio.h>
#include <string.h>

#define NOISE 0.004

/* Sizes a factor 1.5 apart, each trained once for all of six budgets: the
 * branches of a trunk are off by the same. */
static void branches(struct points *p, uint64_t seed, int grouped)
{
    const struct truth *t = &truth_chinchilla;

    for (int s = 0; s < 24; s++) {
        double N = 3e7 * pow(1.5, s);
        struct rng r = {seed, RNG_TEST, (uint64_t)s << 8};
        double z = rng_next_normal(&r);
        for (int b = 0; b < 6; b++) {
            double C = 1e18 * pow(4, b);
            struct point q = run_point(t, C, N, 0, NULL);
            if (fabs(log(N / truth_N(t, C))) > log(6))
                continue;
            q.col[POINT_BPB] *= 1 + NOISE * z;
            q.col[POINT_LOSS] *= 1 + NOISE * z;
            if (grouped)
                snprintf(q.group, POINT_TEXT, "trunk %d", s);
            points_add(p, &q);
        }
    }
}

/* Over many studies the interval by trunks holds the exponent about as often
 * as it says.  (Noise-free, the parabola finds it exactly: see the bias.) */
static void isoflop_intervals_cover(void **state)
{
    enum { STUDIES = 80 };
    int covered = 0;

    (void)state;
    for (int k = 0; k < STUDIES; k++) {
        struct isoflop_opts o;
        struct isoflop_fit f;
        struct points p;
        struct err e;
        points_init(&p);
        branches(&p, (uint64_t)k + 1, 1);
        isoflop_opts_default(&o);
        o.bootstrap = 200;
        o.log_loss = 1;
        ok(isoflop_fit(&f, &p, &o, &e));
        assert_true(f.shared);
        assert_int_equal(f.resampled, ISOFLOP_RESAMPLE_TRUNKS);
        covered += f.M.exponent_ci[0] <= 0.4516 && 0.4516 <= f.M.exponent_ci[1];
        isoflop_fit_release(&f);
        points_release(&p);
    }
    between(covered, 0.78 * STUDIES, STUDIES);
}

static void isoflop_without_trunks(void **state)
{
    struct isoflop_opts o;
    struct isoflop_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    branches(&p, 1, 0);
    isoflop_opts_default(&o);
    ok(isoflop_fit(&f, &p, &o, &e));
    assert_false(f.shared);
    assert_int_equal(f.resampled, ISOFLOP_RESAMPLE_BUDGETS);
    isoflop_fit_release(&f);
    o.resample = ISOFLOP_RESAMPLE_TRUNKS;
    assert_int_equal(isoflop_fit(&f, &p, &o, &e), -1);
    assert_non_null(strstr(e.text, "--resample trunks"));
    points_release(&p);
}

/* Eight grids of one model at rising budgets.  linked: budgets whose runs of
 * the same cell and seed are of one trunk, 1 (none), 2 (pairs) or 8. */
static void grids_of(struct points *p, int linked)
{
    struct rng r = {9, RNG_TEST, 0};

    for (int i = 0; i < 8; i++) {
        double C = 1e15 * pow(2, i), M = 1e6;
        struct bowl b = {
            3, hyper_lr(&fed, C), hyper_batch(&fed, C), 0.02, 0.01, 0.01};
        struct grid g = {C,        C / M, C / M,       b.lr / 4,
                         b.lr * 4, 2,     b.batch / 4, b.batch * 4,
                         2,        2,     0.0005,      0};
        size_t first = p->n;
        /* the same lines at every budget, so that cells can be shared */
        g.lr_from = hyper_lr(&fed, 1e15) / 8;
        g.lr_to = hyper_lr(&fed, 1e15) * 4;
        g.batch_from = hyper_batch(&fed, 1e15) / 4;
        g.batch_to = hyper_batch(&fed, 1e15) * 16;
        add_grid(p, &g, &b, &r);
        for (size_t k = first; k < p->n; k++)
            snprintf(p->group[k], POINT_TEXT, "%d %zu", i / linked, k - first);
    }
}

static void grids_that_share_are_one(void **state)
{
    static const int linked[] = {1, 2, 8};
    double width[ARRAY_LEN(linked)];

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(linked); k++) {
        struct hyper_opts o;
        struct hyper_fit f;
        struct points p;
        struct err e;
        points_init(&p);
        grids_of(&p, linked[k]);
        hyper_opts_default(&o);
        o.optimum = HYPER_QUADRATIC;
        o.bootstrap = 300;
        ok(hyper_fit(&f, &p, &o, &e));
        assert_int_equal(f.shared, linked[k] > 1);
        assert_true(f.lr.n_grid >= 6);
        width[k] = f.lr.exponent_ci[1] - f.lr.exponent_ci[0];
        between(f.lr.exponent_ci[0], -0.3, -0.12 + 0.01);
        between(f.lr.exponent_ci[1], -0.12 - 0.01, 0.1);
        hyper_fit_release(&f);
        points_release(&p);
    }
    /* fewer independent sets, other draws */
    assert_true(width[0] != width[1] && width[1] != width[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(isoflop_intervals_cover),
        cmocka_unit_test(isoflop_without_trunks),
        cmocka_unit_test(grids_that_share_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
