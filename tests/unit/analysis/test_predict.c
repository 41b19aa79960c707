/* predict: a whole road from runs to a registered forecast. */
#include "check.h"

#include "analysis/fit_json.h"
#include "analysis/predict.h"
#include "base/mem.h"
#include "profiles.h"
#include "sweep/flops.h"

#include <stdlib.h>

#define STUDIES 30 /* simulated for the coverage, at each noise */

static struct laws_opts options(int bootstrap)
{
    struct laws_opts o;
    laws_opts_default(&o);
    o.model.vocab = 256;
    o.model.seq_len = 128;
    o.shape = (struct shape_rule){.head_dim = 16,
                                  .aspect = 24,
                                  .ff_multiple = 16,
                                  .kv_group = 1,
                                  .max_d_model = 1 << 20};
    o.bootstrap = bootstrap;
    return o;
}

static void study(struct points *p, double noise, int seeds, struct rng *r)
{
    struct design d = {1e18, 1e20, 5, 7, seeds, 4, 1, 1, noise};

    points_init(p);
    simulate(p, &truth_chinchilla, &d, r);
}

static void test_predicts_a_clean_study(void **state)
{
    struct rng r = {1, RNG_TEST, 0};
    struct laws_opts o = options(300);
    struct prediction p;
    struct model_count c;
    struct points runs;
    struct laws l;
    struct err e;
    double C = 1e21;

    (void)state;
    study(&runs, 0.001, 2, &r);
    ok(laws_fit(&l, NULL, &runs, &o, &e));
    ok(predict(&p, &l, C, &e));
    assert_int_equal(p.allocation_identified, 1);
    assert_int_equal(p.loss_identified, 1);
    near(p.M_opt, 6 * truth_N(&truth_chinchilla, C), 0.1);
    near(p.M_opt * p.D_opt, C, 1e-12);
    near(p.M * p.D, C, 1e-12);
    /* the shape is the rule's, and what it says it is */
    model_count(&c, &p.choice.model);
    near(p.M, c.M, 0);
    near(p.N, c.N2, 0);
    near(p.tokens_per_param, p.D / c.params, 1e-12);
    assert_int_equal(p.choice.model.d_model % 16, 0);
    near(p.M, p.M_opt, 0.05);
    /* Eq. 1, there being no hyper runs */
    near(p.lr, deepseek_lr(C), 1e-12);
    near(p.batch_tokens, deepseek_batch(C), 1e-12);
    assert_int_equal(p.choice.batch_tokens % 128, 0);
    within((double)p.choice.batch_tokens, p.batch_tokens, 64);
    /* and the loss */
    near(p.bpb, truth_best(&truth_chinchilla, C), 0.005);
    assert_true(p.lo < truth_best(&truth_chinchilla, C) &&
                truth_best(&truth_chinchilla, C) < p.hi);
    within(p.decades, 1, 1e-9);
    assert_int_equal(p.n_opinion, 5);
    prediction_release(&p);
    laws_release(&l);
    points_release(&runs);
}

static void test_the_surface_has_an_opinion(void **state)
{
    struct rng r = {2, RNG_TEST, 0};
    struct laws_opts o = options(100);
    struct prediction p;
    struct points runs;
    struct laws l;
    struct err e;
    int found = 0;

    (void)state;
    study(&runs, 0.0005, 2, &r);
    ok(laws_fit(&l, NULL, &runs, &o, &e));
    ok(predict(&p, &l, 1e21, &e));
    for (int i = 0; i < p.n_opinion; i++) {
        const struct opinion *q = &p.opinion[i];
        if (!strstr(q->name, "M^alpha"))
            continue;
        found = 1;
        near(q->bpb, truth_best(&truth_chinchilla, 1e21), 0.01);
        near(q->M, 6 * truth_N(&truth_chinchilla, 1e21), 0.25);
        assert_true(q->lo < q->bpb && q->bpb < q->hi);
    }
    assert_int_equal(found, 1);
    prediction_release(&p);
    laws_release(&l);
    points_release(&runs);
}

static void test_json_is_stable_and_complete(void **state)
{
    static const char *const keys[] = {
        "flops", "M",       "N",       "D",      "batch_tokens",
        "lr",    "n_layer", "d_model", "bpb",    "bpb_ci",
        "level", "decades", "how",     "settle", "opinions"};
    struct rng r = {3, RNG_TEST, 0};
    struct laws_opts o = options(100);
    struct prediction p, q;
    struct points runs;
    struct laws l, again;
    struct err e;
    char *a, *b;
    json_t *j;

    (void)state;
    study(&runs, 0.002, 1, &r);
    ok(laws_fit(&l, NULL, &runs, &o, &e));
    ok(laws_fit(&again, NULL, &runs, &o, &e));
    ok(predict(&p, &l, 3e20, &e));
    ok(predict(&q, &again, 3e20, &e));
    a = prediction_json(&p);
    b = prediction_json(&q);
    assert_string_equal(a, b); /* to the last digit */
    j = json_loads(a, 0, NULL);
    assert_non_null(j);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!json_object_get(j, keys[i]))
            fail_msg("no key '%s'", keys[i]);
    near(json_number_value(json_object_get(j, "bpb")), p.bpb, 0);
    near(json_number_value(json_array_get(json_object_get(j, "bpb_ci"), 1)),
         p.hi, 0);
    near(json_number_value(json_object_get(j, "lr")), p.choice.lr, 0);
    assert_int_equal(json_integer_value(json_object_get(j, "d_model")),
                     p.choice.model.d_model);
    json_decref(j);
    free(a);
    free(b);
    prediction_release(&p);
    prediction_release(&q);
    laws_release(&l);
    laws_release(&again);
    points_release(&runs);
}

static void test_refused_allocation_still_has_a_loss(void **state)
{
    struct design d = {1e18, 1e20, 5, 3, 2, 2, 1, 1, 0.002};
    struct rng r = {4, RNG_TEST, 0};
    struct laws_opts o = options(100);
    struct prediction p;
    struct points runs;
    struct laws l;
    struct err e;
    struct str out;

    (void)state;
    points_init(&runs);
    simulate(&runs, &truth_chinchilla, &d, &r); /* three sizes a budget */
    ok(laws_fit(&l, NULL, &runs, &o, &e));
    ok(predict(&p, &l, 1e21, &e));
    assert_int_equal(p.allocation_identified, 0);
    assert_int_equal(p.loss_identified, 1);
    assert_true(p.settle[0] && p.settle_flops > 0);
    assert_non_null(strstr(p.how.text, "Eq. 4's exponent"));
    near(p.bpb, truth_best(&truth_chinchilla, 1e21), 0.03);
    near(p.M_opt, 6 * truth_N(&truth_chinchilla, 1e21), 1);
    str_init(&out);
    prediction_print(&out, &p);
    assert_non_null(strstr(out.text, "not identified"));
    assert_non_null(strstr(out.text, "to settle"));
    str_release(&out);
    prediction_release(&p);
    laws_release(&l);
    points_release(&runs);
}

static void test_refused_loss_says_so(void **state)
{
    struct design d = {1e18, 1e19, 2, 7, 1, 4, 1, 1, 0.002};
    struct rng r = {5, RNG_TEST, 0};
    struct laws_opts o = options(100);
    struct prediction p;
    struct points runs;
    struct laws l;
    struct err e;
    char *text;
    json_t *j;

    (void)state;
    points_init(&runs);
    simulate(&runs, &truth_chinchilla, &d, &r); /* two budgets */
    ok(laws_fit(&l, NULL, &runs, &o, &e));
    ok(predict(&p, &l, 1e20, &e));
    assert_int_equal(p.loss_identified, 0);
    assert_non_null(strstr(p.refused, "needs three"));
    assert_true(isnan(p.bpb) && p.settle[0]);
    text = prediction_json(&p);
    j = json_loads(text, 0, NULL);
    assert_true(json_is_null(json_object_get(j, "bpb")));
    assert_true(json_is_string(json_object_get(j, "refused")));
    json_decref(j);
    free(text);
    prediction_release(&p);
    laws_release(&l);
    points_release(&runs);
}

static void test_hyper_sources(void **state)
{
    struct rng r = {6, RNG_TEST, 0};
    struct laws_opts o = options(0);
    struct prediction p;
    struct points runs;
    struct laws l;
    struct err e;

    (void)state;
    study(&runs, 0.002, 1, &r);
    o.hyper = HYPER_FIXED;
    o.lr_fixed = 3e-3;
    o.batch_fixed = 1000;
    ok(laws_fit(&l, NULL, &runs, &o, &e));
    ok(predict(&p, &l, 1e20, &e));
    near(p.lr, 3e-3, 1e-12);
    assert_int_equal(p.choice.batch_tokens, 1024); /* whole sequences */
    prediction_release(&p);
    laws_release(&l);
    points_release(&runs);
}

static void test_errors(void **state)
{
    struct laws_opts o = options(0);
    struct prediction p;
    struct points none, runs;
    struct rng r = {7, RNG_TEST, 0};
    struct laws l;
    struct err e;

    (void)state;
    points_init(&none);
    assert_int_equal(laws_fit(&l, &none, &none, &o, &e), -1);
    assert_non_null(strstr(e.text, "no finished runs"));
    study(&runs, 0.002, 1, &r);
    ok(laws_fit(&l, NULL, &runs, &o, &e));
    assert_int_equal(predict(&p, &l, -1, &e), -1);
    assert_int_equal(e.cls, ERR_USAGE);
    assert_int_equal(predict(&p, &l, NAN, &e), -1);
    laws_release(&l);
    points_release(&runs);
    points_release(&none);
}

static int str_lines(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void test_table_rows_line_up(void **state)
{
    struct rng r = {8, RNG_TEST, 0};
    struct laws_opts o = options(0);
    struct points runs;
    struct laws l;
    struct err e;
    struct str out;

    (void)state;
    study(&runs, 0.002, 1, &r);
    ok(laws_fit(&l, NULL, &runs, &o, &e));
    str_init(&out);
    prediction_row(&out, NULL);
    for (int d = 17; d <= 26; d++) {
        struct prediction p;
        ok(predict(&p, &l, pow(10, d), &e));
        near(p.M, p.M_opt, 0.5);
        prediction_row(&out, &p);
        prediction_release(&p);
    }
    assert_int_equal(str_lines(out.text), 11);
    str_release(&out);
    laws_release(&l);
    points_release(&runs);
}

/* --- coverage: the whole road, over simulated studies --- */

static double covered(const struct truth *t, double noise, double ahead,
                      int studies)
{
    struct laws_opts o = options(60);
    struct rng r = {12, RNG_TEST, 0};
    int in = 0, n = 0;

    for (int i = 0; i < studies; i++) {
        struct design d = {1e18, 1e20, 5, 7, 1, 4, 1, 1, noise};
        double C = 1e20 * pow(10, ahead);
        struct prediction p;
        struct points runs;
        struct laws l;
        struct err e;
        points_init(&runs);
        simulate(&runs, t, &d, &r);
        ok(laws_fit(&l, NULL, &runs, &o, &e));
        ok(predict(&p, &l, C, &e));
        if (p.loss_identified) {
            double run =
                truth_loss(t, p.M / 6, p.D) * (1 + noise * rng_next_normal(&r));
            n++;
            in += p.lo <= run && run <= p.hi;
        }
        prediction_release(&p);
        laws_release(&l);
        points_release(&runs);
    }
    print_message("noise %.3f, %.1f decades ahead: %d of %d\n", noise, ahead,
                  in, n);
    assert_true(n > studies / 2);
    return (double)in / n;
}

static void test_coverage(void **state)
{
    static const double noise[3] = {0.003, 0.01, 0.02};
    double sum = 0;

    (void)state;
    for (int k = 0; k < 3; k++) {
        double c = covered(&truth_chinchilla, noise[k], 1, STUDIES);
        assert_true(c >= 0.8);
        sum += c / 3;
    }
    between(sum, 0.85, 0.98);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predicts_a_clean_study),
        cmocka_unit_test(test_the_surface_has_an_opinion),
        cmocka_unit_test(test_json_is_stable_and_complete),
        cmocka_unit_test(test_refused_allocation_still_has_a_loss),
        cmocka_unit_test(test_refused_loss_says_so),
        cmocka_unit_test(test_hyper_sources),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_table_rows_line_up),
        cmocka_unit_test(test_coverage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
