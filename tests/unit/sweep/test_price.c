/* Prices follow from seconds; disks from what is written at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sweep/flops.h"
#include "sweep/price.h"

#include <math.h>
#include <string.h>

#define CLOSE(a, b) assert_true(fabs((a) / (b)-1) < 1e-9)

static struct planned run(int64_t d_model, int64_t steps)
{
    static const struct shape_rule rule = {.head_dim = 8,
                                           .aspect = 16,
                                           .ff_multiple = 8,
                                           .kv_group = 1,
                                           .max_d_model = 4096};
    struct planned r = {.stage = 0};

    spec_defaults(&r.spec);
    shape_for_width(&r.spec.model, &rule, d_model);
    r.spec.batch_tokens = 1024;
    r.spec.steps = steps;
    r.id = spec_id(&r.spec);
    return r;
}

static double params(int64_t d_model)
{
    struct planned r = run(d_model, 1);
    struct model_count c;

    model_count(&c, &r.spec.model);
    return c.params;
}

static void a_device_is_its_peak_times_the_share(void **state)
{
    struct planned r = run(64, 100);
    struct cost_model c;
    struct price p;
    struct err e;

    (void)state;
    cost_device(&c, device_find("h100", &e), 0.4);
    CLOSE(cost_seconds(&c, &r.spec),
          run_flops_exact(&r.spec) / (0.4 * 989.4e12));
    price_of(&p, 7200, 700, 2.5);
    CLOSE(p.hours, 2);
    CLOSE(p.kwh, 1.4);
    CLOSE(p.money, 5);
}

static void devices_are_complete_and_found(void **state)
{
    struct err e;

    (void)state;
    assert_string_equal(devices[0].name, "core");
    for (const struct device *d = devices; d->name; d++) {
        assert_true(device_find(d->name, &e) == d);
        assert_true(d->watts > 0 && (d == devices || d->peak > 1e14));
    }
    assert_null(device_find("h1o0", &e));
    assert_non_null(strstr(e.text, "did you mean 'h100'?"));
}

static void disks_hold_the_largest_runs_and_all_trunks(void **state)
{
    struct disk d = {0};
    struct plan p;
    struct planned r;

    (void)state;
    plan_init(&p);
    for (int64_t w = 16; w <= 64; w *= 2) {
        r = run(w, 1000);
        plan_add(&p, &r);
    }
    disk_add(&d, &p, 2);
    CLOSE(d.checkpoints, 3 * 12 * (params(64) + params(32)));
    assert_true(d.trunks == 0);
    CLOSE(d.database, 3 * 8e3 + 90 * 3000);
    /* two branches of one step share a file */
    for (int i = 0; i < 3; i++) {
        r = run(16, 500 + i);
        r.trunk = 7;
        r.trunk_step = i < 2 ? 400 : 300;
        plan_add(&p, &r);
    }
    d = (struct disk){0};
    disk_add(&d, &p, 2);
    CLOSE(d.trunks, 2 * 12 * params(16));
    plan_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_its_peak_times_the_share),
        cmocka_unit_test(devices_are_complete_and_found),
        cmocka_unit_test(disks_hold_the_largest_runs_and_all_trunks),
    };

    return cmocka_run_group_tests_name("price", tests, NULL, NULL);
}
