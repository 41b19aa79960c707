/* synth: the entropy is that of the source as sums over all of it give, and
 * what the source needs for its own text, and no model has a lower loss. */
#include "gang.h"
#include "tests/unit/sanitized.h"
#include "trainer/synth.h"

static struct synth *made(const struct synth_options *o)
{
    struct synth *s;
    struct err e;

    if (synth_create(&s, o, &e))
        fail_msg("%s", e.text);
    return s;
}

/* One word in two: without coupling the words are drawn one by one. */
static void known_by_hand(void **state)
{
    struct synth_options o = {.words = 4,
                              .successors = 1,
                              .zipf = 0,
                              .coupling = 0,
                              .document_words = 4};
    struct synth *s = made(&o);
    /* a document: its first word, then before each further one and the end
     * the choice between 1/4 and 3/4; 4 words of 3 bytes and a mark */
    double choice = 0.25 * 2 + 0.75 * log2(4 / 3.0);

    (void)state;
    assert_true(fabs(synth_entropy(s) - (4 * 2 + 4 * choice) / 13) < 1e-12);
    synth_destroy(s);
}

/* The mean of what the source needs for its text is its entropy. */
static void text_needs_the_entropy(void **state)
{
    static const double couplings[] = {0, 0.5, 0.95};
    struct synth_options o;
    struct str text;

    (void)state;
    synth_defaults(&o);
    o.words = 300;
    o.document_words = 40;
    str_init(&text);
    for (size_t i = 0; i < ARRAY_LEN(couplings); i++) {
        double bits = 0, bytes = 0;
        struct synth *s;
        uint64_t at = 0;

        o.coupling = couplings[i];
        s = made(&o);
        while (bytes < 3e6) {
            bits += synth_document(&text, s, 0, &at);
            bytes += (double)text.len + 1;
        }
        assert_true(fabs(bits / bytes / synth_entropy(s) - 1) < 0.005);
        synth_destroy(s);
    }
    str_release(&text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* An observer who counts words and pairs comes to the same entropy: with a
 * small language, H(pairs) - H(words) of long text. */
static void counted_entropy(void **state)
{
    enum { W = 12 };
    struct synth_options o = {.words = W,
                              .successors = 3,
                              .zipf = 1.2,
                              .coupling = 0.7,
                              .document_words = 1e9,
                              .seed = 7};
    static double pair[W][W];
    double row[W] = {0}, all = 0, bits = 0;
    char *word[W] = {NULL}, *save;
    struct synth *s = made(&o);
    struct str text;
    int n = 0, was = -1;

    (void)state;
    /* documents are endless; take the first 400000 words of one */
    o.document_words = 400000;
    synth_destroy(s);
    s = made(&o);
    str_init(&text);
    synth_document(&text, s, 3, &(uint64_t){0});
    for (char *t = strtok_r(text.text, " ", &save); t;
         t = strtok_r(NULL, " ", &save), all++) {
        char **at = NULL;

        for (int i = 0; i < n && !at; i++)
            at = strcmp(word[i], t) ? NULL : &word[i];
        if (!at) {
            assert_true(n < W);
            at = &word[n++];
            *at = xstrdup(t);
        }
        if (was >= 0) {
            pair[was][at - word]++;
            row[was]++;
        }
        was = (int)(at - word);
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            if (pair[i][j] > 0)
                bits -= pair[i][j] * log2(pair[i][j] / row[i]);
    assert_int_equal(n, W);
    /* words of one syllable: three bytes each */
    assert_true(fabs(bits / all / 3 / synth_entropy(s) - 1) < 0.01);
    qsort(word, W, sizeof *word, by_text);
    for (int i = 1; i < W; i++)
        assert_true(strcmp(word[i - 1], word[i]) != 0);
    for (int i = 0; i < W; i++)
        free(word[i]);
    str_release(&text);
    synth_destroy(s);
}

/* A transformer learns a small language to within 15 % of its entropy, and
 * never below what the source itself needs for the text that validates. */
static void no_model_goes_below(void **state)
{
    struct synth_options o = {.words = 8,
                              .successors = 2,
                              .zipf = 1,
                              .coupling = 0.8,
                              .document_words = 500,
                              .seed = 3};
    char dir[PATH_MAX], train_dir[PATH_MAX], valid_dir[PATH_MAX];
    struct synth *s;
    struct train_result r;
    struct shard_info info;
    struct run_spec spec;
    struct train_env env = {.train_path = train_dir,
                            .n_valid = 1,
                            .valid_path = {valid_dir},
                            .gang = 1};
    double bits;

    (void)state;
    if (SANITIZED)
        skip();
    s = made(&o);
    temp_dir(dir);
    snprintf(train_dir, PATH_MAX, "%.*s/train", PATH_MAX - 16, dir);
    snprintf(valid_dir, PATH_MAX, "%.*s/valid", PATH_MAX - 16, dir);
    assert_int_equal(synth_pack(&info, &bits, train_dir, s, 0, 1000000, NULL),
                     0);
    assert_int_equal(synth_pack(&info, &bits, valid_dir, s, 1, 50000, NULL), 0);
    spec = tiny_spec();
    spec.model.seq_len = 64;
    spec.model.init_std = 0.1;
    spec.batch_tokens = 512;
    spec.optim.lr = 1e-2;
    spec.steps = 600;
    spec.eval_every = 100;
    assert_int_equal(train(&r, &spec, &env, NULL, NULL), 0);
    assert_true(r.bpb > 0.995 * bits);
    assert_true(r.bpb < 1.15 * bits);
    remove_dir(dir);
    synth_destroy(s);
}

static void impossible_is_refused(void **state)
{
    struct synth_options o;
    struct synth *s;
    struct err e;

    (void)state;
    synth_defaults(&o);
    o.coupling = 1;
    assert_int_equal(synth_create(&s, &o, &e), -1);
    synth_defaults(&o);
    o.successors = o.words;
    assert_int_equal(synth_create(&s, &o, &e), -1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(known_by_hand),
    cmocka_unit_test(text_needs_the_entropy),
    cmocka_unit_test(counted_entropy),
    cmocka_unit_test(no_model_goes_below),
    cmocka_unit_test(impossible_is_refused),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
