/* The stages of a study, run without any process: this test takes each run,
 * gives it the loss of the stand-in's surface, and brings it back.  Stages wait
 * for what they need, designs are extended, laws and predictions are stored,
 * and an interruption after any run changes nothing. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/fits.h"
#include "db/query.h"
#include "runner/stand_in.h"
#include "runner/study_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/loglog-stages-XXXXXX";

static const char head[] =
    "study: sim\n"
    "data: {train: none, valid: none, seq_len: 128}\n"
    "model: {family: deepseek-llm, vocab: 256, head_dim: 16, aspect: 32}\n"
    "train: {seeds: [1]}\n"
    "stages:\n";

#define HYPER_GRID                                                             \
    "  - hyper: {flops: [1e14, 3e14, 1e15], lr: {from: 5e-4, to: 1.6e-2, "     \
    "ratio: 2}, batch: {from: 2048, to: 65536, ratio: 2}}\n"

static const char whole[] = HYPER_GRID
    "  - isoflop: {flops: {from: 1e14, to: 1e16, per_decade: 2}, sizes: 7, "
    "span: 16, hyper: fitted, extend: 1}\n"
    "  - predict: {flops: [1e17]}\n"
    "  - verify: {flops: [1e17], seeds: [11, 12]}\n";

/* One process' view of a study. */
struct view {
    struct study study;
    struct store *db;
    int64_t id;
    struct cost_model cost;
    struct study_run *run;
};

static void open_view(struct view *v, const char *stages, const char *db)
{
    static const struct study_data data = {1e12, 0, "0123456789abcdef"};
    char path[128];
    struct str text;
    struct err e = {ERR_FAILED, ""};
    int n;

    str_init(&text);
    str_addf(&text, "%s%s", head, stages);
    if (study_parse(&v->study, "sim.yaml", text.text, text.len, &e))
        fail_msg("%s", e.text);
    snprintf(path, sizeof path, "%s/%s", dir, db);
    str_clear(&text);
    study_print(&text, &v->study);
    cost_default(&v->cost);
    if (store_open(&v->db, path, STORE_WRITE, &e) ||
        db_study_put(&v->id, v->db, v->study.name, text.text, 0, &e) ||
        db_recover(&n, v->db, v->id, &e) ||
        study_run_open(&v->run, &v->study, v->db, v->id, &data, &v->cost, &e))
        fail_msg("%s", e.text);
    str_release(&text);
}

static void close_view(struct view *v)
{
    study_run_close(v->run);
    store_close(v->db);
}

static size_t advance(struct view *v, struct db_run **fresh)
{
    struct err e = {ERR_FAILED, ""};
    size_t n = 0;

    if (study_run_advance(v->run, fresh, &n, &e))
        fail_msg("%s", e.text);
    return n;
}

/* Do one run: its end is `state`. */
static int do_run(struct view *v, const struct db_run *r, enum run_state state)
{
    const struct db_attempt a = {.run = r->id, .gang = 1};
    struct db_outcome o = {.state = state,
                           .steps = r->plan.spec.steps,
                           .tokens = spec_tokens(&r->plan.spec),
                           .loss = NAN,
                           .bpb = NAN};
    int64_t attempt;
    struct err e = {ERR_FAILED, ""};

    if (state == RUN_DONE) {
        o.bpb = stand_in_bpb(&r->plan.spec);
        o.loss = o.bpb * log(2);
    } else {
        o.reason = "for a test";
    }
    if (db_attempt_begin(&attempt, v->db, &a, &e) ||
        db_attempt_end(v->db, r->id, attempt, &o, &e))
        fail_msg("%s", e.text);
    return study_run_final(v->run, r->id, state);
}

/* Everything, in one go; the number of runs done. */
static size_t do_all(struct view *v)
{
    size_t done = 0;

    for (;;) {
        struct db_run *fresh;
        size_t n = advance(v, &fresh);

        for (size_t i = 0; i < n; i++)
            do_run(v, &fresh[i], RUN_DONE);
        free(fresh);
        if (!n)
            return done;
        done += n;
    }
}

static int count_row(void *ctx, int n, const char *const *v)
{
    int64_t i = 0;

    (void)n;
    if (v[0])
        str_to_i64(v[0], &i);
    *(int64_t *)ctx = i;
    return 0;
}

static int64_t ask(const struct view *v, const char *sql)
{
    struct err e = {ERR_FAILED, ""};
    int64_t value = -1;

    if (db_each(v->db, sql, count_row, &value, &e))
        fail_msg("%s: %s", sql, e.text);
    return value;
}

static int add_row(void *ctx, int n, const char *const *v)
{
    for (int i = 0; i < n; i++)
        str_addf(ctx, "%s|", v[i] ? v[i] : "");
    return 0;
}

/* Everything that a study is for, as one text. */
static char *results(const struct view *v)
{
    static const char *const sql[] = {
        "SELECT stage, run, budget, steps, loss, bpb, used FROM points ORDER "
        "BY stage_id, ord",
        "SELECT law, n, identified, refused, json FROM fits ORDER BY fit",
        "SELECT flops, d_model, lr, batch_tokens, bpb, bpb_lo, bpb_hi, sha256, "
        "measured, inside FROM predictions",
        "SELECT stage, state, reason FROM stages ORDER BY stage_id",
    };
    struct err e = {ERR_FAILED, ""};
    struct str text;
    char *taken;

    str_init(&text);
    for (size_t i = 0; i < ARRAY_LEN(sql); i++)
        if (db_each(v->db, sql[i], add_row, &text, &e))
            fail_msg("%s: %s", sql[i], e.text);
    taken = str_take(&text);
    str_release(&text);
    return taken;
}

/* --- claims --- */

static void a_study_goes_from_grid_to_verification(void **state)
{
    struct view v;

    (void)state;
    open_view(&v, whole, "whole.db");
    assert_true(do_all(&v) > 100);
    assert_int_equal(study_run_end(v.run), STUDY_COMPLETE);
    assert_int_equal(ask(&v, "SELECT count(*) FROM stages WHERE state = "
                             "'complete'"),
                     4);
    assert_int_equal(ask(&v, "SELECT count(*) FROM fits WHERE law = 'hyper'"),
                     1);
    assert_int_equal(ask(&v, "SELECT count(*) FROM fits WHERE law = 'isoflop'"),
                     1);
    assert_int_equal(ask(&v, "SELECT count(*) FROM fits WHERE law = 'loss'"),
                     1);
    assert_int_equal(ask(&v, "SELECT count(*) FROM predictions"), 1);
    assert_int_equal(ask(&v, "SELECT runs FROM predictions"), 2);
    /* the surface is a power law with a constant, so it must be right */
    assert_int_equal(ask(&v, "SELECT abs(error_percent) < 1 FROM predictions"),
                     1);
    close_view(&v);
}

static void stages_wait_for_what_they_need(void **state)
{
    struct db_run *fresh;
    struct view v;
    size_t n;

    (void)state;
    open_view(&v, whole, "waits.db");
    n = advance(&v, &fresh);
    assert_int_equal(n, 3 * 6 * 6); /* the grid alone */
    assert_int_equal(ask(&v, "SELECT count(*) FROM stages WHERE state = "
                             "'waiting' AND reason LIKE 'waits for%'"),
                     3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ask(&v, "SELECT count(*) FROM fits"), 0);
        assert_int_equal(do_run(&v, &fresh[i], RUN_DONE), i == n - 1);
    }
    free(fresh);
    n = advance(&v, &fresh);
    assert_int_equal(n, 5 * 7); /* now the profiles, and only they */
    assert_int_equal(ask(&v, "SELECT count(*) FROM predictions"), 0);
    for (size_t i = 0; i < n; i++)
        do_run(&v, &fresh[i], RUN_DONE);
    free(fresh);
    n = advance(&v, &fresh);
    assert_int_equal(ask(&v, "SELECT count(*) FROM predictions"), 1);
    assert_int_equal(n, 2);
    free(fresh);
    close_view(&v);
}

static void stages_that_need_nothing_run_side_by_side(void **state)
{
    static const char both[] = HYPER_GRID
        "  - isoflop: {flops: [1e14], sizes: 7, span: 16, hyper: deepseek}\n";
    struct db_run *fresh;
    struct view v;

    (void)state;
    open_view(&v, both, "both.db");
    assert_int_equal(advance(&v, &fresh), 3 * 6 * 6 + 7);
    free(fresh);
    close_view(&v);
}

/* The optimum of the surface is at lr 6e-3: this grid ends far below it. */
static void an_edge_extends_the_grid_until_it_is_interior(void **state)
{
    static const char edge[] =
        "  - hyper: {flops: [1e14], lr: {from: 5e-4, to: 2e-3, ratio: 2}, "
        "batch: {from: 2048, to: 65536, ratio: 2}, extend: 6}\n";
    struct view v;

    (void)state;
    open_view(&v, edge, "edge.db");
    assert_true(do_all(&v) > 3 * 6);
    assert_int_equal(study_run_end(v.run), STUDY_COMPLETE);
    assert_true(ask(&v, "SELECT max(extension) FROM runs") >= 2);
    assert_int_equal(ask(&v, "SELECT max(lr) > 6e-3 FROM runs"), 1);
    assert_true(ask(&v, "SELECT count(*) FROM events WHERE text LIKE "
                        "'%edge of the design%'") >= 2);
    close_view(&v);
}

static void an_edge_that_may_not_be_extended_ends_the_study(void **state)
{
    static const char edge[] =
        "  - hyper: {flops: [1e14], lr: {from: 5e-4, to: 2e-3, ratio: 2}, "
        "batch: {from: 2048, to: 65536, ratio: 2}, extend: false}\n"
        "  - isoflop: {flops: [1e14], sizes: 7, span: 16, hyper: fitted}\n";
    struct view v;

    (void)state;
    open_view(&v, edge, "refused.db");
    assert_int_equal(do_all(&v), 3 * 6);
    assert_int_equal(study_run_end(v.run), STUDY_REFUSED);
    assert_non_null(strstr(study_run_why(v.run), "stage 'hyper'"));
    assert_non_null(strstr(study_run_why(v.run), "to settle it"));
    assert_int_equal(ask(&v, "SELECT count(*) FROM stages WHERE state = "
                             "'refused' AND reason <> ''"),
                     1);
    assert_int_equal(ask(&v, "SELECT count(*) FROM runs WHERE stage = "
                             "'isoflop'"),
                     0);
    close_view(&v);
}

static void a_stage_whose_runs_all_failed_is_refused(void **state)
{
    struct db_run *fresh;
    struct view v;
    size_t n;

    (void)state;
    open_view(&v, HYPER_GRID, "failed.db");
    n = advance(&v, &fresh);
    for (size_t i = 0; i < n; i++)
        do_run(&v, &fresh[i], RUN_FAILED);
    free(fresh);
    assert_int_equal(advance(&v, &fresh), 0);
    free(fresh);
    assert_int_equal(study_run_end(v.run), STUDY_REFUSED);
    close_view(&v);
}

/* The database is closed and opened again after every few runs, in the middle
 * of every stage: the same runs, laws and predictions. */
static void an_interruption_changes_nothing(void **state)
{
    char *undisturbed, *disturbed;
    size_t done = 0;
    struct view v;

    (void)state;
    open_view(&v, whole, "calm.db");
    do_all(&v);
    undisturbed = results(&v);
    close_view(&v);
    for (int more = 1; more;) {
        struct db_run *fresh;
        size_t n;

        open_view(&v, whole, "storm.db");
        n = advance(&v, &fresh);
        for (size_t i = 0; i < n && i < 7; i++)
            do_run(&v, &fresh[i], RUN_DONE);
        free(fresh);
        done += n < 7 ? n : 7;
        more = n > 0;
        if (more)
            close_view(&v);
    }
    assert_int_equal(study_run_end(v.run), STUDY_COMPLETE);
    assert_int_equal(ask(&v, "SELECT count(*) FROM attempts"), done);
    assert_int_equal(ask(&v, "SELECT max(attempts) FROM runs"), 1);
    disturbed = results(&v);
    assert_string_equal(disturbed, undisturbed);
    free(disturbed);
    free(undisturbed);
    close_view(&v);
}

/* Once finished, the same command finds nothing to do and writes no fit or
 * prediction again. */
static void a_finished_study_stays_as_it_is(void **state)
{
    char *before, *after;
    struct db_run *fresh;
    struct view v;

    (void)state;
    open_view(&v, whole, "again.db");
    do_all(&v);
    before = results(&v);
    close_view(&v);
    open_view(&v, whole, "again.db");
    assert_int_equal(advance(&v, &fresh), 0);
    free(fresh);
    assert_int_equal(study_run_end(v.run), STUDY_COMPLETE);
    after = results(&v);
    assert_string_equal(before, after);
    free(before);
    free(after);
    close_view(&v);
}

static void other_data_than_planned_are_refused(void **state)
{
    static const struct study_data other = {1e12, 0, "fedcba9876543210"};
    struct db_run *fresh;
    struct view v;
    struct err e = {ERR_FAILED, ""};
    size_t n;

    (void)state;
    open_view(&v, HYPER_GRID, "data.db");
    advance(&v, &fresh);
    free(fresh);
    study_run_close(v.run);
    assert_int_equal(
        study_run_open(&v.run, &v.study, v.db, v.id, &other, &v.cost, &e), 0);
    assert_int_equal(study_run_advance(v.run, &fresh, &n, &e), -1);
    assert_int_equal(e.cls, ERR_USAGE);
    assert_non_null(strstr(e.text, "fedcba9876543210"));
    close_view(&v);
}

/* Of each budget, the cell whose mean is the lowest: has it n runs? */
#define BEST_HAS                                                               \
    "WITH cell AS (SELECT stage, budget, d_model, lr, batch, count(*) n, "     \
    "avg(loss) mean FROM points WHERE stage IN ('hyper', 'isoflop') GROUP BY " \
    "stage, budget, d_model, lr, batch) SELECT min(n) FROM cell c WHERE "      \
    "mean = (SELECT min(mean) FROM cell d WHERE d.stage = c.stage AND "        \
    "d.budget = c.budget)"

static void what_is_best_is_confirmed_with_fresh_seeds(void **state)
{
    static const char stages[] =
        "  - hyper: {flops: [1e14, 3e14, 1e15], lr: {from: 5e-4, to: 1.6e-2, "
        "ratio: 2}, batch: {from: 2048, to: 65536, ratio: 2}, confirm: [2, "
        "3]}\n"
        "  - isoflop: {flops: [1e14, 1e15, 1e16], sizes: 7, span: 16, confirm: "
        "4}\n";
    struct view v;
    size_t runs;

    (void)state;
    open_view(&v, stages, "confirm.db");
    runs = do_all(&v);
    assert_int_equal(study_run_end(v.run), STUDY_COMPLETE);
    assert_true(runs >= 3 * 6 * 6 + 3 * 7 + 3 * 2 + 3);
    assert_int_equal(ask(&v, BEST_HAS " AND stage = 'hyper'"), 3);
    assert_int_equal(ask(&v, BEST_HAS " AND stage = 'isoflop'"), 2);
    /* nothing else was trained again */
    assert_true(ask(&v, "SELECT count(*) FROM points WHERE seed > 1") <=
                4 * (3 * 2 + 3));
    close_view(&v);
}

static int setup(void **state)
{
    (void)state;
    log_init(LOG_ERROR, -1, NULL);
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_study_goes_from_grid_to_verification),
        cmocka_unit_test(stages_wait_for_what_they_need),
        cmocka_unit_test(stages_that_need_nothing_run_side_by_side),
        cmocka_unit_test(an_edge_extends_the_grid_until_it_is_interior),
        cmocka_unit_test(an_edge_that_may_not_be_extended_ends_the_study),
        cmocka_unit_test(what_is_best_is_confirmed_with_fresh_seeds),
        cmocka_unit_test(a_stage_whose_runs_all_failed_is_refused),
        cmocka_unit_test(an_interruption_changes_nothing),
        cmocka_unit_test(a_finished_study_stays_as_it_is),
        cmocka_unit_test(other_data_than_planned_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
