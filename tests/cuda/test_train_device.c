/* train() on a device, the emulated one: a run gives the CPU's curve within
 * the rounding of bf16, alone and in gangs, whatever the order of streams; it
 * is interrupted and resumed by gangs of other sizes and by the CPU; what goes
 * wrong is a result or one line. */
#include "tests/unit/trainer/gang.h"

#define STEPS 50

static struct place place;

static int setup(void **state)
{
    (void)state;
    place_init(&place);
    setenv("LOGLOG_PLUGINS", LOGLOG_CUEMU_DIR, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    place_release(&place);
    return 0;
}

/* Four sequences of 8 tokens a step, one head of 32. */
static struct run_spec device_spec(void)
{
    struct run_spec s = tiny_spec();

    s.model.d_model = 32;
    s.model.n_layer = 1;
    s.model.n_head = 1;
    s.model.d_ff = 64;
    s.dtype = DTYPE_BF16;
    s.model.seq_len = 8;
    s.batch_tokens = 4 * 8;
    s.steps = STEPS;
    s.eval_every = 0;
    s.eval_tokens = 64;
    return s;
}

static struct record *run_on(enum device_kind device, int gang, const char *dir,
                             const struct run_spec *spec, const char *emulator)
{
    struct record *r = record_new();
    struct train_env env = env_at(&place, dir);

    env.device = device;
    env.gang = gang;
    env.peer_seconds = 20;
    setenv("LOGLOG_CUEMU", emulator, 1);
    gang_run(r, spec, &env, NULL);
    return r;
}

/* Losses and norms of two runs of the same spec. */
static void assert_near(const struct record *got, const struct record *want)
{
    double worst = 0;

    for (int i = 0; i < got->n_step; i++) {
        const struct step_report *a = &got->step[i];
        const struct step_report *b = &want->step[a->step - 1];

        assert_int_equal(a->tokens, b->tokens);
        assert_true(a->lr == b->lr);
        assert_true(fabs(a->loss - b->loss) < 0.02);
        assert_true(fabs(a->grad_norm / b->grad_norm - 1) < 0.1);
        worst = fmax(worst, fabs(a->loss - b->loss));
    }
    print_message("%d steps, largest difference of the loss %.4f\n",
                  got->n_step, worst);
}

static void the_curve_is_the_cpus(void **state)
{
    static const struct {
        int gang;
        const char *emulator;
    } run[] = {
        {1, ""},         {2, "policy=0"}, {2, "policy=1"},
        {2, "policy=2"}, {2, "policy=3"}, {4, "policy=2 order=1"},
    };
    struct run_spec spec = device_spec();
    struct record *cpu = run_on(DEVICE_CPU, 1, NULL, &spec, ""), *two = NULL;

    (void)state;
    assert_end(cpu, 1, TRAIN_DONE);
    assert_true(cpu->step[STEPS - 1].loss < cpu->step[0].loss - 1);
    for (size_t i = 0; i < ARRAY_LEN(run); i++) {
        struct record *r =
            run_on(DEVICE_CUEMU, run[i].gang, NULL, &spec, run[i].emulator);

        assert_end(r, run[i].gang, TRAIN_DONE);
        assert_int_equal(r->n_step, STEPS);
        assert_near(r, cpu);
        assert_true(fabs(r->end[0].result.bpb - cpu->end[0].result.bpb) < 0.03);
        if (run[i].gang != 2 || !two) { /* the policies: the same bits */
            if (run[i].gang == 2)
                two = r;
            else
                record_free(r);
            continue;
        }
        assert_same_curve(r, two);
        record_free(r);
    }
    record_free(two);
    record_free(cpu);
}

/* Stopped in the middle and gone on with by gangs of other sizes, the last
 * time by the CPU. */
static void resumed_on_other_ranks(void **state)
{
    static const struct {
        enum device_kind device;
        int gang;
        int64_t stop_after;
    } part[] = {{DEVICE_CUEMU, 2, 3},
                {DEVICE_CUEMU, 1, 6},
                {DEVICE_CPU, 2, 9},
                {DEVICE_CUEMU, 4, 12},
                {DEVICE_CPU, 1, 0}};
    struct run_spec spec = device_spec();
    char *dir = new_dir(&place);
    struct record *cpu;
    int64_t at = 0;

    (void)state;
    spec.steps = 15;
    cpu = run_on(DEVICE_CPU, 1, NULL, &spec, "");
    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        struct record *r = record_new();
        struct train_env env = env_at(&place, dir);

        env.device = part[i].device;
        env.gang = part[i].gang;
        env.peer_seconds = 20;
        env.checkpoint_seconds = 1e-6; /* and in the background */
        r->stop_after = part[i].stop_after;
        gang_run(r, &spec, &env, NULL);
        assert_end(r, env.gang, r->stop_after ? TRAIN_STOPPED : TRAIN_DONE);
        assert_int_equal(r->started, at);
        assert_near(r, cpu);
        assert_true(r->n_ckpt > 0);
        at = r->end[0].result.steps;
        record_free(r);
    }
    record_free(cpu);
    free(dir);
}

/* --- sets of checkpoints --- */

/* Are these the same run, step and blocks, however they were written?  In a
 * child, for the reason that place_init gives. */
static int same_state(const char *a, const char *b)
{
    int status;
    pid_t pid;

    fflush(NULL);
    if (!(pid = fork())) {
        struct checkpoint x, y;
        int same = !checkpoint_open(&x, a, NULL) &&
                   !checkpoint_open(&y, b, NULL) && x.n == y.n &&
                   !memcmp(&x.state, &y.state, sizeof x.state);
        float *p = same ? xmalloc(2 * x.n * sizeof *p) : NULL;

        for (int k = 0; k < CHECKPOINT_BLOCKS && same; k++) {
            checkpoint_copy(p, &x, k, 0, x.n);
            checkpoint_copy(p + x.n, &y, k, 0, x.n);
            same = !memcmp(p, p + x.n, x.n * sizeof *p);
        }
        _exit(!same);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

/* Train in dir, on a gang of devices or (0) on the CPU; stop after a step, or
 * where it is (`at_once`), or at the end (0). */
static struct record *go_on(const char *dir, const struct run_spec *spec,
                            int gang, int64_t stop_after, int at_once,
                            const char *fault)
{
    static volatile sig_atomic_t always = 1;
    struct record *r = record_new();
    struct train_env env = env_at(&place, dir);

    env.device = gang ? DEVICE_CUEMU : DEVICE_CPU;
    env.gang = gang ? gang : 1;
    env.peer_seconds = 20;
    env.keep_checkpoint = 1;
    env.checkpoint_seconds = stop_after || at_once ? 0 : 1e-6;
    env.stop = at_once ? &always : NULL;
    r->stop_after = stop_after;
    gang_run(r, spec, &env, fault);
    if (!fault)
        assert_end(r, env.gang,
                   stop_after || at_once ? TRAIN_STOPPED : TRAIN_DONE);
    return r;
}

static void path_of(char path[PATH_MAX], const char *dir,
                    const struct run_spec *spec, int64_t step)
{
    assert_int_equal(
        checkpoint_path(path, dir, spec, step, CHECKPOINT_LAST, NULL), 0);
}

/* A checkpoint of the CPU, put on gangs of 2, 1, 4 and 2 devices and on the
 * CPU and saved again before a step, is the same to the bit each time: a set
 * is taken apart and put together by any number of members. */
static void a_checkpoint_is_not_changed(void **state)
{
    static const int gang[] = {2, 1, 4, 2, 0};
    struct run_spec spec = device_spec();
    char *dir = new_dir(&place), path[PATH_MAX], copy[PATH_MAX];

    (void)state;
    spec.steps = 8;
    record_free(go_on(dir, &spec, 0, 3, 0, NULL));
    path_of(path, dir, &spec, 3);
    snprintf(copy, sizeof copy, "%.*s.copy", PATH_MAX - 8, path);
    assert_int_equal(rename(path, copy), 0);
    assert_int_equal(link(copy, path), 0);
    for (size_t i = 0; i < ARRAY_LEN(gang); i++) {
        struct record *r = go_on(dir, &spec, gang[i], 0, 1, NULL);
        int shares = gang[i] > 1 ? gang[i] : 0;

        assert_int_equal(r->started, 3);
        assert_true(same_state(path, copy));
        assert_int_equal(count_files(dir, ""), 2 + shares);
        record_free(r);
    }
    assert_true(same_file(path, copy));
    free(dir);
}

/* Interrupted and gone on with by as many members, a run is the same to the
 * bit: its curve, and the state it ends with. */
static void the_same_ranks_give_the_same_bits(void **state)
{
    struct run_spec spec = device_spec();
    char whole[PATH_MAX], parts[PATH_MAX];

    (void)state;
    spec.steps = 8;
    for (int gang = 1; gang <= 4; gang *= 2) {
        char *a = new_dir(&place), *b = new_dir(&place);
        struct record *r = go_on(a, &spec, gang, 0, 0, NULL), *part;

        record_free(go_on(b, &spec, gang, 3, 0, NULL));
        part = go_on(b, &spec, gang, 0, 0, NULL);
        assert_int_equal(part->started, 3);
        assert_same_curve(part, r);
        path_of(whole, a, &spec, spec.steps);
        path_of(parts, b, &spec, spec.steps);
        assert_true(same_state(whole, parts));
        record_free(r);
        record_free(part);
        free(a);
        free(b);
    }
}

static void flip(const char *path)
{
    int fd = open(path, O_RDWR);
    char c;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &c, 1, 300), 1);
    c = (char)(c ^ 4);
    assert_int_equal(pwrite(fd, &c, 1, 300), 1);
    close(fd);
}

/* Two are kept; whatever is wrong with the newest, the one before is taken,
 * by a gang of another size too, and nothing of the bad one is left. */
static void a_bad_share_is_not_believed(void **state)
{
    struct run_spec spec = device_spec();

    (void)state;
    spec.steps = 12;
    for (int what = 0; what < 4; what++) {
        char *dir = new_dir(&place), path[PATH_MAX], share[PATH_MAX + 8];
        struct record *r;

        for (int64_t step = 1; step <= 3; step++)
            record_free(go_on(dir, &spec, 2, step, 0, NULL));
        assert_int_equal(count_files(dir, ".ckpt"), 2);
        assert_int_equal(count_files(dir, ""), 6);
        path_of(path, dir, &spec, 3);
        snprintf(share, sizeof share, "%s.%dof2", path, what & 1);
        if (what < 2)
            flip(share);
        else if (what == 2)
            unlink(share);
        else
            assert_int_equal(truncate(share, 200), 0);
        r = go_on(dir, &spec, what & 1 ? 4 : 2, 0, 1, NULL);
        assert_int_equal(r->started, 2);
        assert_int_equal(count_files(dir, ".ckpt"), 1);
        assert_int_equal(count_files(dir, ""), 1 + (what & 1 ? 4 : 2));
        record_free(r);
        free(dir);
    }
}

/* Killed between the shares and the index, or with one share half written:
 * there is no such checkpoint.  A disk that is full is a warning. */
static void a_set_is_whole_or_none(void **state)
{
    static const char *const fault[] = {"share-kill:rank=1", "checkpoint-kill",
                                        "checkpoint-write:rank=1",
                                        "checkpoint-index"};
    struct run_spec spec = device_spec();

    (void)state;
    spec.steps = 12;
    for (size_t i = 0; i < ARRAY_LEN(fault); i++) {
        char *dir = new_dir(&place), path[PATH_MAX];
        struct record *r;

        record_free(go_on(dir, &spec, 2, 1, 0, NULL));
        r = go_on(dir, &spec, 2, 3, 0, fault[i]);
        record_free(r);
        path_of(path, dir, &spec, 3);
        assert_false(file_exists(path));
        r = go_on(dir, &spec, 4, 0, 1, NULL);
        assert_int_equal(r->started, 1);
        assert_int_equal(count_files(dir, ""), 5);
        record_free(r);
        free(dir);
    }
}

static void what_is_not_finite_is_a_result(void **state)
{
    struct run_spec spec = device_spec();
    struct record *r = record_new();
    struct train_env env = env_at(&place, NULL);

    (void)state;
    env.device = DEVICE_CUEMU;
    env.gang = 2;
    gang_run(r, &spec, &env, "nan:step=3:rank=1");
    assert_end(r, 2, TRAIN_DIVERGED);
    assert_int_equal(r->end[0].result.steps, 2);
    assert_non_null(strstr(r->end[0].result.text, "loss is not finite"));
    record_free(r);
}

/* Put a weight that is no number into this checkpoint; in a child, for the
 * reason that place_init gives. */
static void spoil(const char *path, const struct run_spec *spec)
{
    const float *block[CHECKPOINT_BLOCKS];
    struct checkpoint c;
    int status, rc;
    float *params;
    pid_t pid;

    fflush(NULL);
    if ((pid = fork())) {
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        return;
    }
    rc = checkpoint_open(&c, path, NULL);
    if (rc)
        _exit(1);
    params = xmalloc(c.n * sizeof *params);
    checkpoint_copy(params, &c, BLOCK_PARAMS, 0, c.n);
    params[c.n - 5] = NAN; /* of the head */
    memcpy(block, c.extent->block, sizeof block);
    block[BLOCK_PARAMS] = params;
    rc = checkpoint_write(path, spec, &c.state, block, c.n, NULL);
    _exit(rc != 0);
}

static void a_weight_that_is_none_is_a_result(void **state)
{
    struct run_spec spec = device_spec();
    char *dir = new_dir(&place), path[PATH_MAX];
    struct record *r = record_new();
    struct train_env env = env_at(&place, dir);

    (void)state;
    r->stop_after = 5;
    gang_run(r, &spec, &env, NULL);
    assert_end(r, 1, TRAIN_STOPPED);
    record_free(r);
    checkpoint_path(path, dir, &spec, 5, CHECKPOINT_LAST, NULL);
    spoil(path, &spec);
    r = run_on(DEVICE_CUEMU, 2, dir, &spec, "");
    assert_end(r, 2, TRAIN_DIVERGED);
    assert_int_equal(r->started, 5);
    assert_non_null(
        strstr(r->end[1].result.text, "the loss is not finite at step 6"));
    record_free(r);
    free(dir);
}

static void what_does_not_fit_is_a_result(void **state)
{
    struct run_spec spec = device_spec();
    struct record *r = record_new();
    struct train_env env = env_at(&place, NULL);

    (void)state;
    setenv("LOGLOG_CUEMU", "memory=45000000", 1);
    spec.model.seq_len = 256;
    spec.batch_tokens = 256 * 16;
    env.device = DEVICE_CUEMU;
    env.micro_rows = 16;
    gang_run(r, &spec, &env, NULL);
    assert_end(r, 1, TRAIN_NO_MEMORY);
    print_message("%s\n", r->end[0].result.text);
    assert_non_null(strstr(r->end[0].result.text, "micro-batches of 16 need"));
    assert_non_null(strstr(r->end[0].result.text, "would fit"));
    record_free(r);
    r = run_on(DEVICE_CUEMU, 2, NULL, &spec, "memory=20000000");
    assert_end(r, 2, TRAIN_NO_MEMORY);
    assert_non_null(strstr(r->end[1].result.text, "one sequence needs"));
    record_free(r);
}

/* A member that dies is an error of the others, soon. */
static void a_dead_member_ends_the_others(void **state)
{
    struct run_spec spec = device_spec();
    struct record *r = record_new();
    struct train_env env = env_at(&place, NULL);

    (void)state;
    setenv("LOGLOG_CUEMU", "peer=2", 1);
    env.device = DEVICE_CUEMU;
    env.gang = 2;
    env.peer_seconds = 3;
    gang_run(r, &spec, &env, "child-kill:step=3:rank=1");
    assert_true(WIFSIGNALED(r->end[1].status));
    assert_int_equal(r->end[0].rc, -1);
    print_message("%s\n", r->end[0].err.text);
    assert_true(r->end[0].seconds < 15);
    record_free(r);
}

/* What train() says when it cannot have a device. */
static void says(const struct run_spec *spec, enum device_kind device,
                 const char *emulator, const char *text)
{
    struct record *r = run_on(device, 2, NULL, spec, emulator);

    for (int m = 0; m < 2; m++) {
        assert_int_equal(r->end[m].rc, -1);
        if (!strstr(r->end[m].err.text, text))
            print_error("said: %s\n", r->end[m].err.text);
        assert_non_null(strstr(r->end[m].err.text, text));
    }
    record_free(r);
}

static void what_cannot_be_is_one_line(void **state)
{
    struct run_spec spec = device_spec(), s = spec;
    struct record *r;

    (void)state;
    spec.steps = 4;
    says(&spec, DEVICE_CUDA, "", "no libloglog_cuda.so");
    says(&spec, DEVICE_CUEMU, "driver=12020", "the driver knows CUDA 12.2");
    says(&spec, DEVICE_CUEMU, "driver=0", "no NVIDIA driver");
    says(&spec, DEVICE_CUEMU, "devices=0", "no device: none is visible");
    s = spec;
    s.dtype = DTYPE_FP32;
    says(&s, DEVICE_CUEMU, "", "set dtype to bf16");
    s = spec;
    s.model.d_ff = 60;
    says(&s, DEVICE_CUEMU, "", "multiples of 8");
    /* auto is the CPU then */
    r = run_on(DEVICE_AUTO, 2, NULL, &spec, "");
    assert_end(r, 2, TRAIN_DONE);
    record_free(r);
}

/* With an argument those that a sanitizer is to see (CMakeLists.txt). */
int main(int argc, char **argv)
{
    const struct CMUnitTest few[] = {
        cmocka_unit_test(resumed_on_other_ranks),
        cmocka_unit_test(a_set_is_whole_or_none),
        cmocka_unit_test(what_is_not_finite_is_a_result),
        cmocka_unit_test(what_cannot_be_is_one_line),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_curve_is_the_cpus),
        cmocka_unit_test(resumed_on_other_ranks),
        cmocka_unit_test(a_checkpoint_is_not_changed),
        cmocka_unit_test(the_same_ranks_give_the_same_bits),
        cmocka_unit_test(a_bad_share_is_not_believed),
        cmocka_unit_test(a_set_is_whole_or_none),
        cmocka_unit_test(what_is_not_finite_is_a_result),
        cmocka_unit_test(a_weight_that_is_none_is_a_result),
        cmocka_unit_test(what_does_not_fit_is_a_result),
        cmocka_unit_test(a_dead_member_ends_the_others),
        cmocka_unit_test(what_cannot_be_is_one_line),
    };

    (void)argv;
    return argc > 1 ? cmocka_run_group_tests(few, setup, teardown)
                    : cmocka_run_group_tests(tests, setup, teardown);
}
