/* curve: a run's steps in few ranges, no spike lost. */
#include "db/curve.h"

#include "lab.h"

static struct err err;

/* A run of n steps: the loss falls as 1 / step, with a spike at `spike`. */
static int64_t put_steps(struct lab *l, int64_t n, int64_t spike)
{
    struct planned p = lab_run(0, 64, 1e-3, 1);
    struct db_step *s = xcalloc((size_t)n, sizeof *s);

    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    lab_begin(l, p.id);
    for (int64_t i = 0; i < n; i++)
        s[i] = (struct db_step){
            .run = p.id,
            .attempt = 1,
            .step = i + 1,
            .tokens = (i + 1) * 64,
            .loss = i + 1 == spike ? 100 : 2 + 1.0 / (double)(i + 1),
            .lr = 1e-3,
            .grad_norm = i + 1 == spike ? 50 : 1,
            .seconds = 0.5};
    ok(db_steps_add(l->db, s, (size_t)n, &err));
    free(s);
    return p.id;
}

static void few_steps_are_all_there(void **state)
{
    struct lab *l = *state;
    int64_t run = put_steps(l, 10, 0);
    struct db_curve c;

    ok(db_curve(&c, l->db, run, 0, 0, 50, 0, &err));
    assert_int_equal(c.n, 10);
    assert_int_equal(c.first, 1);
    assert_int_equal(c.last, 10);
    assert_false(c.thinned);
    for (size_t i = 0; i < c.n; i++) {
        assert_int_equal(c.at[i].step, i + 1);
        assert_true(c.at[i].loss == 2 + 1.0 / (double)(i + 1));
        assert_true(c.at[i].lo == c.at[i].loss && c.at[i].hi == c.at[i].loss);
        assert_true(c.at[i].tokens == 64.0 * (double)(i + 1));
        close_to(c.at[i].seconds, 0.5, 1e-9);
    }
    db_curve_release(&c);
}

static void a_range_has_mean_and_extent(void **state)
{
    struct lab *l = *state;
    int64_t run = put_steps(l, 1000, 137);
    struct db_curve c;

    for (int log = 0; log < 2; log++) {
        double most = 0;
        int64_t before = 0;
        ok(db_curve(&c, l->db, run, 0, 0, 20, log, &err));
        assert_true(c.n > 5 && c.n <= 20);
        assert_true(c.at[c.n - 1].step >= (log ? 800 : 1000));
        for (size_t i = 0; i < c.n; i++) {
            assert_true(c.at[i].step > before);
            assert_true(c.at[i].lo <= c.at[i].loss);
            assert_true(c.at[i].hi >= c.at[i].loss);
            most = fmax(most, c.at[i].hi);
            before = c.at[i].step;
        }
        assert_true(most == 100); /* the spike */
        db_curve_release(&c);
    }
    ok(db_curve(&c, l->db, run, 130, 140, 50, 0, &err)); /* a closer look */
    assert_int_equal(c.n, 11);
    assert_true(c.at[7].step == 137 && c.at[7].loss == 100);
    close_to(c.at[7].norm, 50, 1e-6);
    assert_int_equal(c.last, 1000);
    db_curve_release(&c);
}

/* The time does not grow with the run, and the answer says so. */
static void long_ranges_are_thinned(void **state)
{
    struct lab *l = *state;
    int64_t run = put_steps(l, 5000, 0);
    struct db_curve c;

    ok(db_curve(&c, l->db, run, 0, 0, 4, 0, &err));
    assert_int_equal(c.n, 4);
    assert_true(c.thinned);
    assert_int_equal(c.at[0].step, CURVE_READ);
    assert_int_equal(c.at[1].step, 1250 + CURVE_READ);
    db_curve_release(&c);
}

static void evaluations_that_are_finite_are_beside_it(void **state)
{
    struct lab *l = *state;
    int64_t run = put_steps(l, 10, 0);
    struct db_eval v[] = {
        {.run = run, .attempt = 1, .step = 5, .set = "valid"},
        {.run = run, .attempt = 1, .step = 10, .set = "ood"},
        {.run = run, .attempt = 1, .step = 10, .set = "valid"}};
    struct db_curve c;

    v[0].loss = v[0].bpb = NAN;
    v[1].loss = v[2].loss = 4;
    v[1].bpb = v[2].bpb = 3;
    ok(db_evals_add(l->db, v, 3, &err));
    ok(db_curve(&c, l->db, run, 0, 0, 4, 1, &err));
    assert_int_equal(c.n_eval, 0); /* not asked for */
    ok(db_curve_evals(&c, l->db, run, &err));
    assert_int_equal(c.n_eval, 2);
    assert_string_equal(c.eval[0].set, "ood");
    assert_true(c.eval[1].step == 10 && c.eval[1].bpb == 3);
    db_curve_release(&c);
}

static void what_is_not_there_is_empty(void **state)
{
    struct lab *l = *state;
    struct db_curve c;

    ok(db_curve(&c, l->db, 12345, 0, 0, 4, 0, &err));
    assert_int_equal(c.n, 0);
    assert_int_equal(c.last, 0);
    db_curve_release(&c);
    ok(db_curve(&c, l->db, put_steps(l, 10, 0), 11, 20, 4, 1, &err));
    assert_int_equal(c.n, 0);
    db_curve_release(&c);
}

/* A reader cannot be kept busy for long. */
static int count(void *ctx, int n, const char *const *value)
{
    (void)n, (void)value;
    ++*(int *)ctx;
    return 0;
}

static void a_reader_has_its_time(void **state)
{
    struct lab *l = *state;
    struct store *r;
    int rows = 0;

    ok(store_open(&r, store_path(l->db), STORE_READ, &err));
    store_time_limit(r, 0.2);
    assert_int_equal(
        db_each(r,
                "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM "
                "c) SELECT sum(x) FROM c",
                count, &rows, &err),
        -1);
    assert_non_null(strstr(err.text, "interrupt"));
    store_time_limit(r, 5);
    ok(db_each(r, "SELECT 1", count, &rows, &err));
    assert_int_equal(rows, 1);
    store_close(r);
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(few_steps_are_all_there),
        STUDY(a_range_has_mean_and_extent),
        STUDY(long_ranges_are_thinned),
        STUDY(evaluations_that_are_finite_are_beside_it),
        STUDY(what_is_not_there_is_empty),
        STUDY(a_reader_has_its_time),
    };

    return cmocka_run_group_tests_name("curve", tests, NULL, NULL);
}
