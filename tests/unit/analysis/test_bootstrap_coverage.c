/* Do nominal 90 % intervals cover?  Synthetic studies of 8 budgets x 10 sizes
 * (DeepSeek LLM's design) at three noise levels; in each the surface is fitted
 * and its profile and bootstrap intervals are asked for the truth.
 *
 * LOGLOG_COVERAGE=500 runs that many studies a level (and prints the table of
 * docs/fits.md); the default keeps the test short and its bounds wide. */
#include "analysis/stat.h"
#include "analysis/surface_boot.h"

#include "check.h"
#include "synthetic.h"
#include "tests/unit/sanitized.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL 0.9
#define TARGET 1e22 /* flops of the forecast: 30 times the largest budget */

static const struct surface truth = {SURFACE_CHINCHILLA,
                                     {1.8172, 482.0, 2085.4, 0.3478, 0.3658}};
static const double noises[] = {0.002, 0.005, 0.015};

/* What is asked of each study. */
enum { Q_E, Q_ALPHA, Q_BETA, Q_A, Q_LOSS, QUESTIONS };
static const char *const question[] = {"E", "alpha", "beta", "a",
                                       "loss at 30x"};
enum { BY_PROFILE, BY_PERCENTILE, BY_BASIC, BY_BCA, KINDS };
static const char *const kind_name[] = {"profile", "percentile", "basic",
                                        "bca"};

struct tally {
    int asked[KINDS][QUESTIONS], covered[KINDS][QUESTIONS];
};

static void ask(struct tally *t, int kind, int q, double lo, double hi,
                double v)
{
    t->asked[kind][q]++;
    t->covered[kind][q] += lo <= v && v <= hi;
}

static double best_loss(const struct surface *s)
{
    double size, tokens, loss;

    return surface_optimum(&size, &tokens, &loss, s, TARGET, 6, NULL) ? NAN
                                                                      : loss;
}

static void make_study(struct synthetic *s, double noise, uint64_t seed)
{
    struct rng r = {seed, RNG_TEST, 0};

    synthetic_init(s);
    for (int b = 0; b < 8; b++) {
        double flops = 1e17 * pow(3000, b / 7.0), size, tokens, loss;
        surface_optimum(&size, &tokens, &loss, &truth, flops, 6, NULL);
        for (int k = 0; k < 10; k++) {
            double N = size * pow(36, k / 9.0 - 0.5), D = flops / (6 * N);
            synthetic_add(s, N, D,
                          surface_loss(&truth, N, D, NAN) *
                              exp(noise * rng_next_normal(&r)));
        }
    }
}

/* One more statistic, the loss at 30 times the largest budget, of each row. */
static double *with_forecast(double *value, size_t rows)
{
    double *v = xmalloc((rows + 1) * 7 * sizeof(*v));

    for (size_t i = 0; i < rows; i++) {
        struct surface s = {.form = SURFACE_CHINCHILLA};
        memcpy(v + 7 * i, value + 6 * i, 6 * sizeof(*v));
        memcpy(s.p, value + 6 * i, 5 * sizeof(*v));
        v[7 * i + 6] = best_loss(&s);
    }
    free(value);
    return v;
}

static void ask_bootstrap(struct tally *t, const struct surface_fit *f,
                          const struct surface_data *d, const double *right,
                          size_t resamples, uint64_t seed)
{
    static const int stat_of[QUESTIONS] = {0, 3, 4, 5, 6};
    static const enum boot_kind boot[] = {BOOT_PERCENTILE, BOOT_BASIC,
                                          BOOT_BCA};
    struct boot_options o = {
        .resamples = resamples, .seed = seed, .jackknife = 1};
    struct bootstrap b;
    struct err e;
    double lo, hi;

    ok(surface_bootstrap(&b, f, d, NULL, 0, &o, &e));
    assert_int_equal(b.smoothed, f->options.objective == OBJECTIVE_HUBER);
    b.value = with_forecast(b.value, b.good);
    b.jack = with_forecast(b.jack, b.n_jack);
    b.estimate = with_forecast(b.estimate, 1);
    b.n_stat = 7;
    for (int k = 0; k < 3; k++)
        for (int q = 0; q < QUESTIONS; q++) {
            bootstrap_interval(&lo, &hi, &b, (size_t)stat_of[q], boot[k],
                               LEVEL);
            ask(t, BY_PERCENTILE + k, q, lo, hi, right[q]);
        }
    bootstrap_release(&b);
}

static void run_level(struct tally *t, double noise, int studies,
                      size_t resamples, enum surface_objective objective)
{
    const double right[QUESTIONS] = {truth.p[0], truth.p[3], truth.p[4],
                                     truth.p[4] / (truth.p[3] + truth.p[4]),
                                     best_loss(&truth)};

    for (int s = 0; s < studies; s++) {
        struct surface_options o = surface_defaults;
        struct surface_fit f;
        struct synthetic data;
        struct err e;
        make_study(&data, noise, (uint64_t)s + 1);
        o.level = LEVEL;
        o.objective = objective;
        o.smooth = 1;
        ok(surface_fit(&f, &data.data, &o, &e));
        for (int q = Q_E; q <= Q_BETA; q++) {
            int i = q == Q_E ? 0 : q + 2;
            ask(t, BY_PROFILE, q, f.profile_lo[i], f.profile_hi[i], right[q]);
        }
        if (resamples)
            ask_bootstrap(t, &f, &data.data, right, resamples, (uint64_t)s + 1);
        synthetic_release(&data);
    }
}

static void print_tally(const struct tally *t, double noise,
                        const char *objective)
{
    for (int k = 0; k < KINDS; k++)
        for (int q = 0; q < QUESTIONS; q++)
            if (t->asked[k][q])
                printf("| %s | %.1f %% | %s | %s | %d | %.1f %% |\n", objective,
                       100 * noise, kind_name[k], question[q], t->asked[k][q],
                       100.0 * t->covered[k][q] / t->asked[k][q]);
}

static int studies_wanted(void)
{
    const char *text = getenv("LOGLOG_COVERAGE");

    return text && atoi(text) > 0 ? atoi(text) : 0;
}

/* Every kind within 85 to 95 % (and three standard errors of a short
 * simulation). */
static void check_tally(const struct tally *t, int wide)
{
    for (int k = 0; k < KINDS; k++) {
        for (int q = 0; q < QUESTIONS; q++) {
            int n = t->asked[k][q];
            if (n == 0)
                continue;
            double slack = wide ? 3 * sqrt(0.09 / n) : 0;
            double share = t->covered[k][q] / (double)n;
            if (share < 0.85 - slack || share > 0.95 + slack)
                print_error("%s of %s: %.3f\n", kind_name[k], question[q],
                            share);
            between(share, 0.85 - slack, fmin(1, 0.95 + slack));
        }
    }
}

static void intervals_cover(void **state)
{
    int wanted = studies_wanted(), studies = wanted ? wanted : 40;

    (void)state;
    if (SANITIZED)
        skip();
    for (size_t k = 0; k < ARRAY_LEN(noises); k++) {
        struct tally t;
        memset(&t, 0, sizeof(t));
        run_level(&t, noises[k], studies, wanted ? 400 : 100, OBJECTIVE_HUBER);
        if (wanted)
            print_tally(&t, noises[k], "huber");
        check_tally(&t, !wanted);
    }
}

/* Least squares is what the profile's theory is about: many more studies (and
 * the bootstrap of it where a table is wanted: what basic and percentile
 * intervals are worth where the objective is smooth). */
static void profiles_of_least_squares_cover(void **state)
{
    int wanted = studies_wanted(), studies = wanted ? wanted : 150;

    (void)state;
    if (SANITIZED)
        skip();
    struct tally t[ARRAY_LEN(noises)];
    memset(t, 0, sizeof(t));
    for (size_t k = 0; k < ARRAY_LEN(noises); k++) {
        run_level(&t[k], noises[k], studies, wanted ? 400 : 0, OBJECTIVE_MSE);
        if (wanted)
            print_tally(&t[k], noises[k], "mse");
    }
    for (size_t k = 0; k < ARRAY_LEN(noises); k++)
        check_tally(&t[k], !wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_of_least_squares_cover),
        cmocka_unit_test(intervals_cover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
