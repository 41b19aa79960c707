/* metrics: step rows survive attempts, NaN is NULL, strangers are left out. */
#include "db/metrics.h"

#include "lab.h"

static struct err err;

static struct planned one(struct lab *l)
{
    struct planned p = lab_run(0, 64, 3e-3, 1);

    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    return p;
}

static struct db_step step(int64_t run, int64_t attempt, int64_t k, double loss)
{
    return (struct db_step){.run = run,
                            .attempt = attempt,
                            .step = k,
                            .tokens = k * 1024,
                            .loss = loss,
                            .lr = 3e-3 * (k < 10 ? (double)k / 10 : 1),
                            .grad_norm = 0.123456789,
                            .seconds = 0.0125};
}

static void numbers_come_back(void **state)
{
    struct lab *l = *state;
    struct planned p = one(l);
    int64_t a = lab_begin(l, p.id);
    struct db_step s[3] = {step(p.id, a, 1, 5.5 + 1.0 / 3),
                           step(p.id, a, 2, 5.25), step(p.id, a, 20, 5.125)};

    s[1].tokens = 5; /* not step * batch_tokens */
    ok(db_steps_add(l->db, s, 3, &err));
    assert_number(l->db, "SELECT count(*) FROM curves", 3);
    assert_true(lab_number(l->db, "SELECT loss FROM curves WHERE step = 1") ==
                5.5 + 1.0 / 3); /* every bit */
    assert_number(l->db, "SELECT tokens FROM curves WHERE step = 1", 1024);
    assert_number(l->db, "SELECT tokens FROM curves WHERE step = 2", 5);
    assert_true(lab_number(l->db, "SELECT lr FROM curves WHERE step = 20") ==
                3e-3); /* the peak, every bit */
    close_to(lab_number(l->db, "SELECT lr FROM curves WHERE step = "
                               "1"),
             3e-4, 3e-12);
    close_to(lab_number(l->db, "SELECT grad_norm FROM curves WHERE step = 1"),
             0.123456789, 0.5e-7);
    assert_number(l->db, "SELECT seconds FROM curves WHERE step = 1", 0.0125);
    assert_number(l->db,
                  "SELECT c.flops / c.tokens = r.M FROM curves c JOIN runs r "
                  "USING (run) WHERE step = 1",
                  1);
}

static void not_finite_is_null(void **state)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    struct lab *l = *state;
    struct planned p = one(l);
    int64_t a = lab_begin(l, p.id);

    for (int i = 0; i < 3; i++) {
        struct db_step s = step(p.id, a, i + 1, bad[i]);
        struct db_eval v = {.run = p.id,
                            .attempt = a,
                            .step = i + 1,
                            .set = "valid",
                            .loss = bad[i],
                            .bpb = bad[i]};
        s.grad_norm = bad[i];
        ok(db_steps_add(l->db, &s, 1, &err));
        ok(db_evals_add(l->db, &v, 1, &err));
    }
    assert_number(l->db,
                  "SELECT count(*) FROM curves "
                  "WHERE loss IS NULL AND grad_norm IS NULL",
                  3);
    assert_number(l->db,
                  "SELECT count(*) FROM evaluations "
                  "WHERE loss IS NULL AND bpb IS NULL",
                  3);
}

static void huge_numbers_do_not_overflow(void **state)
{
    struct lab *l = *state;
    struct planned p = one(l);
    int64_t a = lab_begin(l, p.id);
    struct db_step s = step(p.id, a, 1, 1e300);

    s.grad_norm = 1e30;
    s.seconds = 1e9;
    ok(db_steps_add(l->db, &s, 1, &err));
    assert_number(l->db, "SELECT loss FROM curves", 1e300);
    assert_number(l->db, "SELECT grad_norm IS NULL FROM curves", 1);
    assert_number(l->db, "SELECT seconds FROM curves", 1e9);
}

/* Attempt 1 reaches 50, attempt 2 goes on from 40 and ends at 45. */
static void a_curve_has_each_step_once(void **state)
{
    struct lab *l = *state;
    struct planned p = one(l);
    struct db_outcome again = {.state = RUN_PENDING, .steps = 50};
    struct db_outcome end = {.state = RUN_DIVERGED, .steps = 45};
    int64_t a = lab_begin(l, p.id), b;
    struct db_eval v = {.run = p.id, .attempt = a, .step = 48, .set = "valid"};
    struct db_position at = {p.id, a, 48, "valid", 3, 4, 200, 1.5, 2.5};

    for (int64_t k = 1; k <= 50; k++) {
        struct db_step s = step(p.id, a, k, 1);
        ok(db_steps_add(l->db, &s, 1, &err));
    }
    ok(db_evals_add(l->db, &v, 1, &err));
    ok(db_positions_add(l->db, &at, 1, &err));
    ok(db_attempt_end(l->db, p.id, a, &again, &err));
    assert_number(l->db, "SELECT count(*) FROM curves", 50);
    assert_number(l->db, "SELECT loss FROM positions WHERE first = 3", 1.5);
    b = lab_begin(l, p.id);
    for (int64_t k = 41; k <= 45; k++) {
        struct db_step s = step(p.id, b, k, 2);
        ok(db_steps_add(l->db, &s, 1, &err));
        ok(db_steps_add(l->db, &s, 1, &err)); /* told twice, kept once */
    }
    assert_number(l->db, "SELECT count(*) FROM curves", 50);
    assert_number(l->db, "SELECT sum(loss) FROM curves", 45 + 2 * 5);
    assert_number(l->db,
                  "SELECT count(*) FROM curves WHERE attempt = 2 "
                  "AND step BETWEEN 41 AND 45",
                  5);
    ok(db_attempt_end(l->db, p.id, b, &end, &err));
    assert_number(l->db, "SELECT max(step) FROM curves", 45); /* no ghosts */
    assert_number(l->db, "SELECT count(*) FROM evaluations", 0);
    assert_number(l->db, "SELECT count(*) FROM positions", 0);
}

static void rows_of_dead_attempts_are_left_out(void **state)
{
    struct lab *l = *state;
    struct planned p = one(l);
    struct db_outcome again = {.state = RUN_PENDING};
    int64_t a = lab_begin(l, p.id), b;
    struct db_step s[2];
    struct db_eval v = {.run = p.id, .attempt = a, .step = 1, .set = "valid"};

    ok(db_attempt_end(l->db, p.id, a, &again, &err));
    s[0] = step(p.id, a, 1, 1);
    ok(db_steps_add(l->db, s, 1, &err)); /* nobody is running */
    b = lab_begin(l, p.id);
    s[1] = step(p.id, b, 2, 1);
    ok(db_steps_add(l->db, s, 2, &err));
    ok(db_evals_add(l->db, &v, 1, &err));
    assert_number(l->db, "SELECT sum(step) FROM curves", 2);
    assert_number(l->db, "SELECT count(*) FROM evaluations", 0);
    s[0].run = 4242;
    refused(db_steps_add(l->db, s, 1, &err), ERR_DB, "no run 4242");
}

/* A batch is all or nothing. */
static void a_bad_row_undoes_its_batch(void **state)
{
    struct lab *l = *state;
    struct planned p = one(l);
    int64_t a = lab_begin(l, p.id);
    struct db_step s[2] = {step(p.id, a, 1, 1), step(77, a, 1, 1)};

    refused(db_steps_add(l->db, s, 2, &err), ERR_DB, "no run 77");
    assert_number(l->db, "SELECT count(*) FROM curves", 0);
}

static void evaluations_are_kept_by_set(void **state)
{
    struct lab *l = *state;
    struct planned p = one(l);
    int64_t a = lab_begin(l, p.id);
    struct db_eval v[2] = {{.run = p.id,
                            .attempt = a,
                            .step = 50,
                            .tokens = 51200,
                            .set = "valid",
                            .loss = 1.0 / 3,
                            .bpb = 2.0 / 3,
                            .seconds = 0.25,
                            .eval_tokens = 4096},
                           {.run = p.id,
                            .attempt = a,
                            .step = 50,
                            .tokens = 51200,
                            .set = "ood",
                            .loss = 3,
                            .bpb = 4,
                            .eval_tokens = 4096}};
    char *text;

    ok(db_evals_add(l->db, v, 2, &err));
    v[0].loss = 0.125; /* the last word counts */
    ok(db_evals_add(l->db, v, 2, &err));
    text = lab_print(l->db,
                     "SELECT valid_set, step, tokens, loss, bpb, seconds, "
                     "eval_tokens FROM evaluations ORDER BY 1",
                     QUERY_CSV);
    assert_string_equal(text,
                        "valid_set,step,tokens,loss,bpb,seconds,eval_tokens\n"
                        "ood,50,51200,3,4,0,4096\n"
                        "valid,50,51200,0.125,0.6666666666666666,0.25,4096\n");
    free(text);
}

/* Ten thousand rows of eight runs in turn: less than 40 bytes each. */
static void a_step_row_is_small(void **state)
{
    struct lab *l = *state;
    struct planned p[8];
    double before, after;
    struct db_step s[8 * 16];

    for (int i = 0; i < 8; i++)
        p[i] = lab_run(0, 64, 3e-3, i);
    ok(db_plan_put(l->db, l->study, "hyper", p, 8, &err));
    for (int i = 0; i < 8; i++)
        lab_begin(l, p[i].id);
    before = lab_number(l->db, "PRAGMA page_count");
    for (int64_t k = 0; k < 100; k++) {
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 16; j++)
                s[i * 16 + j] = step(p[i].id, 1, k * 16 + j + 1, 2.0 + 1.0 / 7);
        ok(db_steps_add(l->db, s, ARRAY_LEN(s), &err));
    }
    after = lab_number(l->db, "PRAGMA page_count");
    assert_number(l->db, "SELECT count(*) FROM curves", 12800);
    assert_true((after - before) * 4096 / 12800 < 40);
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(numbers_come_back),
        STUDY(not_finite_is_null),
        STUDY(huge_numbers_do_not_overflow),
        STUDY(a_curve_has_each_step_once),
        STUDY(rows_of_dead_attempts_are_left_out),
        STUDY(a_bad_row_undoes_its_batch),
        STUDY(evaluations_are_kept_by_set),
        STUDY(a_step_row_is_small),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
