/* Numbers are Philox4x32-10, have the moments they claim, and permutations
 * are permutations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The first is Random123's own known answer (zero counter and key); the others
 * come from a Python program of the paper's text that gives all its answers. */
static void it_is_philox(void **state)
{
    (void)state;
    assert_true(rng_u64(0, 0, 0) == UINT64_C(0xe169c58d6627e8d5));
    assert_true(rng_u64(1, 2, 3) == UINT64_C(0x663eff4fde08bf52));
    assert_true(rng_u64(UINT64_C(0x123456789abcdef0), 5,
                        UINT64_C(0xfedcba9876543210)) ==
                UINT64_C(0x5ebf18ca67568f84));
}

struct moments {
    double mean, var, skew, kurt;
};

static struct moments moments(const double *x, int n)
{
    struct moments m = {0, 0, 0, 0};

    for (int i = 0; i < n; i++)
        m.mean += x[i] / n;
    for (int i = 0; i < n; i++) {
        double d = x[i] - m.mean;
        m.var += d * d / n;
        m.skew += d * d * d / n;
        m.kurt += d * d * d * d / n;
    }
    m.skew /= pow(m.var, 1.5);
    m.kurt /= m.var * m.var;
    return m;
}

#define N 200000

static void normals_are_normal(void **state)
{
    double *x = xcalloc(N, sizeof *x), cross = 0;
    struct moments m;

    (void)state;
    for (uint64_t seed = 1; seed < 4; seed++) {
        for (int i = 0; i < N; i++)
            x[i] = rng_normal(seed, RNG_INIT, (uint64_t)i);
        m = moments(x, N); /* bounds of five standard errors */
        assert_true(fabs(m.mean) < 5 / sqrt(N));
        assert_true(fabs(m.var - 1) < 5 * sqrt(2.0 / N));
        assert_true(fabs(m.skew) < 5 * sqrt(6.0 / N));
        assert_true(fabs(m.kurt - 3) < 5 * sqrt(24.0 / N));
        for (int i = 1; i < N; i++)
            cross += x[i] * x[i - 1] / N;
        assert_true(fabs(cross) < 5 / sqrt(N));
        cross = 0;
    }
    free(x);
}

static void uniforms_are_uniform(void **state)
{
    int count[64] = {0}, below[7] = {0};
    double chi = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        double u = rng_uniform(9, RNG_TEST, (uint64_t)i);
        assert_true(u >= 0 && u < 1);
        count[(int)(u * 64)]++;
        below[rng_below(9, RNG_DATA, (uint64_t)i, 7)]++;
    }
    for (int i = 0; i < 64; i++)
        chi += pow(count[i] - N / 64.0, 2) / (N / 64.0);
    assert_true(chi < 63 + 5 * sqrt(2 * 63));
    chi = 0;
    for (int i = 0; i < 7; i++)
        chi += pow(below[i] - N / 7.0, 2) / (N / 7.0);
    assert_true(chi < 6 + 5 * sqrt(2 * 6));
}

/* The high word of a 128-bit product, checked against the compiler's. */
static void below_is_the_high_word(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t x = rng_u64(4, RNG_BOOT, i);
        uint64_t n = rng_u64(5, RNG_BOOT, i) >> (i % 64);
        __extension__ typedef unsigned __int128 wide;
        if (n == 0)
            n = 1;
        assert_true(rng_below(4, RNG_BOOT, i, n) ==
                    (uint64_t)((wide)x * n >> 64));
    }
}

static void streams_and_seeds_differ(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t x = rng_u64(1, RNG_INIT, i);
        assert_true(x != rng_u64(2, RNG_INIT, i));
        assert_true(x != rng_u64(1, RNG_DATA, i));
        assert_true(x != rng_u64(1, RNG_INIT, i + 1));
        assert_true(x != rng_u64(UINT64_C(1) << 32, RNG_INIT, i));
    }
}

static void a_sequence_is_its_stream(void **state)
{
    struct rng r = {7, RNG_FIT, 0};

    (void)state;
    assert_true(rng_next_uniform(&r) == rng_uniform(7, RNG_FIT, 0));
    assert_true(rng_next_normal(&r) == rng_normal(7, RNG_FIT, 1));
    assert_true(rng_next_below(&r, 10) == rng_below(7, RNG_FIT, 2, 10));
    assert_int_equal(r.next, 3);
}

static void a_permutation_has_every_value_once(void **state)
{
    static const uint64_t sizes[] = {1,    2,    3,    4,    5,     15,    16,
                                     17,   63,   64,   65,   97,    256,   257,
                                     1000, 4095, 4096, 4097, 65537, 100003};
    char *seen = xmalloc(100003);

    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        uint64_t n = sizes[s];
        memset(seen, 0, n);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t p = rng_permute(3, RNG_DATA, i, n);
            assert_true(p < n);
            assert_int_equal(seen[p], 0);
            seen[p] = 1;
        }
    }
    free(seen);
}

/* Does it shuffle?  The mean distance from home of a random permutation is
 * n/3, with few fixed points and no order left between neighbours. */
static void a_permutation_is_mixed(void **state)
{
    const uint64_t n = 5000;
    double moved = 0;
    int fixed = 0, rising = 0, other = 0;

    (void)state;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t p = rng_permute(1, RNG_DATA, i, n);
        moved += fabs((double)p - (double)i) / (double)n;
        fixed += p == i;
        other += p != rng_permute(2, RNG_DATA, i, n);
        if (i)
            rising += p > rng_permute(1, RNG_DATA, i - 1, n);
    }
    assert_true(fabs(moved - (double)n / 3) < 0.03 * (double)n);
    assert_true(fixed < 10);
    assert_true(abs(rising - (int)n / 2) < 200);
    assert_true(other > (int)n - 10);
}

/* Far beyond what a table could hold. */
static void a_huge_permutation_stays_in_range(void **state)
{
    const uint64_t n = UINT64_C(1) << 40;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(rng_permute(1, RNG_DATA, n - 1 - i, n) < n);
        assert_true(rng_permute(1, RNG_DATA, i, n - 12345) < n - 12345);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_philox),
        cmocka_unit_test(normals_are_normal),
        cmocka_unit_test(uniforms_are_uniform),
        cmocka_unit_test(below_is_the_high_word),
        cmocka_unit_test(streams_and_seeds_differ),
        cmocka_unit_test(a_sequence_is_its_stream),
        cmocka_unit_test(a_permutation_has_every_value_once),
        cmocka_unit_test(a_permutation_is_mixed),
        cmocka_unit_test(a_huge_permutation_stays_in_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
