/* decimal: the same text as printf's shortest of 15 to 17 digits. */
#include "base/rng.h"
#include "db/decimal.h"

#include "lab.h"

static void expect_as_printf(double v)
{
    char got[DECIMAL_MAX + 1], want[64];

    got[decimal_real(got, v)] = '\0';
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(want, sizeof want, "%.*g", digits, v);
        if (strtod(want, NULL) == v)
            break;
    }
    if (strcmp(got, want))
        fail_msg("%a: '%s', printf says '%s'", v, got, want);
}

static void chosen_numbers_are_right(void **state)
{
    static const double v[] = {0,
                               1,
                               10,
                               0.1,
                               0.5,
                               1.0 / 3,
                               2.0 / 3,
                               0.3,
                               4.35,
                               1e-4,
                               9.9999999999999e-5,
                               1e15,
                               999999999999999.9,
                               0x1.fffffffffffffp49,
                               1e14,
                               99999999999999.99,
                               123456789012345.6,
                               0.99999999999999989,
                               1.0000000000000002,
                               5e-324,
                               1.7976931348623157e308,
                               1e22,
                               9007199254740993.0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        expect_as_printf(v[i]);
        expect_as_printf(-v[i]);
    }
}

static void random_numbers_are_right(void **state)
{
    struct rng r = {.seed = 5, .stream = RNG_TEST};

    (void)state;
    for (int i = 0; i < 200000; i++) {
        double u = rng_next_uniform(&r), v = 0;
        uint64_t bits = rng_u64(6, RNG_TEST, (uint64_t)i);
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v))
            expect_as_printf(v);
        expect_as_printf(u * 10);
        expect_as_printf((double)(float)(u * 10));
        expect_as_printf(pow(10, 24 * u - 6));
        expect_as_printf(round(u * 1e9) / 1e6);
        expect_as_printf(round(u * 1e14) / 1e7);
        expect_as_printf(pow(10, 22 * u + 15)); /* flops */
        expect_as_printf(round(1e6 * u) * 1e16);
        expect_as_printf(ldexp(1, 40 + (int)(bits % 90)));
        expect_as_printf(nextafter(ldexp(1, 40 + (int)(bits % 90)), 0));
        /* where the gap below is half of the gap above */
        expect_as_printf(ldexp(1, (int)(bits % 64) - 14));
        expect_as_printf(nextafter(ldexp(1, (int)(bits % 64) - 14), 0));
    }
}

static void integers_are_right(void **state)
{
    static const struct {
        int64_t v;
        const char *text;
    } rows[] = {
        {0, "0"},
        {7, "7"},
        {-10, "-10"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    char got[DECIMAL_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        got[decimal_int(got, rows[i].v)] = '\0';
        assert_string_equal(got, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chosen_numbers_are_right),
        cmocka_unit_test(random_numbers_are_right),
        cmocka_unit_test(integers_are_right),
    };

    return cmocka_run_group_tests_name("decimal", tests, NULL, NULL);
}
