/* train, when something goes wrong: a result where it is one, else a reason,
 * and never a hang, a loss of what was saved, or anything left behind. */
#include "tests/unit/trainer/gang.h"

#include "trainer/train_impl.h"

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

/* --- divergence --- */

static void what_is_not_finite_is_reported(void **state)
{
    (void)state;
    for (int gang = 1; gang <= 4; gang *= 2) {
        struct run_spec spec = tiny_spec();
        char *dir = new_dir(&place);
        struct train_env env = env_at(&place, dir);
        struct record *r = record_new();

        env.gang = gang;
        env.checkpoint_seconds = 1e-6;
        gang_run(r, &spec, &env, "nan:step=7:rank=0");
        assert_end(r, gang, TRAIN_DIVERGED);
        for (int m = 0; m < gang; m++) {
            const struct train_result *result = &r->end[m].result;
            assert_int_equal(result->steps, 6);
            assert_string_equal(result->text,
                                "the loss is not finite at step 7");
            assert_true(isnan(result->loss) && isnan(result->bpb));
        }
        assert_int_equal(r->n_step, 6);
        assert_int_equal(count_files(dir, ""), 0);
        record_free(r);
        free(dir);
    }
}

/* A rate without reason: the run ends as a result, whichever way. */
static void an_absurd_rate_diverges(void **state)
{
    struct run_spec spec = tiny_spec();
    struct train_env env = env_at(&place, NULL);
    struct record *r = record_new();

    (void)state;
    spec.optim.lr = 900;
    spec.optim.clip = 0;
    spec.steps = 200;
    spec.eval_every = 0;
    gang_run(r, &spec, &env, NULL);
    assert_end(r, 1, TRAIN_DIVERGED);
    assert_true(r->end[0].result.steps < 200);
    assert_true(strlen(r->end[0].result.text) > 10);
    record_free(r);
}

/* A validation loss can be the first to see that the weights are too large. */
static void a_validation_loss_that_is_not_finite_is_reported(void **state)
{
    struct run_spec spec = tiny_spec();
    struct train_env env = env_at(&place, NULL);
    struct record *r = record_new();

    (void)state;
    spec.eval_every = 1;
    env.gang = 2;
    gang_run(r, &spec, &env, "nan-valid:step=3");
    assert_end(r, 2, TRAIN_DIVERGED);
    assert_non_null(strstr(r->end[0].result.text, "validation loss"));
    assert_string_equal(r->end[0].result.text, r->end[1].result.text);
    assert_int_equal(r->end[0].result.steps, r->n_step);
    for (int i = 0; i < r->n_eval; i++)
        assert_true(isfinite(r->eval[i].loss));
    record_free(r);
}

/* The rule counts steps in a row, over interruptions too. */
static void the_loss_rule_survives_a_resume(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir = new_dir(&place);
    struct train_env env = env_at(&place, NULL);
    struct record *one = record_new(), *a = record_new(), *b = record_new();
    int64_t end;

    (void)state;
    spec.model.init_std = 8; /* begins far above ln V ... */
    spec.optim.lr = 1e-9;    /* ... and stays there */
    spec.optim.weight_decay = 0;
    spec.steps = 60;
    spec.eval_every = 0;
    gang_run(one, &spec, &env, NULL);
    assert_end(one, 1, TRAIN_DIVERGED);
    end = one->end[0].result.steps;
    assert_int_equal(end, TRAIN_DIVERGED_STEPS);
    assert_non_null(strstr(one->end[0].result.text, "until step 20"));

    env.checkpoint_dir = dir;
    a->stop_after = end - 3;
    gang_run(a, &spec, &env, NULL);
    assert_end(a, 1, TRAIN_STOPPED);
    gang_run(b, &spec, &env, NULL);
    assert_end(b, 1, TRAIN_DIVERGED);
    assert_int_equal(b->end[0].result.steps, end);
    assert_string_equal(b->end[0].result.text, one->end[0].result.text);
    record_free(one);
    record_free(a);
    record_free(b);
    free(dir);
}

/* --- members that fail --- */

static void a_dead_member_ends_the_others(void **state)
{
    const struct {
        const char *fault;
        int gang, dead, hung;
        const char *text;
    } cases[] = {
        {"child-kill:step=5:rank=1", 4, 1, 0, "member 1 of the gang died"},
        {"child-segv:step=5:rank=0", 2, 0, 0, "member 0 of the gang died"},
        {"child-hang:step=5:rank=2", 3, 2, 1, "member 2 of the gang hangs"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run_spec spec = tiny_spec();
        struct train_env env = env_at(&place, NULL);
        struct record *r = record_new();
        pid_t pid[GANG_MAX] = {0};

        env.gang = cases[i].gang;
        env.peer_seconds = 0.7;
        gang_start(pid, r, &spec, &env, cases[i].fault);
        if (cases[i].hung) {
            sleep(2);
            kill(pid[cases[i].dead], SIGKILL);
        }
        gang_wait(pid, r, env.gang, 10);
        for (int m = 0; m < env.gang; m++) {
            if (m == cases[i].dead) {
                assert_true(WIFSIGNALED(r->end[m].status));
                continue;
            }
            assert_int_equal(r->end[m].rc, -1);
            assert_non_null(strstr(r->end[m].err.text, cases[i].text));
            assert_true(r->end[m].seconds < 3);
        }
        assert_int_equal(count_shared(), 0);
        record_free(r);
    }
}

/* A member that cannot read the data tells the others. */
static void one_members_trouble_is_everybodys(void **state)
{
    struct run_spec spec = tiny_spec();
    struct train_env env = env_at(&place, NULL), bad = env;
    struct record *r = record_new();
    char name[64];
    pid_t pid[GANG_MAX] = {0};

    (void)state;
    snprintf(name, sizeof name, "loglog-test-%ld-trouble", (long)getpid());
    env.gang = bad.gang = 2;
    env.rendezvous = bad.rendezvous = name;
    bad.train_path = "/nowhere";
    fflush(NULL);
    for (int m = 0; m < 2; m++)
        if (!(pid[m] = fork())) {
            be_member(r, &spec, m == 1 ? bad : env, m);
            _exit(0);
        }
    gang_wait(pid, r, 2, 10);
    assert_int_equal(r->end[0].rc, -1);
    assert_non_null(strstr(r->end[0].err.text, "member 1: "));
    assert_non_null(strstr(r->end[0].err.text, "/nowhere"));
    assert_int_equal(r->end[0].err.cls, r->end[1].err.cls);
    assert_int_equal(count_shared(), 0);
    record_free(r);
}

/* --- checkpoints that fail --- */

static struct record *whole(const struct run_spec *spec, char **dir)
{
    struct record *r = record_new();
    struct train_env env;

    *dir = new_dir(&place);
    env = env_at(&place, *dir);
    env.keep_checkpoint = 1;
    gang_run(r, spec, &env, NULL);
    assert_end(r, 1, TRAIN_DONE);
    return r;
}

/* Stop after `step` steps, leaving checkpoints. */
static void part(const struct run_spec *spec, const struct train_env *env,
                 int64_t step, const char *fault)
{
    struct record *r = record_new();

    r->stop_after = step;
    gang_run(r, spec, env, fault);
    assert_end(r, env->gang, TRAIN_STOPPED);
    record_free(r);
}

static void the_rest_is_the_same(const struct run_spec *spec,
                                 struct train_env env, int64_t from)
{
    char *dir;
    struct record *one = whole(spec, &dir), *r = record_new();

    env.keep_checkpoint = 1;
    gang_run(r, spec, &env, NULL);
    assert_end(r, env.gang, TRAIN_DONE);
    assert_int_equal(r->started, from);
    assert_same_curve(r, one);
    assert_same_weights(env.checkpoint_dir, dir, spec);
    record_free(one);
    record_free(r);
    free(dir);
}

static void a_corrupted_newest_falls_back(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir = new_dir(&place), path[PATH_MAX];
    struct train_env env = env_at(&place, dir);
    int fd;

    (void)state;
    part(&spec, &env, 9, NULL);
    part(&spec, &env, 17, NULL);
    checkpoint_path(path, dir, &spec, 17, CHECKPOINT_LAST, NULL);
    fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, 4000), 1);
    close(fd);
    env.gang = 2;
    the_rest_is_the_same(&spec, env, 9);
    free(dir);
}

/* No room for periodic checkpoints: a warning, and the run is done. */
static void a_full_disk_does_not_stop_training(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir = new_dir(&place);
    struct train_env env = env_at(&place, dir);
    struct record *r = record_new();

    (void)state;
    env.checkpoint_seconds = 1e-6;
    env.gang = 2;
    gang_run(r, &spec, &env, "checkpoint-write:every");
    assert_end(r, 2, TRAIN_DONE);
    assert_int_equal(r->n_ckpt, 0);
    assert_int_equal(count_files(dir, ""), 0);
    record_free(r);
    free(dir);
}

/* No room for the checkpoint of the end: the result is there all the same. */
static void a_full_disk_at_the_end_does_not_lose_the_result(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir = new_dir(&place);
    struct train_env env = env_at(&place, dir);
    struct record *r = record_new();

    (void)state;
    env.keep_checkpoint = 1;
    for (env.gang = 1; env.gang <= 2; env.gang++) {
        gang_run(r, &spec, &env, "checkpoint-write:every");
        assert_end(r, env.gang, TRAIN_DONE);
        assert_int_equal(count_files(dir, ""), 0);
    }
    record_free(r);
    free(dir);
}

/* A checkpoint is written as often as the bound on lost work says, and less
 * often where it costs more than a fiftieth of the time. */
static void the_cadence_follows_the_bound_and_the_cost(void **state)
{
    (void)state;
    assert_true(train_save_interval(60, 0.01) == 60);
    assert_true(train_save_interval(60, 1.2) == 60);
    assert_true(train_save_interval(60, 3) == 150);
}

/* Two checkpoints lie there, or one where the caller says so. */
static void the_newest_are_kept(void **state)
{
    struct run_spec spec = tiny_spec();

    (void)state;
    for (int keep = 0; keep <= 2; keep++) {
        char *dir = new_dir(&place);
        struct train_env env = env_at(&place, dir);

        env.keep = keep;
        env.checkpoint_seconds = 1e-6;
        part(&spec, &env, 17, NULL);
        assert_int_equal(count_files(dir, ""), keep == 1 ? 1 : 2);
        the_rest_is_the_same(&spec, env, 17);
        free(dir);
    }
}

/* No room when the run has to be saved: an error on all members, and the old
 * checkpoint serves. */
static void a_full_disk_at_the_stop_leaves_the_old_checkpoint(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir = new_dir(&place);
    struct train_env env = env_at(&place, dir);
    struct record *r = record_new();

    (void)state;
    part(&spec, &env, 9, NULL);
    env.gang = 2;
    r->stop_after = 15;
    gang_run(r, &spec, &env, "write:every");
    for (int m = 0; m < 2; m++) {
        assert_int_equal(r->end[m].rc, -1);
        assert_int_equal(r->end[m].err.cls, ERR_ENV);
        assert_non_null(strstr(r->end[m].err.text, "No space left"));
    }
    assert_int_equal(count_files(dir, ""), 1);
    the_rest_is_the_same(&spec, env, 9);
    record_free(r);
    free(dir);
}

static void killed_while_it_writes_a_checkpoint(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir = new_dir(&place);
    struct train_env env = env_at(&place, dir);
    struct record *r = record_new();

    (void)state;
    part(&spec, &env, 9, NULL);
    env.checkpoint_seconds = 1e-6;
    gang_run(r, &spec, &env, "checkpoint-kill");
    assert_true(WIFSIGNALED(r->end[0].status));
    assert_int_equal(count_files(dir, ""), 2); /* one is a piece */
    the_rest_is_the_same(&spec, env, 9);
    assert_int_equal(count_files(dir, ".ckpt"), count_files(dir, ""));
    record_free(r);
    free(dir);
}

static void another_specs_checkpoint_is_not_resumed(void **state)
{
    struct run_spec spec = tiny_spec(), other = tiny_spec();
    char *dir = new_dir(&place);
    struct train_env env = env_at(&place, dir);

    (void)state;
    other.seed = 5;
    part(&other, &env, 9, NULL);
    the_rest_is_the_same(&spec, env, 0);
    the_rest_is_the_same(&other, env, 9);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_finite_is_reported),
        cmocka_unit_test(an_absurd_rate_diverges),
        cmocka_unit_test(a_validation_loss_that_is_not_finite_is_reported),
        cmocka_unit_test(the_loss_rule_survives_a_resume),
        cmocka_unit_test(a_dead_member_ends_the_others),
        cmocka_unit_test(one_members_trouble_is_everybodys),
        cmocka_unit_test(a_corrupted_newest_falls_back),
        cmocka_unit_test(a_full_disk_does_not_stop_training),
        cmocka_unit_test(a_full_disk_at_the_end_does_not_lose_the_result),
        cmocka_unit_test(the_cadence_follows_the_bound_and_the_cost),
        cmocka_unit_test(the_newest_are_kept),
        cmocka_unit_test(a_full_disk_at_the_stop_leaves_the_old_checkpoint),
        cmocka_unit_test(killed_while_it_writes_a_checkpoint),
        cmocka_unit_test(another_specs_checkpoint_is_not_resumed),
    };

    return cmocka_run_group_tests_name("train_faults", tests, setup, teardown);
}
