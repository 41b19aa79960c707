/* store: what may be opened, one writer, transactions, full disks. */
#include "db/store.h"

#include "db/lock.h"
#include "db/migrate.h"
#include "db/sql.h"
#include "lab.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct err err;

/* --- what may be opened --- */

static void a_new_file_is_ours_and_reads_back(void **state)
{
    struct lab *l = *state;

    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
    assert_string_equal(store_path(l->db), l->path);
    store_close(l->db);
    l->db = NULL;
    ok(store_open(&l->db, l->path, STORE_READ, &err));
    assert_number(l->db, "SELECT count(*) FROM runs", 0);
    assert_number(l->db, "PRAGMA application_id", STORE_APP_ID);
    assert_number(l->db, "PRAGMA user_version", migrate_version());
    assert_text(l->db, "SELECT closed >= opened FROM sessions", "1");
}

static void reading_makes_no_file(void **state)
{
    struct lab *l = *state;

    refused(store_open(&l->db, l->path, STORE_READ, &err), ERR_DB,
            "No such file");
    assert_false(file_exists(l->path));
}

static void write_bytes(const char *path, const void *data, size_t n)
{
    ok(file_write(path, data, n, &err));
}

static void other_files_are_refused_and_left_alone(void **state)
{
    struct lab *l = *state;
    char lock[128], *data;
    size_t n;

    snprintf(lock, sizeof lock, "%s.lock", l->path);
    write_bytes(l->path, "study: not a database\n", 22);
    refused(store_open(&l->db, l->path, STORE_WRITE, &err), ERR_DB,
            "not a loglog database");
    refused(store_open(&l->db, l->path, STORE_READ, &err), ERR_DB,
            "not a loglog database");
    assert_false(file_exists(lock));
    ok(file_read(&data, &n, l->path, 100, &err));
    assert_string_equal(data, "study: not a database\n");
    free(data);
    refused(store_open(&l->db, l->dir, STORE_READ, &err), ERR_DB,
            "not a database file");
    write_bytes(l->path, "", 0);
    refused(store_open(&l->db, l->path, STORE_READ, &err), ERR_DB,
            "not a loglog database");
    ok(store_open(&l->db, l->path, STORE_WRITE, &err)); /* as if new */
}

static void exec(const char *path, const char *sql)
{
    sqlite3 *h;

    assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(h);
}

static void databases_of_others_are_refused(void **state)
{
    struct lab *l = *state;

    exec(l->path, "CREATE TABLE t(x)");
    refused(store_open(&l->db, l->path, STORE_WRITE, &err), ERR_DB,
            "not a loglog database");
    exec(l->path, "PRAGMA application_id = 77");
    refused(store_open(&l->db, l->path, STORE_WRITE, &err), ERR_DB,
            "another program");
    refused(store_open(&l->db, l->path, STORE_READ, &err), ERR_DB,
            "another program");
}

static void a_newer_version_is_refused(void **state)
{
    struct lab *l = *state;

    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
    store_close(l->db);
    l->db = NULL;
    exec(l->path, "PRAGMA user_version = 1000");
    refused(store_open(&l->db, l->path, STORE_WRITE, &err), ERR_DB, "newer");
    refused(store_open(&l->db, l->path, STORE_READ, &err), ERR_DB, "newer");
}

/* Bytes overwritten anywhere: an error, or the right answer, never a crash. */
static void damage_is_an_error_not_a_crash(void **state)
{
    struct lab *l = *state;
    struct planned p;
    char *good, *bad;
    size_t n;
    int refusals = 0;

    for (int i = 0; i < 50; i++) {
        p = lab_run(0, 64, 1e-3, i);
        lab_result(l, &p, "hyper", RUN_DONE, 2.5);
    }
    store_close(l->db);
    l->db = NULL;
    ok(file_read(&good, &n, l->path, 1 << 24, &err));
    bad = xmalloc(n);
    for (size_t at = 0; at < n; at += 997) {
        struct db_run *runs;
        size_t count;
        memcpy(bad, good, n);
        memset(bad + at, 0xA5, at + 64 < n ? 64 : n - at);
        write_bytes(l->path, bad, n);
        err.text[0] = '\0';
        if (store_open(&l->db, l->path, STORE_READ, &err) == 0) {
            if (db_runs(&runs, &count, l->db, l->study, -1, &err) == 0)
                free(runs);
            store_close(l->db);
            l->db = NULL;
        }
        refusals += err.text[0] != '\0';
        assert_null(strchr(err.text, '\n'));
    }
    assert_true(refusals > 5);
    write_bytes(l->path, good, n / 2); /* cut short */
    if (store_open(&l->db, l->path, STORE_WRITE, &err) == 0) {
        struct db_run *runs;
        refused(db_runs(&runs, &n, l->db, l->study, -1, &err), ERR_DB,
                "damaged");
    } else {
        assert_int_equal(err.cls, ERR_DB);
    }
    free(good);
    free(bad);
}

/* As a user without rights; root may write anywhere. */
static void a_read_only_directory_is_named(void **state)
{
    struct lab *l = *state;
    int status;
    pid_t pid;

    store_close(l->db);
    l->db = NULL;
    exec(l->path, "PRAGMA journal_mode = wal"); /* the harder case */
    assert_int_equal(chmod(l->dir, 0555), 0);
    pid = fork();
    if (pid == 0) {
        struct store *db;
        int good = 1;
        if (getuid() == 0 && setuid(65534))
            _exit(9);
        good &= store_open(&db, l->path, STORE_WRITE, &err) == -1 &&
                err.cls == ERR_DB && strstr(err.text, "ermission") != NULL;
        /* reading needs no right to write, WAL or not */
        good &= store_open(&db, l->path, STORE_READ, &err) == 0;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(chmod(l->dir, 0755), 0);
    assert_int_equal(status, 0);
}

/* --- one writer --- */

static void a_second_writer_is_told_who_has_it(void **state)
{
    struct lab *l = *state;
    char pid[32], owner[LOCK_TEXT];
    struct store *second;

    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    setenv("SLURM_JOB_ID", "4711", 1);
    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
    refused(store_open(&second, l->path, STORE_WRITE, &err), ERR_DB, pid);
    assert_non_null(strstr(err.text, "job 4711"));
    assert_non_null(strstr(err.text, "host "));
    lock_owner(owner, l->path);
    assert_non_null(strstr(owner, pid));
    ok(store_open(&second, l->path, STORE_READ, &err)); /* anybody may read */
    store_close(second);
    store_close(l->db);
    unsetenv("SLURM_JOB_ID");
    lock_owner(owner, l->path);
    assert_string_equal(owner, "");
    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
}

static void a_killed_writer_leaves_no_lock(void **state)
{
    struct lab *l = *state;
    int ready[2], status;
    char c;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        struct store *db;
        if (store_open(&db, l->path, STORE_WRITE, &err))
            _exit(1);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    refused(store_open(&l->db, l->path, STORE_WRITE, &err), ERR_DB, "another");
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
    assert_number(l->db, "SELECT count(*) FROM sessions WHERE closed IS NULL",
                  2);
    close(ready[0]);
    close(ready[1]);
}

static void network_file_systems_are_known(void **state)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } rows[] = {
        {0x6969, "NFS"},        {0x0BD00BD0, "Lustre"}, {0x47504653, "GPFS"},
        {0x19830326, "BeeGFS"}, {0x00C36400, "Ceph"},   {0xFF534D42, "CIFS"},
        {0x01021997, "9P"},     {0xEF53, NULL}, /* ext4 */
        {0x58465342, NULL},                     /* xfs */
        {0x01021994, NULL},                     /* tmpfs */
        {0x9123683E, NULL},                     /* btrfs */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *name = lock_network_name(rows[i].magic);
        if (rows[i].name)
            assert_string_equal(name, rows[i].name);
        else
            assert_null(name);
        /* f_type is signed and 32 bits wide on some machines */
        if (name)
            assert_ptr_equal(
                lock_network_name((unsigned long)(int)rows[i].magic), name);
    }
}

static void at_rest_the_file_is_alone(void **state)
{
    static const char *const beside[] = {"-wal", "-shm", "-journal"};
    struct lab *l = *state;
    char name[128];

    snprintf(name, sizeof name, "%s-wal", l->path);
    assert_true(file_exists(name)); /* while it is written */
    store_close(l->db);
    ok(store_open(&l->db, l->path, STORE_READ, &err));
    assert_number(l->db, "SELECT count(*) FROM studies", 1);
    for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
        snprintf(name, sizeof name, "%s%s", l->path, beside[i]);
        assert_false(file_exists(name));
    }
}

/* --- transactions --- */

static void note(struct lab *l, const char *text)
{
    ok(db_event(l->db, l->study, 0, "note", text, &err));
}

static void transactions_nest_and_the_outermost_commits(void **state)
{
    struct lab *l = *state;
    struct store *reader;

    ok(store_open(&reader, l->path, STORE_READ, &err));
    ok(store_begin(l->db, &err));
    note(l, "outer");
    ok(store_begin(l->db, &err));
    note(l, "inner, undone");
    store_rollback(l->db);
    ok(store_begin(l->db, &err));
    note(l, "inner, kept");
    ok(store_commit(l->db, &err));
    assert_number(reader, "SELECT count(*) FROM events", 0);
    ok(store_commit(l->db, &err));
    assert_number(reader, "SELECT count(*) FROM events", 2);
    assert_number(reader,
                  "SELECT count(*) FROM events WHERE text LIKE '%undone'", 0);
    ok(store_begin(l->db, &err));
    ok(store_begin(l->db, &err));
    note(l, "never");
    ok(store_commit(l->db, &err));
    store_rollback(l->db);
    assert_number(l->db, "SELECT count(*) FROM events", 2);
    store_close(reader);
}

static void an_open_transaction_is_undone_at_close(void **state)
{
    struct lab *l = *state;

    ok(store_begin(l->db, &err));
    note(l, "lost");
    store_close(l->db);
    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
    assert_number(l->db, "SELECT count(*) FROM events", 0);
}

static void a_full_disk_is_told_and_nothing_is_lost(void **state)
{
    struct lab *l = *state;
    char text[64], long_text[8192];
    int64_t pages;
    double kept;
    int rc = 0;

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    note(l, "before");
    ok(sql_number(&pages, l->db, "PRAGMA page_count", &err));
    snprintf(text, sizeof text, "PRAGMA max_page_count = %lld",
             (long long)pages + 20);
    ok(sql_number(&pages, l->db, text, &err));
    for (int i = 0; i < 100 && !rc; i++)
        rc = db_event(l->db, l->study, 0, "note", long_text, &err);
    assert_int_equal(rc, -1);
    assert_int_equal(err.cls, ERR_DB);
    assert_non_null(strstr(err.text, "disk is full"));
    kept = lab_number(l->db, "SELECT count(*) FROM events");
    assert_true(kept >= 1);
    /* inside a larger transaction the whole of it fails, and only it */
    ok(store_begin(l->db, &err));
    rc = 0;
    for (int i = 0; i < 100 && !rc; i++)
        rc = db_event(l->db, l->study, 0, "note", long_text, &err);
    assert_int_equal(rc, -1);
    if (store_commit(l->db, &err) == 0)
        kept = lab_number(l->db, "SELECT count(*) FROM events");
    /* room again: it goes on */
    ok(sql_number(&pages, l->db, "PRAGMA max_page_count = 1000000", &err));
    ok(db_event(l->db, l->study, 0, "note", long_text, &err));
    assert_number(l->db, "SELECT count(*) FROM events", kept + 1);
    assert_text(l->db, "PRAGMA integrity_check", "ok");
}

#define NEW(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)
#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW(a_new_file_is_ours_and_reads_back),
        NEW(reading_makes_no_file),
        NEW(other_files_are_refused_and_left_alone),
        NEW(databases_of_others_are_refused),
        NEW(a_newer_version_is_refused),
        STUDY(damage_is_an_error_not_a_crash),
        STUDY(a_read_only_directory_is_named),
        NEW(a_second_writer_is_told_who_has_it),
        NEW(a_killed_writer_leaves_no_lock),
        NEW(network_file_systems_are_known),
        STUDY(at_rest_the_file_is_alone),
        STUDY(transactions_nest_and_the_outermost_commits),
        STUDY(an_open_transaction_is_undone_at_close),
        STUDY(a_full_disk_is_told_and_nothing_is_lost),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
