/* reduce: one order of summation, whoever has which part of the tree. */
#include "trainer/reduce.h"

#include "base/mem.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N 5000 /* floats; more than one chunk, not a multiple of it */

/* Numbers of very different size, so that the order of a sum shows. */
static float number(int leaf, size_t i)
{
    uint64_t k = (uint64_t)leaf * N + i;

    return (float)(rng_normal(5, RNG_TEST, k) *
                   exp(8 * rng_uniform(6, RNG_TEST, k)));
}

/* The sum over leaves [leaf, leaf + count), written as the header says. */
static float tree(int leaf, int count, size_t i)
{
    if (count == 1)
        return number(leaf, i);
    return tree(leaf, count / 2, i) + tree(leaf + count / 2, count / 2, i);
}

static void each_member_has_its_share_of_leaves(void **state)
{
    (void)state;
    for (int leaves = 1; leaves <= RUN_LEAVES; leaves *= 2)
        for (int members = 1; members <= 10; members++) {
            struct reduce r;
            int next = 0;

            reduce_init(&r, leaves, members);
            assert_int_equal(r.bound[members], r.n_node);
            for (int k = 0; k < r.n_node; k++) {
                const struct reduce_node *n = &r.node[k];
                assert_int_equal(n->leaf, next);
                assert_int_equal(n->leaf % n->count, 0);
                assert_int_equal(n->count & (n->count - 1), 0);
                assert_true(n->count <= 1 << r.depth);
                next += n->count;
            }
            assert_int_equal(next, leaves);
            if (leaves % members == 0)
                assert_int_equal(r.n_node, members);
        }
}

static void any_split_gives_the_same_bits(void **state)
{
    float *blocks = malloc(RUN_LEAVES * N * sizeof *blocks);
    float *out = malloc(N * sizeof *out);

    (void)state;
    for (int leaves = 1; leaves <= RUN_LEAVES; leaves *= 2)
        for (int members = 1; members <= 9; members++) {
            struct reduce r;

            reduce_init(&r, leaves, members);
            for (int k = 0; k < r.n_node; k++)
                for (size_t i = 0; i < N; i++)
                    blocks[(size_t)k * N + i] =
                        tree(r.node[k].leaf, r.node[k].count, i);
            /* in two ranges, as two members would */
            reduce_floats(out, blocks, N, &r, 0, 1777);
            reduce_floats(out, blocks, N, &r, 1777, N);
            for (size_t i = 0; i < N; i++)
                assert_true(out[i] == tree(0, leaves, i));
        }
    free(blocks);
    free(out);
}

static void a_range_touches_nothing_else(void **state)
{
    float blocks[4 * 64], out[64];
    struct reduce r;

    (void)state;
    reduce_init(&r, 4, 4);
    for (int i = 0; i < 4 * 64; i++)
        blocks[i] = 1;
    for (int i = 0; i < 64; i++)
        out[i] = -1;
    reduce_floats(out, blocks, 64, &r, 10, 20);
    for (int i = 0; i < 64; i++)
        assert_true(out[i] == (i >= 10 && i < 20 ? 4 : -1));
}

/* 1e16 + 1 is 1e16 in double: only the tree's order gives these. */
static void numbers_are_added_in_the_same_tree(void **state)
{
    const double x[] = {1e16, 1, -1e16, 1, 1, 1, 1, 1};

    (void)state;
    assert_true(reduce_doubles(x, 1) == 1e16);
    assert_true(reduce_doubles(x, 4) == (1e16 + 1) + (-1e16 + 1));
    assert_true(reduce_doubles(x, 8) == ((1e16 + 1) + (-1e16 + 1)) + 4);
}

static void folding_is_a_subtree(void **state)
{
    static float x[4][N];
    float *const block[] = {x[0], x[1], x[2], x[3]};

    (void)state;
    for (int k = 1; k <= 4; k++) {
        for (int b = 0; b < 4; b++)
            for (size_t i = 0; i < N; i++)
                x[b][i] = number(b, i);
        reduce_fold(block, k, N - 1);
        for (size_t i = 0; i < N - 1; i++) {
            float want = number(k - 1, i);
            for (int b = k - 2; b >= 0; b--)
                want = number(b, i) + want;
            assert_true(x[0][i] == want);
            for (int b = 1; b < 4; b++)
                assert_true(x[b][i] == number(b, i));
        }
        for (int b = 0; b < 4; b++)
            assert_true(x[b][N - 1] == number(b, N - 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_member_has_its_share_of_leaves),
        cmocka_unit_test(any_split_gives_the_same_bits),
        cmocka_unit_test(a_range_touches_nothing_else),
        cmocka_unit_test(numbers_are_added_in_the_same_tree),
        cmocka_unit_test(folding_is_a_subtree),
    };

    return cmocka_run_group_tests_name("reduce", tests, NULL, NULL);
}
