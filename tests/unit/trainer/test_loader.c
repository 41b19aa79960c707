/* loader: the tokens of batches_read, whatever the first step; a slow disk (5
 * ms a step, in all of these) is not waited for while there is something to
 * compute. */
#include "gang.h"
#include "trainer/loader.h"

static char dir[PATH_MAX];
static struct shard_set *set;
static struct batches batches;

static int set_up(void **state)
{
    struct run_spec spec;
    char path[PATH_MAX];

    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%.*s/set", PATH_MAX - 16, dir);
    make_set(path, 20000, 5);
    spec_defaults(&spec);
    spec.model.vocab = 256;
    spec.model.seq_len = 32;
    spec.batch_tokens = 32 * 12;
    spec.seed = 3;
    return shard_open(&set, path, NULL) ||
           batches_init(&batches, set, &spec, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    shard_close(set);
    remove_dir(dir);
    return 0;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void tokens_are_those_of_batches(void **state)
{
    static const int64_t first[] = {1, 27};
    int32_t expected[5 * 33];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(first); i++) {
        struct loader *l = loader_create(&batches, 3, 5, 60);

        for (int64_t t = first[i]; t <= 60; t++) {
            batches_read(expected, &batches, t, 3, 5);
            assert_memory_equal(loader_take(l, t), expected, sizeof expected);
        }
        loader_destroy(l);
    }
}

static void given_up_at_any_time(void **state)
{
    (void)state;
    loader_destroy(loader_create(&batches, 0, 12, 1000));
    for (int64_t n = 1; n < 100; n += 40) {
        struct loader *l = loader_create(&batches, 0, 12, 1000);

        for (int64_t t = 1; t <= n; t++)
            loader_take(l, t);
        loader_destroy(l);
    }
}

/* 5 ms to read a step, 1 to compute one: several are read at a time, so that
 * only the first is waited for.  One at a time 80 % of the time would be spent
 * waiting; the bound leaves room for a busy machine. */
static void a_slow_disk_is_not_waited_for(void **state)
{
    static const struct timespec compute = {0, 1000000};
    struct loader *l = loader_create(&batches, 0, 12, 300);
    double begun = now();

    (void)state;
    loader_begin(l, 1);
    for (int64_t t = 1; t <= 300; t++) {
        loader_take(l, t);
        nanosleep(&compute, NULL);
    }
    assert_true(loader_waited(l) < 0.5 * (now() - begun));
    loader_destroy(l);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(tokens_are_those_of_batches),
    cmocka_unit_test(given_up_at_any_time),
    cmocka_unit_test(a_slow_disk_is_not_waited_for),
};

int main(void)
{
    setenv("LOGLOG_FAULT", "slow-read:every", 1);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
