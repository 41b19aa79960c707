/* holdout: which points, signed errors, intervals, rolling, selection. */
#include "analysis/holdout.h"

#include "check.h"
#include "synthetic.h"

#include <stdlib.h>
#include <string.h>

static const struct surface law = {SURFACE_CHINCHILLA,
                                   {1.8172, 482, 2085.4, 0.3478, 0.3658}};

/* 7 budgets of 1e17 .. 1e20, 7 sizes each. */
static void budgets(struct synthetic *s, double *flops,
                    const struct surface *with, double noise, uint64_t seed)
{
    struct rng r = {seed, RNG_TEST, 0};

    synthetic_init(s);
    for (int b = 0; b < 7; b++)
        for (int k = 0; k < 7; k++) {
            double C = 1e17 * pow(10, b / 2.0);
            double N = sqrt(C / 120) * pow(40, k / 6.0 - 0.5), D = C / (6 * N);
            flops[s->data.n] = C;
            synthetic_add(s, N, D,
                          surface_loss(with, N, D, NAN) *
                              exp(noise * rng_next_normal(&r)));
        }
}

static void specs_parse(void **state)
{
    static const struct {
        const char *text;
        enum point_col col;
        int top;
        double share, above;
    } good[] = {
        {"flops:2", POINT_FLOPS, 2, NAN, NAN},
        {"n:25%", POINT_N, 0, 0.25, NAN},
        {"D>1e10", POINT_D, 0, NAN, 1e10},
        {"seed>3", POINT_SEED, 0, NAN, 3},
    };
    static const char *const bad[] = {
        "",       "flops",   "flops:",   "flops:0",  "flops:1.5", "flops:100%",
        "flps:2", "flops>x", "flops>5%", "flops:-1", ":2"};
    struct holdout_spec s;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        ok(holdout_parse(&s, good[i].text, &e));
        assert_int_equal(s.col, good[i].col);
        assert_int_equal(s.top, good[i].top);
        assert_true(s.share == good[i].share || isnan(good[i].share));
        assert_true(s.above == good[i].above || isnan(good[i].above));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(holdout_parse(&s, bad[i], &e), -1);
        assert_non_null(strstr(e.text, "--holdout"));
    }
}

static void the_largest_are_held_out(void **state)
{
    static const struct {
        const char *spec;
        int held; /* of 10 budgets x 2, the last not used */
    } row[] = {
        {"flops:1", 1}, {"flops:3", 5}, {"flops:20%", 4}, {"flops>7.5e17", 5}};
    struct holdout_spec s;
    struct points p;
    struct point r;
    struct err e;
    int held[20];

    (void)state;
    points_init(&p);
    for (int i = 0; i < 20; i++) {
        point_init(&r);
        r.col[POINT_FLOPS] = 1e17 * (i / 2 + 1) * (i % 2 ? 1.001 : 1);
        r.used = i != 19;
        points_add(&p, &r);
    }
    for (size_t k = 0; k < ARRAY_LEN(row); k++) {
        int n = 0;
        ok(holdout_parse(&s, row[k].spec, &e));
        ok(holdout_mark(held, &p, &s, &e));
        for (int i = 0; i < 20; i++) {
            n += held[i];
            assert_true(!held[i] || i >= 19 - row[k].held);
        }
        assert_int_equal(held[19], 0);
        assert_int_equal(n, row[k].held);
    }
    ok(holdout_parse(&s, "flops>1e19", &e));
    assert_int_equal(holdout_mark(held, &p, &s, &e), -1);
    assert_non_null(strstr(e.text, "no point is held out"));
    ok(holdout_parse(&s, "flops:9", &e));
    assert_int_equal(holdout_mark(held, &p, &s, &e), -1);
    assert_non_null(strstr(e.text, "more than half"));
    points_release(&p);
}

/* On the law itself the error is the noise and most intervals hold; where the
 * truth leaves the law the sign and the decades say so. */
static void errors_are_signed_and_intervals_honest(void **state)
{
    struct holdout_options o = {
        .surface = surface_defaults, .resamples = 200, .seed = 1, .level = 0.9};
    double flops[49];
    int held[49];
    struct synthetic s;
    struct holdout h;
    struct err e;

    (void)state;
    o.surface.profile = 0;
    budgets(&s, flops, &law, 0.004, 3);
    for (int i = 0; i < 49; i++)
        held[i] = flops[i] > 2e19;
    ok(holdout_surface(&h, &s.data, flops, held, &o, &e));
    assert_int_equal(h.n, 14);
    assert_int_equal(h.fit.n, 35);
    near(h.decades, 1, 1e-9);
    within(h.mean_error, 0, 0.01);
    between(h.inside, 0.7, 1);
    for (size_t i = 0; i < h.n; i++) {
        assert_true(i == 0 || h.row[i].flops >= h.row[i - 1].flops);
        assert_true(h.row[i].lo < h.row[i].predicted &&
                    h.row[i].predicted < h.row[i].hi);
        near(h.row[i].error, h.row[i].predicted / h.row[i].observed - 1, 1e-12);
        assert_int_equal(h.row[i].inside, h.row[i].observed >= h.row[i].lo &&
                                              h.row[i].observed <= h.row[i].hi);
    }
    holdout_release(&h);

    for (size_t i = 0; i < s.data.n; i++) /* the largest runs disappoint */
        if (held[i])
            s.loss[i] *= 1.05;
    ok(holdout_surface(&h, &s.data, flops, held, &o, &e));
    between(h.mean_error, -0.06, -0.04);
    between(h.inside, 0, 0.3);
    holdout_release(&h);
    synthetic_release(&s);
}

static void rolling_goes_through_all_cutoffs(void **state)
{
    struct surface_options o = surface_defaults;
    struct rolling_row *row;
    struct synthetic s;
    double flops[49], near_rms = 0, far_rms = 0;
    struct err e;
    size_t n, nears = 0, fars = 0;

    (void)state;
    o.profile = 0;
    budgets(&s, flops, &law, 0.004, 4);
    ok(holdout_rolling(&row, &n, &s.data, flops, &o, &e));
    assert_int_equal(n, 5 + 4 + 3 + 2 + 1); /* one budget is too few to fit */
    for (size_t i = 0; i < n; i++) {
        assert_true(row[i].flops > row[i].cutoff);
        near(row[i].decades, log10(row[i].flops / row[i].cutoff), 1e-9);
        assert_int_equal(row[i].n, 7);
        if (row[i].fitted >= 28 && row[i].decades < 0.6)
            near_rms += row[i].rms, nears++;
        if (row[i].fitted <= 21 && row[i].decades > 1.4)
            far_rms += row[i].rms, fars++;
    }
    assert_true(nears > 0 && fars > 0);
    assert_true(near_rms / (double)nears < far_rms / (double)fars);
    free(row);
    s.data.n = 7;
    assert_int_equal(holdout_rolling(&row, &n, &s.data, flops, &o, &e), -1);
    synthetic_release(&s);
}

/* The form that made the data wins on what it has not seen. */
static void selection_prefers_the_truth(void **state)
{
    static const struct surface truths[] = {
        {SURFACE_CHINCHILLA, {1.8172, 482, 2085.4, 0.3478, 0.3658}},
        {SURFACE_SKALING, {1.2, 3000, 9000, 0.5, 0.55, 0.4}},
        {SURFACE_POWER, {11, 8, 0.08, 0.06}},
    };
    struct surface_options o = surface_defaults;
    struct selection sel[SURFACE_FORMS];
    double flops[49];
    int held[49], n;
    struct err e;

    (void)state;
    o.profile = 0;
    o.objective = OBJECTIVE_MSE;
    for (size_t k = 0; k < ARRAY_LEN(truths); k++) {
        struct synthetic s;
        double rms = NAN;
        budgets(&s, flops, &truths[k], 2e-5, 5);
        for (int i = 0; i < 49; i++)
            held[i] = flops[i] > 2e19;
        ok(holdout_select(sel, &n, &s.data, held, &o, &e));
        assert_int_equal(n, SURFACE_FORMS - 1); /* no repeats in these data */
        for (int i = 0; i < n; i++) {
            assert_true(i == 0 || sel[i].rms >= sel[i - 1].rms);
            if (sel[i].form == truths[k].form)
                rms = sel[i].rms;
        }
        between(rms, 0, 1e-3);
        assert_true(rms < 2 * sel[0].rms + 1e-4);
        assert_true(sel[n - 1].rms > 10 * rms);
        synthetic_release(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs_parse),
        cmocka_unit_test(the_largest_are_held_out),
        cmocka_unit_test(errors_are_signed_and_intervals_honest),
        cmocka_unit_test(rolling_goes_through_all_cutoffs),
        cmocka_unit_test(selection_prefers_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
