/* Hopeless cells are those far behind at the rung; what that costs is measured
 * on complete grids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/early.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>

static void rungs_are_inside_a_run(void **state)
{
    (void)state;
    assert_int_equal(early_rung(100, 0.4), 40);
    assert_int_equal(early_rung(101, 0.4), 41);
    assert_int_equal(early_rung(2, 0.4), 1);
    assert_int_equal(early_rung(1, 0.4), 0);
    assert_int_equal(early_rung(100, 0), 0);
    assert_int_equal(early_window(40), 31);
    assert_int_equal(early_window(1), 1);
}

static void cells_far_behind_stop_and_the_best_never(void **state)
{
    struct early_run r[] = {
        {.lr = 1, .batch = 1, .loss = 2.00},
        {.lr = 2, .batch = 1, .loss = 2.09},
        {.lr = 4, .batch = 1, .loss = 2.11},
        {.lr = 8, .batch = 1, .loss = NAN},
        {.lr = 1, .batch = 2, .loss = 9},
        {.lr = 1, .batch = 2, .loss = 2.0},
    };

    (void)state;
    assert_int_equal(early_judge(r, 6, 0.05), 3);
    assert_false(r[0].stop || r[1].stop || r[3].stop);
    assert_true(r[2].stop && r[4].stop && r[5].stop); /* seeds are averaged */
    assert_true(isnan(r[3].behind) && fabs(r[1].behind - 0.045) < 1e-9);
    assert_int_equal(early_judge(r, 4, 0.06), 0);
    assert_int_equal(early_judge(r, 1, 1e-9), 0);
    assert_int_equal(early_judge(r + 3, 1, 0.05), 0); /* nothing is known */
}

#define SIDE 5
#define SEEDS 2
#define CELLS (SIDE * SIDE * SEEDS)

/* A complete grid: a bowl in log lr and log batch with noise, at the end and at
 * the rung, where high rates look worse (up to 3 % at the edge) than they end.
 * end[i] is what run i comes to. */
static void complete_grid(struct early_run *r, double *end, uint64_t seed)
{
    struct rng rng = {seed, RNG_TEST, 0};
    double lr0 = 4 * rng_next_uniform(&rng), b0 = 4 * rng_next_uniform(&rng);

    for (int i = 0; i < CELLS; i++) {
        int l = i / SEEDS % SIDE, b = i / SEEDS / SIDE;
        double x = l - lr0, y = b - b0;

        end[i] = 2 * (1 + 0.01 * x * x + 0.006 * y * y) *
                 (1 + 0.002 * rng_next_normal(&rng));
        r[i] = (struct early_run){.lr = pow(2, l),
                                  .batch = pow(2, b),
                                  .loss = 1.15 * end[i] * (1 + 0.0075 * l) *
                                          (1 + 0.004 * rng_next_normal(&rng))};
    }
}

/* Over many grids: work is spared, and the best cell is hardly ever lost. */
static void regret_is_small_on_complete_grids(void **state)
{
    double worst = 0, sum = 0, stopped = 0;
    int grids = 200;

    (void)state;
    for (int g = 0; g < grids; g++) {
        struct early_run r[CELLS];
        double end[CELLS], best = INFINITY, left = INFINITY, regret;

        complete_grid(r, end, (uint64_t)g + 1);
        stopped += (double)early_judge(r, CELLS, 0.05) / CELLS;
        for (int i = 0; i < CELLS; i++) {
            best = fmin(best, end[i]);
            if (!r[i].stop)
                left = fmin(left, end[i]);
        }
        regret = left / best - 1;
        worst = fmax(worst, regret);
        sum += regret / grids;
    }
    printf("%.0f %% of the runs stop; regret %.4f %% on average, %.4f %% at "
           "worst\n",
           100 * stopped / grids, 100 * sum, 100 * worst);
    assert_true(stopped / grids > 0.1);
    assert_true(worst < EARLY_BAND && sum < 1e-4);
}

static void the_order_of_the_runs_does_not_matter(void **state)
{
    struct early_run a[CELLS], b[CELLS];
    double end[CELLS];

    (void)state;
    complete_grid(a, end, 7);
    for (int i = 0; i < CELLS; i++)
        b[CELLS - 1 - i] = a[i];
    early_judge(a, CELLS, 0.05);
    early_judge(b, CELLS, 0.05);
    for (int i = 0; i < CELLS; i++)
        assert_true(b[CELLS - 1 - i].behind == a[i].behind &&
                    b[CELLS - 1 - i].stop == a[i].stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rungs_are_inside_a_run),
        cmocka_unit_test(cells_far_behind_stop_and_the_best_never),
        cmocka_unit_test(regret_is_small_on_complete_grids),
        cmocka_unit_test(the_order_of_the_runs_does_not_matter),
    };

    return cmocka_run_group_tests_name("early", tests, NULL, NULL);
}
