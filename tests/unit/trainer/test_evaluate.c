/* evaluate: the same bytes for every run, the same bits for any gang. */
#include "tests/unit/trainer/gang.h"

#include "trainer/evaluate.h"

static struct place place;
static struct shard_set *valid;

static int setup(void **state)
{
    (void)state;
    place_init(&place);
    return shard_open(&valid, place.valid, NULL);
}

static int teardown(void **state)
{
    (void)state;
    shard_close(valid);
    place_release(&place);
    return 0;
}

static struct model *model_for(const struct run_spec *spec)
{
    struct model *m;

    assert_int_equal(model_create(&m, spec, NULL), 0);
    model_init(m, 3);
    return m;
}

/* A gang of one evaluates the set. */
static double alone(struct eval_set *s, const struct run_spec *spec,
                    struct model *m)
{
    struct comm *c;
    double nats;

    assert_int_equal(comm_open(&c, 0, 1, NULL, 1, NULL), 0);
    assert_int_equal(eval_init(s, valid, spec, 1, c, NULL), 0);
    assert_int_equal(evaluate(&nats, s, eval_by_model, m, c, NULL, NULL), 0);
    comm_close(c);
    return nats;
}

/* Nats over `targets` tokens from the start of the set, window by window. */
static double direct(struct model *m, const struct run_spec *spec,
                     int64_t targets)
{
    int64_t T = spec->model.seq_len;
    int32_t *tokens = xmalloc(sizeof *tokens * (size_t)(T + 1));
    double sum = 0, nats;

    for (int64_t at = 0; at < targets; at += T) {
        shard_read(tokens, valid, at, T + 1);
        model_eval(m, &nats, tokens, 1);
        sum += nats;
    }
    free(tokens);
    return sum;
}

static void a_uniform_model_has_8_bits_a_byte(void **state)
{
    struct run_spec spec = tiny_spec();
    struct eval_set s;
    struct model *m;
    double nats;

    (void)state;
    /* all parameters zero: the same logit for each of 256 bytes */
    assert_int_equal(model_create(&m, &spec, NULL), 0);
    model_refresh(m);
    nats = alone(&s, &spec, m);
    assert_true(fabs(bits_per_byte(nats, s.bytes) - 8) < 1e-6);
    model_destroy(m);
    /* and the arithmetic itself is exact */
    assert_true(bits_per_byte(1024 * log(256), 1024) == 8);
    assert_true(bits_per_byte(1024 * log(256), 2048) == 4);
}

static void the_sum_is_that_of_the_windows(void **state)
{
    const struct {
        int64_t seq_len, eval_tokens, targets;
    } cases[] = {
        {16, 0, 1488},      /* 1501 tokens: 93 windows of 16 */
        {100, 0, 1500},     /* the last token of the last window is the end */
        {16, 512, 512},     /* whole windows ... */
        {16, 527, 512},     /* ... that fit */
        {16, 3, 16},        /* at least one */
        {16, 999999, 1488}, /* at most all */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run_spec spec = tiny_spec();
        struct eval_set s;
        struct model *m;
        double nats, want;

        spec.model.seq_len = cases[i].seq_len;
        spec.batch_tokens = cases[i].seq_len;
        spec.eval_tokens = cases[i].eval_tokens;
        m = model_for(&spec);
        nats = alone(&s, &spec, m);
        want = direct(m, &spec, cases[i].targets);
        assert_int_equal(s.tokens, cases[i].targets);
        assert_int_equal(s.bytes, cases[i].targets);
        assert_memory_equal(&nats, &want, sizeof nats);
        model_destroy(m);
    }
}

/* One member of a gang: 0 if it got `want`. */
static int member(int m, int g, const char *name, const struct run_spec *spec,
                  double want)
{
    struct model *model = model_for(spec);
    struct eval_set s;
    struct comm *c;
    double nats[2];

    if (comm_open(&c, m, g, name, 10, NULL) ||
        eval_init(&s, valid, spec, g & 1, c, NULL))
        return 1;
    for (int i = 0; i < 2; i++)
        if (evaluate(&nats[i], &s, eval_by_model, model, c, NULL, NULL) ||
            comm_share(c, NULL, 0, NULL))
            return 2;
    return memcmp(&nats[0], &want, sizeof want) ||
           memcmp(&nats[1], &want, sizeof want);
}

static void any_gang_gives_the_same_bits(void **state)
{
    struct run_spec spec = tiny_spec();
    struct model *m = model_for(&spec);
    struct eval_set s;
    double want = alone(&s, &spec, m);
    char name[64];

    (void)state;
    model_destroy(m);
    snprintf(name, sizeof name, "loglog-test-%ld-eval", (long)getpid());
    for (int g = 2; g <= 7; g++) {
        pid_t pid[8];
        int status;

        fflush(NULL);
        for (int k = 0; k < g; k++)
            if (!(pid[k] = fork()))
                _exit(member(k, g, name, &spec, want));
        for (int k = 0; k < g; k++) {
            assert_int_equal(waitpid(pid[k], &status, 0), pid[k]);
            assert_int_equal(status, 0);
        }
    }
}

static void a_stop_is_answered(void **state)
{
    static const volatile sig_atomic_t stop = 1;
    struct run_spec spec = tiny_spec();
    struct model *m = model_for(&spec);
    struct eval_set s;
    struct comm *c;
    double nats;

    (void)state;
    assert_int_equal(comm_open(&c, 0, 1, NULL, 1, NULL), 0);
    assert_int_equal(eval_init(&s, valid, &spec, 0, c, NULL), 0);
    assert_int_equal(evaluate(&nats, &s, eval_by_model, m, c, &stop, NULL), 1);
    comm_close(c);
    model_destroy(m);
}

static void an_unusable_set_is_refused(void **state)
{
    struct run_spec spec = tiny_spec();
    struct eval_set s;
    struct comm *c;
    struct err e;

    (void)state;
    assert_int_equal(comm_open(&c, 0, 1, NULL, 1, NULL), 0);
    spec.model.vocab = 100;
    assert_int_equal(eval_init(&s, valid, &spec, 0, c, &e), -1);
    assert_non_null(strstr(e.text, "model.vocab is 100"));
    spec = tiny_spec();
    spec.model.seq_len = 1501;
    assert_int_equal(eval_init(&s, valid, &spec, 0, c, &e), -1);
    assert_non_null(strstr(e.text, "1501 tokens, at least seq_len + 1 = 1502"));
    comm_close(c);
}

/* By position: the same losses and bytes, added up otherwise; each part is the
 * end of what a model with so little before it says. */
static void positions_add_up(void **state)
{
    static const int64_t ends[] = {1, 2, 4, 8, 16, 20};
    struct run_spec spec = tiny_spec();
    double nats, sum = 0, all, first = 0;
    int32_t tokens[21];
    int64_t bytes, b = 0;
    struct eval_set s;
    struct model *m;
    struct comm *c;

    (void)state;
    spec.model.seq_len = spec.batch_tokens = 20;
    m = model_for(&spec);
    assert_int_equal(comm_open(&c, 0, 1, NULL, 1, NULL), 0);
    assert_int_equal(eval_init(&s, valid, &spec, 1, c, NULL), 0);
    assert_int_equal(evaluate(&all, &s, eval_by_model, m, c, NULL, NULL), 0);
    assert_int_equal(s.parts, ARRAY_LEN(ends));
    for (int p = 0; p < s.parts; p++) {
        assert_int_equal(s.end[p], ends[p]);
        eval_part(&nats, &bytes, &s, p);
        sum += nats;
        b += bytes; /* tokens are bytes */
        assert_int_equal(bytes, (ends[p] - (p ? ends[p - 1] : 0)) * s.windows);
    }
    assert_true(fabs(sum - all) < 1e-9 * all);
    assert_int_equal(b, s.bytes);
    for (int64_t w = 0; w < s.windows; w++) {
        double row[20];
        shard_read(tokens, valid, w * 20, 21);
        model_eval_parts(m, row, tokens, 1, (const int64_t[]){1, 20}, 2);
        first += row[0];
    }
    eval_part(&nats, &bytes, &s, 0);
    assert_true(fabs(nats - first) < 1e-9 * first);
    comm_close(c);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uniform_model_has_8_bits_a_byte),
        cmocka_unit_test(the_sum_is_that_of_the_windows),
        cmocka_unit_test(positions_add_up),
        cmocka_unit_test(any_gang_gives_the_same_bits),
        cmocka_unit_test(a_stop_is_answered),
        cmocka_unit_test(an_unusable_set_is_refused),
    };

    return cmocka_run_group_tests_name("evaluate", tests, setup, teardown);
}
