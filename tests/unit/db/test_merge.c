/* merge: studies of several allocations in one file. */
#include "lab.h"

static struct err err;

/* Another database with the same study: `path` of it. */
static struct store *second(struct lab *l, char path[128], int64_t *study,
                            const char *text)
{
    struct store *db;

    snprintf(path, 128, "%s/second.db", l->dir);
    ok(store_open(&db, path, STORE_WRITE, &err));
    ok(db_study_put(study, db, "lab", text, 0, &err));
    return db;
}

static struct merge merge_from(struct lab *l, const char *path,
                               const char *expected)
{
    struct merge m;
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    ok(db_merge(&m, f, l->db, path, &err));
    fclose(f);
    if (!strstr(text, expected))
        fail_msg("'%s' does not say '%s'", text, expected);
    free(text);
    assert_int_equal(lab_check(l->db, NULL), 0);
    return m;
}

static void studies_of_two_allocations_become_one(void **state)
{
    struct lab *l = *state, other = {0};
    struct planned p = lab_run(0, 64, 1e-3, 1), q = lab_run(0, 64, 2e-3, 1);
    struct planned r = lab_run(0, 64, 3e-3, 1), s = lab_run(1, 64, 4e-3, 1);
    struct db_step step = {.run = q.id, .attempt = 1, .step = 1, .loss = 7};
    struct db_eval eval = {.run = q.id, .attempt = 1, .step = 2, .set = "v"};
    struct db_position at = {q.id, 1, 2, "v", 1, 1, 9, 1.5, 2.5};
    struct db_outcome again = {.state = RUN_PENDING, .steps = 1};
    char path[128];
    struct merge m;

    /* here: p done, q tried once in vain, r pending */
    lab_result(l, &p, "hyper", RUN_DONE, 2.5);
    ok(db_plan_put(l->db, l->study, "hyper", &q, 1, &err));
    ok(db_plan_put(l->db, l->study, "hyper", &r, 1, &err));
    ok(db_attempt_end(l->db, q.id, lab_begin(l, q.id), &again, &err));
    /* there: p the same, q done, r pending, s new and running */
    other.db = second(l, path, &other.study, "study: lab\n");
    lab_result(&other, &p, "hyper", RUN_DONE, 2.5);
    ok(db_plan_put(other.db, other.study, "hyper", &q, 1, &err));
    lab_begin(&other, q.id);
    ok(db_steps_add(other.db, &step, 1, &err));
    ok(db_evals_add(other.db, &eval, 1, &err));
    ok(db_positions_add(other.db, &at, 1, &err));
    lab_end(&other, q.id, 1, RUN_DONE, NULL, 2.25);
    ok(db_plan_put(other.db, other.study, "hyper", &r, 1, &err));
    ok(db_plan_put(other.db, other.study, "isoflop", &s, 1, &err));
    ok(db_event(other.db, other.study, q.id, "note", "from there", &err));
    lab_begin(&other, s.id);
    store_close(other.db);

    m = merge_from(l, path, "");
    assert_int_equal(m.studies, 1);
    assert_int_equal(m.runs, 1);
    assert_int_equal(m.completed, 1);
    assert_int_equal(m.same, 1);
    assert_int_equal(m.conflicts, 0);
    assert_number(l->db, "SELECT count(*) FROM runs", 4);
    assert_text(l->db, "SELECT state FROM runs WHERE lr = 2e-3", "done");
    assert_number(l->db, "SELECT bpb FROM runs WHERE lr = 2e-3", 2.25);
    assert_number(l->db, "SELECT attempts FROM runs WHERE lr = 2e-3", 2);
    assert_number(l->db, "SELECT attempt FROM curves WHERE loss = 7", 2);
    assert_number(l->db, "SELECT attempt FROM evaluations", 2);
    assert_number(l->db, "SELECT attempt FROM positions WHERE bpb = 2.5", 2);
    assert_text(l->db, "SELECT state FROM runs WHERE lr = 3e-3", "pending");
    assert_text(l->db, "SELECT state FROM runs WHERE lr = 4e-3", "pending");
    assert_text(l->db, "SELECT stage FROM runs WHERE lr = 4e-3", "isoflop");
    assert_number(l->db,
                  "SELECT count(*) FROM events WHERE text = 'from there'", 1);
    m = merge_from(l, path, ""); /* nothing new */
    assert_int_equal(m.runs + m.completed + m.conflicts, 0);
    assert_int_equal(m.same, 2);
    assert_number(l->db, "SELECT count(*) FROM events WHERE kind = 'note'", 1);
}

static void contradictions_are_reported_and_left(void **state)
{
    struct lab *l = *state, other = {0};
    struct planned p = lab_run(0, 64, 1e-3, 1);
    struct db_prediction f = {.choice = {.flops = 1e12, .model = p.spec.model},
                              .bpb = 2,
                              .json = xstrdup("{\"here\": 1}")};
    char path[128];

    lab_result(l, &p, "hyper", RUN_DONE, 2.5);
    ok(db_prediction_put(l->db, l->study, 2, &f, &err));
    other.db = second(l, path, &other.study, "study: lab\n");
    lab_result(&other, &p, "hyper", RUN_DONE, 2.375);
    free(f.json);
    f.json = xstrdup("{\"there\": 1}");
    ok(db_prediction_put(other.db, other.study, 2, &f, &err));
    store_close(other.db);
    free(f.json);
    assert_int_equal(
        merge_from(l, path, "done at bpb 2.5 here, done at 2.375 there")
            .conflicts,
        2);
    merge_from(l, path, "prediction at ");
    assert_number(l->db, "SELECT bpb FROM runs", 2.5);
    assert_number(l->db, "SELECT count(*) FROM predictions", 1);
}

static void another_study_of_the_same_name_gets_another_name(void **state)
{
    struct lab *l = *state, other = {0};
    struct planned p = lab_run(0, 64, 1e-3, 1);
    char path[128];
    struct merge m;
    int64_t third;

    other.db = second(l, path, &other.study, "study: lab\nother: 1\n");
    lab_result(&other, &p, "hyper", RUN_DONE, 2.375);
    store_close(other.db);
    ok(db_study_put(&third, l->db, "lab-2", "study: lab-2\n", 0, &err));
    for (int again = 0; again < 2; again++) {
        m = merge_from(l, path,
                       "study lab: another study file there; here it is lab-3");
        assert_int_equal(m.conflicts, 0);
        assert_number(l->db, "SELECT count(*) FROM study", 3);
        assert_text(l->db, "SELECT resolved FROM study WHERE name = 'lab-3'",
                    "study: lab\nother: 1\n");
        assert_number(l->db, "SELECT count(*) FROM runs", 1);
        assert_text(l->db, "SELECT study FROM runs", "lab-3");
        assert_text(l->db, "SELECT stage FROM runs", "hyper");
    }
}

static void what_is_no_database_cannot_be_merged(void **state)
{
    struct lab *l = *state;
    struct merge m;

    refused(db_merge(&m, stdout, l->db, "/etc/passwd", &err), ERR_DB,
            "not a loglog database");
    ok(db_event(l->db, l->study, 0, "note", "goes on", &err));
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(studies_of_two_allocations_become_one),
        STUDY(contradictions_are_reported_and_left),
        STUDY(another_study_of_the_same_name_gets_another_name),
        STUDY(what_is_no_database_cannot_be_merged),
    };

    return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
