/* design: the runs it proposes keep to their limits, its standard deviations
 * are those of simulated studies, and it beats the fixed grid. */
#include "analysis/design.h"
#include "analysis/stat.h"

#include "check.h"
#include "synthetic.h"

#include <string.h>

static const struct surface law = {SURFACE_CHINCHILLA,
                                   {1.8172, 482, 2085.4, 0.3478, 0.3658}};

static double forecast(const struct surface *s, const struct design_options *o)
{
    double size, tokens, loss;

    if (surface_optimum(&size, &tokens, &loss, s, o->target, o->factor, NULL))
        return NAN;
    return o->goal == DESIGN_LOSS ? loss : size;
}

static void limits_are_kept(void **state)
{
    struct design_options o = design_defaults;
    struct design d;
    struct err e;

    (void)state;
    o.flops = 1e20;
    o.target = 1e22;
    for (int goal = 0; goal < 2; goal++) {
        int runs = 0;
        double spent = 0;
        o.goal = (enum design_goal)goal;
        ok(design_runs(&d, &law, NULL, &o, &e));
        for (size_t i = 0; i < d.n; i++) {
            const struct design_run *r = &d.run[i];
            near(6 * r->size * r->tokens, r->flops, 1e-9);
            between(r->tokens / r->size, 0.999 * o.tpp_lo, 1.001 * o.tpp_hi);
            between(r->repeats, 1, o.repeats);
            between(r->flops, 0.999e-5 * o.flops, 0.2501 * o.flops);
            runs += r->repeats;
            spent += r->repeats * r->flops;
        }
        between(runs, 10, o.most);
        near(spent, d.spent, 1e-9);
        between(spent, 0.5 * o.flops, o.flops);
        near(d.fixed_spent, o.flops, 1e-9);
        assert_true(d.sd_after < d.sd_fixed);
        assert_true(d.sd_after > 0);
        near(d.value, forecast(&law, &o), 1e-9);
        design_release(&d);
    }
}

/* Fit studies of the proposed runs and of the fixed grid: the forecast
 * scatters as the design says, and less than the grid's. */
static double simulate(const struct design_run *run, size_t n,
                       const struct design_options *o, uint64_t seed)
{
    enum { STUDIES = 150 };
    struct surface_options so = surface_defaults;
    struct rng r = {seed, RNG_DESIGN, 0};
    double ln[STUDIES];
    struct err e;

    so.objective = OBJECTIVE_MSE;
    so.profile = 0;
    for (int k = 0; k < STUDIES; k++) {
        struct surface_fit f;
        struct synthetic s;
        synthetic_init(&s);
        for (size_t i = 0; i < n; i++)
            for (int j = 0; j < run[i].repeats; j++)
                synthetic_add(
                    &s, run[i].size, run[i].tokens,
                    surface_loss(&law, run[i].size, run[i].tokens, NAN) *
                        exp(o->noise * rng_next_normal(&r)));
        ok(surface_fit(&f, &s.data, &so, &e));
        ln[k] = log(forecast(&f.s, o));
        synthetic_release(&s);
    }
    return stat_sd(ln, STUDIES);
}

static void simulated_studies_agree(void **state)
{
    struct design_options o = design_defaults;
    struct design_run fixed[DESIGN_FIXED];
    struct design d;
    struct err e;

    (void)state;
    o.flops = 1e20;
    o.target = 3e21;
    o.misfit = 0; /* the simulated law is exact */
    o.noise = 0.002;
    for (int goal = 0; goal < 2; goal++) {
        o.goal = (enum design_goal)goal;
        ok(design_runs(&d, &law, NULL, &o, &e));
        design_fixed(fixed, &law, &o);
        double ours = simulate(d.run, d.n, &o, 1);
        double grid = simulate(fixed, DESIGN_FIXED, &o, 2);
        near(ours, d.sd_after, 0.25);
        near(grid, d.sd_fixed, 0.35);
        assert_true(ours < 0.9 * grid);
        design_release(&d);
    }
}

/* What is known already is used: more data, less left to gain. */
static void earlier_runs_count(void **state)
{
    struct design_options o = design_defaults;
    struct surface_fit few, many;
    struct synthetic s;
    struct design a, b;
    struct err e;

    (void)state;
    o.flops = 1e19;
    o.target = 1e22;
    synthetic_grid(&s, &law, 5, 0.004, 1);
    ok(surface_fit(&few, &s.data, &surface_defaults, &e));
    synthetic_release(&s);
    synthetic_grid(&s, &law, 12, 0.004, 1);
    ok(surface_fit(&many, &s.data, &surface_defaults, &e));
    synthetic_release(&s);
    ok(design_runs(&a, &few.s, few.cov, &o, &e));
    ok(design_runs(&b, &many.s, many.cov, &o, &e));
    assert_true(a.sd_after < a.sd_before && b.sd_after < b.sd_before);
    assert_true(b.sd_before < a.sd_before);
    assert_true(a.sd_after < a.sd_fixed);
    design_release(&a);
    design_release(&b);
}

static void nonsense_is_refused(void **state)
{
    struct design_options o = design_defaults;
    double cov[25];
    struct design d;
    struct err e;

    (void)state;
    o.target = 1e22;
    assert_int_equal(design_runs(&d, &law, NULL, &o, &e), -1);
    assert_non_null(strstr(e.text, "positive flops"));
    o.flops = 1e20;
    o.noise = 0;
    assert_int_equal(design_runs(&d, &law, NULL, &o, &e), -1);
    o.noise = 0.01;
    for (int i = 0; i < 25; i++)
        cov[i] = NAN;
    assert_int_equal(design_runs(&d, &law, cov, &o, &e), -1);
    assert_non_null(strstr(e.text, "not identified"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(simulated_studies_agree),
        cmocka_unit_test(earlier_runs_count),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
