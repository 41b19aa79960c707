/* bench: what it counts, not how fast it is. */
#include "tests/unit/trainer/models.h"

#include "sweep/flops.h"
#include "trainer/bench.h"

static void work_of_a_step_is_counted_exactly(void **state)
{
    /* 6 N_matmul + 6 L T d a token, by hand */
    static const double gflop[] = {1.158, 3.624, 23.66};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(gflop); i++) {
        struct bench_step r;
        struct bench_case c = bench_cases[i];
        double per_token;
        struct err e;

        per_token = gflop[i] * 1e9 / (double)c.tokens;
        c.tokens = c.model.seq_len;
        assert_int_equal(bench_step(&r, &c, 1, &e), 0);
        assert_true(fabs(r.flops / (double)c.tokens / per_token - 1) < 5e-4);
    }
}

static void shares_add_up_and_the_median_is_between(void **state)
{
    struct bench_case c = bench_cases[0];
    struct bench_step r;
    struct err e;
    double sum = 0, groups = 0;

    (void)state;
    c.tokens = c.model.seq_len;
    assert_int_equal(bench_step(&r, &c, 4, &e), 0);
    for (int g = 0; g < BENCH_GROUPS; g++)
        groups += r.group_share[g];
    assert_true(fabs(groups - 1) < 1e-9);
    assert_true(r.group_speed[BENCH_GEMM] > 0);
    assert_true(r.group_speed[BENCH_ATTENTION] > 0);
    for (int k = 0; k < BENCH_KINDS; k++) {
        assert_true(r.share[k] >= 0);
        assert_true(strlen(bench_kind_name(k)) > 0);
        sum += r.share[k];
    }
    assert_true(fabs(sum - 1) < 1e-9);
    assert_true(r.ms_min <= r.ms && r.ms <= r.ms_max && r.ms_min > 0);
    assert_true(r.peak_flops > 0);
    assert_true(r.cpu_ms > 0);
}

/* Two members share a batch; two runs have one each. */
static void ranks_are_timed_together_and_apart(void **state)
{
    struct bench_case c = bench_cases[0];
    struct bench_ranks r[2];
    struct err e;

    (void)state;
    c.tokens = 2 * c.model.seq_len;
    for (int one_run = 0; one_run < 2; one_run++) {
        double steps, tokens = (double)c.tokens;

        assert_int_equal(bench_ranks(&r[one_run], &c, 2, one_run, 3, &e), 0);
        assert_true(r[one_run].ms > 0);
        steps = r[one_run].tokens_s / tokens * r[one_run].ms * 1e-3;
        if (one_run)
            assert_true(fabs(steps - 1) < 1e-9);
        else
            assert_true(steps >= 2 - 1e-9);
    }
}

static void a_case_of_any_width_is_a_possible_model(void **state)
{
    (void)state;
    for (int64_t d = 8; d <= 1024; d += 8) {
        struct bench_case c;

        bench_case_for(&c, d);
        assert_int_equal(c.model.d_model, d);
        assert_int_equal(d % c.model.n_head, 0);
        assert_int_equal(d / c.model.n_head % 8, 0);
        assert_int_equal(c.model.d_ff % 8, 0);
        assert_true(c.model.d_ff * 3 >= d * 8);
        assert_int_equal(c.tokens % c.model.seq_len, 0);
    }
}

static void throughput_is_a_table_by_width(void **state)
{
    struct cost_model cost = {0};
    struct err e;

    (void)state;
    assert_int_equal(bench_throughput(&cost, DTYPE_FP32, &e), 0);
    assert_true(cost.n >= 4 && cost.n <= COST_POINTS);
    for (int i = 0; i < cost.n; i++) {
        assert_true(cost.flops_per_s[i] > 0);
        assert_true(i == 0 || cost.d_model[i] > cost.d_model[i - 1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_of_a_step_is_counted_exactly),
        cmocka_unit_test(shares_add_up_and_the_median_is_between),
        cmocka_unit_test(ranks_are_timed_together_and_apart),
        cmocka_unit_test(a_case_of_any_width_is_a_possible_model),
        cmocka_unit_test(throughput_is_a_table_by_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
