/* Timings of the fits. */
#include "analysis/bench_fit.h"

#include "analysis/surface_boot.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS 240 /* as many as the replication of Chinchilla has */

/* The surface of that replication (Besiroglu et al. 2024). */
static const struct surface law = {SURFACE_CHINCHILLA,
                                   {1.8172, 477.83, 2143.4, 0.34731, 0.36717}};

struct runs {
    double size[POINTS], tokens[POINTS], loss[POINTS];
    struct surface_data d;
};

/* Sizes of 5e7 .. 1.6e10 and budgets of 3e18 .. 1e22, 0.4 % of noise. */
static void make_runs(struct runs *r)
{
    struct rng g = {240, RNG_DESIGN, 0};

    for (int i = 0; i < POINTS; i++) {
        double N = 5e7 * pow(320, rng_next_uniform(&g));
        double flops = 3e18 * pow(3300, rng_next_uniform(&g));
        r->size[i] = N;
        r->tokens[i] = flops / (6 * N);
        r->loss[i] = surface_loss(&law, N, r->tokens[i], NAN) *
                     exp(0.004 * rng_next_normal(&g));
    }
    r->d = (struct surface_data){
        .n = POINTS, .size = r->size, .tokens = r->tokens, .loss = r->loss};
}

/* One thing that is timed: fit, or refits of a fit. */
struct task {
    const char *name;
    enum surface_form form;
    enum surface_objective objective;
    enum surface_method method;
    int profile, resamples, threaded;
    enum surface_refit_how refit;
};

static const struct task tasks[BENCH_FIT_ROWS] = {
    {"4500 starts", SURFACE_CHINCHILLA, OBJECTIVE_HUBER, METHOD_GRID, 0, 0, 0,
     REFIT_VARPRO},
    {"4500 starts, threads", SURFACE_CHINCHILLA, OBJECTIVE_HUBER, METHOD_GRID,
     0, 0, 1, REFIT_VARPRO},
    {"variable projection", SURFACE_CHINCHILLA, OBJECTIVE_HUBER, METHOD_VARPRO,
     0, 0, 0, REFIT_VARPRO},
    {"variable projection with profiles", SURFACE_CHINCHILLA, OBJECTIVE_HUBER,
     METHOD_VARPRO, 1, 0, 0, REFIT_VARPRO},
    {"4000 bootstrap refits", SURFACE_CHINCHILLA, OBJECTIVE_HUBER,
     METHOD_VARPRO, 0, 4000, 0, REFIT_VARPRO},
    {"4000 bootstrap refits, threads", SURFACE_CHINCHILLA, OBJECTIVE_HUBER,
     METHOD_VARPRO, 0, 4000, 1, REFIT_VARPRO},
    {"4000 bootstrap refits, least squares", SURFACE_CHINCHILLA, OBJECTIVE_MSE,
     METHOD_VARPRO, 0, 4000, 0, REFIT_VARPRO},
    {"10 resamples by all 4500 starts", SURFACE_CHINCHILLA, OBJECTIVE_HUBER,
     METHOD_VARPRO, 0, 10, 1, REFIT_GRID},
    {"100 resamples from the starts' ends", SURFACE_CHINCHILLA, OBJECTIVE_HUBER,
     METHOD_VARPRO, 0, 100, 1, REFIT_ENDS},
    {"skaling, variable projection", SURFACE_SKALING, OBJECTIVE_HUBER,
     METHOD_VARPRO, 0, 0, 0, REFIT_VARPRO},
};

static int run_task(struct bench_fit_row *r, const struct task *t,
                    const struct runs *runs, int threads, struct err *e)
{
    struct surface_options o = surface_defaults;
    struct surface_fit f;
    struct bootstrap b;

    r->threads = t->threaded ? threads : 1;
    o.form = t->form;
    o.objective = t->objective;
    o.method = t->method;
    o.profile = t->profile;
    o.threads = r->threads;
    o.refit = t->refit;
    if (t->resamples && surface_fit(&f, &runs->d, &o, e))
        return -1;
    double wall = clock_now(), cpu = clock_process();
    if (t->resamples) {
        struct boot_options bo = {.resamples = (size_t)t->resamples,
                                  .seed = 1,
                                  .threads = r->threads};
        if (surface_bootstrap(&b, &f, &runs->d, NULL, 0, &bo, e))
            return -1;
        r->fits = (int)b.good;
        bootstrap_release(&b);
    } else {
        if (surface_fit(&f, &runs->d, &o, e))
            return -1;
        r->fits = (int)f.starts;
    }
    cpu = clock_process() - cpu;
    wall = clock_now() - wall;
    if (cpu < r->seconds) {
        r->seconds = cpu;
        r->wall = wall;
    }
    return 0;
}

int bench_fit(int threads, int repeats,
              void (*row)(const struct bench_fit_row *r, void *ctx), void *ctx,
              struct err *e)
{
    struct runs *runs = xcalloc(1, sizeof(*runs));
    int rc = 0;

    make_runs(runs);
    for (int k = 0; k < BENCH_FIT_ROWS && rc == 0; k++) {
        struct bench_fit_row r = {.name = tasks[k].name,
                                  .points = POINTS,
                                  .seconds = INFINITY,
                                  .wall = INFINITY};
        for (int i = 0; i < repeats && rc == 0; i++)
            rc = run_task(&r, &tasks[k], runs, threads, e);
        if (rc == 0)
            row(&r, ctx);
    }
    free(runs);
    return rc;
}
