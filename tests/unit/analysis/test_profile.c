/* profile: the interval is where the deviance crosses, and it opens where the
 * data do not know. */
#include "analysis/profile.h"
#include "analysis/stat.h"

#include "check.h"
#include "synthetic.h"

#include <string.h>

static const struct surface law = {SURFACE_CHINCHILLA,
                                   {1.69, 406.4, 410.7, 0.34, 0.28}};

/* For small noise the objective is a parabola, and the profile interval is
 * t times the linearised standard error. */
static void small_noise_gives_the_linear_interval(void **state)
{
    struct surface_options o = surface_defaults;
    struct surface_fit f;
    struct synthetic s;
    struct err e;

    (void)state;
    o.objective = OBJECTIVE_MSE;
    synthetic_grid(&s, &law, 9, 1e-4, 4);
    ok(surface_fit(&f, &s.data, &o, &e));
    double t = stat_t_quantile(0.95, 81 - 5);
    for (int i = 3; i < 5; i++) {
        double se = sqrt(f.cov[i * 5 + i]);
        near(f.s.p[i] - f.profile_lo[i], t * se, 0.03);
        near(f.profile_hi[i] - f.s.p[i], t * se, 0.03);
        assert_int_equal(f.profile_open[i], 0);
    }
    double se_E = f.s.p[0] * sqrt(f.cov[0]);
    near(f.profile_hi[0] - f.profile_lo[0], 2 * t * se_E, 0.03);
    synthetic_release(&s);
}

static void curves_are_sorted_and_cross_the_threshold(void **state)
{
    struct surface_fit f;
    struct synthetic s;
    struct profile p;
    struct err e;

    (void)state;
    synthetic_grid(&s, &law, 8, 0.01, 5);
    ok(surface_fit(&f, &s.data, &surface_defaults, &e));
    for (int i = 0; i < 5; i++) {
        if (i == 1 || i == 2) /* A and B are profiled in the frame */
            continue;
        int at_lo = 0, at_hi = 0, least = 0;
        ok(profile_of_fit(&p, &f, &s.data, i, 0.9, &e));
        between(p.n, 5, PROFILE_POINTS);
        for (int k = 0; k < p.n; k++) {
            assert_true(k == 0 || p.value[k] > p.value[k - 1]);
            if (p.deviance[k] < p.deviance[least])
                least = k;
        }
        near(p.value[least], f.s.p[i], 1e-3);
        for (int k = 0; k < p.n; k++) {
            if (fabs(p.value[k] / p.lo - 1) < 1e-6)
                at_lo = fabs(p.deviance[k] / p.threshold - 1) < 0.02;
            if (fabs(p.value[k] / p.hi - 1) < 1e-6)
                at_hi = fabs(p.deviance[k] / p.threshold - 1) < 0.02;
        }
        assert_true(at_lo && at_hi);
        near(p.threshold, stat_f_quantile(0.9, 1, 64 - 5), 1e-9);
    }
    synthetic_release(&s);
}

static void levels_nest(void **state)
{
    static const double level[] = {0.5, 0.8, 0.9, 0.95, 0.99};
    struct surface_fit f;
    struct synthetic s;
    struct profile p;
    struct err e;
    double lo = INFINITY, hi = -INFINITY;

    (void)state;
    synthetic_grid(&s, &law, 8, 0.01, 6);
    ok(surface_fit(&f, &s.data, &surface_defaults, &e));
    for (size_t k = 0; k < ARRAY_LEN(level); k++) {
        ok(profile_of_fit(&p, &f, &s.data, 3, level[k], &e));
        assert_true(p.lo < lo && p.hi > hi);
        lo = p.lo;
        hi = p.hi;
    }
    synthetic_release(&s);
}

/* With E free and tokens over a factor of 2.2 only, beta can be anything. */
static void what_is_not_known_is_open(void **state)
{
    struct surface_options o = surface_defaults;
    struct rng r = {7, RNG_TEST, 0};
    struct surface_fit f;
    struct synthetic s;
    struct err e;

    (void)state;
    synthetic_init(&s);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 6; j++) {
            double N = 1e7 * pow(300, i / 7.0), D = 1e10 * pow(2.2, j / 5.0);
            synthetic_add(&s, N, D,
                          surface_loss(&law, N, D, NAN) *
                              exp(0.05 * rng_next_normal(&r)));
        }
    o.objective = OBJECTIVE_MSE;
    ok(surface_fit(&f, &s.data, &o, &e));
    assert_false(f.identified);
    assert_non_null(strstr(f.refused, "beta"));
    assert_true(f.profile_open[4] != 0 ||
                f.profile_hi[4] - f.profile_lo[4] > 1 ||
                f.s.p[4] < PROFILE_LO || f.s.p[4] > PROFILE_HI);
    synthetic_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_noise_gives_the_linear_interval),
        cmocka_unit_test(curves_are_sorted_and_cross_the_threshold),
        cmocka_unit_test(levels_nest),
        cmocka_unit_test(what_is_not_known_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
