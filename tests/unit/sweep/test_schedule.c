/* schedule: the rate of every step, against numbers worked out by hand. */
#include "sweep/schedule.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

static struct schedule_spec deepseek(int64_t warmup)
{
    return (struct schedule_spec){.name = SCHED_MULTI_STEP,
                                  .warmup_steps = warmup,
                                  .n_stage = 2,
                                  .at = {0.8, 0.9},
                                  .factor = {0.316, 0.1}};
}

static struct schedule_spec other(enum schedule_kind kind, int64_t warmup,
                                  double decay, double floor)
{
    return (struct schedule_spec){
        .name = kind, .warmup_steps = warmup, .decay = decay, .floor = floor};
}

struct point {
    int64_t t;
    double lr; /* of a peak of 2 */
};

static void check(const struct schedule_spec *s, int64_t steps,
                  const struct point *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double lr = schedule_lr(s, 2, p[i].t, steps);
        if (fabs(lr - p[i].lr) > 1e-12)
            fail_msg("step %d of %d: %.17g, not %.17g", (int)p[i].t, (int)steps,
                     lr, p[i].lr);
    }
}

static void multi_step_switches_at_80_and_90_percent(void **state)
{
    const struct schedule_spec s = deepseek(20);
    const struct point p[] = {{1, 0.1},     {10, 1},    {20, 2},
                              {21, 2},      {800, 2},   {801, 0.632},
                              {900, 0.632}, {901, 0.2}, {1000, 0.2}};

    (void)state;
    check(&s, 1000, p, ARRAY_LEN(p));
}

/* DeepSeek LLM 2.3 in whole steps: for any number of steps the peak lasts for
 * the first whole step that reaches 80 %. */
static void fractions_round_up_to_whole_steps(void **state)
{
    struct schedule_spec s = deepseek(0);

    (void)state;
    for (int64_t steps = 1; steps < 3000; steps++) {
        int64_t high = 0, low = 0;
        for (int64_t t = 1; t <= steps; t++) {
            double lr = schedule_lr(&s, 1, t, steps);
            high += lr == 1;
            low += lr == 0.1;
        }
        assert_int_equal(high, (8 * steps + 9) / 10);
        assert_int_equal(low, steps - (9 * steps + 9) / 10);
    }
    /* 0.07 * 100 is 7.000000000000001 in binary. */
    s.at[0] = 0.07;
    s.n_stage = 1;
    assert_int_equal(schedule_plateau(&s, 100), 7);
}

static void cosine_falls_from_peak_to_floor(void **state)
{
    const struct schedule_spec s = other(SCHED_COSINE, 100, 0, 0.1);
    const struct point p[] = {
        {50, 1},
        {100, 2},
        {101, 2},
        {351, 2 * (0.1 + 0.9 * 0.5 * (1 + 0.70710678118654752))}, /* 1/4 */
        {601, 2 * (0.1 + 0.9 * 0.5)},                             /* 1/2 */
        {851, 2 * (0.1 + 0.9 * 0.5 * (1 - 0.70710678118654752))}, /* 3/4 */
    };

    (void)state;
    check(&s, 1100, p, ARRAY_LEN(p));
    assert_true(schedule_lr(&s, 2, 1100, 1100) < 0.2001);
    assert_true(schedule_lr(&s, 2, 1100, 1100) > 0.2);
}

static void wsd_is_flat_and_then_falls(void **state)
{
    const struct schedule_spec line = other(SCHED_WSD_LINEAR, 10, 0.2, 0);
    const struct schedule_spec root = other(SCHED_WSD_SQRT, 10, 0.2, 0.1);
    const struct point pl[] = {{5, 1},    {10, 2}, {80, 2},   {81, 2},
                               {82, 1.9}, {91, 1}, {100, 0.1}};
    const struct point pr[] = {{80, 2},
                               {81, 2},
                               {86, 2 * (0.1 + 0.9 * 0.5)}, /* sqrt(1/4) */
                               {91, 2 * (0.1 + 0.9 * 0.29289321881345254)}};

    (void)state;
    check(&line, 100, pl, ARRAY_LEN(pl));
    check(&root, 100, pr, ARRAY_LEN(pr));
}

static void constant_is_constant(void **state)
{
    const struct schedule_spec s = other(SCHED_CONSTANT, 4, 0.5, 0);
    const struct point p[] = {{1, 0.5}, {4, 2}, {5, 2}, {100, 2}};

    (void)state;
    check(&s, 100, p, ARRAY_LEN(p));
}

static void a_warm_up_longer_than_the_run_is_cut_off(void **state)
{
    const struct schedule_spec s = deepseek(2000);

    (void)state;
    assert_true(schedule_lr(&s, 2, 100, 100) == 0.1);
    assert_int_equal(schedule_plateau(&s, 100), 100);
}

/* The plateau is what its name says: the rate of its steps is the same for
 * any longer run, and behind it it is not. */
static void the_plateau_does_not_depend_on_the_length(void **state)
{
    const struct schedule_spec all[] = {
        deepseek(7),
        other(SCHED_COSINE, 7, 0, 0.1),
        other(SCHED_WSD_LINEAR, 7, 0.3, 0),
        other(SCHED_WSD_SQRT, 7, 0.3, 0),
        other(SCHED_CONSTANT, 7, 0, 0),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (int64_t steps = 20; steps < 60; steps++) {
            int64_t n = schedule_plateau(&all[i], steps);
            for (int64_t t = 1; t <= n; t++)
                assert_true(schedule_lr(&all[i], 2, t, steps) ==
                            schedule_lr(&all[i], 2, t, 1000));
            /* cosine and WSD leave the peak one step after the plateau */
            if (n + 2 <= steps)
                assert_true(schedule_lr(&all[i], 2, n + 2, steps) !=
                            schedule_lr(&all[i], 2, n + 2, 1000));
        }
}

static void runs_share_what_comes_before_the_first_drop(void **state)
{
    struct run_spec a, b;

    (void)state;
    spec_defaults(&a);
    a.optim.lr = 1e-3;
    a.steps = 1000;
    b = a;
    b.steps = 500;
    assert_int_equal(schedule_shared(&a, &b), 400);
    assert_int_equal(schedule_shared(&b, &a), 400);
    assert_int_equal(schedule_shared(&a, &a), 800);
    b.eval_every = 10; /* what is looked at does not matter */
    b.eval_tokens = 4096;
    assert_int_equal(schedule_shared(&a, &b), 400);
    b.schedule.at[0] = 0.6; /* nor what comes behind */
    assert_int_equal(schedule_shared(&a, &b), 300);
    b.schedule.name = SCHED_WSD_SQRT;
    b.schedule.decay = 0.1;
    assert_int_equal(schedule_shared(&a, &b), 450);
}

static void runs_that_differ_share_nothing(void **state)
{
    static const char *const change[][2] = {
        {"seed", "2"},
        {"optim.lr", "2e-3"},
        {"batch_tokens", "4096"},
        {"model.d_model", "64"},
        {"model.init_std", "0.02"},
        {"schedule.warmup_steps", "5"},
        {"dtype", "bf16"},
        {"data", "0123456789abcdef"},
        {"optim.beta2", "0.99"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(change); i++) {
        struct run_spec a, b;
        spec_defaults(&a);
        a.optim.lr = 1e-3;
        a.steps = 1000;
        b = a;
        assert_int_equal(spec_set(&b, change[i][0], change[i][1], NULL), 0);
        assert_int_equal(schedule_shared(&a, &b), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multi_step_switches_at_80_and_90_percent),
        cmocka_unit_test(fractions_round_up_to_whole_steps),
        cmocka_unit_test(cosine_falls_from_peak_to_floor),
        cmocka_unit_test(wsd_is_flat_and_then_falls),
        cmocka_unit_test(constant_is_constant),
        cmocka_unit_test(a_warm_up_longer_than_the_run_is_cut_off),
        cmocka_unit_test(the_plateau_does_not_depend_on_the_length),
        cmocka_unit_test(runs_share_what_comes_before_the_first_drop),
        cmocka_unit_test(runs_that_differ_share_nothing),
    };

    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
