/* journal and rebuild: the database comes back from the file beside it. */
#include "db/journal.h"

#include "db/rebuild.h"
#include "db/sql.h"
#include "db/upkeep.h"
#include "lab.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct err err;

static char *journal_of(struct lab *l)
{
    return db_journal_path(l->path);
}

static char *read_journal(struct lab *l, size_t *n)
{
    char *path = journal_of(l), *text;

    ok(file_read(&text, n, path, 1 << 24, &err));
    free(path);
    return text;
}

static void write_journal(struct lab *l, const char *text, size_t n)
{
    char *path = journal_of(l);

    ok(file_write(path, text, n, &err));
    free(path);
}

/* A study in which every operation happens at least once. */
static void live(struct lab *l)
{
    struct planned p = lab_run(0, 64, 1e-3, 1), q = lab_run(0, 64, 2e-3, 1);
    struct planned r = lab_run(0, 64, 3e-3, 1), s = lab_run(0, 64, 4e-3, 1);
    struct db_outcome again = {.state = RUN_PENDING,
                               .reason = "killed \xff\n",
                               .steps = 5,
                               .loss = NAN,
                               .bpb = NAN};
    struct db_fit f = {.law = "hyper", .method = "ols", .n = 3, .json = "{}"};
    struct db_prediction d = {.choice = {.flops = 1e12 / 3,
                                         .model = p.spec.model,
                                         .lr = 1e-3 / 3,
                                         .batch_tokens = 1024},
                              .bpb = 2.0 / 3,
                              .bpb_lo = NAN,
                              .json = xstrdup("{\"x\": \"y\"}")};
    struct db_step step[20];
    struct db_eval eval = {.run = p.id,
                           .attempt = 1,
                           .step = 20,
                           .set = "valid",
                           .loss = 1.0 / 3,
                           .bpb = NAN};
    struct db_position at = {p.id, 1, 20, "valid", 3, 4, 70, 1.0 / 3, NAN};
    int64_t attempt, id;
    int n;

    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    ok(db_plan_put(l->db, l->study, "hyper", &q, 1, &err));
    ok(db_plan_put(l->db, l->study, "hyper", &r, 1, &err));
    ok(db_plan_put(l->db, l->study, "hyper", &s, 1, &err));
    ok(db_stage_put(l->db, l->study, 0, "hyper", "hyper", "complete", "fine",
                    &err));
    attempt = lab_begin(l, p.id);
    for (int i = 0; i < 20; i++)
        step[i] = (struct db_step){.run = p.id,
                                   .attempt = attempt,
                                   .step = i + 1,
                                   .tokens = i == 3 ? 7 : (i + 1) * 1024,
                                   .loss = i == 4 ? NAN : 3.0 / (i + 1),
                                   .lr = i < 5 ? 1e-4 : 1e-3,
                                   .grad_norm = i == 6 ? INFINITY : 0.5,
                                   .seconds = 0.25};
    ok(db_steps_add(l->db, step, 20, &err));
    ok(db_evals_add(l->db, &eval, 1, &err));
    ok(db_positions_add(l->db, &at, 1, &err));
    lab_end(l, p.id, attempt, RUN_DONE, NULL, 2.5);
    attempt = lab_begin(l, q.id);
    ok(db_attempt_end(l->db, q.id, attempt, &again, &err));
    lab_end(l, q.id, lab_begin(l, q.id), RUN_FAILED, "gave up", NAN);
    ok(db_run_stop(l->db, r.id, "not needed", &err));
    ok(db_runs_retry(&n, l->db, l->study, &err));
    assert_int_equal(n, 2);
    ok(db_run_stop(l->db, r.id, "skipped", &err));
    ok(db_run_retry(l->db, r.id, &err));
    lab_begin(l, s.id);
    ok(db_recover(&n, l->db, l->study, &err));
    ok(db_fit_put(&id, l->db, l->study, &f, &err));
    ok(db_prediction_put(l->db, l->study, 1, &d, &err));
    free(d.json);
    ok(db_event(l->db, l->study, p.id, "fault", "something \"happened\"",
                &err));
    ok(db_study_put(&id, l->db, "second", "a: 1\n", 0, &err));
    ok(db_study_put(&id, l->db, "second", "a: 2\n", 1, &err));
    lab_begin(l, r.id); /* still running when the writer is gone */
}

static int64_t problems(struct lab *l)
{
    struct store *db;
    char *text = NULL;
    size_t n;
    int64_t found;
    FILE *f = open_memstream(&text, &n);

    ok(store_open(&db, l->path, STORE_READ, &err));
    ok(db_check(&found, f, db, 1, &err));
    store_close(db);
    fclose(f);
    if (found)
        print_message("%s", text);
    free(text);
    return found;
}

static void every_operation_is_replayed(void **state)
{
    struct lab *l = *state;

    live(l);
    assert_int_equal(problems(l), 0); /* deep: compares every row */
    store_close(l->db);
    l->db = NULL;
    assert_int_equal(problems(l), 0);
}

static void a_journal_made_anew_says_the_same(void **state)
{
    struct lab *l = *state;

    live(l);
    ok(db_journal(l->db, 1, &err));
    ok(db_event(l->db, l->study, 0, "note", "after", &err));
    assert_int_equal(problems(l), 0);
}

static void what_is_rolled_back_is_not_in_it(void **state)
{
    struct lab *l = *state;
    char *text;
    size_t n;

    ok(store_begin(l->db, &err));
    ok(db_event(l->db, l->study, 0, "note", "kept", &err));
    ok(store_begin(l->db, &err));
    ok(db_event(l->db, l->study, 0, "note", "inner, undone", &err));
    store_rollback(l->db);
    assert_int_equal(db_event(l->db, l->study, 77, "note", "refused", &err),
                     -1);
    ok(store_commit(l->db, &err));
    ok(store_begin(l->db, &err));
    ok(db_event(l->db, l->study, 0, "note", "outer, undone", &err));
    store_rollback(l->db);
    text = read_journal(l, &n);
    assert_non_null(strstr(text, "kept"));
    assert_null(strstr(text, "undone"));
    assert_null(strstr(text, "refused"));
    free(text);
    assert_int_equal(problems(l), 0);
}

static void a_line_that_was_never_committed_is_cut_off(void **state)
{
    static const char *const tails[] = {
        "{\"n\":99,\"ops\":[{\"op\":\"ev", /* torn */
        "{\"n\":2,\"ops\":[],\"xxh3\":\"0000000000000000\"}\n",
    };
    struct lab *l = *state;
    char *text, *both;
    size_t n, m;

    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        store_close(l->db);
        text = read_journal(l, &n);
        both = xmalloc(n + strlen(tails[i]));
        memcpy(both, text, n);
        memcpy(both + n, tails[i], strlen(tails[i]));
        write_journal(l, both, n + strlen(tails[i]));
        ok(store_open(&l->db, l->path, STORE_WRITE, &err));
        free(both);
        both = read_journal(l, &m);
        assert_int_equal(m, n);
        assert_memory_equal(both, text, n);
        free(text);
        free(both);
        ok(db_event(l->db, l->study, 0, "note", "goes on", &err));
        assert_int_equal(problems(l), 0);
    }
}

static void a_journal_that_does_not_fit_is_made_anew(void **state)
{
    struct lab *l = *state;
    char *path = journal_of(l), *text;
    size_t n;

    live(l);
    for (int how = 0; how < 3; how++) {
        store_close(l->db);
        text = read_journal(l, &n);
        if (how == 0) {
            unlink(path);
        } else if (how == 1) {
            write_journal(l, text, n / 2);
        } else { /* of another file: another id */
            memcpy(strstr(text, "\"id\":\"") + 6, "0123456789abcdef", 16);
            write_journal(l, text, n);
        }
        free(text);
        ok(store_open(&l->db, l->path, STORE_WRITE, &err));
        assert_int_equal(problems(l), 0);
    }
    free(path);
}

static void a_journal_can_be_done_without(void **state)
{
    struct lab *l = *state;
    char *path = journal_of(l);

    ok(db_journal(l->db, 0, &err));
    assert_false(file_exists(path));
    live(l);
    store_close(l->db);
    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
    assert_false(file_exists(path));
    assert_int_equal(problems(l), 0);
    free(path);
}

/* The database is lost; every committed row comes back. */
static void a_lost_database_is_rebuilt(void **state)
{
    struct lab *l = *state;
    char *path = journal_of(l), *before, *after;
    char out[128];
    struct rebuild r;
    static const char *const sql =
        "SELECT run, state, reason, bpb, steps_done, attempts, failures, "
        "added, finished FROM runs ORDER BY ord";

    live(l);
    before = lab_print(l->db, sql, QUERY_CSV);
    store_close(l->db);
    l->db = NULL;
    ok(file_write(l->path, "garbage", 7, &err));
    snprintf(out, sizeof out, "%s.new", l->path);
    ok(db_rebuild(&r, path, out, &err));
    assert_int_equal(r.bad, 0);
    ok(store_open(&l->db, out, STORE_READ, &err));
    after = lab_print(l->db, sql, QUERY_CSV);
    assert_string_equal(before, after);
    assert_number(l->db, "SELECT count(*) FROM curves", 20);
    assert_text(l->db, "SELECT text FROM events WHERE kind = 'fault'",
                "something \"happened\"");
    refused(db_rebuild(&r, path, out, &err), ERR_USAGE, "is there already");
    free(before);
    free(after);
    free(path);
}

static void a_rebuilt_database_is_put_in_place(void **state)
{
    struct lab *l = *state;
    char *path = journal_of(l), out[128], aside[128];
    struct rebuild r;

    live(l);
    snprintf(out, sizeof out, "%s.new", l->path);
    snprintf(aside, sizeof aside, "%s.damaged", l->path);
    ok(db_rebuild(&r, path, out, &err));
    /* not while we are writing to it */
    refused(db_put_in_place(l->path, out, &err), ERR_DB, "another process");
    assert_true(file_exists(out));
    store_close(l->db);
    l->db = NULL;
    ok(file_write(l->path, "garbage", 7, &err));
    ok(db_put_in_place(l->path, out, &err));
    assert_false(file_exists(out));
    assert_true(file_exists(aside));
    assert_int_equal(problems(l), 0);
    /* what was set aside is not overwritten */
    ok(db_rebuild(&r, path, out, &err));
    refused(db_put_in_place(l->path, out, &err), ERR_DB, "there already");
    assert_int_equal(problems(l), 0);
    free(path);
}

/* One byte changed in each line in turn: everything before it comes back. */
static void damage_in_a_journal_is_found_where_it_is(void **state)
{
    struct lab *l = *state;
    char *path = journal_of(l), *text, *line, out[128];
    struct rebuild r;
    int64_t n = 0;
    size_t len;

    live(l);
    store_close(l->db);
    l->db = NULL;
    text = read_journal(l, &len);
    for (line = text; *line; line = strchr(line, '\n') + 1) {
        char was = line[10];
        snprintf(out, sizeof out, "%s.%lld", l->path, (long long)n++);
        line[10] = was == '7' ? '8' : '7';
        write_journal(l, text, len);
        ok(db_rebuild(&r, path, out, &err));
        assert_int_equal(r.bad, n);
        assert_int_equal(r.lines, n - 1);
        assert_false(r.torn);
        assert_non_null(strstr(r.why, "checksum"));
        line[10] = was;
    }
    assert_true(n > 15);
    write_journal(l, text, len - 5);
    snprintf(out, sizeof out, "%s.torn", l->path);
    ok(db_rebuild(&r, path, out, &err));
    assert_int_equal(r.bad, n);
    assert_true(r.torn);
    free(text);
    free(path);
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(every_operation_is_replayed),
        STUDY(a_journal_made_anew_says_the_same),
        STUDY(what_is_rolled_back_is_not_in_it),
        STUDY(a_line_that_was_never_committed_is_cut_off),
        STUDY(a_journal_that_does_not_fit_is_made_anew),
        STUDY(a_journal_can_be_done_without),
        STUDY(a_lost_database_is_rebuilt),
        STUDY(a_rebuilt_database_is_put_in_place),
        STUDY(damage_in_a_journal_is_found_where_it_is),
    };

    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
