/* upkeep: check, backup, vacuum, thin, no room. */
#include "db/sql.h"
#include "lab.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct err err;

static void fill(struct lab *l, int runs, int steps)
{
    for (int i = 0; i < runs; i++) {
        struct planned p = lab_run(0, 64, 1e-3, i);
        struct db_step *s = xcalloc((size_t)steps, sizeof *s);
        struct db_outcome o = {.state = RUN_DONE,
                               .steps = steps,
                               .tokens = 1024 * steps,
                               .loss = 1.5,
                               .bpb = 2 + 0.01 * i};
        int64_t a;
        ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
        a = lab_begin(l, p.id);
        for (int k = 0; k < steps; k++)
            s[k] = (struct db_step){
                .run = p.id, .attempt = a, .step = k + 1, .loss = 2 + 0.1 * k};
        ok(db_steps_add(l->db, s, (size_t)steps, &err));
        free(s);
        ok(db_attempt_end(l->db, p.id, a, &o, &err));
    }
}

/* --- check --- */

static void each_kind_of_damage_is_found(void **state)
{
    static const struct {
        const char *harm, *expected;
    } rows[] = {
        {"UPDATE run SET attempts = 5", "counts 5 attempts"},
        {"UPDATE run SET state = 'running'", "its last attempt done"},
        {"UPDATE run SET spec = replace(spec, 'seed = 0', 'seed = 9')",
         "its spec has another id"},
        {"UPDATE study SET resolved = 'x'", "another SHA-256"},
        {"INSERT INTO step VALUES(77, 1, 1, NULL, 1, NULL, NULL, NULL)",
         "steps of no run, number 77"},
        {"PRAGMA foreign_keys = off; DELETE FROM stage",
         "refers to no row of stage"},
        {"PRAGMA ignore_check_constraints = on;"
         "UPDATE run SET M = -1; PRAGMA ignore_check_constraints = off",
         "CHECK"},
    };
    struct lab *l = *state;

    fill(l, 1, 5);
    assert_int_equal(lab_check(l->db, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char copy[128];
        struct store *db;
        snprintf(copy, sizeof copy, "%s/%zu.db", l->dir, i);
        ok(db_backup(l->db, copy, &err));
        ok(store_open(&db, copy, STORE_WRITE, &err));
        assert_int_equal(lab_check(db, NULL), 0);
        ok(sql_exec(db, rows[i].harm, &err));
        assert_true(lab_check(db, rows[i].expected) > 0);
        store_close(db);
    }
}

static void a_missing_or_damaged_journal_is_found(void **state)
{
    struct lab *l = *state;
    char path[128], *text;
    size_t n;

    fill(l, 1, 5);
    snprintf(path, sizeof path, "%s.journal.jsonl", l->path);
    ok(file_read(&text, &n, path, 1 << 20, &err));
    text[n / 2] ^= 1;
    ok(file_write(path, text, n, &err));
    assert_int_equal(lab_check(l->db, "is damaged"), 1);
    ok(file_write(path, text, n / 2, &err));
    assert_int_equal(lab_check(l->db, "are committed"), 1);
    unlink(path);
    assert_int_equal(lab_check(l->db, "No such file"), 1);
    free(text);
}

/* --- backup, vacuum --- */

static void a_backup_is_whole_and_alone(void **state)
{
    struct lab *l = *state;
    char copy[128], wal[160];
    struct store *db;

    fill(l, 3, 50);
    ok(store_begin(l->db, &err));
    ok(db_event(l->db, l->study, 0, "note", "not committed", &err));
    store_rollback(l->db);
    snprintf(copy, sizeof copy, "%s/copy.db", l->dir);
    ok(file_write(copy, "old", 3, &err)); /* replaced */
    ok(db_backup(l->db, copy, &err));
    snprintf(wal, sizeof wal, "%s-wal", copy);
    assert_false(file_exists(wal));
    ok(store_open(&db, copy, STORE_READ, &err));
    assert_number(db, "SELECT count(*) FROM curves", 150);
    assert_int_equal(lab_check(db, NULL), 0);
    store_close(db);
    ok(store_open(&db, copy, STORE_WRITE, &err)); /* and goes on */
    ok(db_event(db, l->study, 0, "note", "in the copy", &err));
    assert_int_equal(lab_check(db, NULL), 0);
    store_close(db);
    assert_number(l->db, "SELECT count(*) FROM events", 0);
    snprintf(copy, sizeof copy, "%s/no/copy.db", l->dir);
    refused(db_backup(l->db, copy, &err), ERR_DB, "");
}

static int64_t size_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void vacuum_gives_room_back(void **state)
{
    struct lab *l = *state;
    int64_t before, dropped;

    fill(l, 20, 500);
    ok(db_vacuum(l->db, &err));
    before = size_of(l->path);
    ok(db_thin(&dropped, l->db, &(struct retain){100, 0}, &err));
    ok(db_vacuum(l->db, &err));
    assert_true(size_of(l->path) < before / 2);
    assert_int_equal(lab_check(l->db, NULL), 0);
}

/* --- thin --- */

static void thinning_keeps_what_the_rule_says(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 99);
    struct db_step s = {.run = p.id, .attempt = 1, .step = 55, .loss = 1};
    struct db_eval v = {.run = p.id, .attempt = 1, .step = 3, .set = "valid"};
    int64_t dropped;
    char *kept;

    fill(l, 2, 95);
    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    lab_begin(l, p.id);
    ok(db_steps_add(l->db, &s, 1, &err));
    ok(db_evals_add(l->db, &v, 1, &err));
    refused(db_thin(&dropped, l->db, &(struct retain){0, 0}, &err), ERR_USAGE,
            "rule");
    ok(db_thin(&dropped, l->db, &(struct retain){.every = 30}, &err));
    /* 1, 30, 60, 90 and the last of 95; twice */
    assert_int_equal(dropped, 2 * (95 - 5));
    kept = lab_print(l->db,
                     "SELECT DISTINCT step FROM curves JOIN runs USING (run) "
                     "WHERE state = 'done' ORDER BY 1",
                     QUERY_CSV);
    assert_string_equal(kept, "step\n1\n30\n60\n90\n95\n");
    free(kept);
    /* running runs and evaluations are left alone */
    assert_number(l->db, "SELECT count(*) FROM curves WHERE step = 55", 1);
    assert_number(l->db, "SELECT count(*) FROM evaluations", 1);
    assert_int_equal(lab_check(l->db, NULL), 0);
}

static void thinning_by_logarithm_is_even(void **state)
{
    struct lab *l = *state;
    int64_t dropped;

    fill(l, 1, 1000);
    ok(db_thin(&dropped, l->db, &(struct retain){.per_decade = 10}, &err));
    assert_number(l->db,
                  "SELECT count(*) FROM curves WHERE step > 10 "
                  "AND step <= 100",
                  10);
    assert_number(l->db,
                  "SELECT count(*) FROM curves WHERE step > 100 "
                  "AND step <= 1000",
                  10);
}

/* A run over with a rule has what the rule keeps from then on, also when it is
 * made again from the journal; while it may go on it has all. */
static void a_run_keeps_what_its_study_asks(void **state)
{
    struct lab *l = *state;
    int64_t found;
    struct planned p = lab_run(0, 64, 1e-3, 99);
    struct db_eval v = {.run = p.id, .attempt = 2, .step = 3, .set = "valid"};
    struct db_outcome o = {.state = RUN_PENDING,
                           .steps = 95,
                           .tokens = 95,
                           .keep = {.every = 30, .per_decade = 1}};

    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    lab_begin(l, p.id);
    for (int i = 1; i <= 95; i++) {
        struct db_step s = {.run = p.id, .attempt = 1, .step = i, .loss = 1};
        ok(db_steps_add(l->db, &s, 1, &err));
    }
    ok(db_attempt_end(l->db, p.id, 1, &o, &err));
    assert_number(l->db, "SELECT count(*) FROM curves", 95);
    lab_begin(l, p.id);
    ok(db_evals_add(l->db, &v, 1, &err));
    o.state = RUN_DONE;
    ok(db_attempt_end(l->db, p.id, 2, &o, &err));
    assert_text(l->db, "SELECT group_concat(step) FROM curves",
                "1,10,30,60,90,95");
    assert_number(l->db, "SELECT count(*) FROM evaluations", 1);
    ok(db_check(&found, stdout, l->db, 1, &err));
    assert_int_equal(found, 0);
}

/* --- no room --- */

/* With a limit on the size of files, as on a full disk: whichever of the
 * database, its log and its journal meets it first, nothing is lost. */
static void no_room_is_told_and_survived(void **state)
{
    struct lab *l = *state;
    int status;
    pid_t pid;

    store_close(l->db);
    l->db = NULL;
    pid = fork();
    if (pid == 0) {
        struct rlimit r = {.rlim_max = RLIM_INFINITY};
        struct store *db;
        int kept = 0, failures = 0;
        signal(SIGXFSZ, SIG_IGN);
        if (store_open(&db, l->path, STORE_WRITE, &err))
            _exit(2);
        for (int room = 150; room <= 400; room += 50) {
            int rc = 0;
            r.rlim_cur = (rlim_t)room * 1024;
            setrlimit(RLIMIT_FSIZE, &r);
            for (int i = 0; i < 2000 && !rc; i++) {
                rc =
                    db_event(db, l->study, 0, "note",
                             "a text of some length, to use up the room", &err);
                kept += !rc;
            }
            failures += rc && err.cls == ERR_DB;
        }
        r.rlim_cur = RLIM_INFINITY;
        setrlimit(RLIMIT_FSIZE, &r);
        if (failures != 6 ||
            lab_number(db, "SELECT count(*) FROM events") != kept)
            _exit(3);
        if (db_event(db, l->study, 0, "note", "room again", &err))
            _exit(4);
        store_close(db);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    ok(store_open(&l->db, l->path, STORE_READ, &err));
    assert_int_equal(lab_check(l->db, NULL), 0);
    assert_text(l->db, "SELECT text FROM events ORDER BY event DESC",
                "room again");
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(each_kind_of_damage_is_found),
        STUDY(a_missing_or_damaged_journal_is_found),
        STUDY(a_backup_is_whole_and_alone),
        STUDY(vacuum_gives_room_back),
        STUDY(thinning_keeps_what_the_rule_says),
        STUDY(thinning_by_logarithm_is_even),
        STUDY(a_run_keeps_what_its_study_asks),
        STUDY(no_room_is_told_and_survived),
    };

    return cmocka_run_group_tests_name("upkeep", tests, NULL, NULL);
}
