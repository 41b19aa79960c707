/* imported: runs of others are points like one's own. */
#include "db/imported.h"

#include "db/upkeep.h"
#include "lab.h"

static struct err err;

static struct db_imported row(double flops, double loss)
{
    return (struct db_imported){.budget = flops,
                                .M = NAN,
                                .N1 = 1e6 / 3,
                                .N2 = 2e6,
                                .D = 1e9,
                                .flops = flops,
                                .flops_exact = NAN,
                                .lr = 1e-3,
                                .batch = NAN,
                                .d_model = 64,
                                .n_layer = NAN,
                                .seed = 7,
                                .steps = NAN,
                                .loss = loss,
                                .bpb = NAN,
                                .used = 1};
}

static void put(struct lab *l, const struct db_imported *r, size_t n)
{
    ok(db_imported_put(l->db, l->study, 3, "published", "runs.csv", r, n,
                       &err));
}

static void imported_runs_are_points(void **state)
{
    struct lab *l = *state;
    struct db_imported r[2] = {row(1e18, 2.0 / 3), row(2e18, NAN)};
    struct planned own = lab_run(0, 64, 1e-3, 1);
    struct db_point *p;
    size_t n;

    r[1].used = 0;
    r[1].why = "no loss";
    lab_result(l, &own, "hyper", RUN_DONE, 2.5);
    put(l, r, 2);
    ok(db_points(&p, &n, l->db, l->study, NULL, NULL, &err));
    assert_int_equal(n, 3);
    free(p);
    ok(db_points(&p, &n, l->db, l->study, "published", "used", &err));
    assert_int_equal(n, 1);
    assert_true(p[0].loss == 2.0 / 3 && p[0].N1 == 1e6 / 3);
    assert_true(isnan(p[0].M) && isnan(p[0].bpb) && isnan(p[0].batch));
    assert_int_equal(p[0].seed, 7);
    assert_true(p[0].run > 0);
    free(p);
    ok(db_points(&p, &n, l->db, l->study, "published", "NOT used", &err));
    assert_int_equal(n, 1);
    assert_string_equal(p[0].why, "no loss");
    assert_true(isnan(p[0].loss));
    free(p);
    assert_text(l->db,
                "SELECT kind || ' ' || state FROM stages "
                "WHERE stage = 'published'",
                "import complete");
}

static void importing_again_replaces(void **state)
{
    struct lab *l = *state;
    struct db_imported r[3] = {row(1, 1), row(2, 2), row(3, 3)};
    char *first, *again;

    put(l, r, 3);
    first = lab_text(l->db, "SELECT run FROM points");
    put(l, r, 2);
    again = lab_text(l->db, "SELECT run FROM points");
    assert_number(l->db, "SELECT count(*) FROM points", 2);
    assert_string_equal(first, again); /* the same row is the same run */
    free(first);
    free(again);
}

static void they_are_in_the_journal_and_merge(void **state)
{
    struct lab *l = *state;
    struct db_imported r[2] = {row(1e18, 2.5), row(2e18, 2.25)};
    struct store *other;
    struct merge m;
    char path[128];
    int64_t found;

    r[1].cluster = "a \"group\"";
    put(l, r, 2);
    put(l, r, 1);
    put(l, r, 2);
    ok(db_check(&found, stdout, l->db, 1, &err));
    assert_int_equal(found, 0);
    snprintf(path, sizeof path, "%s/other.db", l->dir);
    ok(store_open(&other, path, STORE_WRITE, &err));
    ok(db_merge(&m, stdout, other, l->path, &err));
    assert_number(other, "SELECT sum(loss) FROM points", 4.75);
    ok(db_check(&found, stdout, other, 1, &err));
    assert_int_equal(found, 0);
    store_close(other);
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(imported_runs_are_points),
        STUDY(importing_again_replaces),
        STUDY(they_are_in_the_journal_and_merge),
    };

    return cmocka_run_group_tests_name("imported", tests, NULL, NULL);
}
