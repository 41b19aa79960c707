/* batches: each window once an epoch, in an order that (seed, step) decide. */
#include "tests/unit/trainer/gang.h"

#include "trainer/batches.h"

static struct place place;
static struct shard_set *set;

static int setup(void **state)
{
    (void)state;
    place_init(&place);
    return shard_open(&set, place.train, NULL);
}

static int teardown(void **state)
{
    (void)state;
    shard_close(set);
    place_release(&place);
    return 0;
}

/* 20,001 tokens, T = 16: 1250 windows.  S = 12 does not divide them, so an
 * epoch ends in the middle of a batch. */
static struct batches twelve_rows(int64_t seed)
{
    struct run_spec spec = tiny_spec();
    struct batches b;

    spec.batch_tokens = 12 * 16;
    spec.seed = seed;
    assert_int_equal(batches_init(&b, set, &spec, NULL), 0);
    return b;
}

/* The window of sample i of the run. */
static int64_t sample(const struct batches *b, int64_t i)
{
    return batches_window(b, i / b->rows + 1, i % b->rows);
}

static void windows_cover_the_tokens_once(void **state)
{
    const struct {
        int64_t tokens, windows;
    } want[] = {{0, 0},  {1, 0},  {16, 0},      {17, 1},
                {32, 1}, {33, 2}, {20001, 1250}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_int_equal(batches_windows(want[i].tokens, 16), want[i].windows);
}

static void no_window_twice_in_an_epoch(void **state)
{
    struct batches b = twelve_rows(1);

    (void)state;
    assert_int_equal(b.windows, 1250);
    for (int epoch = 0; epoch < 4; epoch++) {
        char seen[1250] = {0};
        for (int64_t i = 0; i < 1250; i++) {
            int64_t w = sample(&b, epoch * 1250 + i);
            assert_true(w >= 0 && w < 1250);
            assert_false(seen[w]);
            seen[w] = 1;
        }
    }
}

/* How often two orders have the same window at the same place; about once if
 * they have nothing to do with each other. */
static int64_t in_common(const struct batches *a, int64_t from_a,
                         const struct batches *b, int64_t from_b)
{
    int64_t n = 0;

    for (int64_t i = 0; i < 1250; i++)
        n += sample(a, from_a + i) == sample(b, from_b + i);
    return n;
}

static void epochs_and_seeds_have_orders_of_their_own(void **state)
{
    struct batches a = twelve_rows(1), b = twelve_rows(2);
    int64_t sorted = 0;

    (void)state;
    for (int64_t i = 0; i < 1250; i++)
        sorted += sample(&a, i) == i;
    assert_true(sorted < 10);
    assert_true(in_common(&a, 0, &a, 1250) < 10);
    assert_true(in_common(&a, 0, &b, 0) < 10);
    assert_int_equal(in_common(&a, 0, &a, 0), 1250);
}

/* Sample i is the same whatever the batch size. */
static void the_order_is_of_samples(void **state)
{
    struct batches a = twelve_rows(1), b = a;

    (void)state;
    b.rows = 5;
    assert_int_equal(in_common(&a, 600, &b, 600), 1250);
}

static void rows_are_read_from_their_windows(void **state)
{
    struct batches b = twelve_rows(1);
    int32_t all[12 * 17], some[3 * 17], want[17];

    (void)state;
    batches_read(all, &b, 9, 0, 12);
    batches_read(some, &b, 9, 4, 3);
    assert_memory_equal(some, all + 4 * 17, sizeof some);
    for (int r = 0; r < 12; r++) {
        shard_read(want, set, batches_window(&b, 9, r) * 16, 17);
        assert_memory_equal(want, all + r * 17, sizeof want);
    }
}

static void epochs_are_counted(void **state)
{
    struct batches b = twelve_rows(1);

    (void)state;
    assert_true(batches_epochs(&b, 0) == 0);
    assert_true(fabs(batches_epochs(&b, 1250) - 12) < 1e-12);
}

static void too_little_data_is_refused(void **state)
{
    struct run_spec spec = tiny_spec();
    struct batches b;
    struct err e;

    (void)state;
    spec.model.seq_len = 20000;
    spec.batch_tokens = 20000;
    assert_int_equal(batches_init(&b, set, &spec, &e), 0);
    assert_int_equal(b.windows, 1);
    spec.model.seq_len = 20001;
    assert_int_equal(batches_init(&b, set, &spec, &e), -1);
    assert_non_null(strstr(e.text, "20001 tokens, at least seq_len + 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_cover_the_tokens_once),
        cmocka_unit_test(no_window_twice_in_an_epoch),
        cmocka_unit_test(epochs_and_seeds_have_orders_of_their_own),
        cmocka_unit_test(the_order_is_of_samples),
        cmocka_unit_test(rows_are_read_from_their_windows),
        cmocka_unit_test(epochs_are_counted),
        cmocka_unit_test(too_little_data_is_refused),
    };

    return cmocka_run_group_tests_name("batches", tests, setup, teardown);
}
