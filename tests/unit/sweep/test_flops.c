/* Compute as DeepSeek LLM counts it, and as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sweep/flops.h"
#include "sweep/shape.h"

#include <math.h>

#define assert_near(x, y, rel)                                                 \
    do {                                                                       \
        double x_ = (x), y_ = (y);                                             \
        if (!(fabs(x_ - y_) <= (rel)*fabs(y_)))                                \
            fail_msg("%s = %.9g, expected %.9g", #x, x_, y_);                  \
    } while (0)

static struct run_spec llama(int64_t n_layer, int64_t d_model, int64_t n_head,
                             int64_t n_kv_head, int64_t d_ff)
{
    struct run_spec s;

    spec_defaults(&s);
    s.model.vocab = 102400;
    s.model.seq_len = 4096;
    s.model.n_layer = n_layer;
    s.model.d_model = d_model;
    s.model.n_head = n_head;
    s.model.n_kv_head = n_kv_head;
    s.model.d_ff = d_ff;
    s.batch_tokens = 4096;
    s.steps = 1;
    return s;
}

/* Does x print as `printed` with as many decimals, rounded or cut off?  Table
 * 3 prints 0.857 as 0.85. */
static int prints_as(double x, double printed, double unit)
{
    return fabs(round(x / unit) * unit - printed) < 1e-9 * printed ||
           fabs(floor(x / unit) * unit - printed) < 1e-9 * printed;
}

/* DeepSeek LLM Table 3: n_vocab 102400, l_seq 4096. */
static void table_3_row_by_row(void **state)
{
    static const struct {
        int64_t n_layer, d_model;
        double N1, N1_unit, N2, N2_unit, M, M_unit, r1, r2;
    } row[] = {
        {8, 512, 25.2e6, 1e5, 77.6e6, 1e5, 352e6, 1e6, 0.43, 1.32},
        {12, 768, 84.9e6, 1e5, 164e6, 1e6, 963e6, 1e6, 0.53, 1.02},
        {24, 1024, 302e6, 1e6, 407e6, 1e6, 3.02e9, 1e7, 0.60, 0.81},
        {24, 2048, 1.21e9, 1e7, 1.42e9, 1e7, 9.66e9, 1e7, 0.75, 0.88},
        {32, 4096, 6.44e9, 1e7, 6.86e9, 1e7, 45.1e9, 1e8, 0.85, 0.91},
        {40, 5120, 12.6e9, 1e8, 13.1e9, 1e8, 85.6e9, 1e8, 0.88, 0.92},
        {80, 8192, 64.4e9, 1e8, 65.3e9, 1e8, 419e9, 1e9, 0.92, 0.94},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct run_spec s = llama(row[i].n_layer, row[i].d_model, 4, 4, 1024);
        struct model_count c;

        model_count(&c, &s.model);
        assert_true(prints_as(c.N1, row[i].N1, row[i].N1_unit));
        assert_true(prints_as(c.N2, row[i].N2, row[i].N2_unit));
        assert_true(prints_as(c.M, row[i].M, row[i].M_unit));
        assert_true(prints_as(6 * c.N1 / c.M, row[i].r1, 0.01));
        assert_true(prints_as(6 * c.N2 / c.M, row[i].r2, 0.01));
        assert_near(6 * c.N1 / c.M,
                    6.0 * (double)row[i].d_model /
                        (6.0 * (double)row[i].d_model + 4096),
                    1e-12);
    }
}

/* 95 layers of 8192, 64 heads on 8 key/value heads, d_ff 22016: with full
 * attention and no head 4.33e11 a token, where Eq. 2 says 4.97e11. */
static void the_67B_costs_15_percent_less_than_eq_2(void **state)
{
    struct run_spec s = llama(95, 8192, 64, 8, 22016);
    struct model_count c;
    double full;

    (void)state;
    model_count(&c, &s.model);
    full = c.body + c.attention * 2 * 4096 / 4097;
    assert_near(c.M, 4.97e11, 1e-3);
    assert_near(full, 4.33e11, 1e-3);
    assert_near(c.M / full, 1.15, 2e-3);
    assert_near(c.params, 67.4e9, 1e-3);
}

/* Count the multiply-adds of one sequence by walking through the model. */
static void exact_counts_are_what_loops_do(void **state)
{
    const int64_t T = 24, V = 40, n = 3, d = 16, kv = 8, ff = 48;
    struct run_spec s = llama(n, d, 4, 2, ff);
    struct model_count c;
    double matrix = 0, attention = 0, params = (double)(2 * V * d + d);

    (void)state;
    s.model.seq_len = T;
    s.model.vocab = V;
    model_count(&c, &s.model);
    for (int64_t l = 0; l < n; l++) {
        params += (double)(2 * d * d + 2 * d * kv + 3 * d * ff + 2 * d);
        for (int64_t t = 0; t < T; t++) {
            matrix += (double)(d * d + 2 * d * kv + d * d); /* q, kv, o */
            matrix += (double)(3 * d * ff);
            for (int64_t u = 0; u <= t; u++)
                attention += (double)(d + d); /* score, value */
        }
    }
    /* a multiply-add is two flops; the backward pass is twice the forward */
    assert_near(c.body * (double)T, 6 * matrix, 1e-12);
    assert_near(c.attention * (double)T, 6 * attention, 1e-12);
    assert_near(c.head, 6.0 * (double)(V * d), 1e-12);
    assert_near(c.exact, c.body + c.attention + c.head, 1e-12);
    assert_near(c.head_share, c.head / c.exact, 1e-12);
    assert_near(c.params, params, 1e-12);
}

/* DeepSeek LLM Eq. 1 at its 7B and 67B: 9.22M and 20.6M tokens, 4.25e-4 and
 * 3.12e-4; Eq. 4's product is C. */
static void the_laws_of_the_paper(void **state)
{
    static const struct {
        double C, lr, batch, M, D;
    } at[] = {
        {8.456e22, 4.246e-4, 9.223e6, 1.80e11, 4.70e11},
        {9.946e23, 3.120e-4, 2.065e7, 6.55e11, 1.52e12},
        {1e17, 2.34e-3, 106200, 1.40e8, 7.12e8},
        {1e10, 1.75e-2, 545, 3.00e4, 3.33e5},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        assert_near(deepseek_lr(at[i].C), at[i].lr, 2e-3);
        assert_near(deepseek_batch(at[i].C), at[i].batch, 2e-3);
        assert_near(deepseek_M(at[i].C), at[i].M, 5e-3);
        assert_near(deepseek_D(at[i].C), at[i].D, 5e-3);
        assert_near(deepseek_M(at[i].C) * deepseek_D(at[i].C), at[i].C, 2e-4);
    }
}

static void steps_round_the_budget(void **state)
{
    struct run_spec s = llama(2, 64, 4, 4, 176);
    struct model_count c;

    (void)state;
    s.model.seq_len = 128;
    model_count(&c, &s.model);
    for (int64_t batch = 128; batch < 100000; batch *= 3) {
        double step;
        s.batch_tokens = batch;
        step = c.M * (double)batch;
        for (double flops = 1.01 * step; flops < 1e16; flops *= 7) {
            s.steps = steps_for_flops(&s, flops);
            assert_true(fabs(run_flops(&s) - flops) <= 0.5000001 * step);
        }
        assert_int_equal(steps_for_flops(&s, step / 10), 1);
    }
    s.steps = 10;
    assert_near(run_flops_exact(&s), c.exact * 10 * (double)s.batch_tokens,
                1e-12);
}

static void leaves_divide_the_batch(void **state)
{
    static const struct {
        int64_t rows;
        int leaves;
    } t[] = {{1, 1}, {2, 2}, {3, 1},  {4, 4},  {6, 2},
             {8, 8}, {9, 1}, {12, 4}, {16, 8}, {24, 8}};
    struct run_spec s = llama(2, 64, 4, 4, 176);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        s.batch_tokens = t[i].rows * s.model.seq_len;
        assert_int_equal(run_leaves(&s), t[i].leaves);
    }
}

/* Memory holds at least the parameters, two moments and a gradient, grows
 * with what it should grow with, and shrinks when a gang shares the leaves. */
static void bytes_follow_the_model(void **state)
{
    struct run_spec s = llama(4, 256, 8, 8, 704), t;
    struct model_count c;

    (void)state;
    s.model.vocab = 256;
    s.model.seq_len = 128;
    s.batch_tokens = 16 * 128;
    model_count(&c, &s.model);
    assert_true(run_bytes(&s, 1) > 16 * c.params);
    t = s;
    t.model.n_layer = 8;
    assert_true(run_bytes(&t, 1) > 1.5 * run_bytes(&s, 1));
    t = s;
    t.model.vocab = 4096;
    assert_true(run_bytes(&t, 1) > run_bytes(&s, 1) + 4.0 * 128 * 3840);
    t = s;
    t.batch_tokens = 15 * 128; /* one leaf: three gradient blocks less */
    assert_near(run_bytes(&s, 1) - run_bytes(&t, 1), 3 * 4 * c.params, 1e-9);
    /* four leaves for each of two, and a block to exchange */
    assert_near(run_bytes(&s, 2), run_bytes(&s, 1), 1e-9);
    assert_near(run_bytes(&s, 1) - run_bytes(&s, 8), 2 * 4 * c.params, 1e-9);
    t = s;
    t.dtype = DTYPE_BF16;
    assert_near(run_bytes(&t, 1), run_bytes(&s, 1), 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_3_row_by_row),
        cmocka_unit_test(the_67B_costs_15_percent_less_than_eq_2),
        cmocka_unit_test(exact_counts_are_what_loops_do),
        cmocka_unit_test(the_laws_of_the_paper),
        cmocka_unit_test(steps_round_the_budget),
        cmocka_unit_test(leaves_divide_the_batch),
        cmocka_unit_test(bytes_follow_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
