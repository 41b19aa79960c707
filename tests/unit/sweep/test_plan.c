/* Plans are deterministic lists of possible runs that spend their budgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sweep/axis.h"
#include "sweep/flops.h"
#include "sweep/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char text[] =
    "study: t\n"
    "data: {train: a, valid: b, seq_len: 64}\n"
    "model: {vocab: 256, head_dim: 8, aspect: 16, ff_multiple: 8}\n"
    "train: {schedule: {warmup: 0.05, warmup_max: 100}, seeds: [1, 2]}\n"
    "stages:\n"
    "  - hyper: {flops: [1e11, 1e12], lr: {from: 1e-3, to: 8e-3, ratio: 2}, "
    "batch: {from: 512, to: 2048, ratio: 2}, extend: 2}\n"
    "  - isoflop: {flops: [1e11, 1e12, 1e13], sizes: 6, span: 16, extend: "
    "true, seeds: [1]}\n"
    "  - predict: {flops: [1e14]}\n"
    "  - verify: {flops: [1e14], seeds: [7, 8, 9]}\n"
    "  - isoflop: {name: fixed, flops: 1e12, M: [1e5, 3e5, 1e6, 3e6], hyper: "
    "{lr: 2e-3, batch: 1000}, extend: true}\n";
enum { HYPER, ISOFLOP, PREDICT, VERIFY, FIXED };

static const struct hyper_law law = {0.1, -0.1, 0.02, 0.4};
static const struct plan_context known = {
    .train_tokens = 3e6, .data = "00000000deadbeef", .law = &law};

static void read_study(struct study *s)
{
    struct err e;

    if (study_parse(s, "t.yaml", text, strlen(text), &e))
        fail_msg("%s", e.text);
}

static void plan_all(struct plan *p, const struct study *s,
                     const struct plan_context *ctx)
{
    struct err e;

    for (int k = 0; k < s->n_stage; k++)
        if (plan_stage(p, s, k, ctx, &e))
            fail_msg("%s", e.text);
}

static size_t count(const struct plan *p, int stage, double flops)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += p->run[i].stage == stage &&
             (flops == 0 || axis_same(p->run[i].budget, flops));
    return n;
}

static void counts_are_those_of_the_design(void **state)
{
    static struct study s;
    struct plan p;

    (void)state;
    read_study(&s);
    plan_init(&p);
    plan_all(&p, &s, &known);
    assert_int_equal(count(&p, HYPER, 1e11), 4 * 3 * 2);
    assert_int_equal(count(&p, HYPER, 0), 2 * 4 * 3 * 2);
    assert_int_equal(count(&p, ISOFLOP, 1e13), 6);
    assert_int_equal(count(&p, PREDICT, 0), 0);
    assert_int_equal(count(&p, VERIFY, 0), 0);
    assert_int_equal(count(&p, FIXED, 0), 4 * 2);
    plan_release(&p);
}

static void every_run_is_possible_and_spends_its_budget(void **state)
{
    static struct study s;
    struct plan p;
    struct err e;

    (void)state;
    read_study(&s);
    plan_init(&p);
    plan_all(&p, &s, &known);
    for (size_t i = 0; i < p.n; i++) {
        const struct planned *r = &p.run[i];
        double step = r->flops / (double)r->spec.steps;
        if (spec_check(&r->spec, &e))
            fail_msg("%s", e.text);
        assert_true(r->id == spec_id(&r->spec));
        assert_true(r->flops == run_flops(&r->spec));
        assert_true(fabs(r->flops - r->budget) <= 0.5 * step * (1 + 1e-12));
        assert_string_equal(r->spec.data, known.data);
        assert_true(r->epochs ==
                    (double)spec_tokens(&r->spec) / known.train_tokens);
        assert_int_equal(
            r->spec.schedule.warmup_steps,
            (int64_t)fmin(round(0.05 * (double)r->spec.steps), 100));
        for (size_t j = 0; j < i; j++)
            assert_true(p.run[j].id != r->id || p.run[j].stage != r->stage);
    }
    plan_release(&p);
}

static void planning_twice_adds_nothing(void **state)
{
    static struct study s;
    struct plan p, q;

    (void)state;
    read_study(&s);
    plan_init(&p);
    plan_init(&q);
    plan_all(&p, &s, &known);
    plan_all(&q, &s, &known);
    assert_int_equal(p.n, q.n);
    assert_memory_equal(p.run, q.run, p.n * sizeof *p.run);
    plan_all(&p, &s, &known);
    assert_int_equal(p.n, q.n);
    plan_truncate(&p, 5);
    plan_all(&p, &s, &known);
    assert_int_equal(p.n, q.n);
    for (size_t i = 0; i < q.n; i++) /* the first five are where they were */
        assert_int_equal(p.run[i].id, q.run[i].id);
    plan_release(&p);
    plan_release(&q);
}

/* One budget has one model in a hyper stage, the one nearest Eq. 4's M_opt. */
static void a_grid_has_one_model_a_budget(void **state)
{
    static struct study s;
    struct plan p;
    struct model_spec m;

    (void)state;
    read_study(&s);
    plan_init(&p);
    plan_all(&p, &s, NULL);
    for (size_t i = 0; i < p.n; i++) {
        if (p.run[i].stage != HYPER)
            continue;
        m = s.base.model;
        shape_for_M(&m, &s.shape, deepseek_M(p.run[i].budget));
        assert_memory_equal(&m, &p.run[i].spec.model, sizeof m);
    }
    plan_release(&p);
}

static void width_and_M_choose_the_model(void **state)
{
    static struct study s;
    struct plan p;
    struct model_spec m;
    struct err e;

    (void)state;
    read_study(&s);
    plan_init(&p);
    s.stage[HYPER].width = 40;
    assert_int_equal(plan_stage(&p, &s, HYPER, NULL, &e), 0);
    for (size_t i = 0; i < p.n; i++)
        assert_int_equal(p.run[i].spec.model.d_model, 40);
    plan_truncate(&p, 0);
    s.stage[HYPER].width = 0;
    s.stage[HYPER].M.n = 2;
    s.stage[HYPER].M.value[0] = 2e5;
    s.stage[HYPER].M.value[1] = 2e6;
    assert_int_equal(plan_stage(&p, &s, HYPER, NULL, &e), 0);
    for (size_t i = 0; i < p.n; i++) {
        m = s.base.model;
        shape_for_M(&m, &s.shape, p.run[i].budget == 1e11 ? 2e5 : 2e6);
        assert_int_equal(p.run[i].spec.model.d_model, m.d_model);
    }
    plan_release(&p);
}

/* Sizes lie evenly in log M around Eq. 4, as far as the rule has widths. */
static void a_profile_is_centred_and_spread(void **state)
{
    static struct study s;
    struct plan p;

    (void)state;
    read_study(&s);
    plan_init(&p);
    plan_all(&p, &s, &known);
    for (int b = 0; b < 3; b++) {
        double flops = s.stage[ISOFLOP].flops.value[b], last = 0, sum = 0;
        double first = 0;
        int64_t narrow = 0, wide = 0, unit = shape_unit(&s.shape);
        int n = 0;
        for (size_t i = 0; i < p.n; i++) {
            struct model_count c;
            if (p.run[i].stage != ISOFLOP || p.run[i].budget != flops)
                continue;
            model_count(&c, &p.run[i].spec.model);
            assert_true(c.M > last); /* distinct, increasing */
            last = c.M;
            first = n++ ? first : c.M;
            wide = p.run[i].spec.model.d_model;
            narrow = n == 1 ? wide : narrow;
            sum += log(c.M);
            assert_true(p.run[i].spec.optim.lr ==
                        axis_round(0.1 * pow(flops, -0.1), 4));
        }
        assert_true(n >= 3 && n <= 6);
        /* fewer only where there is no other width between the ends */
        assert_true(n == 6 || n == (wide - narrow) / unit + 1);
        if (b < 2)
            continue; /* the rule is coarse down there */
        assert_int_equal(n, 6);
        assert_true(fabs(log(last / first) - log(16)) < 0.5);
        assert_true(fabs(sum / n - log(deepseek_M(flops))) < 0.25);
    }
    plan_release(&p);
}

static void stages_wait_for_what_they_need(void **state)
{
    static struct study s;
    struct plan p;
    struct err e;
    double lr, batch;

    (void)state;
    read_study(&s);
    plan_init(&p);
    assert_int_equal(s.stage[ISOFLOP].hyper, HYPER_FITTED);
    assert_int_equal(plan_stage(&p, &s, ISOFLOP, NULL, &e), 0);
    assert_int_equal(p.n, 0);
    assert_int_equal(plan_hyper(&lr, &batch, &s, ISOFLOP, 1e12, NULL), -1);
    assert_int_equal(plan_hyper(&lr, &batch, &s, ISOFLOP, 1e12, &known), 0);
    s.stage[ISOFLOP].hyper = HYPER_DEEPSEEK;
    assert_int_equal(plan_hyper(&lr, &batch, &s, ISOFLOP, 1e17, NULL), 0);
    assert_true(fabs(lr - 2.34e-3) < 1e-5);
    /* 106,200 tokens are 1659 sequences of 64; eight parts make 1656 */
    assert_true(batch == 1656 * 64);
    assert_int_equal(plan_hyper(&lr, &batch, &s, FIXED, 1e17, NULL), 0);
    assert_true(lr == 2e-3 && batch == 1000);
    plan_release(&p);
}

/* 300 steps, one pass, 15 % for the head, 10 % for the warm-up. */
static void doubts_are_flagged(void **state)
{
    static struct study s;
    struct plan p;
    unsigned seen = 0;

    (void)state;
    read_study(&s);
    s.warmup = 0.2;
    s.stage[HYPER].batch.value[2] = 65536; /* few steps */
    plan_init(&p);
    plan_all(&p, &s, &known);
    for (size_t i = 0; i < p.n; i++) {
        const struct planned *r = &p.run[i];
        struct model_count c;
        model_count(&c, &r->spec.model);
        assert_int_equal(!(r->flags & PLAN_FEW_STEPS), r->spec.steps >= 300);
        assert_int_equal(!(r->flags & PLAN_EPOCHS), r->epochs <= 1);
        assert_int_equal(!(r->flags & PLAN_HEAD_SHARE), c.head_share <= 0.15);
        assert_int_equal(!(r->flags & PLAN_WARMUP),
                         (double)r->spec.schedule.warmup_steps <=
                             0.1 * (double)r->spec.steps);
        seen |= r->flags;
    }
    assert_int_equal(seen, 15);
    plan_truncate(&p, 0);
    plan_all(&p, &s, NULL); /* epochs unknown: no such flag */
    for (size_t i = 0; i < p.n; i++)
        assert_true(p.run[i].epochs == 0 && !(p.run[i].flags & PLAN_EPOCHS));
    plan_release(&p);
}

static unsigned flags_of(struct study *s, double flops, struct choice *c)
{
    struct plan p;
    struct err e;
    unsigned flags;

    c->flops = flops;
    s->stage[VERIFY].flops.value[0] = flops;
    plan_init(&p);
    if (plan_verify(&p, s, VERIFY, c, NULL, &e))
        fail_msg("%s", e.text);
    flags = p.run[0].flags;
    plan_release(&p);
    return flags;
}

static void a_flag_begins_where_it_says(void **state)
{
    static struct study s;
    struct choice c = {.lr = 1e-3, .batch_tokens = 6400};
    struct model_count m;
    double body;

    (void)state;
    read_study(&s);
    s.warmup = 0.1;
    s.warmup_max = 1000;
    c.model = s.base.model;
    shape_for_width(&c.model, &s.shape, 128);
    model_count(&m, &c.model);
    assert_int_equal(flags_of(&s, m.M * 6400 * 299, &c),
                     PLAN_FEW_STEPS | PLAN_WARMUP); /* 30 of 299 */
    assert_int_equal(flags_of(&s, m.M * 6400 * 300, &c), 0);
    body = m.exact - m.head; /* head = 15/85 of the rest */
    c.model.vocab = (int64_t)(body * 15 / 85 / (6 * 128));
    assert_int_equal(flags_of(&s, m.M * 6400 * 300, &c), 0);
    c.model.vocab++;
    assert_int_equal(flags_of(&s, m.M * 6400 * 300, &c), PLAN_HEAD_SHARE);
}

/* Extending adds the new line of the rectangle and nothing else. */
static void a_grid_grows_by_one_line(void **state)
{
    static const struct {
        int dlr, dbatch, added;
        double lr, batch; /* of the new lines */
    } step[] = {
        {1, 0, 3 * 2, 16e-3, 0},
        {-1, 0, 3 * 2, 0.5e-3, 0},
        {0, 1, 4 * 2, 0, 4096},
        {0, -1, 4 * 2, 0, 256},
        {1, -1, (3 + 4 + 1) * 2, 16e-3, 256},
        {0, 0, 0, 0, 0},
    };
    static struct study s;
    struct plan p;
    struct err e;

    (void)state;
    read_study(&s);
    for (size_t i = 0; i < ARRAY_LEN(step); i++) {
        size_t was;
        plan_init(&p);
        plan_all(&p, &s, &known);
        was = p.n;
        assert_int_equal(plan_extend_hyper(&p, &s, HYPER, 1e12, step[i].dlr,
                                           step[i].dbatch, &known, &e),
                         step[i].added);
        assert_int_equal(p.n, was + (size_t)step[i].added);
        for (size_t j = was; j < p.n; j++) {
            const struct run_spec *r = &p.run[j].spec;
            assert_true(r->optim.lr == step[i].lr ||
                        (double)r->batch_tokens == step[i].batch);
            assert_true(p.run[j].budget == 1e12);
            assert_int_equal(p.run[j].extension, 1);
            assert_memory_equal(&r->model, &p.run[HYPER].spec.model, 8);
        }
        plan_release(&p);
    }
}

static void a_grid_ends_growing(void **state)
{
    static struct study s;
    struct plan p;
    struct err e;

    (void)state;
    read_study(&s);
    plan_init(&p);
    /* nothing there yet, nothing to extend */
    assert_int_equal(plan_extend_hyper(&p, &s, HYPER, 1e11, 1, 0, &known, &e),
                     0);
    plan_all(&p, &s, &known);
    assert_int_equal(plan_extend_hyper(&p, &s, HYPER, 1e11, 1, 0, &known, &e),
                     6);
    assert_int_equal(plan_extend_hyper(&p, &s, HYPER, 1e11, 1, 0, &known, &e),
                     6);
    assert_true(p.run[p.n - 1].spec.optim.lr == 32e-3);
    assert_int_equal(p.run[p.n - 1].extension, 2);
    /* extend: 2 is used up at this budget, not at the other */
    assert_int_equal(plan_extend_hyper(&p, &s, HYPER, 1e11, 1, 0, &known, &e),
                     0);
    assert_int_equal(plan_extend_hyper(&p, &s, HYPER, 1e12, 1, 0, &known, &e),
                     6);
    /* 512, 256, 128, 64 tokens: a sequence is the least */
    s.stage[HYPER].extend = 100;
    for (int i = 0; i < 3; i++)
        assert_true(plan_extend_hyper(&p, &s, HYPER, 1e12, 0, -1, &known, &e) >
                    0);
    assert_int_equal(plan_extend_hyper(&p, &s, HYPER, 1e12, 0, -1, &known, &e),
                     0);
    /* and PLAN_MIN_STEPS steps */
    while (plan_extend_hyper(&p, &s, HYPER, 1e12, 0, 1, &known, &e) > 0)
        ;
    for (size_t i = 0; i < p.n; i++)
        assert_true(p.run[i].stage != HYPER ||
                    p.run[i].spec.steps >= PLAN_MIN_STEPS);
    plan_release(&p);
}

static void a_profile_grows_by_two_sizes(void **state)
{
    static const int stages[] = {ISOFLOP, FIXED};
    static struct study s;
    struct err e;

    (void)state;
    read_study(&s);
    for (size_t k = 0; k < 2; k++)
        for (int dir = -1; dir <= 1; dir += 2) {
            struct plan p;
            size_t was;
            int64_t lo = INT64_MAX, hi = 0;
            int seeds = s.stage[stages[k]].n_seed;
            plan_init(&p);
            plan_all(&p, &s, &known);
            was = p.n;
            for (size_t i = 0; i < was; i++)
                if (p.run[i].stage == stages[k] && p.run[i].budget == 1e12) {
                    int64_t d = p.run[i].spec.model.d_model;
                    lo = d < lo ? d : lo;
                    hi = d > hi ? d : hi;
                }
            if (dir < 0 && lo < 24)
                continue; /* the rule has no two widths below */
            assert_int_equal(
                plan_extend_isoflop(&p, &s, stages[k], 1e12, dir, &known, &e),
                2 * seeds);
            for (size_t i = was; i < p.n; i++) {
                int64_t d = p.run[i].spec.model.d_model;
                assert_true(dir > 0 ? d > hi : d < lo);
                assert_int_equal(p.run[i].extension, 1);
            }
            assert_true(p.run[was].spec.model.d_model !=
                        p.run[p.n - 1].spec.model.d_model);
            plan_release(&p);
        }
}

static void a_verification_runs_what_was_chosen(void **state)
{
    static struct study s;
    struct plan p;
    struct choice c = {.flops = 1e14, .lr = 1.5e-3, .batch_tokens = 6400};
    struct err e;

    (void)state;
    read_study(&s);
    c.model = s.base.model;
    shape_for_width(&c.model, &s.shape, 128);
    plan_init(&p);
    assert_int_equal(plan_verify(&p, &s, VERIFY, &c, &known, &e), 0);
    assert_int_equal(p.n, 3);
    for (size_t i = 0; i < p.n; i++) {
        assert_memory_equal(&p.run[i].spec.model, &c.model, sizeof c.model);
        assert_true(p.run[i].spec.optim.lr == 1.5e-3);
        assert_int_equal(p.run[i].spec.batch_tokens, 6400);
        assert_int_equal(p.run[i].spec.seed, 7 + (int64_t)i);
    }
    c.flops = 2e14;
    assert_int_equal(plan_verify(&p, &s, VERIFY, &c, &known, &e), -1);
    assert_string_equal(e.text,
                        "t.yaml:9: verify has no budget of 2e+14 flops");
    plan_release(&p);
}

static void impossible_budgets_are_refused(void **state)
{
    static struct study s;
    struct plan p;
    struct err e;

    (void)state;
    read_study(&s);
    plan_init(&p);
    s.stage[HYPER].flops.value[1] = 1e30;
    assert_int_equal(plan_stage(&p, &s, HYPER, &known, &e), -1);
    assert_int_equal(p.n, 0); /* no part of a design */
    assert_string_equal(
        e.text, "t.yaml:6: hyper: a model of 9.19e+14 flops a token is wanted, "
                "but max_d_model 16384 ends at 1.98e+13");
    s.stage[HYPER].width = 16;
    assert_int_equal(plan_stage(&p, &s, HYPER, &known, &e), -1);
    assert_string_equal(
        e.text, "t.yaml:6: hyper at 1e+30 flops: steps: more than 2^53 tokens");
    s.stage[HYPER].lr.n = 64;
    s.stage[HYPER].batch.n = 64;
    s.stage[HYPER].flops.n = 32;
    assert_int_equal(plan_stage(&p, &s, HYPER, &known, &e), -1);
    assert_string_equal(
        e.text, "t.yaml:6: hyper: 262144 runs; at most 100000 expected");
    plan_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_the_design),
        cmocka_unit_test(every_run_is_possible_and_spends_its_budget),
        cmocka_unit_test(planning_twice_adds_nothing),
        cmocka_unit_test(a_grid_has_one_model_a_budget),
        cmocka_unit_test(width_and_M_choose_the_model),
        cmocka_unit_test(a_profile_is_centred_and_spread),
        cmocka_unit_test(stages_wait_for_what_they_need),
        cmocka_unit_test(doubts_are_flagged),
        cmocka_unit_test(a_flag_begins_where_it_says),
        cmocka_unit_test(a_grid_grows_by_one_line),
        cmocka_unit_test(a_grid_ends_growing),
        cmocka_unit_test(a_profile_grows_by_two_sizes),
        cmocka_unit_test(a_verification_runs_what_was_chosen),
        cmocka_unit_test(impossible_budgets_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
