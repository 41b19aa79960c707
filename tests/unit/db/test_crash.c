/* crash: the writer is killed at random moments, fifty times in each
 * journal mode, while somebody reads.  Whatever was acknowledged is there,
 * each transaction is there whole or not at all, and the file is sound.
 *
 * The writer is this program again, in a process of its own. */
#include "base/rng.h"
#include "db/store.h"
#include "db/upkeep.h"
#include "lab.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <time.h>

#define KILLS 50
#define ROWS 40 /* step rows of a transaction */

static struct err err;

static void nap(double seconds)
{
    struct timespec t = {0, (long)(seconds * 1e9)};

    nanosleep(&t, NULL);
}

/* --- the writer --- */

/* One transaction: an event and ROWS steps; then its number into fd 3. */
static int write_one(struct store *db, int64_t study, int64_t run,
                     int64_t attempt, int64_t *step)
{
    struct db_step s[ROWS];

    for (int i = 0; i < ROWS; i++)
        s[i] = (struct db_step){.run = run,
                                .attempt = attempt,
                                .step = ++*step,
                                .loss = 1 + 1.0 / (double)*step};
    if (store_begin(db, &err) || db_event(db, study, run, "note", "x", &err) ||
        db_steps_add(db, s, ROWS, &err) || store_commit(db, &err))
        return -1;
    return write(3, step, sizeof *step) == sizeof *step ? 0 : -1;
}

static int writer(const char *path)
{
    struct planned p = lab_run(0, 64, 1e-3, 1);
    struct db_attempt a = {.run = p.id, .gang = 1};
    struct store *db;
    int64_t study, attempt, step;
    int n;

    if (store_open(&db, path, STORE_WRITE, &err) ||
        db_study_put(&study, db, "lab", "study: lab\n", 0, &err) ||
        db_plan_put(db, study, "hyper", &p, 1, &err) ||
        db_recover(&n, db, study, &err) ||
        db_attempt_begin(&attempt, db, &a, &err)) {
        fprintf(stderr, "writer: %s\n", err.text);
        return 1;
    }
    step = (int64_t)lab_number(db, "SELECT coalesce(max(step), 0) FROM curves");
    /* with a rollback journal, readers need a moment between commits */
    while (write_one(db, study, p.id, attempt, &step) == 0)
        nap(getenv("LOGLOG_FAULT") ? 0.003 : 0);
    fprintf(stderr, "writer: %s\n", err.text);
    return 1;
}

/* --- the killer --- */

static pid_t start(const char *path, int network, int *acks)
{
    static const char *const fault = "LOGLOG_FAULT=network-fs:every";
    char self[] = "/proc/self/exe", *argv[] = {self, xstrdup(path), NULL};
    char *env[] = {network ? xstrdup(fault) : xstrdup("X=1"), NULL};
    posix_spawn_file_actions_t act;
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&act);
    posix_spawn_file_actions_adddup2(&act, ends[1], 3);
    assert_int_equal(posix_spawn(&pid, self, &act, NULL, argv, env), 0);
    posix_spawn_file_actions_destroy(&act);
    close(ends[1]);
    free(argv[1]);
    free(env[0]);
    *acks = ends[0];
    return pid;
}

/* A reader never sees half a transaction. */
static void look(const char *path)
{
    struct store *db;

    if (store_open(&db, path, STORE_READ, &err))
        fail_msg("reader: %s", err.text);
    assert_number(db,
                  "SELECT (SELECT count(*) FROM curves) = "
                  "40 * (SELECT count(*) FROM events)",
                  1);
    store_close(db);
}

static void check(struct lab *l, int64_t acked)
{
    ok(store_open(&l->db, l->path, STORE_READ, &err));
    assert_text(l->db, "PRAGMA integrity_check", "ok");
    assert_number(l->db, "SELECT count(*) FROM pragma_foreign_key_check", 0);
    assert_true(lab_number(l->db, "SELECT coalesce(max(step), 0) FROM "
                                  "curves") >= (double)acked);
    assert_number(l->db, "SELECT count(*) = coalesce(max(step), 0) FROM curves",
                  1);
    assert_number(
        l->db, "SELECT count(*) FROM curves WHERE loss <> 1 + 1.0 / step", 0);
    store_close(l->db);
    l->db = NULL;
}

/* What the journal replays is what is in the database, row by row. */
static void journal_agrees(struct lab *l)
{
    int64_t found;

    ok(store_open(&l->db, l->path, STORE_WRITE, &err)); /* cuts its tail */
    ok(db_check(&found, stdout, l->db, 1, &err));
    assert_int_equal(found, 0);
    store_close(l->db);
    l->db = NULL;
}

static void kill_and_look(struct lab *l, int network)
{
    struct rng r = {.seed = 7, .stream = RNG_TEST};
    int64_t acked = 0, step;
    int acks, status;

    for (int i = 0; i < KILLS; i++) {
        pid_t pid = start(l->path, network, &acks);
        ssize_t n = 0;
        /* every other time from its first moments on */
        if (i % 2)
            n = read(acks, &step, sizeof step);
        if (n == sizeof step)
            acked = step;
        nap(0.06 * rng_next_uniform(&r));
        if (i % 2)
            look(l->path);
        nap(0.02 * rng_next_uniform(&r));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it had not failed by itself */
        while (read(acks, &step, sizeof step) == sizeof step)
            acked = step;
        close(acks);
        if (acked)
            check(l, acked);
    }
    assert_true(acked > 0);
    journal_agrees(l);
}

static void nothing_acknowledged_is_lost_with_wal(void **state)
{
    kill_and_look(*state, 0);
}

static void nothing_acknowledged_is_lost_on_network_files(void **state)
{
    struct lab *l = *state;
    char name[128];

    kill_and_look(l, 1);
    snprintf(name, sizeof name, "%s-wal", l->path);
    assert_false(file_exists(name)); /* it was the other journal mode */
}

/* Killed with pages of an open transaction already in the file: the next
 * reader rolls them back. */
static void a_hot_journal_is_rolled_back_by_a_reader(void **state)
{
    struct lab *l = *state;
    char name[128];
    int status;
    pid_t pid;

    store_close(l->db);
    l->db = NULL;
    pid = fork();
    if (pid == 0) {
        sqlite3 *h;
        sqlite3_open(l->path, &h);
        sqlite3_exec(h,
                     "PRAGMA journal_mode = delete; PRAGMA cache_size = 1;"
                     "PRAGMA cache_spill = 1; BEGIN;"
                     "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "
                     "SELECT i + 1 FROM c WHERE i < 20000) "
                     "INSERT INTO event(at, kind, text) "
                     "SELECT 'now', 'note', hex(randomblob(50)) FROM c",
                     NULL, NULL, NULL);
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    snprintf(name, sizeof name, "%s-journal", l->path);
    assert_true(file_exists(name));
    ok(store_open(&l->db, l->path, STORE_READ, &err));
    assert_number(l->db, "SELECT count(*) FROM events", 0);
    assert_text(l->db, "PRAGMA integrity_check", "ok");
    assert_false(file_exists(name));
}

#define NEW(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)
#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        NEW(nothing_acknowledged_is_lost_with_wal),
        NEW(nothing_acknowledged_is_lost_on_network_files),
        STUDY(a_hot_journal_is_rolled_back_by_a_reader),
    };

    if (argc == 2)
        return writer(argv[1]);
    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
