/* model: what holds of a whole model. */
#include "tests/unit/trainer/models.h"

#include "trainer/sow.h"

/* clang-format off */
static const struct model_spec shapes[] = {
    /*         vocab   T   C  L  H Hkv  F */
    MODEL_SPEC(   64, 48, 64, 2, 4, 4, 176),
    MODEL_SPEC(   37, 21, 24, 2, 3, 1,  40),
    MODEL_SPEC( 1030, 70, 32, 1, 2, 2,  88), /* logits in several chunks */
    MODEL_SPEC(  260,300, 64, 1, 1, 1,  96), /* long rows, head of 64 */
};
/* clang-format on */

static const struct backend *best(void)
{
    return backend_pick(DTYPE_FP32);
}

static float *gradient(struct model *m, double *nats, const int32_t *tokens,
                       int64_t rows, float scale)
{
    float *g = calloc(model_size(m), sizeof *g);

    model_grad(m, g, nats, tokens, rows, scale);
    return g;
}

/* Every fp32 backend but the reference. */
static void all_instruction_sets_give_the_same_bits(void **state)
{
    int compared = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        int32_t *tokens = random_tokens(&shapes[i], 2, 7);
        float *want = NULL;
        double nats0 = 0, eval0[2];

        for (const struct backend *const *b = backend_list; *b; b++) {
            struct model *m;
            double nats, eval[2];
            float *g;

            if ((*b)->bf16 || !(*b)->usable() || *b == &backend_reference)
                continue;
            m = model_on(&shapes[i], *b);
            randomise(m, 11);
            g = gradient(m, &nats, tokens, 2, 1);
            model_eval(m, eval, tokens, 2);
            if (!want) {
                want = g;
                nats0 = nats;
                memcpy(eval0, eval, sizeof eval);
            } else {
                if (memcmp(g, want, model_size(m) * sizeof *g) ||
                    memcmp(&nats, &nats0, sizeof nats) ||
                    memcmp(eval, eval0, sizeof eval))
                    fail_msg("%s differs in shape %zu", (*b)->name, i);
                free(g);
                compared++;
            }
            model_destroy(m);
        }
        free(want);
        free(tokens);
    }
#ifdef __AVX2__
    assert_true(compared > 0);
#endif
    print_message("%d comparisons\n", compared);
}

static void rows_at_a_time_do_not_matter(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        const struct model_spec *s = &shapes[i];
        struct model *m = model_on(s, best());
        int32_t *tokens = random_tokens(s, 5, 3);
        double all, part, sum = 0;
        float *g, *h = malloc(model_size(m) * sizeof *h);

        randomise(m, 2);
        g = gradient(m, &all, tokens, 5, 0.5f);
        for (size_t k = 0; k < model_size(m); k++)
            h[k] = 7; /* what was there before does not matter */
        for (int64_t r = 0; r < 5; r++) {
            (r ? model_grad : model_grad_anew)(
                m, h, &part, tokens + r * (s->seq_len + 1), 1, 0.5f);
            sum += part;
        }
        assert_memory_equal(g, h, model_size(m) * sizeof *g);
        assert_memory_equal(&all, &sum, sizeof all);
        free(g);
        free(h);
        free(tokens);
        model_destroy(m);
    }
}

static void evaluation_is_the_loss_of_the_gradient(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct model *m = model_on(&shapes[i], best());
        int32_t *tokens = random_tokens(&shapes[i], 2, 3);
        double nats, eval[2];
        float *g;

        randomise(m, 4);
        g = gradient(m, &nats, tokens, 2, 1);
        model_eval(m, eval, tokens, 2);
        assert_true(nats == eval[0] + eval[1]);
        free(g);
        free(tokens);
        model_destroy(m);
    }
}

static void the_scale_scales_the_gradient(void **state)
{
    struct model *m = model_on(&shapes[0], best());
    int32_t *tokens = random_tokens(&shapes[0], 1, 3);
    double nats;
    float *g, *h;

    (void)state;
    randomise(m, 4);
    g = gradient(m, &nats, tokens, 1, 1);
    h = gradient(m, &nats, tokens, 1, 0.125f);
    for (size_t i = 0; i < model_size(m); i++)
        assert_true(fabsf(h[i] - 0.125f * g[i]) <= 1e-6f + 1e-5f * fabsf(g[i]));
    free(g);
    free(h);
    free(tokens);
    model_destroy(m);
}

static void grouped_queries_are_repeated_keys(void **state)
{
    const struct model_spec mha = MODEL_SPEC(40, 40, 64, 2, 4, 4, 48);
    struct model_spec gqa = mha;
    struct model *a = model_on(&mha, best()), *b;
    int32_t *tokens = random_tokens(&mha, 2, 3);
    double want, got;
    float *g;

    (void)state;
    gqa.n_kv_head = 2;
    b = model_on(&gqa, best());
    randomise(b, 6);
    /* Same parameters, key and value heads repeated. */
    for (int i = 0; i < model_table(b)->n; i++) {
        const struct param *p = &model_table(b)->param[i];
        const struct param *q = &model_table(a)->param[i];
        size_t head = 16 * 64;
        float *to = model_params(a) + q->offset;
        const float *from = model_params(b) + p->offset;

        if (!strstr(p->name, "wqkv")) {
            memcpy(to, from, (size_t)(p->rows * p->cols) * sizeof *to);
            continue;
        }
        memcpy(to, from, 4 * head * sizeof *to);
        for (size_t h = 0; h < 8; h++)
            memcpy(to + (4 + h) * head, from + (4 + h / 2) * head,
                   head * sizeof *to);
    }
    model_refresh(a);
    g = gradient(a, &want, tokens, 2, 1);
    free(g);
    g = gradient(b, &got, tokens, 2, 1);
    free(g);
    assert_true(fabs(got - want) < 1e-5 * want);
    free(tokens);
    model_destroy(a);
    model_destroy(b);
}

static void weights_start_with_the_stated_deviation(void **state)
{
    struct model_spec s = MODEL_SPEC(512, 16, 128, 2, 2, 2, 352);
    struct model *m, *again;

    (void)state;
    s.init_std = 0.006;
    s.init_depth = 1;
    m = model_on(&s, best());
    again = model_on(&s, best());
    model_init(m, 42);
    model_init(again, 42);
    assert_memory_equal(model_params(m), model_params(again),
                        model_size(m) * sizeof(float));
    for (int i = 0; i < model_table(m)->n; i++) {
        const struct param *p = &model_table(m)->param[i];
        double n = (double)(p->rows * p->cols), sum = 0, sq = 0, std;

        for (int64_t j = 0; j < p->rows * p->cols; j++) {
            double x = (double)model_params(m)[p->offset + (size_t)j];

            sum += x;
            sq += x * x;
        }
        if (p->kind == PARAM_NORM) {
            assert_true(sum == n && sq == n);
            continue;
        }
        std = strstr(p->name, ".wo") || strstr(p->name, ".wdown")
                  ? 0.006 / sqrt(4.0)
                  : 0.006;
        /* five standard errors */
        if (fabs(sqrt(sq / n) / std - 1) > 5 / sqrt(2 * n) ||
            fabs(sum / n) > 5 * std / sqrt(n))
            fail_msg("%s: mean %g, deviation %g", p->name, sum / n,
                     sqrt(sq / n));
    }
    model_init(again, 43);
    assert_memory_not_equal(model_params(m), model_params(again),
                            model_size(m) * sizeof(float));
    model_destroy(m);
    model_destroy(again);
}

/* Threads draw and pack what one would. */
static void several_threads_sow_the_same_weights(void **state)
{
    const struct model_spec s = MODEL_SPEC(512, 16, 64, 2, 2, 2, 176);
    struct model *one = model_on(&s, best()), *many = model_on(&s, best());
    int32_t *tokens = random_tokens(&s, 1, 3);
    double nats[2];

    (void)state;
    model_init(one, 42);
    sow(many, 42, 3);
    assert_memory_equal(model_params(one), model_params(many),
                        model_size(one) * sizeof(float));
    model_eval(one, &nats[0], tokens, 1);
    model_eval(many, &nats[1], tokens, 1);
    assert_true(nats[0] == nats[1]);
    free(tokens);
    model_destroy(one);
    model_destroy(many);
}

/* At std 0.006 logits are nearly 0, so each target costs ln V but for noise
 * of about the deviation of a logit. */
static void the_first_loss_is_ln_vocab(void **state)
{
    struct model_spec s = MODEL_SPEC(256, 64, 64, 2, 4, 4, 176);
    struct model *m;
    int32_t *tokens = random_tokens(&s, 16, 9);
    double nats[16], mean = 0;

    (void)state;
    s.init_std = 0.006;
    m = model_on(&s, best());
    model_init(m, 1);
    model_eval(m, nats, tokens, 16);
    for (int r = 0; r < 16; r++)
        mean += nats[r] / (16 * 64);
    /* a logit has deviation 0.006 sqrt(64) = 0.048; the mean of 1024 targets
     * is 32 times nearer, and the log of the mean exp adds 0.048^2 / 2 */
    assert_true(fabs(mean - log(256.0)) < 5 * 0.048 / 32 + 0.0012);
    free(tokens);
    model_destroy(m);
}

static void changed_weights_count_after_refresh(void **state)
{
    struct model *m = model_on(&shapes[0], best());
    int32_t *tokens = random_tokens(&shapes[0], 1, 3);
    double before, after;

    (void)state;
    randomise(m, 1);
    model_eval(m, &before, tokens, 1);
    randomise(m, 2);
    model_eval(m, &after, tokens, 1);
    assert_true(before != after);
    randomise(m, 1);
    model_eval(m, &after, tokens, 1);
    assert_true(before == after);
    free(tokens);
    model_destroy(m);
}

static void a_loss_that_is_not_finite_is_seen(void **state)
{
    struct model *m = model_on(&shapes[0], best());
    int32_t *tokens = random_tokens(&shapes[0], 1, 3);
    double nats;

    (void)state;
    randomise(m, 1);
    model_params(m)[model_table(m)->param[2].offset] = NAN;
    model_refresh(m);
    model_eval(m, &nats, tokens, 1);
    assert_true(isnan(nats) != 0);
    free(tokens);
    model_destroy(m);
}

/* With AddressSanitizer, an allocation that cannot be is refused as malloc
 * refuses it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void what_does_not_fit_is_an_error(void **state)
{
    struct run_spec run = {
        .model = MODEL_SPEC(102400, 4096, 1048576, 90, 8192, 8192, 2796288)};
    struct model *m = NULL;
    struct err e = {0};

    (void)state;
    assert_int_equal(model_create(&m, &run, &e), -1);
    assert_int_equal(e.cls, ERR_ENV);
    assert_non_null(strstr(e.text, "d_model 1048576"));
    assert_null(m);
}

static void bf16_is_near_fp32(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct model *m = model_on(&shapes[i], best());
        struct model *h = model_on(&shapes[i], backend_pick(DTYPE_BF16));
        int32_t *tokens = random_tokens(&shapes[i], 2, 3);
        double a, b, diff = 0, size = 0;
        float *g, *k;

        randomise(m, 4);
        randomise(h, 4);
        g = gradient(m, &a, tokens, 2, 1);
        k = gradient(h, &b, tokens, 2, 1);
        for (size_t j = 0; j < model_size(m); j++) {
            diff += pow((double)g[j] - (double)k[j], 2);
            size += pow((double)g[j], 2);
        }
        assert_true(a != b);
        if (fabs(a - b) > 1e-2 * a || sqrt(diff / size) > 0.03)
            fail_msg("shape %zu: loss %g %g, gradient off by %g", i, a, b,
                     sqrt(diff / size));
        free(g);
        free(k);
        free(tokens);
        model_destroy(m);
        model_destroy(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_instruction_sets_give_the_same_bits),
        cmocka_unit_test(rows_at_a_time_do_not_matter),
        cmocka_unit_test(evaluation_is_the_loss_of_the_gradient),
        cmocka_unit_test(the_scale_scales_the_gradient),
        cmocka_unit_test(grouped_queries_are_repeated_keys),
        cmocka_unit_test(weights_start_with_the_stated_deviation),
        cmocka_unit_test(several_threads_sow_the_same_weights),
        cmocka_unit_test(the_first_loss_is_ln_vocab),
        cmocka_unit_test(changed_weights_count_after_refresh),
        cmocka_unit_test(a_loss_that_is_not_finite_is_seen),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(bf16_is_near_fp32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
