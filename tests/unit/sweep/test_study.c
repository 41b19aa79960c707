/* A study file is read with its defaults, printed so that it reads back the
 * same, and refused with file, line and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "sweep/study.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char good[] =
    "study: quick\n"
    "data: {train: data/train, valid: data/valid, seq_len: 128}\n"
    "model: {family: deepseek-llm, vocab: 256, head_dim: 16, aspect: 24}\n"
    "train:\n"
    "  optimizer: {name: adamw, beta2: 0.95, weight_decay: 0.1, clip: 1.0}\n"
    "  schedule: {name: multi-step, warmup: 0.03, at: [0.8, 0.9], "
    "factor: [0.316, 0.1]}\n"
    "  seeds: [1]\n"
    "stages:\n"
    "  - hyper: {flops: [1e10, 3e10, 1e11], lr: {from: 1e-3, to: 3e-2, "
    "ratio: 2}, batch: {from: 512, to: 8192, ratio: 2}, extend: true}\n"
    "  - isoflop: {flops: {from: 1e10, to: 1e12, per_decade: 2}, sizes: 7, "
    "span: 8, hyper: fitted, extend: true}\n"
    "  - predict: {flops: [1e13]}\n"
    "  - verify: {flops: [1e13], seeds: [11, 12]}\n";

/* `good` with the first `what` replaced; the caller's to free. */
static char *with(const char *what, const char *by)
{
    const char *at = strstr(good, what);
    struct str s;

    assert_non_null(at);
    str_init(&s);
    str_add_n(&s, good, (size_t)(at - good));
    str_add(&s, by);
    str_add(&s, at + strlen(what));
    return s.text;
}

static int parse(struct study *s, const char *name, const char *text,
                 struct err *e)
{
    return study_parse(s, name, text, strlen(text), e);
}

static void axis_is(const struct axis *a, int n, const double *value,
                    double ratio)
{
    assert_int_equal(a->n, n);
    for (int i = 0; i < n; i++)
        assert_true(a->value[i] == value[i]);
    assert_true(a->ratio == ratio);
}

static void the_example_is_understood(void **state)
{
    static const double lr[] = {0.001, 0.002, 0.004, 0.008, 0.016};
    static const double batch[] = {512, 1024, 2048, 4096, 8192};
    static const double flops[] = {1e10, 31622776601.7, 1e11, 316227766017,
                                   1e12};
    static struct study s;
    struct err e;

    (void)state;
    if (parse(&s, "dir/s.yaml", good, &e))
        fail_msg("%s", e.text);
    assert_string_equal(s.name, "quick");
    assert_string_equal(s.train, "dir/data/train");
    assert_int_equal(s.n_valid, 1);
    assert_string_equal(s.valid[0].name, "valid");
    assert_string_equal(s.valid[0].path, "dir/data/valid");
    assert_int_equal(s.shape.head_dim, 16);
    assert_true(s.shape.aspect == 24);
    assert_true(s.warmup == 0.03);
    assert_int_equal(s.n_stage, 4);
    axis_is(&s.stage[0].lr, 5, lr, 2);
    axis_is(&s.stage[0].batch, 5, batch, 2);
    axis_is(&s.stage[1].flops, 5, flops, 3.16227766);
    assert_int_equal(s.stage[0].extend, STUDY_EXTEND);
    assert_int_equal(s.stage[1].hyper, HYPER_FITTED);
    assert_int_equal(s.stage[1].sizes, 7);
    assert_int_equal(s.stage[2].hyper, HYPER_FITTED); /* as the isoflop */
    assert_int_equal(s.stage[3].n_seed, 2);
    assert_int_equal(s.stage[3].seed[1], 12);
    assert_int_equal(s.stage[3].line, 12);
}

static void what_may_be_left_out(void **state)
{
    static struct study s;
    struct err e;

    (void)state;
    if (parse(&s, "s.yaml",
              "study: least\n"
              "data: {train: /a, valid: {near: b, far: /c}}\n"
              "stages: [isoflop: {flops: 1e12}, predict: {flops: 1e13},"
              " verify: {}]\n",
              &e))
        fail_msg("%s", e.text);
    assert_string_equal(s.train, "/a");
    assert_int_equal(s.n_valid, 2);
    assert_string_equal(s.valid[0].path, "b");
    assert_string_equal(s.valid[1].name, "far");
    assert_int_equal(s.base.model.seq_len, 128);
    assert_int_equal(s.stage[0].hyper, HYPER_DEEPSEEK);
    assert_int_equal(s.stage[0].extend, 0);
    assert_int_equal(s.stage[0].n_seed, 1);
    assert_int_equal(s.stage[0].seed[0], 1);
    assert_true(s.stage[2].flops.value[0] == 1e13);
    assert_int_equal(s.max_attempts, 3);
}

static void values_reach_their_place(void **state)
{
    static struct study s;
    struct err e;
    char *text = with(
        "  seeds: [1]\n",
        "  seeds: [3, 5]\n  dtype: bf16\n  eval_every: 100\n"
        "  eval_tokens: 1e6\n  checkpoint: 5\n  max_attempts: 7\n  gang: 4\n");

    (void)state;
    if (parse(&s, "s.yaml", text, &e))
        fail_msg("%s", e.text);
    free(text);
    assert_int_equal(s.base.dtype, DTYPE_BF16);
    assert_int_equal(s.base.eval_every, 100);
    assert_int_equal(s.base.eval_tokens, 1000000);
    assert_int_equal(s.checkpoint_seconds, 5);
    assert_int_equal(s.max_attempts, 7);
    assert_int_equal(s.gang, 4);
    assert_int_equal(s.stage[0].n_seed, 2);
    assert_int_equal(s.stage[1].seed[1], 5);
    assert_int_equal(s.stage[3].seed[0], 11);
}

static void the_papers_preset(void **state)
{
    static struct study s;
    struct err e;

    (void)state;
    if (parse(&s, "s.yaml",
              "study: p\n"
              "data: {train: a, valid: b, seq_len: 4096}\n"
              "model: {preset: paper, aspect: 90}\n"
              "train: {preset: paper}\n"
              "stages: [isoflop: {flops: 1e20}]\n",
              &e))
        fail_msg("%s", e.text);
    assert_int_equal(s.base.model.vocab, 102400);
    assert_int_equal(s.shape.head_dim, 128);
    assert_int_equal(s.shape.ff_multiple, 256);
    assert_true(s.shape.aspect == 90); /* what is written wins */
    assert_true(s.warmup == 1);
    assert_int_equal(s.warmup_max, 2000);
}

/* Each: the good study with one text replaced, and the whole message. */
static const struct {
    const char *what, *by, *message;
} bad[] = {
    {"study: quick\n", "", "s.yaml:1: the study: missing key 'study'"},
    {"study:", "studdy:",
     "s.yaml:1: unknown key 'studdy' in the study; did you mean 'study'?"},
    {"quick", "a b",
     "s.yaml:1: study: 'a b': letters, digits, '-', '_' and '.' expected"},
    {"data: {", "data: {trian: x, ",
     "s.yaml:2: unknown key 'trian' in data; did you mean 'train'?"},
    {"train: data/train, ", "", "s.yaml:2: data: missing key 'train'"},
    {"valid: data/valid, ", "", "s.yaml:2: data: missing key 'valid'"},
    {"data/valid", "[a, b]", "s.yaml:2: valid: {name: path} expected"},
    {"data/valid", "{}", "s.yaml:2: valid: at least one set expected"},
    {"data/valid", "[{a: b}, {a: c}]",
     "s.yaml:2: valid: a second set named 'a'"},
    {"data/valid", "{a: b, b: c, c: d, d: e, e: f}",
     "s.yaml:2: valid: at most 4 sets expected"},
    {"seq_len: 128", "seq_len: 0",
     "s.yaml:2: model.seq_len: 0: at least 1 expected"},
    {"deepseek-llm", "llama",
     "s.yaml:3: model.family: 'llama' is none of deepseek-llm"},
    {"head_dim: 16", "head_dim: 15",
     "s.yaml:3: head_dim: 15: an even number expected (rotary embeddings turn "
     "pairs)"},
    {"head_dim: 16", "headdim: 16",
     "s.yaml:3: unknown key 'headdim' in model; did you mean 'head_dim'?"},
    {"aspect: 24", "aspect: 0", "s.yaml:3: aspect: 0: 1 to 10000 expected"},
    {"aspect: 24", "aspect: wide",
     "s.yaml:3: aspect: 'wide': a number expected"},
    {"aspect: 24", "max_d_model: 8",
     "s.yaml:3: model: max_d_model 8 is below the smallest width, 16"},
    {"aspect: 24", "preset: big",
     "s.yaml:3: model.preset: 'big': 'paper' is the only preset"},
    {"beta2: 0.95", "beta2: 1.5",
     "s.yaml:5: optim.beta2: 1.5: less than 1 expected"},
    {"name: adamw", "name: adam",
     "s.yaml:5: optim.name: 'adam' is none of adamw; did you mean 'adamw'?"},
    {"multi-step", "multistep",
     "s.yaml:6: schedule.name: 'multistep' is none of multi-step, cosine, "
     "wsd-linear, wsd-sqrt, constant; did you mean 'multi-step'?"},
    {"at: [0.8, 0.9]", "at: [0.9, 0.8]",
     "s.yaml:6: schedule.at: increasing fractions expected"},
    {"factor: [0.316, 0.1]", "factor: [0.316]",
     "s.yaml:6: schedule.factor: 1 values, but schedule.at has 2"},
    {", factor: [0.316, 0.1]", "", NULL}, /* the defaults fit */
    {"warmup: 0.03", "warmup: 2000", "s.yaml:6: warmup: 2000: 0 to 1 expected"},
    {"seeds: [1]", "seeds: []",
     "s.yaml:7: seeds: a list of 1 to 16 seeds expected"},
    {"seeds: [1]", "seeds: [1, 2, 1]", "s.yaml:7: seeds: 1 occurs twice"},
    {"seeds: [1]", "seeds: [-1]", "s.yaml:7: seeds: -1: 0 to 2^53 expected"},
    {"extend: true", "confirm: [2, 1]",
     "s.yaml:9: confirm: 1 is one of the stage's seeds: a fresh one expected"},
    {"extend: true", "confirm: [2, 2]", "s.yaml:9: confirm: 2 occurs twice"},
    {"seeds: [11, 12]", "confirm: [2]",
     "s.yaml:12: unknown key 'confirm' in verify"},
    {"seeds: [1]", "dtype: fp16",
     "s.yaml:7: dtype: 'fp16' is none of fp32, bf16; did you mean 'fp32'?"},
    {"- hyper:", "- hypre:",
     "s.yaml:9: stages: 'hypre' is none of hyper, isoflop, predict, verify; "
     "did you mean 'hyper'?"},
    {"lr: {from", "lrr: {from",
     "s.yaml:9: unknown key 'lrr' in hyper; did you mean 'lr'?"},
    {"flops: [1e10, 3e10, 1e11], ", "", "s.yaml:9: hyper: missing key 'flops'"},
    {"[1e10, 3e10, 1e11]", "[3e10, 1e10]",
     "s.yaml:9: flops: 1e10: increasing values expected"},
    {"[1e10, 3e10, 1e11]", "[0, 1e10]",
     "s.yaml:9: flops: 0: a number above 0 expected"},
    {"[1e10, 3e10, 1e11]", "[]", "s.yaml:9: flops: 0 values; 1 to 32 expected"},
    {"from: 1e-3, to: 3e-2, ratio: 2", "from: 1e-3, ratio: 2",
     "s.yaml:9: lr: {from, to, ratio} or {from, to, per_decade} expected"},
    {"from: 1e-3, to: 3e-2, ratio: 2", "from: 1e-3, to: 3e-2, ratio: 1",
     "s.yaml:9: lr: a ratio above 1 expected"},
    {"from: 1e-3, to: 3e-2, ratio: 2", "from: 3e-2, to: 1e-3, ratio: 2",
     "s.yaml:9: lr: `to` is below `from`"},
    {"from: 1e-3, to: 3e-2, ratio: 2", "from: 1e-9, to: 1, ratio: 1.01",
     "s.yaml:9: lr: 2083 values; at most 64 expected"},
    {"from: 1e-3, to: 3e-2, ratio: 2",
     "from: 1, to: 2, ratio: 2, per_decade: 1",
     "s.yaml:9: lr: {from, to, ratio} or {from, to, per_decade} expected"},
    {"lr: {from: 1e-3, to: 3e-2, ratio: 2}, ", "",
     "s.yaml:9: hyper: missing key 'lr'"},
    {"from: 512", "from: 64",
     "s.yaml:9: batch: 64 tokens are less than one sequence of 128"},
    {"extend: true}", "extend: yes}",
     "s.yaml:9: extend: 'yes': true, false or 0 to 100 expected"},
    {"extend: true}", "width: 24}",
     "s.yaml:9: width: 24: a multiple of 16 up to 16384 expected"},
    {"extend: true}", "width: 16, M: 1e5}",
     "s.yaml:9: hyper: width or M expected, not both"},
    {"extend: true}", "M: [1e5, 1e6]}",
     "s.yaml:9: M: one value, or one for each of the 3 budgets, expected"},
    {"extend: true}", "sizes: 3}", "s.yaml:9: unknown key 'sizes' in hyper"},
    {"sizes: 7", "sizes: 0", "s.yaml:10: sizes: 0: 1 to 64 expected"},
    {"span: 8", "M: [1e5, 1e6]",
     "s.yaml:10: M: give the sizes by M, or by sizes, span and centre"},
    {"hyper: fitted", "hyper: guessed",
     "s.yaml:10: hyper: 'guessed': fitted, deepseek or {lr, batch} expected"},
    {"hyper: fitted", "hyper: {lr: 1e-3}",
     "s.yaml:10: hyper: {lr, batch} expected"},
    {"hyper: fitted", "hyper: {lr: 0, batch: 512}",
     "s.yaml:10: lr: 0: more than 0 expected"},
    {"hyper: fitted", "hyper: {lr: 1e-3, batch: 64}",
     "s.yaml:10: batch: 64 tokens are less than one sequence of 128"},
    {"- hyper: {", "- isoflop: {name: other, hyper: fitted, ",
     "s.yaml:9: unknown key 'lr' in isoflop"},
    {"hyper: fitted", "name: hyper",
     "s.yaml:10: stages: 'hyper' is the name of the stage on line 9; give this "
     "one another `name`"},
    {"- predict: {flops: [1e13]}\n", "- predict: {}\n",
     "s.yaml:11: predict: missing key 'flops'"},
    {"- predict: {flops: [1e13]}\n", "- predict: {flops: 1e13}\n  - x\n",
     "s.yaml:12: stages: one of hyper, isoflop, predict, verify expected, as "
     "'- kind: {...}'"},
    {"  - predict: {flops: [1e13]}\n", "",
     "s.yaml:11: verify needs a predict stage above this one"},
    {"- verify: {flops: [1e13]", "- verify: {flops: [1e14]",
     "s.yaml:12: verify: no predict stage above has the budget 1e+14"},
    {"stages:\n", "log: {evry: 3}\nstages:\n",
     "s.yaml:8: unknown key 'evry' in log; did you mean 'every'?"},
    {"stages:\n", "log: {every: -1}\nstages:\n",
     "s.yaml:8: every: -1: 0 to 1e+15 expected"},
    {"stages:\n", "stages: 3\nx:\n", "s.yaml:9: unknown key 'x' in the study"},
};

static void mistakes_are_named_by_line(void **state)
{
    static struct study s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *text = with(bad[i].what, bad[i].by);
        struct err e = {0, "accepted"};
        int rc = parse(&s, "s.yaml", text, &e);
        free(text);
        if (!bad[i].message) {
            assert_int_equal(rc, 0);
            continue;
        }
        if (!rc || strcmp(e.text, bad[i].message))
            fail_msg("'%s' -> '%s':\n  %s\ninstead of\n  %s", bad[i].what,
                     bad[i].by, e.text, bad[i].message);
        assert_int_equal(e.cls, ERR_USAGE);
    }
}

static void stages_rely_on_stages_above(void **state)
{
    static const struct {
        const char *stages, *message;
    } wrong[] = {
        {"[isoflop: {flops: 1, hyper: fitted}]",
         "s.yaml:3: hyper: fitted needs a hyper stage above this one"},
        {"[predict: {flops: 1}]",
         "s.yaml:3: predict needs an isoflop stage above this one"},
        {"[isoflop: {flops: 1}, isoflop: {flops: 2}]",
         "s.yaml:3: stages: 'isoflop' is the name of the stage on line 3; give "
         "this one another `name`"},
        {"[]", "s.yaml:3: stages: a list of stages expected"},
        {"{isoflop: {flops: 1}}",
         "s.yaml:3: stages: a list of stages expected"},
        {"[{isoflop: {flops: 1}, predict: {flops: 1}}]",
         "s.yaml:3: stages: one of hyper, isoflop, predict, verify expected, "
         "as '- kind: {...}'"},
        {"[isoflop: ]", "s.yaml:3: isoflop: a map 'key: value' expected"},
    };
    static struct study s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char text[512];
        struct err e = {0, "accepted"};
        snprintf(text, sizeof text,
                 "study: x\ndata: {train: a, valid: b}\nstages: %s\n",
                 wrong[i].stages);
        assert_int_equal(parse(&s, "s.yaml", text, &e), -1);
        assert_string_equal(e.text, wrong[i].message);
    }
}

/* Cut anywhere, the file is refused or is a study, and never half of one. */
static void a_truncated_file_is_refused(void **state)
{
    static struct study s;
    int refused = 0, n = (int)strlen(good);

    (void)state;
    for (int len = 0; len < n; len++) {
        struct err e = {0, ""};
        if (study_parse(&s, "s.yaml", good, (size_t)len, &e)) {
            assert_int_equal(strncmp(e.text, "s.yaml:", 7), 0);
            refused++;
        } else {
            assert_true(s.n_stage > 0 && s.stage[0].flops.n > 0);
        }
    }
    assert_true(refused > 9 * n / 10);
}

/* Line numbers differ between a file and its print; nothing else may. */
static void forget_lines(struct study *s)
{
    s->train_line = 0;
    for (int i = 0; i < s->n_valid; i++)
        s->valid[i].line = 0;
    for (int i = 0; i < s->n_stage; i++)
        s->stage[i].line = 0;
}

static void reads_back(const char *name, const char *text)
{
    static struct study a, b;
    struct str once, twice;
    struct err e;

    str_init(&once);
    str_init(&twice);
    if (parse(&a, name, text, &e))
        fail_msg("%s", e.text);
    study_print(&once, &a);
    if (parse(&b, name, once.text, &e))
        fail_msg("%s in\n%s", e.text, once.text);
    study_print(&twice, &b);
    assert_string_equal(once.text, twice.text);
    forget_lines(&a);
    forget_lines(&b);
    assert_memory_equal(&a, &b, sizeof a);
    str_release(&once);
    str_release(&twice);
}

static void a_print_reads_back_to_the_same_study(void **state)
{
    static const char *const stages[] = {
        "[isoflop: {flops: {from: 1e17, to: 3e20, per_decade: 2}, M: [1e8, "
        "3.3e8], hyper: {lr: 1e-3, batch: 2e4}, seeds: 4, extend: 2, confirm: "
        "[7, 8]}, predict: "
        "{flops: 1e21}, verify: {name: check, seeds: [5, 6]}]",
        "[hyper: {name: a, flops: [1e17, 2e17], M: [1e8, 2e8], lr: [1e-4, "
        "1.1e-4, 5e-4], batch: 65536}, hyper: {name: b, flops: 1e18, width: "
        "256, lr: {from: 1e-4, to: 1e-2, per_decade: 3}, batch: {from: 4096, "
        "to: 1e6, ratio: 1.4142135623730951}}, isoflop: {flops: 1e19, centre: "
        "0.7, hyper: deepseek}, isoflop: {name: two, flops: 1e20}]",
    };
    char text[1400];

    (void)state;
    reads_back("s.yaml", good);
    reads_back("some/dir/s.yaml", good);
    reads_back("/abs/s.yaml", good);
    for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
        snprintf(text, sizeof text,
                 "study: x\ndata: {train: \"a \\\"b\\\\ \xc3\xa9\", valid: "
                 "[{one: ../v}, {two: /abs/w}]}\nmodel: {kv_group: 2, "
                 "init_depth: 1}\ntrain: {schedule: {name: wsd-sqrt, at: [], "
                 "factor: []}}\nlog: {every: 10, per_decade: 4}\nstages: %s\n",
                 stages[i]);
        reads_back("d/s.yaml", text);
    }
}

/* The print is what is frozen in a database, so it must not change with the
 * directory a command is run in. */
static void a_print_does_not_depend_on_the_place(void **state)
{
    static const char *const names[] = {"s.yaml", "x/s.yaml", "/x/y/s.yaml",
                                        "../s.yaml"};
    static struct study s;
    struct str first, other;
    struct err e;

    (void)state;
    str_init(&first);
    str_init(&other);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(parse(&s, names[i], good, &e), 0);
        str_clear(&other);
        study_print(i ? &other : &first, &s);
        if (i)
            assert_string_equal(other.text, first.text);
    }
    str_release(&first);
    str_release(&other);
}

static void missing_data_are_named_by_line(void **state)
{
    char dir[] = "/tmp/loglog-study-XXXXXX", path[256];
    static struct study s;
    struct err e;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s.yaml", dir);
    assert_int_equal(file_write(path, good, strlen(good), &e), 0);
    assert_int_equal(study_read(&s, path, &e), 0);
    assert_int_equal(study_check_data(&s, &e), -1);
    assert_non_null(strstr(e.text, "/s.yaml:2: data.train: '"));
    snprintf(path, sizeof path, "%s/data/train", dir);
    assert_int_equal(file_mkdirs(path, &e), 0);
    assert_int_equal(study_check_data(&s, &e), -1);
    assert_non_null(strstr(e.text, "/s.yaml:2: data.valid: '"));
    snprintf(path, sizeof path, "%s/data/valid", dir);
    assert_int_equal(file_mkdirs(path, &e), 0);
    assert_int_equal(study_check_data(&s, &e), 0);
    rmdir(path);
    snprintf(path, sizeof path, "%s/data/train", dir);
    rmdir(path);
    snprintf(path, sizeof path, "%s/data", dir);
    rmdir(path);
    snprintf(path, sizeof path, "%s/s.yaml", dir);
    unlink(path);
    rmdir(dir);
}

static void the_papers_study_is_accepted(void **state)
{
    static struct study s;
    struct err e;

    (void)state;
    if (study_read(&s, EXAMPLES "/deepseek-paper.yaml", &e))
        fail_msg("%s", e.text);
    assert_int_equal(s.base.model.vocab, 102400);
    assert_int_equal(s.base.model.seq_len, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_understood),
        cmocka_unit_test(what_may_be_left_out),
        cmocka_unit_test(values_reach_their_place),
        cmocka_unit_test(the_papers_preset),
        cmocka_unit_test(mistakes_are_named_by_line),
        cmocka_unit_test(stages_rely_on_stages_above),
        cmocka_unit_test(a_truncated_file_is_refused),
        cmocka_unit_test(a_print_reads_back_to_the_same_study),
        cmocka_unit_test(a_print_does_not_depend_on_the_place),
        cmocka_unit_test(missing_data_are_named_by_line),
        cmocka_unit_test(the_papers_study_is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
