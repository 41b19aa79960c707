/* runs: studies, plans, events. */
#include "db/runs.h"

#include "db/metrics.h"

#include "lab.h"

static struct err err;

/* --- studies --- */

static void a_study_is_found_again_and_not_changed(void **state)
{
    struct lab *l = *state;
    int64_t a, b;
    char *text;

    ok(db_study_put(&a, l->db, "s", "one: 1\ntwo: 2\nthree: 3\n", 0, &err));
    ok(db_study_put(&b, l->db, "s", "one: 1\ntwo: 2\nthree: 3\n", 0, &err));
    assert_int_equal(a, b);
    refused(db_study_put(&b, l->db, "s", "one: 1\ntwo: 5\nthree: 3\n", 0, &err),
            ERR_USAGE, "line 2 was 'two: 2', is now 'two: 5'");
    refused(db_study_put(&b, l->db, "s", "one: 1\ntwo: 2\n", 0, &err),
            ERR_USAGE, "line 3 was 'three: 3', is now ''");
    refused(db_study_put(&b, l->db, "s", "one: 1\ntwo: 2\nthree: 3", 0, &err),
            ERR_USAGE, "only line ends differ");
    ok(db_study_text(&text, l->db, a, &err));
    assert_string_equal(text, "one: 1\ntwo: 2\nthree: 3\n");
    free(text);
    refused(db_study_text(&text, l->db, 99, &err), ERR_DB, "no study");
}

static void the_only_study_needs_no_name(void **state)
{
    struct lab *l = *state;
    int64_t id, second;

    ok(db_study_find(&id, l->db, NULL, &err));
    assert_int_equal(id, l->study);
    ok(db_study_put(&second, l->db, "other", "x: 1\n", 0, &err));
    refused(db_study_find(&id, l->db, NULL, &err), ERR_USAGE,
            "which study? There are: lab, other");
    ok(db_study_find(&id, l->db, "other", &err));
    assert_int_equal(id, second);
    refused(db_study_find(&id, l->db, "lb", &err), ERR_USAGE, "lab, other");
}

static void an_empty_database_has_no_study(void **state)
{
    struct lab *l = *state;
    int64_t id;

    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
    refused(db_study_find(&id, l->db, NULL, &err), ERR_DB, "no study in it");
}

static void a_replaced_study_keeps_its_runs(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 1);
    struct db_run *runs;
    int64_t id;
    size_t n;

    lab_result(l, &p, "hyper", RUN_DONE, 2.5);
    ok(db_study_put(&id, l->db, "lab", "study: lab\nmore: 1\n", 1, &err));
    assert_int_equal(id, l->study);
    ok(db_runs(&runs, &n, l->db, id, -1, &err));
    assert_int_equal(n, 0);
    free(runs);
    assert_text(l->db, "SELECT text FROM events WHERE kind = 'note'",
                "study replaced: line 2 was '', is now 'more: 1'");
    ok(db_plan_put(l->db, id, "hyper", &p, 1, &err));
    ok(db_runs(&runs, &n, l->db, id, -1, &err));
    assert_int_equal(n, 1);
    assert_int_equal(runs[0].state, RUN_DONE); /* nothing to train again */
    free(runs);
}

/* --- plans --- */

static void a_plan_reads_back_in_order(void **state)
{
    struct lab *l = *state;
    struct planned p[3] = {lab_run(0, 64, 1e-3, 1), lab_run(0, 32, 2e-3, 1),
                           lab_run(0, 64, 2e-3, 7)};
    struct planned later = lab_run(1, 128, 1e-3, 1);
    struct db_run *runs;
    size_t n;

    p[1].flags = PLAN_FEW_STEPS | PLAN_WARMUP;
    p[1].epochs = 1.25;
    p[1].seconds = 17.5;
    p[1].extension = 2;
    p[1].budget = 3.1e9;
    ok(db_plan_put(l->db, l->study, "hyper", p, 3, &err));
    ok(db_plan_put(l->db, l->study, "hyper", p, 3, &err)); /* nothing new */
    ok(db_plan_put(l->db, l->study, "isoflop", &later, 1, &err));
    ok(db_runs(&runs, &n, l->db, l->study, -1, &err));
    assert_int_equal(n, 4);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(runs[i].id, p[i].id);
        assert_int_equal(runs[i].state, RUN_PENDING);
        assert_int_equal(runs[i].attempts, 0);
        assert_int_equal(spec_id(&runs[i].plan.spec), p[i].id);
        assert_int_equal(runs[i].plan.id, p[i].id);
        assert_true(runs[i].plan.flops == p[i].flops);
        assert_true(runs[i].plan.budget == p[i].budget);
    }
    assert_int_equal(runs[1].plan.flags, PLAN_FEW_STEPS | PLAN_WARMUP);
    assert_true(runs[1].plan.epochs == 1.25);
    assert_true(runs[1].plan.seconds == 17.5);
    assert_int_equal(runs[1].plan.extension, 2);
    assert_int_equal(runs[3].plan.stage, 1);
    free(runs);
    ok(db_runs(&runs, &n, l->db, l->study, 1, &err));
    assert_int_equal(n, 1);
    assert_int_equal(runs[0].id, later.id);
    free(runs);
    ok(db_runs(&runs, &n, l->db, l->study, 7, &err));
    assert_int_equal(n, 0);
    free(runs);
}

/* Three runs share their first steps: one trains them, the curves of the others
 * have them too, and the cost counts them once. */
static void first_steps_are_shared(void **state)
{
    struct lab *l = *state;
    struct planned p[4] = {lab_run(0, 64, 1e-3, 1), lab_run(0, 64, 1e-3, 2),
                           lab_run(0, 64, 1e-3, 3), lab_run(0, 64, 1e-3, 4)};
    struct db_outcome end = {
        .state = RUN_DONE, .steps = 100, .tokens = 102400, .bpb = 2};
    struct db_run *runs;
    int64_t attempt;
    size_t n;

    for (int i = 0; i < 3; i++)
        p[i].family = 5;
    for (int i = 1; i < 3; i++) {
        p[i].trunk = p[0].id;
        p[i].trunk_step = 60;
    }
    ok(db_plan_put(l->db, l->study, "hyper", p, 4, &err));
    ok(db_runs(&runs, &n, l->db, l->study, 0, &err));
    assert_true(runs[1].plan.trunk == p[0].id && runs[0].plan.trunk == 0);
    assert_true(runs[2].plan.trunk_step == 60 && runs[2].plan.family == 5);
    free(runs);
    for (int i = 0; i < 4; i++) {
        int from = p[i].trunk ? 61 : 1;

        attempt = lab_begin(l, p[i].id);
        for (int k = from; k <= 100; k++)
            ok(db_steps_add(l->db,
                            &(struct db_step){.run = p[i].id,
                                              .attempt = attempt,
                                              .step = k,
                                              .tokens = k * 1024,
                                              .loss = 3,
                                              .lr = 1e-3},
                            1, &err));
        end.begun = 1;
        end.resumed = from - 1;
        ok(db_attempt_end(l->db, p[i].id, attempt, &end, &err));
    }
    assert_number(l->db, "SELECT count(*) FROM curves", 400);
    assert_number(l->db, "SELECT count(DISTINCT cluster) FROM points", 1);
    assert_number(l->db, "SELECT count(cluster) FROM points", 3);
    assert_number(l->db, "SELECT flops_shared / flops FROM cost", 0.3);
    assert_number(l->db, "SELECT flops_trained / flops FROM cost", 0.7);
    assert_number(l->db, "SELECT flops_wasted FROM cost", 0);
}

static void numbers_of_a_run_are_columns(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 3);
    struct model_count c;

    model_count(&c, &p.spec.model);
    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    assert_number(l->db, "SELECT M FROM runs", c.M);
    assert_number(l->db, "SELECT N1 FROM runs", c.N1);
    assert_number(l->db, "SELECT N2 FROM runs", c.N2);
    assert_number(l->db, "SELECT params FROM runs", c.params);
    assert_number(l->db, "SELECT D FROM runs", 102400);
    assert_number(l->db, "SELECT flops FROM runs", c.M * 102400);
    assert_number(l->db, "SELECT flops_exact FROM runs", c.exact * 102400);
    assert_number(l->db, "SELECT lr FROM runs", 1e-3);
    assert_number(l->db, "SELECT seed FROM runs", 3);
    assert_number(l->db, "SELECT batch_tokens FROM runs", 1024);
    assert_number(l->db, "SELECT steps FROM runs", 100);
    assert_text(l->db, "SELECT schedule FROM runs", "multi-step");
    assert_text(l->db, "SELECT family FROM runs", "deepseek-llm");
}

static void two_stages_share_a_run(void **state)
{
    struct lab *l = *state;
    struct planned a = lab_run(0, 64, 1e-3, 1), b = a;
    struct db_run *runs;
    size_t n;

    b.stage = 1;
    b.budget = 2e9;
    lab_result(l, &a, "hyper", RUN_DONE, 2.5);
    ok(db_plan_put(l->db, l->study, "isoflop", &b, 1, &err));
    ok(db_runs(&runs, &n, l->db, l->study, 1, &err));
    assert_int_equal(n, 1);
    assert_int_equal(runs[0].state, RUN_DONE);
    free(runs);
    assert_number(l->db, "SELECT count(*) FROM runs", 2);
    assert_number(l->db, "SELECT count(DISTINCT run) FROM runs", 1);
}

static void names_of_flags_are_those_of_the_plan(void **state)
{
    struct lab *l = *state;

    for (int bit = 0; bit < PLAN_FLAGS; bit++) {
        struct planned p = lab_run(0, 64, 1e-3, bit);
        char sql[96];
        p.flags = 1u << bit;
        ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
        snprintf(sql, sizeof sql, "SELECT flags FROM runs WHERE seed = %d",
                 bit);
        assert_text(l->db, sql, plan_flag_name[bit]);
    }
}

static void stages_keep_their_last_state(void **state)
{
    struct lab *l = *state;

    ok(db_stage_put(l->db, l->study, 2, "pred", "predict", "waiting", NULL,
                    &err));
    ok(db_stage_put(l->db, l->study, 2, "pred", NULL, "refused", "no optimum",
                    &err));
    assert_text(l->db,
                "SELECT stage || ' ' || kind || ' ' || state || ' ' || reason "
                "FROM stages",
                "pred predict refused no optimum");
    refused(
        db_stage_put(l->db, l->study, 2, "pred", NULL, "nonsense", NULL, &err),
        ERR_DB, "CHECK");
    refused(db_stage_put(l->db, 99, 0, "x", NULL, "open", NULL, &err), ERR_DB,
            "FOREIGN KEY");
}

static void events_are_told_in_order(void **state)
{
    struct lab *l = *state;
    char *text;

    ok(db_event(l->db, l->study, 0, "start", "one", &err));
    ok(db_event(l->db, 0, 0, "note", "two", &err));
    refused(db_event(l->db, l->study, 0, "gossip", "x", &err), ERR_DB, "CHECK");
    refused(db_event(l->db, l->study, 55, "note", "x", &err), ERR_DB,
            "FOREIGN KEY");
    text = lab_print(l->db, "SELECT study, run, kind, text FROM events",
                     QUERY_CSV);
    assert_string_equal(text,
                        "study,run,kind,text\nlab,,start,one\n,,note,two\n");
    free(text);
}

#define NEW(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)
#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(a_study_is_found_again_and_not_changed),
        STUDY(the_only_study_needs_no_name),
        NEW(an_empty_database_has_no_study),
        STUDY(a_replaced_study_keeps_its_runs),
        STUDY(a_plan_reads_back_in_order),
        STUDY(first_steps_are_shared),
        STUDY(numbers_of_a_run_are_columns),
        STUDY(two_stages_share_a_run),
        STUDY(names_of_flags_are_those_of_the_plan),
        STUDY(stages_keep_their_last_state),
        STUDY(events_are_told_in_order),
    };

    return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
