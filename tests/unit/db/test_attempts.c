/* attempts: provenance, outcomes, the fence, recovery. */
#include "db/runs.h"

#include "lab.h"

static struct err err;

static void an_attempt_carries_its_provenance(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 1);
    struct db_attempt a = {.run = p.id,
                           .gang = 4,
                           .resumed_step = 10,
                           .host = "node7",
                           .build = "gcc 12 -O2",
                           .commit = "abc123",
                           .argv = "loglog run x.yaml",
                           .device = "cpu",
                           .ranks = "0-3",
                           .pid = 77};
    int64_t attempt;
    char *row;

    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    ok(db_attempt_begin(&attempt, l->db, &a, &err));
    assert_int_equal(attempt, 1);
    row = lab_print(l->db,
                    "SELECT state, gang, resumed_step, host, build, commit_id, "
                    "argv, device, ranks, pid, ended FROM attempts",
                    QUERY_CSV);
    assert_non_null(strstr(row, "\nrunning,4,10,node7,gcc 12 -O2,abc123,"
                                "loglog run x.yaml,cpu,0-3,77,\n"));
    free(row);
    assert_text(l->db, "SELECT state FROM runs", "running");
    refused(db_attempt_begin(&attempt, l->db, &a, &err), ERR_DB, "is running");
    a.run = 12345;
    refused(db_attempt_begin(&attempt, l->db, &a, &err), ERR_DB, "no run");
}

static void outcomes_become_states(void **state)
{
    static const struct {
        enum run_state to;
        int preempted;
        const char *run, *attempt;
        int failures, result;
    } rows[] = {
        {RUN_DONE, 0, "done", "done", 0, 1},
        {RUN_DIVERGED, 0, "diverged", "diverged", 0, 1},
        {RUN_FAILED, 0, "failed", "failed", 1, 1},
        {RUN_STOPPED, 0, "stopped", "stopped", 0, 1},
        {RUN_PENDING, 0, "pending", "failed", 1, 0},
        {RUN_PENDING, 1, "pending", "preempted", 0, 0},
    };
    struct lab *l = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct planned p = lab_run(0, 64, 1e-3, (int64_t)i);
        struct db_outcome o = {.state = rows[i].to,
                               .preempted = rows[i].preempted,
                               .reason = "because",
                               .steps = 60,
                               .tokens = 61440,
                               .loss = 1.75,
                               .bpb = 2.5,
                               .epochs = NAN};
        struct db_run *runs;
        char sql[256];
        size_t n;

        ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
        ok(db_attempt_end(l->db, p.id, lab_begin(l, p.id), &o, &err));
        ok(db_runs(&runs, &n, l->db, l->study, -1, &err));
        assert_string_equal(run_state_name(runs[i].state), rows[i].run);
        assert_int_equal(runs[i].failures, rows[i].failures);
        assert_int_equal(runs[i].attempts, 1);
        free(runs);
        snprintf(sql, sizeof sql,
                 "SELECT a.state FROM attempts a JOIN runs r USING (run) "
                 "WHERE r.seed = %zu",
                 i);
        assert_text(l->db, sql, rows[i].attempt);
        snprintf(sql, sizeof sql,
                 "SELECT bpb IS NOT NULL AND finished IS NOT NULL AND "
                 "reason = 'because' AND steps_done = 60 "
                 "AND tokens_done = 61440 FROM runs WHERE seed = %zu",
                 i);
        assert_number(l->db, sql, rows[i].result);
    }
    assert_number(l->db,
                  "SELECT count(*) FROM attempts WHERE epochs IS NOT NULL", 0);
}

static void late_reports_of_a_dead_attempt_are_refused(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 1);
    struct db_outcome o = {.state = RUN_DONE, .steps = 100, .bpb = 1};
    struct db_outcome again = {.state = RUN_PENDING, .reason = "killed"};
    int64_t first, second;

    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    first = lab_begin(l, p.id);
    ok(db_attempt_end(l->db, p.id, first, &again, &err));
    assert_int_equal(db_attempt_end(l->db, p.id, first, &o, &err), 1);
    assert_text(l->db, "SELECT state FROM runs", "pending");
    second = lab_begin(l, p.id);
    assert_int_equal(second, 2);
    assert_int_equal(db_attempt_end(l->db, p.id, first, &o, &err), 1);
    assert_text(l->db, "SELECT state FROM runs", "running");
    assert_text(l->db, "SELECT state FROM attempts WHERE attempt = 1",
                "failed");
    ok(db_attempt_end(l->db, p.id, second, &o, &err));
    assert_int_equal(db_attempt_end(l->db, p.id, second, &again, &err), 1);
    assert_text(l->db, "SELECT state FROM runs", "done");
    assert_number(l->db, "SELECT failures FROM runs", 1);
    refused(db_attempt_end(l->db, 999, 1, &o, &err), ERR_DB, "no run");
}

static void an_impossible_outcome_is_refused(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 1);
    struct db_outcome o = {.state = RUN_RUNNING};

    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    refused(db_attempt_end(l->db, p.id, lab_begin(l, p.id), &o, &err), ERR_DB,
            "cannot go from running to running");
    assert_text(l->db, "SELECT state FROM attempts", "running");
}

static void recovery_closes_what_a_dead_coordinator_left(void **state)
{
    struct lab *l = *state;
    struct planned p[3] = {lab_run(0, 64, 1e-3, 1), lab_run(0, 64, 1e-3, 2),
                           lab_run(0, 64, 1e-3, 3)};
    struct db_step s = {
        .run = p[1].id, .attempt = 1, .step = 33, .tokens = 33 * 1024};
    int n;

    ok(db_plan_put(l->db, l->study, "hyper", p, 3, &err));
    lab_end(l, p[0].id, lab_begin(l, p[0].id), RUN_DONE, NULL, 2.5);
    lab_begin(l, p[1].id);
    lab_begin(l, p[2].id);
    ok(db_steps_add(l->db, &s, 1, &err));
    ok(db_recover(&n, l->db, l->study, &err));
    assert_int_equal(n, 2);
    ok(db_recover(&n, l->db, l->study, &err));
    assert_int_equal(n, 0);
    assert_number(l->db, "SELECT count(*) FROM runs WHERE state = 'pending'",
                  2);
    assert_number(l->db, "SELECT sum(failures) FROM runs", 0);
    assert_number(l->db,
                  "SELECT count(*) FROM attempts WHERE state = 'preempted'", 2);
    assert_number(l->db, "SELECT steps_done FROM runs WHERE seed = 2", 33);
    assert_int_equal(lab_begin(l, p[1].id), 2);
}

static void failed_runs_are_tried_again_only_by_request(void **state)
{
    struct lab *l = *state;
    struct planned a = lab_run(0, 64, 1e-3, 1), b = lab_run(0, 64, 1e-3, 2);
    struct planned c = lab_run(0, 64, 1e-3, 3);
    struct db_attempt again = {.run = a.id, .gang = 1};
    int64_t attempt;
    int n;

    lab_result(l, &a, "hyper", RUN_FAILED, NAN);
    lab_result(l, &b, "hyper", RUN_DONE, 2.5);
    ok(db_plan_put(l->db, l->study, "hyper", &c, 1, &err));
    ok(db_run_stop(l->db, c.id, "not needed", &err));
    assert_text(l->db, "SELECT state || ' ' || reason FROM runs WHERE seed = 3",
                "stopped not needed");
    assert_int_equal(db_run_stop(l->db, b.id, "no", &err), 1);
    refused(db_attempt_begin(&attempt, l->db, &again, &err), ERR_DB,
            "is failed");
    ok(db_runs_retry(&n, l->db, l->study, &err));
    assert_int_equal(n, 2);
    assert_number(l->db, "SELECT failures FROM runs WHERE seed = 1", 0);
    ok(db_attempt_begin(&attempt, l->db, &again, &err));
    assert_int_equal(attempt, 2);
    assert_text(l->db, "SELECT state FROM runs WHERE seed = 2", "done");
}

/* One run by request: only where it makes sense, and nothing else changes. */
static void one_run_is_stopped_or_tried_again_by_request(void **state)
{
    static const struct {
        enum run_state is;
        int stop, retry; /* what they return */
    } cases[] = {
        {RUN_DONE, 1, 1},
        {RUN_DIVERGED, 1, 1},
        {RUN_FAILED, 0, 0},
        {RUN_PENDING, 0, 1},
    };
    struct lab *l = *state;
    enum run_state now;
    int64_t study;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct planned p = lab_run(0, 64, 1e-3, (int64_t)i + 1);

        if (cases[i].is == RUN_PENDING)
            ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
        else
            lab_result(l, &p, "hyper", cases[i].is, 2.5);
        assert_int_equal(db_run_retry(l->db, p.id, &err), cases[i].retry);
        assert_int_equal(db_run_stop(l->db, p.id, "skipped", &err),
                         cases[i].stop);
        ok(db_run_state(&now, &study, l->db, p.id, &err));
        assert_int_equal(now, cases[i].stop ? cases[i].is : RUN_STOPPED);
        assert_int_equal(study, l->study);
        if (!cases[i].stop)
            ok(db_run_retry(l->db, p.id, &err));
    }
    assert_number(l->db, "SELECT count(*) FROM runs WHERE state = 'pending'",
                  2);
    refused(db_run_state(&now, &study, l->db, 4711, &err), ERR_USAGE,
            "no run 4711");
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(an_attempt_carries_its_provenance),
        STUDY(outcomes_become_states),
        STUDY(late_reports_of_a_dead_attempt_are_refused),
        STUDY(an_impossible_outcome_is_refused),
        STUDY(recovery_closes_what_a_dead_coordinator_left),
        STUDY(failed_runs_are_tried_again_only_by_request),
        STUDY(one_run_is_stopped_or_tried_again_by_request),
    };

    return cmocka_run_group_tests_name("attempts", tests, NULL, NULL);
}
