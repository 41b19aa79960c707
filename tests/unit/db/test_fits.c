/* fits: what was fitted stays, what was predicted cannot be changed. */
#include "db/fits.h"

#include "base/hash.h"
#include "db/sql.h"
#include "lab.h"

static struct err err;

static struct db_prediction forecast(double flops, double bpb)
{
    struct planned p = lab_run(2, 96, 1.5e-3, 1);

    return (struct db_prediction){
        .choice = {.flops = flops,
                   .model = p.spec.model,
                   .lr = 1.5e-3 + 1e-19,
                   .batch_tokens = 2048},
        .M = 1e6,
        .N = 1e5,
        .D = flops / 1e6,
        .bpb = bpb,
        .bpb_lo = bpb - 0.1,
        .bpb_hi = bpb + 0.1,
        .level = 0.95,
        .decades = 1.0 / 3,
        .json = xstrdup("{\"bpb\": 1.9}"),
    };
}

static void a_fit_is_kept_whole(void **state)
{
    struct lab *l = *state;
    struct db_fit f = {.law = "isoflop",
                       .method = "parabola",
                       .n = 21,
                       .identified = 1,
                       .input = "feed",
                       .json = "{\"law\": \"isoflop\"}"};
    int64_t a, b;

    ok(db_fit_put(&a, l->db, l->study, &f, &err));
    f.identified = 0;
    f.refused = "optimum at the edge";
    ok(db_fit_put(&b, l->db, l->study, &f, &err));
    assert_true(b > a);
    assert_text(l->db, "SELECT json FROM fits WHERE identified",
                "{\"law\": \"isoflop\"}");
    assert_text(l->db, "SELECT refused FROM fits WHERE NOT identified",
                "optimum at the edge");
    f.law = "gravity";
    refused(db_fit_put(&a, l->db, l->study, &f, &err), ERR_DB, "CHECK");
}

static void a_prediction_is_dated_and_hashed(void **state)
{
    struct lab *l = *state;
    struct db_prediction p = forecast(1e12, 1.9), *all;
    char hash[HASH_HEX];
    size_t n;

    ok(db_prediction_put(l->db, l->study, 2, &p, &err));
    hash_sha256(hash, "{\"bpb\": 1.9}", 12);
    assert_string_equal(p.sha256, hash);
    assert_int_equal(strlen(p.made), 24);
    assert_true(p.id > 0);
    ok(db_predictions(&all, &n, l->db, l->study, &err));
    assert_int_equal(n, 1);
    assert_string_equal(all[0].json, p.json);
    assert_string_equal(all[0].made, p.made);
    assert_true(all[0].choice.lr == p.choice.lr);
    assert_true(all[0].choice.flops == 1e12);
    assert_int_equal(all[0].choice.batch_tokens, 2048);
    assert_memory_equal(&all[0].choice.model, &p.choice.model,
                        sizeof p.choice.model);
    assert_true(all[0].decades == 1.0 / 3);
    assert_true(all[0].bpb_lo == p.bpb_lo && all[0].level == 0.95);
    free(all[0].json);
    free(all);
    free(p.json);
}

static void a_prediction_is_made_once(void **state)
{
    struct lab *l = *state;
    struct db_prediction p = forecast(1e12, 1.9), q = forecast(1e12, 1.2);
    struct db_prediction r = forecast(2e12, 1.8), *all;
    size_t n;

    ok(db_prediction_put(l->db, l->study, 2, &p, &err));
    free(q.json);
    q.json = xstrdup("{\"bpb\": 1.2}"); /* after having peeked */
    ok(db_prediction_put(l->db, l->study, 2, &q, &err));
    assert_true(q.bpb == 1.9);
    assert_string_equal(q.json, "{\"bpb\": 1.9}");
    assert_string_equal(q.sha256, p.sha256);
    assert_int_equal(q.id, p.id);
    ok(db_prediction_put(l->db, l->study, 2, &r, &err));
    ok(db_predictions(&all, &n, l->db, l->study, &err));
    assert_int_equal(n, 2);
    assert_true(all[0].choice.flops < all[1].choice.flops);
    for (size_t i = 0; i < n; i++)
        free(all[i].json);
    free(all);
    free(p.json);
    free(q.json);
    free(r.json);
}

static void nobody_can_change_a_prediction(void **state)
{
    static const char *const attempts[] = {
        "UPDATE prediction SET bpb = 2",
        "UPDATE prediction SET json = '{}'",
        "DELETE FROM prediction",
        "INSERT OR REPLACE INTO prediction SELECT * FROM prediction",
    };
    struct lab *l = *state;
    struct db_prediction p = forecast(1e12, 1.9);

    ok(db_prediction_put(l->db, l->study, 2, &p, &err));
    free(p.json);
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        refused(sql_exec(l->db, attempts[i], &err), ERR_DB,
                "a registered prediction cannot be");
        assert_number(l->db, "SELECT bpb FROM predictions", 1.9);
    }
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(a_fit_is_kept_whole),
        STUDY(a_prediction_is_dated_and_hashed),
        STUDY(a_prediction_is_made_once),
        STUDY(nobody_can_change_a_prediction),
    };

    return cmocka_run_group_tests_name("fits", tests, NULL, NULL);
}
