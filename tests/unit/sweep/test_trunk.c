/* Runs that share their first steps are found, and what they save is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sweep/cost.h"
#include "sweep/schedule.h"
#include "sweep/trunk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CLOSE(a, b) assert_true(fabs((a) / (b)-1) < 1e-9)

/* One model, one batch and one rate at budgets of ratio 2, or as `stage` and
 * `train` say. */
static void plan(struct plan *p, struct study *s, const char *train,
                 const char *stage)
{
    char text[1024];
    struct err e;

    snprintf(text, sizeof text,
             "study: t\ndata: {train: a, valid: b, seq_len: 32}\n"
             "model: {vocab: 256, head_dim: 8, aspect: 16}\n"
             "train: {%s}\nstages:\n  - %s\n",
             train, stage);
    plan_init(p);
    if (study_parse(s, "t.yaml", text, strlen(text), &e) ||
        plan_stage(p, s, 0, NULL, &e))
        fail_msg("%s", e.text);
    trunk_plan(p, 0, s->stage[0].trunk);
}

static double saved(const struct plan *p)
{
    double sum = 0;

    for (size_t i = 0; i < p->n; i++)
        sum += trunk_saved(&p->run[i]);
    return sum;
}

static double flops(const struct plan *p)
{
    double sum = 0;

    for (size_t i = 0; i < p->n; i++)
        sum += p->run[i].flops;
    return sum;
}

#define THREE                                                                  \
    "hyper: {flops: [1e11, 2e11, 4e11], width: 32, lr: 1e-3, batch: 64"
#define FIXED "schedule: {warmup: 1, warmup_max: 20}"

/* 0.8 * 4 + 0.2 * (1 + 2 + 4) = 4.6 of 4 instead of 7. */
static void
three_budgets_of_ratio_two_cost_115_percent_of_the_largest(void **state)
{
    static struct study s;
    struct plan p;

    (void)state;
    plan(&p, &s, FIXED, THREE "}");
    assert_int_equal(p.n, 3);
    for (int i = 0; i < 2; i++) {
        assert_true(p.run[i].trunk == p.run[2].id);
        assert_true(p.run[i].trunk_step ==
                    schedule_shared(&p.run[i].spec, &p.run[2].spec));
    }
    assert_true(p.run[2].trunk == 0 && p.run[2].trunk_step == 0);
    assert_true(fabs((flops(&p) - saved(&p)) / p.run[2].flops - 1.15) < 1e-4);
    assert_true(fabs(flops(&p) / p.run[2].flops - 1.75) < 1e-4);
    plan_release(&p);
}

static void a_share_of_each_run_is_no_common_warmup(void **state)
{
    static struct study s;
    struct plan p;

    (void)state;
    plan(&p, &s, "schedule: {warmup: 0.03}", THREE "}");
    assert_true(saved(&p) == 0);
    assert_true(p.run[0].family != p.run[1].family);
    plan_release(&p);
    /* but a share of the shortest is */
    plan(&p, &s, "schedule: {warmup: 0.03, warmup_shared: true}", THREE "}");
    for (int i = 0; i < 3; i++)
        assert_int_equal(p.run[i].spec.schedule.warmup_steps,
                         lround(0.03 * (double)p.run[0].spec.steps));
    assert_true(fabs((flops(&p) - saved(&p)) / p.run[2].flops - 1.15) < 1e-4);
    plan_release(&p);
}

static void other_rates_batches_seeds_and_models_share_nothing(void **state)
{
    static const struct {
        const char *stage;
        size_t runs, branches;
    } rows[] = {
        {"hyper: {flops: [1e11, 2e11], width: 32, lr: [1e-3, 2e-3], batch: "
         "[64, 128], seeds: [1, 2]}",
         16, 8},
        /* the rule gives each budget a model of its own */
        {"hyper: {flops: [1e11, 1e12], lr: 1e-3, batch: 64}", 2, 0},
        {"isoflop: {flops: [1e11, 2e11], M: [1e5, 4e5], hyper: {lr: 1e-3, "
         "batch: 64}}",
         4, 2},
        {"isoflop: {flops: [1e11, 2e11], M: [1e5, 4e5], hyper: deepseek}", 4,
         0},
        {THREE ", trunk: false}", 3, 0},
    };
    static struct study s;
    struct plan p;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        size_t n = 0;

        plan(&p, &s, FIXED, rows[k].stage);
        assert_int_equal(p.n, rows[k].runs);
        for (size_t i = 0; i < p.n; i++) {
            n += p.run[i].trunk != 0;
            assert_true(p.run[i].family != 0);
        }
        assert_int_equal(n, rows[k].branches);
        plan_release(&p);
    }
}

static void short_plateaus_are_not_worth_it(void **state)
{
    static struct study s;
    struct plan p;

    (void)state;
    plan(&p, &s, "schedule: {name: cosine, warmup: 1, warmup_max: 20}",
         THREE "}");
    assert_true(saved(&p) == 0);
    plan_release(&p);
    plan(&p, &s, "schedule: {name: wsd-sqrt, warmup: 1, warmup_max: 20}",
         THREE "}");
    assert_true(saved(&p) > 0.4 * p.run[2].flops);
    plan_release(&p);
}

static void a_switch_for_all_stages_and_for_one(void **state)
{
    static struct study s, again;
    static const char data[] = "study: t\ndata: {train: a, valid: b, "
                               "seq_len: 32}\n"
                               "train: {trunk: false}\nstages:\n  - " THREE
                               "}\n  - " THREE ", trunk: true, name: two}\n";
    struct str text;
    struct err e;

    (void)state;
    assert_int_equal(study_parse(&s, "t.yaml", data, strlen(data), &e), 0);
    assert_int_equal(s.stage[0].trunk, 0);
    assert_int_equal(s.stage[1].trunk, 1);
    str_init(&text);
    study_print(&text, &s);
    assert_int_equal(study_parse(&again, "t.yaml", text.text, text.len, &e), 0);
    assert_int_equal(again.stage[0].trunk, 0);
    assert_int_equal(again.stage[1].trunk, 1);
    str_release(&text);
}

/* A run that is there already does not hang on one that came later; a later
 * one may hang on it. */
static void extensions_hang_on_what_is_there(void **state)
{
    static struct study s;
    struct plan p, small;

    (void)state;
    plan(&p, &s, FIXED, THREE "}");
    plan_init(&small);
    plan_add(&small, &p.run[0]);
    small.run[0].trunk = small.run[0].trunk_step = 0;
    plan_add(&small, &p.run[2]);
    trunk_plan(&small, 1, 1);
    assert_true(small.run[0].trunk == 0 && small.run[1].trunk == 0);
    plan_add(&small, &p.run[1]);
    trunk_plan(&small, 2, 1);
    assert_true(small.run[2].trunk == p.run[2].id);
    assert_true(small.run[0].family == small.run[2].family);
    plan_release(&small);
    plan_release(&p);
}

static void a_branch_costs_what_it_trains(void **state)
{
    static const struct cost_model c = {
        .n = 1, .d_model = {1}, .flops_per_s = {1e9}, .startup = 2};
    static struct study s;
    struct plan p;

    (void)state;
    plan(&p, &s, FIXED, THREE "}");
    cost_plan(&p, &c);
    CLOSE(p.run[2].seconds, cost_seconds(&c, &p.run[2].spec));
    CLOSE(p.run[0].seconds - 2,
          (cost_seconds(&c, &p.run[0].spec) - 2) *
              (1 - (double)p.run[0].trunk_step / (double)p.run[0].spec.steps));
    plan_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            three_budgets_of_ratio_two_cost_115_percent_of_the_largest),
        cmocka_unit_test(a_share_of_each_run_is_no_common_warmup),
        cmocka_unit_test(other_rates_batches_seeds_and_models_share_nothing),
        cmocka_unit_test(short_plateaus_are_not_worth_it),
        cmocka_unit_test(a_switch_for_all_stages_and_for_one),
        cmocka_unit_test(extensions_hang_on_what_is_there),
        cmocka_unit_test(a_branch_costs_what_it_trains),
    };

    return cmocka_run_group_tests_name("trunk", tests, NULL, NULL);
}
