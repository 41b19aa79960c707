/* checkpoint: what is read back is what was written, or is not believed. */
#include "tests/unit/trainer/gang.h"

#include "trainer/writer.h"

#define N 5000

static char dir[PATH_MAX];
static float data[CHECKPOINT_BLOCKS][N];
static const float *const block[CHECKPOINT_BLOCKS] = {data[0], data[1],
                                                      data[2]};

static int setup(void **state)
{
    (void)state;
    temp_dir(dir);
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        for (size_t i = 0; i < N; i++)
            data[b][i] = (float)rng_normal((uint64_t)b, RNG_TEST, i);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_dir(dir);
    return 0;
}

static void empty_dir(void)
{
    remove_dir(dir);
    assert_int_equal(file_mkdirs(dir, NULL), 0);
}

static void path_of(char path[PATH_MAX], const struct run_spec *spec,
                    int64_t step, enum checkpoint_kind kind)
{
    assert_int_equal(checkpoint_path(path, dir, spec, step, kind, NULL), 0);
}

static void put(const struct run_spec *spec, int64_t step,
                enum checkpoint_kind kind)
{
    const struct checkpoint_state s = {step, 3, 1};
    char path[PATH_MAX];
    struct err e;

    path_of(path, spec, step, kind);
    if (checkpoint_write(path, spec, &s, block, N, &e))
        fail_msg("%s", e.text);
}

/* The step that a run would resume from; -1: from none. */
static int64_t found(const struct run_spec *spec)
{
    struct checkpoint c;
    enum checkpoint_kind kind;
    int64_t step = -1;

    if (checkpoint_find(&c, &kind, dir, spec, N)) {
        step = c.state.step;
        checkpoint_close(&c);
    }
    return step;
}

static void a_checkpoint_reads_back(void **state)
{
    struct run_spec spec = tiny_spec();
    struct checkpoint c;
    char path[PATH_MAX];

    (void)state;
    put(&spec, 12, CHECKPOINT_LAST);
    path_of(path, &spec, 12, CHECKPOINT_LAST);
    assert_int_equal(checkpoint_open(&c, path, NULL), 0);
    assert_int_equal(spec_id(&c.spec), spec_id(&spec));
    assert_int_equal(c.state.step, 12);
    assert_int_equal(c.state.above, 3);
    assert_int_equal(c.state.evaluated, 1);
    assert_int_equal(c.n, N);
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        assert_memory_equal(c.extent->block[b], block[b], sizeof data[b]);
    checkpoint_close(&c);
}

/* Any one changed byte, and any truncation, is seen. */
static void a_damaged_checkpoint_is_refused(void **state)
{
    struct run_spec spec = tiny_spec();
    struct rng r = {3, RNG_TEST, 0};
    char path[PATH_MAX], bad[PATH_MAX + 8], *bytes;
    struct checkpoint c;
    struct err e;
    size_t len;

    (void)state;
    put(&spec, 12, CHECKPOINT_LAST);
    path_of(path, &spec, 12, CHECKPOINT_LAST);
    snprintf(bad, sizeof bad, "%s.bad", path);
    assert_int_equal(file_read(&bytes, &len, path, 1 << 20, NULL), 0);
    for (size_t i = 0; i < 400; i++) {
        size_t at = i < 128 ? i : (size_t)rng_next_below(&r, len);
        char was = bytes[at];

        bytes[at] = (char)(was ^ (1 << i % 8));
        assert_int_equal(file_write(bad, bytes, len, NULL), 0);
        e.text[0] = '\0';
        assert_int_equal(checkpoint_open(&c, bad, &e), -1);
        assert_int_equal(e.cls, ERR_USAGE);
        assert_non_null(strstr(e.text, bad));
        bytes[at] = was;
    }
    for (size_t i = 0; i < 200; i++) {
        size_t n = i < 150 ? i : (size_t)rng_next_below(&r, len);
        assert_int_equal(file_write(bad, bytes, n, NULL), 0);
        assert_int_equal(checkpoint_open(&c, bad, &e), -1);
    }
    bytes = xrealloc(bytes, len + 1);
    bytes[len] = 0;
    assert_int_equal(file_write(bad, bytes, len + 1, NULL), 0);
    assert_int_equal(checkpoint_open(&c, bad, &e), -1);
    free(bytes);
    unlink(bad);
}

static void the_newest_usable_one_is_found(void **state)
{
    struct run_spec spec = tiny_spec();
    char path[PATH_MAX];

    (void)state;
    empty_dir();
    assert_int_equal(found(&spec), -1);
    put(&spec, 9, CHECKPOINT_LAST);
    put(&spec, 10, CHECKPOINT_TRUNK);
    put(&spec, 8, CHECKPOINT_LAST);
    assert_int_equal(found(&spec), 10);
    put(&spec, 12, CHECKPOINT_LAST);
    assert_int_equal(found(&spec), 12);
    /* a damaged one is removed, and the one before it serves */
    path_of(path, &spec, 12, CHECKPOINT_LAST);
    assert_int_equal(truncate(path, 1000), 0);
    assert_int_equal(found(&spec), 10);
    assert_false(file_exists(path));
}

static void another_runs_checkpoint_is_ignored(void **state)
{
    struct run_spec spec = tiny_spec(), other = tiny_spec();
    char path[PATH_MAX], as[PATH_MAX];

    (void)state;
    empty_dir();
    other.seed = 2;
    put(&other, 12, CHECKPOINT_LAST);
    assert_int_equal(found(&spec), -1);
    /* even under this run's name; and it is left where it is */
    path_of(path, &other, 12, CHECKPOINT_LAST);
    path_of(as, &spec, 12, CHECKPOINT_LAST);
    assert_int_equal(rename(path, as), 0);
    put(&spec, 5, CHECKPOINT_LAST);
    assert_int_equal(found(&spec), 5);
    assert_true(file_exists(as));
}

static void only_old_checkpoints_of_this_run_are_removed(void **state)
{
    struct run_spec spec = tiny_spec(), other = tiny_spec();

    (void)state;
    empty_dir();
    other.seed = 2;
    for (int step = 1; step <= 5; step++) {
        put(&spec, step, CHECKPOINT_LAST);
        put(&other, step, CHECKPOINT_LAST);
    }
    put(&spec, 1, CHECKPOINT_TRUNK);
    checkpoint_prune(dir, &spec, 2);
    assert_int_equal(count_files(dir, ".ckpt"), 7);
    assert_int_equal(count_files(dir, ".trunk"), 1);
    assert_int_equal(found(&spec), 5);
    checkpoint_prune(dir, &spec, 0);
    assert_int_equal(found(&spec), 1); /* the trunk */
    assert_int_equal(found(&other), 5);
}

/* Forks, as LOGLOG_FAULT is read once: 0 if it was written. */
static int write_with_fault(const char *fault, const struct run_spec *spec,
                            int64_t step)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        const struct checkpoint_state s = {step, 0, 1};
        char path[PATH_MAX];
        setenv("LOGLOG_FAULT", fault, 1);
        path_of(path, spec, step, CHECKPOINT_LAST);
        _exit(checkpoint_write(path, spec, &s, block, N, NULL) ? 1 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void a_full_disk_or_a_kill_leaves_the_old_one(void **state)
{
    const struct {
        const char *fault;
        int status, leftovers;
    } cases[] = {
        {"write", 1, 0},
        {"write:n=3", 1, 0},
        {"write:n=5", 1, 0},
        {"checkpoint-write", 1, 0},
        {"checkpoint-kill", -SIGKILL, 1},
    };
    struct run_spec spec = tiny_spec();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        empty_dir();
        assert_int_equal(write_with_fault("none", &spec, 5), 0);
        assert_int_equal(write_with_fault(cases[i].fault, &spec, 6),
                         cases[i].status);
        assert_int_equal(count_files(dir, ""), 1 + cases[i].leftovers);
        /* also when the step is the same */
        write_with_fault(cases[i].fault, &spec, 5);
        assert_int_equal(found(&spec), 5);
        assert_int_equal(count_files(dir, ""), 1);
    }
}

/* --- in the background --- */

static void the_writer_writes_what_was_there_at_its_start(void **state)
{
    struct run_spec spec = tiny_spec();
    const struct checkpoint_state s = {7, 0, 1};
    float *mine = malloc(sizeof data);
    const float *const blocks[] = {mine, mine + N, mine + 2 * N};
    struct writer *w = writer_create(&spec, NULL, N);
    struct written r;
    struct checkpoint c;
    char path[PATH_MAX];

    (void)state;
    empty_dir();
    path_of(path, &spec, 7, CHECKPOINT_LAST);
    memcpy(mine, data, sizeof data);
    assert_int_equal(writer_done(&r, w, 10), 0);
    assert_false(writer_busy(w));
    assert_int_equal(writer_start(w, path, &s, blocks, 0), 0);
    memset(mine, 0, sizeof data);
    assert_true(writer_busy(w));
    while (!writer_done(&r, w, 50))
        ;
    assert_false(writer_busy(w));
    assert_int_equal(r.failed, 0);
    assert_int_equal(r.step, 7);
    assert_true(r.seconds > 0);
    assert_int_equal(checkpoint_open(&c, path, NULL), 0);
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        assert_memory_equal(c.extent->block[b], block[b], sizeof data[b]);
    checkpoint_close(&c);
    writer_destroy(w);
    free(mine);
}

static void the_writer_reports_a_failure(void **state)
{
    struct run_spec spec = tiny_spec();
    const struct checkpoint_state s = {7, 0, 1};
    struct writer *w = writer_create(&spec, NULL, N);
    struct written r;

    (void)state;
    writer_start(w, "/nowhere/x.ckpt", &s, block, 0);
    while (!writer_done(&r, w, 50))
        ;
    assert_int_equal(r.failed, 1);
    assert_non_null(strstr(r.err.text, "/nowhere/x.ckpt"));
    /* and may be used again, or left while it writes */
    writer_start(w, "/nowhere/x.ckpt", &s, block, 0);
    writer_destroy(w);
    writer_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_or_a_kill_leaves_the_old_one),
        cmocka_unit_test(a_checkpoint_reads_back),
        cmocka_unit_test(a_damaged_checkpoint_is_refused),
        cmocka_unit_test(the_newest_usable_one_is_found),
        cmocka_unit_test(another_runs_checkpoint_is_ignored),
        cmocka_unit_test(only_old_checkpoints_of_this_run_are_removed),
        cmocka_unit_test(the_writer_writes_what_was_there_at_its_start),
        cmocka_unit_test(the_writer_reports_a_failure),
    };

    return cmocka_run_group_tests_name("checkpoint", tests, setup, teardown);
}
