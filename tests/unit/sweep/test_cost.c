/* Throughput is interpolated on log-log paper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sweep/cost.h"
#include "sweep/flops.h"

#include <math.h>

static struct run_spec run(int64_t d_model)
{
    static const struct shape_rule rule = {.head_dim = 8,
                                           .aspect = 16,
                                           .ff_multiple = 8,
                                           .kv_group = 1,
                                           .max_d_model = 4096};
    struct run_spec s;

    spec_defaults(&s);
    shape_for_width(&s.model, &rule, d_model);
    s.batch_tokens = 1024;
    s.steps = 100;
    return s;
}

static void seconds_follow_the_table(void **state)
{
    /* a power law between the points: 1e9 (d/16)^2 */
    static const struct cost_model c = {.n = 3,
                                        .d_model = {16, 64, 256},
                                        .flops_per_s = {1e9, 16e9, 256e9},
                                        .startup = 0.5};
    static const struct {
        int64_t d;
        double rate;
    } at[] = {{8, 1e9},    {16, 1e9},    {32, 4e9},   {64, 16e9},
              {128, 64e9}, {256, 256e9}, {512, 256e9}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        struct run_spec s = run(at[i].d);
        double expected = 0.5 + run_flops_exact(&s) / at[i].rate;
        assert_true(fabs(cost_seconds(&c, &s) - expected) < 1e-9 * expected);
    }
}

static void the_default_is_a_table(void **state)
{
    struct cost_model c;

    (void)state;
    cost_default(&c);
    assert_true(c.n >= 2 && c.n <= COST_POINTS && c.startup > 0);
    for (int i = 0; i < c.n; i++) {
        assert_true(c.flops_per_s[i] > 0);
        assert_true(!i || c.d_model[i] > c.d_model[i - 1]);
    }
}

static void a_plan_is_priced_run_by_run(void **state)
{
    struct cost_model c;
    struct planned r = {.id = 1};
    struct plan p;

    (void)state;
    cost_default(&c);
    plan_init(&p);
    r.spec = run(32);
    plan_add(&p, &r);
    r.id = 2;
    r.spec = run(64);
    plan_add(&p, &r);
    cost_plan(&p, &c);
    for (size_t i = 0; i < 2; i++)
        assert_true(p.run[i].seconds == cost_seconds(&c, &p.run[i].spec));
    plan_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_follow_the_table),
        cmocka_unit_test(the_default_is_a_table),
        cmocka_unit_test(a_plan_is_priced_run_by_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
