/* A spec prints, reads back exactly, has a stable id, and refuses what cannot
 * be trained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "sweep/spec.h"

#include <string.h>

/* A spec that can be trained. */
static struct run_spec good(void)
{
    struct run_spec s;

    spec_defaults(&s);
    s.model.d_model = 64;
    s.model.n_layer = 2;
    s.model.n_head = 4;
    s.model.n_kv_head = 2;
    s.model.d_ff = 176;
    s.optim.lr = 3e-3;
    s.batch_tokens = 2048;
    s.steps = 1000;
    s.schedule.warmup_steps = 30;
    memcpy(s.data, "0123456789abcdef", SPEC_DATA_ID);
    return s;
}

/* Every key, a value as a person writes it, and its canonical text. */
static const struct {
    const char *key, *text, *canonical;
} values[] = {
    {"model.family", "deepseek-llm", "deepseek-llm"},
    {"model.vocab", "102400", "102400"},
    {"model.seq_len", "4096", "4096"},
    {"model.d_model", "4.096e3", "4096"},
    {"model.n_layer", "30", "30"},
    {"model.n_head", "32", "32"},
    {"model.n_kv_head", "8", "8"},
    {"model.d_ff", "11008", "11008"},
    {"model.rope_theta", "1e4", "10000"},
    {"model.norm_eps", "0.000001", "1e-06"},
    {"model.init_std", ".006", "0.006"},
    {"model.init_depth", "1", "1"},
    {"optim.name", "adamw", "adamw"},
    {"optim.lr", "4.2e-4", "0.00042"},
    {"optim.beta1", "0.9", "0.9"},
    {"optim.beta2", "0.95", "0.95"},
    {"optim.eps", "1e-8", "1e-08"},
    {"optim.weight_decay", "0.1", "0.1"},
    {"optim.clip", "1.0", "1"},
    {"schedule.name", "wsd-sqrt", "wsd-sqrt"},
    {"schedule.warmup_steps", "2e3", "2000"},
    {"schedule.at", "0.6,0.7,0.9", "[0.6, 0.7, 0.9]"},
    {"schedule.factor", "[0.5, 0.316, 0.1]", "[0.5, 0.316, 0.1]"},
    {"schedule.decay", "0.2", "0.2"},
    {"schedule.floor", "1e-1", "0.1"},
    {"data", "00ff00ff00ff00ff", "00ff00ff00ff00ff"},
    {"dtype", "bf16", "bf16"},
    {"batch_tokens", "9437184", "9437184"},
    {"steps", "211928", "211928"},
    {"seed", "7", "7"},
    {"eval_every", "100", "100"},
    {"eval_tokens", "1e6", "1000000"},
};

static void every_key_is_read_and_printed(void **state)
{
    struct run_spec s = good();
    struct err e;
    struct str out;
    size_t n = 0;

    (void)state;
    str_init(&out);
    while (spec_key(n))
        n++;
    assert_int_equal(n, ARRAY_LEN(values));
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(spec_key(i), values[i].key);
        assert_int_equal(spec_set(&s, values[i].key, values[i].text, &e), 0);
        str_clear(&out);
        spec_get(&out, &s, values[i].key);
        assert_string_equal(out.text, values[i].canonical);
    }
    str_release(&out);
}

/* The defaults are those of DeepSeek LLM section 2. */
static void defaults_are_the_papers(void **state)
{
    struct run_spec s;

    (void)state;
    spec_defaults(&s);
    assert_true(s.optim.beta1 == 0.9 && s.optim.beta2 == 0.95);
    assert_true(s.optim.weight_decay == 0.1 && s.optim.clip == 1.0);
    assert_true(s.model.init_std == 0.006 && s.model.rope_theta == 1e4);
    assert_int_equal(s.schedule.name, SCHED_MULTI_STEP);
    assert_int_equal(s.schedule.n_stage, 2);
    assert_true(s.schedule.at[0] == 0.8 && s.schedule.at[1] == 0.9);
    assert_true(s.schedule.factor[0] == 0.316 && s.schedule.factor[1] == 0.1);
    assert_int_equal(s.model.vocab, 256);
    assert_int_equal(s.model.seq_len, 128);
}

static double any_real(struct rng *r)
{
    double exponent = -20 + 40 * rng_next_uniform(r), v = 1;

    for (int i = 0; i < (int)exponent; i++)
        v *= 10;
    for (int i = 0; i > (int)exponent; i--)
        v /= 10;
    return v * (1 + rng_next_uniform(r));
}

/* Any spec at all, possible or not: printing must lose nothing. */
static void randomise(struct run_spec *s, struct rng *r)
{
    static const char hex[] = "0123456789abcdef";
    int64_t *const ints[] = {
        &s->model.vocab,   &s->model.seq_len,
        &s->model.d_model, &s->model.n_layer,
        &s->model.n_head,  &s->model.n_kv_head,
        &s->model.d_ff,    &s->model.init_depth,
        &s->batch_tokens,  &s->steps,
        &s->seed,          &s->eval_every,
        &s->eval_tokens,   &s->schedule.warmup_steps,
    };
    double *const reals[] = {
        &s->model.rope_theta, &s->model.norm_eps,     &s->model.init_std,
        &s->optim.lr,         &s->optim.beta1,        &s->optim.beta2,
        &s->optim.eps,        &s->optim.weight_decay, &s->optim.clip,
        &s->schedule.decay,   &s->schedule.floor,
    };

    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < ARRAY_LEN(ints); i++)
        *ints[i] = (int64_t)rng_next_below(r, UINT64_C(1) << 53);
    for (size_t i = 0; i < ARRAY_LEN(reals); i++)
        *reals[i] = any_real(r);
    s->schedule.name = (int64_t)rng_next_below(r, 5);
    s->dtype = (int64_t)rng_next_below(r, 2);
    s->schedule.n_stage = (int64_t)rng_next_below(r, SPEC_STAGES + 1);
    for (int64_t i = 0; i < s->schedule.n_stage; i++) {
        s->schedule.at[i] = rng_next_uniform(r);
        s->schedule.factor[i] = any_real(r);
    }
    if (rng_next_below(r, 4))
        for (int i = 0; i < SPEC_DATA_ID - 1; i++)
            s->data[i] = hex[rng_next_below(r, 16)];
}

static void random_specs_read_back_exactly(void **state)
{
    struct rng r = {1, RNG_TEST, 0};
    struct str text;

    (void)state;
    str_init(&text);
    for (int i = 0; i < 2000; i++) {
        struct run_spec a, b;
        struct err e;
        randomise(&a, &r);
        str_clear(&text);
        spec_print(&text, &a);
        randomise(&b, &r); /* nothing of what was there may stay */
        if (spec_parse(&b, text.text, &e))
            fail_msg("%s", e.text);
        assert_memory_equal(&a, &b, sizeof a);
        assert_int_equal(spec_id(&a), spec_id(&b));
    }
    str_release(&text);
}

static void an_id_is_a_function_of_every_key(void **state)
{
    struct run_spec s = good(), t;
    int64_t id[ARRAY_LEN(values) + 1];
    struct err e;
    size_t n = 0;

    (void)state;
    /* The order of the table is part of every identity; this number changes
     * only when a key is added. */
    assert_int_equal(spec_id(&s), INT64_C(0x75a650a74f516096));
    id[n++] = spec_id(&s);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        t = s;
        if (!strcmp(values[i].key, "schedule.factor")) /* three, like at */
            assert_int_equal(spec_set(&t, "schedule.at", ".5,.6,.7", &e), 0);
        assert_int_equal(spec_set(&t, values[i].key, values[i].text, &e), 0);
        if (!memcmp(&t, &s, sizeof t))
            continue; /* the value was the default */
        id[n] = spec_id(&t);
        assert_true(id[n] > 0);
        for (size_t j = 0; j < n; j++)
            assert_int_not_equal(id[j], id[n]);
        n++;
    }
    assert_true(n > 15);
}

static void bad_text_is_named(void **state)
{
    static const struct {
        const char *key, *value, *text;
    } bad[] = {
        {"optim.lrr", "1", "unknown key 'optim.lrr'; did you mean 'optim.lr'?"},
        {"batchtokens", "1",
         "unknown key 'batchtokens'; did you mean 'batch_tokens'?"},
        {"zzzzzz", "1", "unknown key 'zzzzzz'"},
        {"optim.lr", "fast", "optim.lr: 'fast': a number expected"},
        {"optim.lr", "1e999", "optim.lr: '1e999': a number expected"},
        {"optim.lr", "nan", "optim.lr: 'nan': a number expected"},
        {"steps", "1.5", "steps: '1.5': an integer expected"},
        {"steps", "", "steps: '': an integer expected"},
        {"schedule.name", "cosin",
         "schedule.name: 'cosin' is none of multi-step, cosine, wsd-linear, "
         "wsd-sqrt, constant; did you mean 'cosine'?"},
        {"dtype", "fp8",
         "dtype: 'fp8' is none of fp32, bf16; did you mean "
         "'fp32'?"},
        {"schedule.at", "0.1,0.2,0.3,0.4,0.5",
         "schedule.at: at most 4 values expected"},
        {"schedule.at", "[0.8, x]",
         "schedule.at: '[0.8, x]' is not a list of numbers"},
        {"schedule.factor", "0.5",
         "schedule.factor: 1 values, but schedule.at has 2"},
        {"data", "xyz",
         "data: 'xyz': 16 hexadecimal digits or 'none' expected"},
    };
    struct run_spec s = good(), was = s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {0, ""};
        assert_int_equal(spec_set(&s, bad[i].key, bad[i].value, &e), -1);
        assert_string_equal(e.text, bad[i].text);
        assert_int_equal(e.cls, ERR_USAGE);
        assert_memory_equal(&s, &was, sizeof s);
    }
}

/* A stage that went away does not come back with its old factor. */
static void factors_follow_at(void **state)
{
    struct run_spec s = good();
    struct err e;

    (void)state;
    assert_int_equal(spec_set(&s, "schedule.at", "0.5", &e), 0);
    assert_int_equal(s.schedule.n_stage, 1);
    assert_int_equal(spec_check(&s, &e), 0);
    assert_int_equal(spec_set(&s, "schedule.at", "0.8, 0.9", &e), 0);
    assert_int_equal(spec_check(&s, &e), -1);
    assert_int_equal(spec_set(&s, "schedule.factor", "0.5, 0.1", &e), 0);
    assert_int_equal(spec_check(&s, &e), 0);
}

static void a_bad_line_is_named_and_nothing_is_changed(void **state)
{
    struct run_spec s = good(), was = s;
    struct err e;

    (void)state;
    assert_int_equal(
        spec_parse(&s, "# a comment\n\nseed = 9\noptim.lr : 3\n", &e), -1);
    assert_string_equal(e.text, "line 4: 'key = value' expected");
    assert_memory_equal(&s, &was, sizeof s);
    assert_int_equal(spec_parse(&s, "seed = 9\nsteps = many\n", &e), -1);
    assert_string_equal(e.text, "line 2: steps: 'many': an integer expected");
    assert_memory_equal(&s, &was, sizeof s);
    assert_int_equal(spec_parse(&s, "  seed=9  \r\n", &e), 0);
    assert_int_equal(s.seed, 9);
}

static void the_impossible_is_refused(void **state)
{
    static const struct {
        const char *key, *value, *text;
    } bad[] = {
        {"optim.lr", "0", "optim.lr: 0: more than 0 expected"},
        {"optim.lr", "-1", "optim.lr: -1: more than 0 expected"},
        {"optim.beta2", "1", "optim.beta2: 1: less than 1 expected"},
        {"optim.eps", "0", "optim.eps: 0: more than 0 expected"},
        {"optim.clip", "-1", "optim.clip: -1: at least 0 expected"},
        {"model.vocab", "1", "model.vocab: 1: at least 2 expected"},
        {"model.d_model", "0", "model.d_model: 0: at least 2 expected"},
        {"model.init_depth", "2", "model.init_depth: 2: at most 1 expected"},
        {"steps", "0", "steps: 0: at least 1 expected"},
        {"seed", "-1", "seed: -1: at least 0 expected"},
        {"model.n_head", "5", "model.n_head: 5 does not divide d_model 64"},
        {"model.n_head", "64",
         "model.n_head: a head has 1 channels; rotary embeddings need an even "
         "number"},
        {"model.n_kv_head", "3", "model.n_kv_head: 3 does not divide n_head 4"},
        {"batch_tokens", "2000",
         "batch_tokens: 2000 is not a multiple of seq_len 128"},
        {"steps", "1e14", "steps: more than 2^53 tokens"},
        {"schedule.warmup_steps", "1001",
         "schedule.warmup_steps: 1001 is more than the 1000 steps of the run"},
        {"schedule.at", "0.9,0.8",
         "schedule.at: increasing fractions expected"},
        {"schedule.at", "0.5,0.6,0.7",
         "schedule.factor: 0: more than 0 expected"},
        {"schedule.at", "0.9,1", "schedule.at: 1: less than 1 expected"},
    };
    struct run_spec s = good();
    struct err e;

    (void)state;
    assert_int_equal(spec_check(&s, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        s = good();
        assert_int_equal(spec_set(&s, bad[i].key, bad[i].value, &e), 0);
        assert_int_equal(spec_check(&s, &e), -1);
        assert_string_equal(e.text, bad[i].text);
    }
    s = good();
    s.schedule.name = 99;
    assert_int_equal(spec_check(&s, &e), -1);
    s = good();
    s.schedule.name = SCHED_WSD_SQRT;
    s.schedule.decay = 0;
    assert_int_equal(spec_check(&s, &e), -1);
    assert_string_equal(e.text,
                        "schedule.decay: more than 0 expected for wsd-sqrt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read_and_printed),
        cmocka_unit_test(defaults_are_the_papers),
        cmocka_unit_test(random_specs_read_back_exactly),
        cmocka_unit_test(an_id_is_a_function_of_every_key),
        cmocka_unit_test(bad_text_is_named),
        cmocka_unit_test(factors_follow_at),
        cmocka_unit_test(a_bad_line_is_named_and_nothing_is_changed),
        cmocka_unit_test(the_impossible_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
