/* points, and the views: the right numbers on a study made by hand. */
#include "db/points.h"

#include "lab.h"

static struct err err;

/* hyper (stage 0, budget 1e9): bpb 2.5 2.4 2.45, one diverged, one failed,
 * one pending.  isoflop (1): the run of 2.4 again, at budget 2e9, and 2.3.
 * predict (2): 1.9 at 1e12, [1.8, 2.0].  verify (3): 2.0 and 2.1 there. */
static int by_hand(void **state)
{
    static const double bpb[] = {2.5, 2.4, 2.45};
    struct planned p, best;
    struct lab *l;
    struct db_prediction f = {.bpb = 1.9, .bpb_lo = 1.8, .bpb_hi = 2.06};

    if (lab_study(state))
        return -1;
    l = *state;
    for (int i = 0; i < 3; i++) {
        p = lab_run(0, 64, 1e-3 * (i + 1), 1);
        lab_result(l, &p, "hyper", RUN_DONE, bpb[i]);
    }
    p = lab_run(0, 64, 8e-3, 1);
    lab_result(l, &p, "hyper", RUN_DIVERGED, 1.0);
    p = lab_run(0, 64, 9e-3, 1);
    lab_result(l, &p, "hyper", RUN_FAILED, 0.5);
    p = lab_run(0, 64, 7e-3, 1);
    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    best = lab_run(1, 64, 2e-3, 1);
    best.budget = 2e9;
    ok(db_plan_put(l->db, l->study, "isoflop", &best, 1, &err));
    p = lab_run(1, 96, 2e-3, 1);
    p.budget = 2e9;
    lab_result(l, &p, "isoflop", RUN_DONE, 2.3);
    p = lab_run(3, 96, 1.5e-3, 1);
    f.choice.flops = 1e12;
    f.choice.model = p.spec.model;
    f.choice.lr = 1.5e-3;
    f.choice.batch_tokens = 1024;
    f.json = xstrdup("{}");
    ok(db_prediction_put(l->db, l->study, 2, &f, &err));
    free(f.json);
    ok(db_stage_put(l->db, l->study, 3, "verify", "verify", "open", NULL,
                    &err));
    for (int i = 0; i < 2; i++) {
        p = lab_run(3, 96, 1.5e-3, 11 + i);
        p.budget = 1e12;
        lab_result(l, &p, "verify", RUN_DONE, 2.0 + 0.1 * i);
    }
    p = lab_run(3, 64, 1.5e-3, 1); /* another shape: does not count */
    p.budget = 1e12;
    lab_result(l, &p, "verify", RUN_DONE, 9.0);
    return 0;
}

static void points_are_finished_runs_with_reasons(void **state)
{
    struct lab *l = *state;
    struct db_point *p;
    size_t n;

    ok(db_points(&p, &n, l->db, l->study, "hyper", NULL, &err));
    assert_int_equal(n, 5);
    for (int i = 0; i < 3; i++) {
        struct planned want = lab_run(0, 64, 1e-3 * (i + 1), 1);
        struct model_count c;
        model_count(&c, &want.spec.model);
        assert_int_equal(p[i].run, want.id);
        assert_string_equal(p[i].stage, "hyper");
        assert_int_equal(p[i].used, 1);
        assert_string_equal(p[i].why, "");
        assert_true(p[i].lr == want.spec.optim.lr);
        assert_true(p[i].budget == 1e9);
        assert_true(p[i].M == c.M && p[i].N1 == c.N1 && p[i].N2 == c.N2);
        assert_true(p[i].D == 102400 && p[i].batch == 1024);
        assert_true(p[i].flops == want.flops);
        assert_true(p[i].flops_exact == c.exact * 102400);
        assert_true(p[i].d_model == 64 && p[i].n_layer == 2);
        assert_true(p[i].seed == 1 && p[i].steps == 100);
        assert_true(p[i].loss == p[i].bpb * log(2));
    }
    assert_true(p[1].bpb == 2.4);
    assert_int_equal(p[3].used, 0);
    assert_string_equal(p[3].why, "diverged: a reason");
    assert_int_equal(p[4].used, 0);
    assert_string_equal(p[4].why, "failed: a reason");
    free(p);
    ok(db_points(&p, &n, l->db, l->study, NULL, NULL, &err));
    assert_int_equal(n, 10); /* 5 + 2 + 3 */
    free(p);
    ok(db_points(&p, &n, l->db, l->study, "nothing", NULL, &err));
    assert_int_equal(n, 0);
    free(p);
}

static void a_condition_selects(void **state)
{
    static const struct {
        const char *where;
        size_t n;
    } rows[] = {
        {"used", 8},
        {"bpb < 2.45 AND stage = 'hyper'", 3},
        {"lr BETWEEN 1e-3 AND 2e-3 -- the small ones", 7},
        {"1 OR 1", 10},
        {"study = 'lab' AND flags IS NULL", 10},
        {"run IN (SELECT run FROM points WHERE seed = 12)", 1},
        {"0", 0},
    };
    struct lab *l = *state;
    struct db_point *p;
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ok(db_points(&p, &n, l->db, l->study, NULL, rows[i].where, &err));
        assert_int_equal(n, rows[i].n);
        free(p);
    }
}

static void a_condition_can_only_read(void **state)
{
    static const char *const bad[] = {
        "1); DELETE FROM run; --",
        "1); ATTACH '/tmp/x.db' AS x; --",
        "nonsense",
        "1 AND",
        "run IN (SELECT load_extension('x'))",
        ")",
        "(",
        "",
    };
    struct lab *l = *state;
    struct db_point *p;
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(db_points(&p, &n, l->db, l->study, NULL, bad[i], &err),
                         -1);
        assert_int_equal(err.cls, ERR_USAGE);
        assert_non_null(strstr(err.text, "condition '"));
    }
    /* writing goes on afterwards, on the same connection */
    assert_number(l->db, "SELECT count(DISTINCT run) FROM runs", 10);
    ok(db_event(l->db, l->study, 0, "note", "still here", &err));
}

static void optima_are_the_best_with_their_lead(void **state)
{
    struct lab *l = *state;

    assert_number(l->db, "SELECT count(*) FROM optima", 3);
    assert_number(l->db, "SELECT bpb FROM optima WHERE stage = 'hyper'", 2.4);
    assert_number(l->db, "SELECT lr FROM optima WHERE stage = 'hyper'", 2e-3);
    assert_number(l->db, "SELECT gap FROM optima WHERE stage = 'hyper'",
                  2.45 / 2.4 - 1);
    assert_number(l->db, "SELECT candidates FROM optima WHERE stage = 'hyper'",
                  3); /* neither the diverged 1.0 nor the failed 0.5 */
    assert_number(l->db, "SELECT bpb FROM optima WHERE stage = 'isoflop'", 2.3);
    assert_number(l->db, "SELECT budget FROM optima WHERE stage = 'isoflop'",
                  2e9);
}

/* Runs of equal loss: the first planned wins, whatever its id, and the
 * runner-up is not ahead. */
static void the_first_of_equals_is_the_optimum(void **state)
{
    struct lab *l = *state;

    for (int i = 0; i < 8; i++) {
        struct planned p = lab_run(0, 64, 2e-3, 20 + i);
        p.budget = 3e9;
        lab_result(l, &p, "hyper", RUN_DONE, i ? 2.2 : 2.25);
    }
    assert_number(l->db, "SELECT seed FROM optima WHERE budget = 3e9", 21);
    assert_number(l->db, "SELECT gap FROM optima WHERE budget = 3e9", 0);
    assert_number(l->db, "SELECT candidates FROM optima WHERE budget = 3e9", 8);
    assert_text(l->db,
                "SELECT budget FROM optima WHERE run = "
                "(SELECT run FROM points WHERE seed = 21)",
                "3000000000");
    assert_text(l->db,
                "SELECT count(*) FROM optima WHERE run = "
                "(SELECT run FROM points WHERE seed = 22)",
                "0");
}

static void predictions_stand_beside_what_was_measured(void **state)
{
    struct lab *l = *state;

    assert_number(l->db, "SELECT count(*) FROM predictions", 1);
    assert_number(l->db, "SELECT runs FROM predictions", 2);
    assert_number(l->db, "SELECT measured FROM predictions", 2.05);
    assert_number(l->db, "SELECT measured_max FROM predictions", 2.1);
    assert_number(l->db, "SELECT error_percent FROM predictions",
                  (2.05 / 1.9 - 1) * 100);
    assert_number(l->db, "SELECT inside FROM predictions", 1);
}

static void an_unverified_prediction_has_no_measurement(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 1);
    struct db_prediction f = {.choice = {.flops = 1e15, .model = p.spec.model},
                              .bpb = 1.5,
                              .json = xstrdup("{}")};

    ok(db_prediction_put(l->db, l->study, 2, &f, &err));
    free(f.json);
    assert_number(l->db, "SELECT runs FROM predictions WHERE flops = 1e15", 0);
    assert_number(l->db,
                  "SELECT measured IS NULL AND error_percent IS NULL AND "
                  "inside IS NULL FROM predictions WHERE flops = 1e15",
                  1);
}

static void cost_counts_what_was_thrown_away(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(4, 64, 1e-3, 77);
    struct db_outcome crash = {.state = RUN_PENDING, .steps = 60};
    struct db_outcome end = {.state = RUN_DONE,
                             .steps = 100,
                             .tokens = 102400,
                             .bpb = 2.5,
                             .loss = 1.7,
                             .train_seconds = 4};
    struct db_attempt a = {.run = p.id, .gang = 1, .resumed_step = 40};
    int64_t attempt;

    ok(db_plan_put(l->db, l->study, "extra", &p, 1, &err));
    ok(db_attempt_end(l->db, p.id, lab_begin(l, p.id), &crash, &err));
    ok(db_attempt_begin(&attempt, l->db, &a, &err));
    ok(db_attempt_end(l->db, p.id, attempt, &end, &err));
    /* 60 + 60 steps were computed for a run of 100 */
    assert_number(l->db, "SELECT flops FROM cost WHERE stage = 'extra'",
                  p.flops);
    assert_number(l->db, "SELECT flops_trained FROM cost WHERE stage = 'extra'",
                  p.flops * 1.2);
    assert_number(l->db, "SELECT flops_wasted FROM cost WHERE stage = 'extra'",
                  p.flops * 0.2);
    assert_number(l->db, "SELECT attempts FROM cost WHERE stage = 'extra'", 2);
    assert_number(l->db, "SELECT failures FROM cost WHERE stage = 'extra'", 1);
    assert_number(l->db, "SELECT train_seconds FROM cost WHERE stage = 'extra'",
                  4);
    /* of the hyper stage, the failed run came to nothing */
    assert_number(l->db, "SELECT runs FROM cost WHERE stage = 'hyper'", 6);
    assert_number(l->db, "SELECT results FROM cost WHERE stage = 'hyper'", 4);
    assert_number(l->db, "SELECT flops_wasted FROM cost WHERE stage = 'hyper'",
                  lab_run(0, 64, 9e-3, 1).flops);
}

#define HAND(f) cmocka_unit_test_setup_teardown(f, by_hand, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HAND(points_are_finished_runs_with_reasons),
        HAND(a_condition_selects),
        HAND(a_condition_can_only_read),
        HAND(optima_are_the_best_with_their_lead),
        HAND(the_first_of_equals_is_the_optimum),
        HAND(predictions_stand_beside_what_was_measured),
        HAND(an_unverified_prediction_has_no_measurement),
        HAND(cost_counts_what_was_thrown_away),
    };

    return cmocka_run_group_tests_name("points", tests, NULL, NULL);
}
