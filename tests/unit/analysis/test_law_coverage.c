/* Do nominal 90 % intervals of the power laws cover?  Synthetic studies of few
 * budgets at three noise levels, whose optima lie on the law but for their own
 * errors, or scatter about it by more:
 *   IsoFLOP  M_opt = k C^a: a, and M_opt at ten times the largest budget
 *   hyper    lr and batch = k C^p: the same
 * by every kind of interval.
 *
 * LOGLOG_COVERAGE=500 runs that many studies of each case (and prints the
 * table of docs/fits.md); the default keeps the test short and its bounds
 * wide. */
#include "analysis/bootstrap.h"
#include "analysis/hyper_fit.h"
#include "analysis/isoflop_fit.h"
#include "base/mem.h"

#include "check.h"
#include "grids.h"
#include "profiles.h"
#include "tests/unit/sanitized.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -1: what is done unasked. */
static const int kinds[] = {-1, BOOT_PERCENTILE, BOOT_BASIC, BOOT_BCA};
#define KINDS 4
enum { Q_EXPONENT, Q_FORECAST, QUESTIONS };

static const double noises[] = {0.001, 0.003, 0.01};

struct tally {
    int asked, in[KINDS][QUESTIONS];
};

static void ask(struct tally *t, int k, const double exponent_ci[2],
                const double coef_ci[2], double exponent, double forecast)
{
    t->in[k][Q_EXPONENT] +=
        exponent_ci[0] <= exponent && exponent <= exponent_ci[1];
    t->in[k][Q_FORECAST] += coef_ci[0] <= forecast && forecast <= coef_ci[1];
}

static int wanted(void)
{
    const char *text = getenv("LOGLOG_COVERAGE");

    return text && atoi(text) > 0 ? atoi(text) : 0;
}

/* --- IsoFLOP --- */

#define TOP 3e20
#define TARGET (10 * TOP)

/* One study; budgets are counted in units of the target, so that the
 * coefficient is the forecast.  scatter: of log M_opt about the law. */
static void isoflop_study(struct points *p, int budgets, double noise,
                          double scatter, struct rng *r)
{
    const struct truth *t = &truth_even;

    points_init(p);
    for (int i = 0; i < budgets; i++) {
        double C = 1e17 * pow(TOP / 1e17, i / (budgets - 1.0));
        double off = exp(scatter * rng_next_normal(r));
        for (int k = 0; k < 10; k++) {
            double N = truth_N(t, C) * pow(4, 2 * k / 9.0 - 1);
            struct point q = run_point(t, C, N / off, noise, r);
            q.col[POINT_N] = N;
            q.col[POINT_M] = 6 * N;
            q.col[POINT_D] = C / 6 / N / TARGET;
            q.col[POINT_BUDGET] = q.col[POINT_FLOPS] = C / TARGET;
            points_add(p, &q);
        }
    }
}

/* The own error of log M_opt at this noise. */
static double own_error(double noise)
{
    struct rng r = {1, RNG_TEST, 0};
    struct isoflop_opts o;
    struct isoflop_fit f;
    struct points p;
    struct err e;
    double sum = 0;

    isoflop_opts_default(&o);
    o.bootstrap = 0;
    isoflop_study(&p, 20, noise, 0, &r);
    ok(isoflop_fit(&f, &p, &o, &e));
    for (int i = 0; i < f.n_budget; i++)
        sum += f.budget[i].ok ? f.budget[i].log_M_se / f.n_ok : 0;
    isoflop_fit_release(&f);
    points_release(&p);
    return sum;
}

static void isoflop_case(struct tally *t, int budgets, double noise,
                         double times, int studies, int bootstrap)
{
    double scatter = sqrt(times * times - 1) * own_error(noise);

    memset(t, 0, sizeof *t);
    for (int s = 0; s < studies; s++) {
        struct rng r = {(uint64_t)s + 1, RNG_TEST,
                        (uint64_t)(1e6 * noise) << 32};
        struct points p;
        int few = 0;
        isoflop_study(&p, budgets, noise, scatter, &r);
        for (int k = 0; k < KINDS && !few; k++) {
            struct isoflop_opts o;
            struct isoflop_fit f;
            struct err e;
            isoflop_opts_default(&o);
            o.bootstrap = bootstrap;
            o.seed = (uint64_t)s + 1;
            o.interval = kinds[k];
            if (kinds[k] >= 0)
                o.resample = ISOFLOP_RESAMPLE_BUDGETS;
            ok(isoflop_fit(&f, &p, &o, &e));
            few = f.n_ok < budgets;
            if (!few)
                ask(t, k, f.M.exponent_ci, f.M.coef_ci, 0.5,
                    6 * truth_N(&truth_even, TARGET));
            isoflop_fit_release(&f);
        }
        t->asked += !few;
        points_release(&p);
    }
}

/* --- hyper-parameters --- */

/* Grids of ratio 2 whose lines lie anywhere about the optimum. */
static void hyper_study(struct points *p, int grids, double noise,
                        double scatter, struct rng *r)
{
    double top = 1e15, target = 10 * top, ratio = 2, k = pow(ratio, 3);

    points_init(p);
    for (int i = 0; i < grids; i++) {
        double C = 1e12 * pow(top / 1e12, i / (grids - 1.0));
        double lr = hyper_lr(&fed, C) * exp(scatter * rng_next_normal(r));
        double batch = hyper_batch(&fed, C) * exp(scatter * rng_next_normal(r));
        double lr0 = lr * pow(ratio, rng_next_uniform(r) - 0.5);
        double batch0 = batch * pow(ratio, rng_next_uniform(r) - 0.5);
        struct bowl b = {3 * pow(C / 1e12, -0.05), lr, batch, 0.02, 0.01, 0.01};
        struct grid g = {C / target, sqrt(C / 6), sqrt(C / 6), lr0 / k,
                         lr0 * k,    ratio,       batch0 / k,  batch0 * k,
                         ratio,      2,           noise,       0};
        add_grid(p, &g, &b, r);
    }
}

static void hyper_case(struct tally t[2], int grids, double noise,
                       double scatter, int studies, int bootstrap)
{
    memset(t, 0, 2 * sizeof *t);
    for (int s = 0; s < studies; s++) {
        struct rng r = {(uint64_t)s + 1, RNG_TEST,
                        (uint64_t)(1e6 * noise) << 32};
        struct points p;
        hyper_study(&p, grids, noise, scatter, &r);
        int few[2] = {0, 0};
        for (int k = 0; k < KINDS; k++) {
            struct hyper_opts o;
            struct hyper_fit f;
            struct err e;
            hyper_opts_default(&o);
            o.bootstrap = bootstrap;
            o.seed = (uint64_t)s + 1;
            o.interval = kinds[k];
            ok(hyper_fit(&f, &p, &o, &e));
            const struct hyper_power *y[2] = {&f.lr, &f.batch};
            const double law[2][2] = {{fed.lr_exp, hyper_lr(&fed, 1e16)},
                                      {fed.batch_exp, hyper_batch(&fed, 1e16)}};
            for (int a = 0; a < 2; a++) {
                few[a] = y[a]->n_grid < grids;
                if (!few[a])
                    ask(&t[a], k, y[a]->exponent_ci, y[a]->coef_ci, law[a][0],
                        law[a][1]);
            }
            hyper_fit_release(&f);
        }
        for (int a = 0; a < 2; a++)
            t[a].asked += !few[a];
        points_release(&p);
    }
}

/* Within 85 to 95 %, and so many standard errors of the simulation; what is
 * done unasked with three budgets believes their stated errors, and is not
 * when they scatter by more. */
static void check_tally(const struct tally *t, const char *law, int budgets,
                        double noise, double scatter)
{
    static const char *const question[] = {"exponent", "10x"};
    double slack = (wanted() ? 2 : 3) * sqrt(0.09 / t->asked);

    for (int q = 0; q < QUESTIONS; q++) {
        print_message("| %s | %d | %.1f %% | %g | %s | %d |", law, budgets,
                      100 * noise, scatter, question[q], t->asked);
        for (int k = 0; k < KINDS; k++)
            print_message(" %.1f %% |", 100.0 * t->in[k][q] / t->asked);
        print_message("\n");
    }
    for (int q = 0; q < QUESTIONS; q++)
        for (int k = 0; k < KINDS; k++)
            if (k > 0 || budgets > 3 || scatter < 2)
                between((double)t->in[k][q] / t->asked, 0.85 - slack,
                        fmin(1, 0.95 + slack));
}

/* Which budgets, of which noise, and how many studies and resamples. */
struct scope {
    int budgets[5], n_budgets;
    size_t noise_from, noise_to;
    int studies, bootstrap;
};

static struct scope scope(int few)
{
    int n = wanted();
    struct scope all = {{3, 4, 5, 6, 8}, 5, 0, ARRAY_LEN(noises), n, 100};
    struct scope some = {{few}, 1, 1, 2, 30, 60};

    return n ? all : some;
}

static void isoflop_intervals_cover(void **state)
{
    struct scope s = scope(4);

    (void)state;
    if (SANITIZED)
        skip();
    for (int b = 0; b < s.n_budgets; b++)
        for (size_t k = s.noise_from; k < s.noise_to; k++)
            for (int times = 1; times <= 3; times += 2) {
                struct tally t;
                isoflop_case(&t, s.budgets[b], noises[k], times, s.studies,
                             s.bootstrap);
                check_tally(&t, "M_opt", s.budgets[b], noises[k], times);
            }
}

static void hyper_intervals_cover(void **state)
{
    struct scope s = scope(5);

    (void)state;
    if (SANITIZED)
        skip();
    for (int b = 0; b < s.n_budgets; b++)
        for (size_t k = s.noise_from; k < s.noise_to; k++)
            for (int more = 0; more < 2; more++) {
                struct tally t[2];
                hyper_case(t, s.budgets[b], noises[k], 0.3 * more, s.studies,
                           s.bootstrap);
                check_tally(&t[0], "lr", s.budgets[b], noises[k], 0.3 * more);
                check_tally(&t[1], "batch", s.budgets[b], noises[k],
                            0.3 * more);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(isoflop_intervals_cover),
        cmocka_unit_test(hyper_intervals_cover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
