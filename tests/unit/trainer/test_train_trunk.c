/* train: runs that share their first steps may take them once, with the same
 * bits as if each had taken them itself. */
#include "tests/unit/trainer/gang.h"

#include "sweep/schedule.h"

static struct place place;

static int setup(void **state)
{
    (void)state;
    place_init(&place);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    place_release(&place);
    return 0;
}

/* Train to the end; the final weights are kept in *dir, and it begins with
 * `trunk` if that is not NULL. */
static struct record *finish(const struct run_spec *spec, char **dir,
                             const char *trunk, int gang)
{
    struct record *r = record_new();
    struct train_env env;

    *dir = new_dir(&place);
    env = env_at(&place, *dir);
    env.keep_checkpoint = 1;
    env.trunk = trunk;
    env.gang = gang;
    gang_run(r, spec, &env, NULL);
    assert_end(r, gang, TRAIN_DONE);
    return r;
}

static struct run_spec of_steps(int64_t steps, enum schedule_kind kind)
{
    struct run_spec s = tiny_spec();

    s.steps = steps;
    s.eval_every = 0;
    s.schedule.name = kind;
    return s;
}

/* Three budgets: the longest leaves a trunk where each other one drops its
 * rate, and each branch equals the run from scratch. */
static void branches_equal_runs_from_scratch(void **state)
{
    const enum schedule_kind kinds[] = {SCHED_MULTI_STEP, SCHED_WSD_LINEAR,
                                        SCHED_CONSTANT};

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        const int64_t steps[] = {10, 20, 40};
        struct run_spec longest = of_steps(40, kinds[k]);
        char *dir = new_dir(&place);
        struct train_env env = env_at(&place, dir);
        struct record *trunk = record_new();
        int64_t at[2];

        for (int i = 0; i < 2; i++)
            at[i] = schedule_plateau(&longest.schedule, steps[i]);
        env.trunk_at = at;
        env.n_trunk = 2;
        env.gang = 2;
        gang_run(trunk, &longest, &env, NULL);
        assert_end(trunk, 2, TRAIN_DONE);
        assert_int_equal(count_files(dir, ".trunk"), 2);
        assert_int_equal(count_files(dir, ".ckpt"), 0);
        for (int i = 0; i < 2; i++) {
            struct run_spec spec = of_steps(steps[i], kinds[k]);
            char path[PATH_MAX], *dir_a, *dir_b;
            struct record *scratch = finish(&spec, &dir_a, NULL, 1), *branch;

            assert_int_equal(train_trunk_path(path, dir, &longest, at[i], NULL),
                             0);
            branch = finish(&spec, &dir_b, path, i + 1);
            assert_int_equal(branch->started, at[i]);
            assert_int_equal(branch->n_step, steps[i] - at[i]);
            assert_same_curve(branch, scratch);
            assert_int_equal(branch->n_eval, 2);
            assert_same_weights(dir_b, dir_a, &spec);
            assert_true(branch->end[0].result.bpb ==
                        scratch->end[0].result.bpb);
            assert_int_equal(branch->end[0].result.tokens,
                             scratch->end[0].result.tokens);
            /* and the steps before are those of the trunk */
            for (int s = 0; s < at[i]; s++)
                assert_true(trunk->step[s].loss == scratch->step[s].loss);
            record_free(scratch);
            record_free(branch);
            free(dir_a);
            free(dir_b);
        }
        record_free(trunk);
        free(dir);
    }
}

/* A step too late, another seed: the caller is wrong, and is told. */
static void a_trunk_of_other_steps_is_refused(void **state)
{
    struct run_spec longest = of_steps(40, SCHED_MULTI_STEP);
    struct run_spec shorter = of_steps(10, SCHED_MULTI_STEP), other = longest;
    char *dir = new_dir(&place), path[PATH_MAX];
    struct train_env env = env_at(&place, dir);
    struct record *r = record_new();
    struct train_result result;
    const int64_t at = 9;
    struct err e;

    (void)state;
    env.trunk_at = &at;
    env.n_trunk = 1;
    gang_run(r, &longest, &env, NULL);
    assert_end(r, 1, TRAIN_DONE);
    train_trunk_path(path, dir, &longest, 9, NULL);
    env = env_at(&place, NULL);
    env.trunk = path;
    assert_int_equal(train(&result, &shorter, &env, NULL, &e), -1);
    assert_non_null(strstr(e.text, "first 8 steps in common"));
    other.seed = 2;
    assert_int_equal(train(&result, &other, &env, NULL, &e), -1);
    assert_non_null(strstr(e.text, "first 0 steps in common"));
    record_free(r);
    free(dir);
}

static void a_missing_or_damaged_trunk_costs_only_time(void **state)
{
    struct run_spec spec = of_steps(20, SCHED_MULTI_STEP);
    char path[PATH_MAX], *dir_a, *dir_b;
    struct record *scratch = finish(&spec, &dir_a, NULL, 1), *r;

    (void)state;
    snprintf(path, sizeof path, "%s/bad.trunk", place.dir);
    for (int damaged = 0; damaged < 2; damaged++) {
        if (damaged)
            assert_int_equal(file_write(path, "nonsense", 8, NULL), 0);
        r = finish(&spec, &dir_b, path, 2);
        assert_int_equal(r->started, 0);
        assert_same_curve(r, scratch);
        assert_same_weights(dir_a, dir_b, &spec);
        record_free(r);
        free(dir_b);
    }
    record_free(scratch);
    free(dir_a);
}

/* Killed after a trunk and resumed, before or behind it: the trunk is there
 * and the same. */
static void a_trunk_survives_its_run(void **state)
{
    struct run_spec spec = of_steps(30, SCHED_MULTI_STEP);
    char *dir_a = new_dir(&place), *dir_b = new_dir(&place);
    char a[PATH_MAX], b[PATH_MAX];
    struct train_env env = env_at(&place, dir_a);
    struct record *r = record_new();
    const int64_t at = 12;

    (void)state;
    env.trunk_at = &at;
    env.n_trunk = 1;
    gang_run(r, &spec, &env, NULL);
    assert_end(r, 1, TRAIN_DONE);
    record_free(r);

    env.checkpoint_dir = dir_b;
    for (int i = 0; i < 4; i++) {
        static const char *const fault[] = {
            "child-slow:every,child-kill:step=9",
            "child-slow:every,child-kill:step=13",
            "child-slow:every,child-kill:step=20", NULL};
        r = record_new();
        env.checkpoint_seconds = i == 0 ? 1e-6 : 0;
        env.gang = 1 + i % 2;
        gang_run(r, &spec, &env, fault[i]);
        if (i == 3) {
            /* resumed from the trunk itself */
            assert_int_equal(r->started, 12);
            assert_end(r, env.gang, TRAIN_DONE);
        }
        record_free(r);
    }
    train_trunk_path(a, dir_a, &spec, 12, NULL);
    train_trunk_path(b, dir_b, &spec, 12, NULL);
    assert_true(same_file(a, b));
    assert_int_equal(count_files(dir_b, ""), 1);
    free(dir_a);
    free(dir_b);
}

/* A stop just where the trunk is due leaves an ordinary checkpoint; the
 * resumed run leaves the trunk. */
static void a_stop_at_the_trunk_does_not_lose_it(void **state)
{
    struct run_spec spec = of_steps(20, SCHED_MULTI_STEP);
    char *dir = new_dir(&place);
    struct train_env env = env_at(&place, dir);
    struct record *a = record_new(), *b = record_new();
    const int64_t at = 12;

    (void)state;
    env.trunk_at = &at;
    env.n_trunk = 1;
    a->stop_after = 12;
    gang_run(a, &spec, &env, NULL);
    assert_end(a, 1, TRAIN_STOPPED);
    assert_int_equal(count_files(dir, ".trunk"), 0);
    gang_run(b, &spec, &env, NULL);
    assert_end(b, 1, TRAIN_DONE);
    assert_int_equal(b->started, 12);
    assert_int_equal(count_files(dir, ".trunk"), 1);
    record_free(a);
    record_free(b);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches_equal_runs_from_scratch),
        cmocka_unit_test(a_trunk_of_other_steps_is_refused),
        cmocka_unit_test(a_missing_or_damaged_trunk_costs_only_time),
        cmocka_unit_test(a_trunk_survives_its_run),
        cmocka_unit_test(a_stop_at_the_trunk_does_not_lose_it),
    };

    return cmocka_run_group_tests_name("train_trunk", tests, setup, teardown);
}
