/* shard: a packed set gives back exactly the text it was made of, and every
 * kind of damage is refused with the file and the place. */
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/unit/trainer/shell.h"
#include "trainer/pack.h"
#include "trainer/shard.h"
#include "trainer/shard_format.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DOCUMENTS 40

struct fixture {
    char dir[64];
    char set[128]; /* the packed training set: several shards */
    char *text;    /* all documents, each with its NUL */
    size_t len;
};

static char *path_in(const char *dir, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return xstrdup(path);
}

/* 40 documents of 1 to 200 letters in one file, packed whole into shards of
 * about 1000 tokens. */
static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct rng rng = {.seed = 7, .stream = RNG_TEST};
    struct pack_input in = {NULL, PACK_TRAIN};
    struct pack_options o;
    struct pack_report r;
    struct str text;
    struct err e;
    char *file;

    snprintf(f->dir, sizeof f->dir, "/tmp/test_shard.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->set, sizeof f->set, "%s/out/train", f->dir);
    str_init(&text);
    for (int d = 0; d < DOCUMENTS; d++) {
        int n = 1 + (int)rng_next_below(&rng, 200);
        for (int i = 0; i < n; i++) {
            char c = (char)('a' + (char)rng_next_below(&rng, 26));
            str_add_n(&text, &c, 1);
        }
        str_add_n(&text, "", 1);
    }
    file = path_in(f->dir, "text");
    assert_int_equal(file_write(file, text.text, text.len, &e), 0);
    pack_defaults(&o);
    in.path = file;
    o.input = &in;
    o.n_input = 1;
    o.split = PACK_WHOLE;
    o.shard_bytes = 1000;
    o.out = path_in(f->dir, "out");
    if (pack(&r, &o, &e))
        fail_msg("%s", e.text);
    f->len = text.len;
    f->text = str_take(&text);
    str_release(&text);
    free((char *)(uintptr_t)o.out);
    free(file);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    run("rm -rf %s", f->dir);
    free(f->text);
    free(f);
    return 0;
}

static struct shard_set *open_ok(const char *path)
{
    struct shard_set *set;
    struct err e;

    if (shard_open(&set, path, &e))
        fail_msg("%s", e.text);
    return set;
}

static void reads_back_the_text(void **state)
{
    struct fixture *f = *state;
    struct shard_set *set = open_ok(f->set);
    const struct shard_info *i = shard_info(set);
    int32_t *tokens = xcalloc(f->len, sizeof *tokens);
    struct err e;

    assert_int_equal(i->tokens, f->len);
    assert_int_equal(i->documents, DOCUMENTS);
    assert_int_equal(i->vocab, 256);
    assert_int_equal(i->distinct, 27);
    assert_true(i->shards >= 3);
    assert_int_equal(shard_verify(set, 1, &e), 0);
    /* whole, then every window that lies across the first boundary */
    shard_read(tokens, set, 0, (int64_t)f->len);
    for (size_t k = 0; k < f->len; k++)
        assert_int_equal(tokens[k], (uint8_t)f->text[k]);
    for (int64_t from = 900; from < 1200; from++) {
        shard_read(tokens, set, from, 129);
        for (int64_t k = 0; k < 129; k++)
            assert_int_equal(tokens[k], (uint8_t)f->text[from + k]);
    }
    free(tokens);
    shard_close(set);
}

static void finds_documents(void **state)
{
    struct fixture *f = *state;
    struct shard_set *set = open_ok(f->set);
    size_t at = 0;

    for (int64_t d = 0; d < DOCUMENTS; d++) {
        int64_t from, n;

        shard_document(&from, &n, set, d);
        assert_int_equal(from, at);
        assert_int_equal(n, strlen(f->text + at) + 1);
        at += (size_t)n;
    }
    assert_int_equal(at, f->len);
    shard_close(set);
}

/* 256 equally likely tokens are 8 bits a byte, over any range of targets. */
static void uniform_model_has_8_bits_a_byte(void **state)
{
    struct fixture *f = *state;
    struct shard_set *set = open_ok(f->set);
    const struct shard_info *i = shard_info(set);
    const int64_t range[][2] = {{0, i->tokens}, {1, i->tokens - 1}, {77, 128}};

    assert_int_equal(i->bytes, shard_bytes(set, 0, i->tokens));
    for (size_t k = 0; k < ARRAY_LEN(range); k++) {
        double nats = (double)range[k][1] * log(256);
        double bytes = (double)shard_bytes(set, range[k][0], range[k][1]);
        assert_true(fabs(nats / (log(2) * bytes) - 8) < 1e-12);
    }
    shard_close(set);
}

static void identity_is_of_the_tokens(void **state)
{
    struct fixture *f = *state;
    struct shard_set *set = open_ok(f->set), *again;
    char a[SPEC_DATA_ID], b[SPEC_DATA_ID], copy[128];
    struct shard_set *valid[2];

    run("cp -r %s %s/copy", f->set, f->dir);
    snprintf(copy, sizeof copy, "%s/copy", f->dir);
    again = open_ok(copy);
    valid[0] = set;
    valid[1] = again;
    shard_data_id(a, set, valid, 1);
    shard_data_id(b, again, valid + 1, 1);
    assert_string_equal(a, b); /* wherever it lies */
    assert_int_equal(strlen(a), 16);
    assert_int_equal(strspn(a, "0123456789abcdef"), 16);
    shard_data_id(b, set, valid, 2);
    assert_string_not_equal(a, b); /* another validation set is other data */
    shard_data_id(b, set, valid, 0);
    assert_string_not_equal(a, b);
    shard_close(set);
    shard_close(again);
}

/* One damage to a copy of the set. */
struct damage {
    const char *name;
    const char *file;
    long at;           /* offset; < 0: from the end */
    const char *bytes; /* written there; NULL: cut the file there */
    int n;
    int at_open;      /* refused by shard_open, else by shard_verify */
    const char *says; /* in the message */
};

/* clang-format off */
static const struct damage damages[] = {
    {"magic", "shard-00000.tok", 0, "X", 1, 1, "shard-00000.tok: not a token shard"},
    {"version", "shard-00000.tok", 8, "\2", 1, 1, "format version 2"},
    {"width", "shard-00000.tok", 12, "\2", 1, 1, "header damaged"},
    {"tokens", "shard-00000.tok", 24, "\0\0\0", 3, 1, "header damaged"},
    {"checksum", "shard-00001.tok", 120, "zz", 2, 1, "shard-00001.tok: header damaged"},
    {"empty file", "shard-00000.tok", 0, NULL, 0, 1, "not a token shard"},
    {"header only", "shard-00000.tok", 128, NULL, 0, 1, "truncated"},
    {"last byte gone", "shard-00000.tok", -1, NULL, 0, 1, "truncated"},
    {"a token", "shard-00001.tok", 128 + 500, "!", 1, 0, "shard-00001.tok: tokens damaged"},
    {"the index", "shard-00000.tok", -3, "\1", 1, 0, "shard-00000.tok: document index damaged"},
    {"manifest cut", "manifest.json", 100, NULL, 0, 1, "manifest.json:"},
    {"manifest empty", "manifest.json", 0, NULL, 0, 1, "manifest.json:"},
    {"manifest format", "manifest.json", 15, "LOGLOG", 6, 1, "expected 'loglog-packed'"},
};
/* clang-format on */

static void apply(const char *set, const struct damage *d)
{
    char *path = path_in(set, d->file);
    FILE *file = fopen(path, "r+b");
    long at;

    assert_non_null(file);
    fseek(file, d->at < 0 ? d->at : 0, d->at < 0 ? SEEK_END : SEEK_SET);
    at = d->at < 0 ? ftell(file) : d->at;
    if (d->bytes) {
        fseek(file, at, SEEK_SET);
        assert_int_equal(fwrite(d->bytes, 1, (size_t)d->n, file), d->n);
    } else {
        assert_int_equal(ftruncate(fileno(file), at), 0);
    }
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void damage_is_refused(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < ARRAY_LEN(damages); k++) {
        const struct damage *d = &damages[k];
        char copy[128];
        struct shard_set *set;
        struct err e = {0};

        snprintf(copy, sizeof copy, "%s/damaged", f->dir);
        run("rm -rf %s && cp -r %s %s", copy, f->set, copy);
        apply(copy, d);
        if (shard_open(&set, copy, &e) == 0) {
            if (d->at_open)
                fail_msg("%s: opened", d->name);
            if (shard_verify(set, 0, &e) == 0)
                fail_msg("%s: verified", d->name);
            shard_close(set);
        } else if (!d->at_open) {
            fail_msg("%s: not opened: %s", d->name, e.text);
        }
        if (!strstr(e.text, d->says))
            fail_msg("%s: message is '%s'", d->name, e.text);
        assert_int_equal(e.cls, ERR_USAGE);
    }
}

/* Replace the first `was` in a file by `is`. */
static void edit(const char *path, const char *was, const char *is)
{
    size_t len;
    struct err e;
    char *text, *at;
    struct str s;

    assert_int_equal(file_read(&text, &len, path, 1 << 20, &e), 0);
    at = strstr(text, was);
    assert_non_null(at);
    str_init(&s);
    str_add_n(&s, text, (size_t)(at - text));
    str_add(&s, is);
    str_add(&s, at + strlen(was));
    assert_int_equal(file_write(path, s.text, s.len, &e), 0);
    str_release(&s);
    free(text);
}

/* A manifest that parses but does not describe these shards. */
static void false_manifests_are_refused(void **state)
{
    /* clang-format off */
    static const struct { const char *was, *is, *says; } lies[] = {
        {"\"documents\": 40", "\"documents\": 41", "not what the whole states"},
        {"\"vocab\": 256", "\"vocab\": 257", "vocab 257"},
        {"\"vocab\": 256", "\"vocab\": -1", "\"vocab\": expected a count"},
        {"\"vocab\": 256", "\"vocab\": \"256\"", "\"vocab\": expected a count"},
        {"\"vocab\": 256,", "", "\"vocab\": expected a count"},
        {"\"bytes\", \"vocab\"", "\"gpt2\", \"vocab\"", "tokenizer 'gpt2'"},
        {"\"sha256\": \"", "\"sha256\": \"x", "\"sha256\""},
        {"shard-00000.tok", "../../etc/passwd", "expected a plain name"},
        {"shard-00000.tok", "shard-00009.tok", "not that of the shards' hashes"},
        {"\"shards\": [", "\"shards\": 3, \"x\": [", "\"shards\": expected a list"},
    };
    /* clang-format on */
    struct fixture *f = *state;

    for (size_t k = 0; k < ARRAY_LEN(lies); k++) {
        char copy[128], *path;
        struct shard_set *set;
        struct err e;

        snprintf(copy, sizeof copy, "%s/false", f->dir);
        run("rm -rf %s && cp -r %s %s", copy, f->set, copy);
        path = path_in(copy, "manifest.json");
        edit(path, lies[k].was, lies[k].is);
        free(path);
        if (!shard_open(&set, copy, &e))
            fail_msg("%s: opened", lies[k].is);
        if (!strstr(e.text, lies[k].says))
            fail_msg("%s: message is '%s'", lies[k].is, e.text);
    }
}

static void wrong_number_of_distinct_tokens_is_found(void **state)
{
    struct fixture *f = *state;
    char *path = path_in(f->set, "manifest.json");
    struct shard_set *set;
    struct err e;

    edit(path, "\"distinct\": 27", "\"distinct\": 28");
    set = open_ok(f->set);
    assert_int_equal(shard_verify(set, 0, &e), -1);
    assert_non_null(strstr(e.text, "\"distinct\" is 28, the tokens have 27"));
    shard_close(set);
    free(path);
}

static void a_directory_too_high_gets_a_hint(void **state)
{
    struct fixture *f = *state;
    char out[128];
    struct shard_set *set;
    struct err e;

    snprintf(out, sizeof out, "%s/out", f->dir);
    assert_int_equal(shard_open(&set, out, &e), -1);
    assert_non_null(strstr(e.text, "did you mean"));
    assert_non_null(strstr(e.text, "/out/train?"));
    assert_int_equal(shard_open(&set, f->dir, &e), -1);
    assert_non_null(strstr(e.text, "not a packed set"));
    assert_int_equal(shard_open(&set, "/nowhere/at/all", &e), -1);
    assert_non_null(strstr(e.text, "No such file"));
}

/* Pack `n` documents "<from> ...", "<from + 1> ...", as DIR/NAME/train. */
static void pack_numbers(struct fixture *f, const char *name, int from, int n)
{
    struct pack_input in = {NULL, PACK_TRAIN};
    struct pack_options o;
    struct pack_report r;
    char *file = path_in(f->dir, "numbers"), *out = path_in(f->dir, name);
    struct str text;
    struct err e;

    str_init(&text);
    for (int d = from; d < from + n; d++) {
        str_addf(&text, "%d is a number", d);
        str_add_n(&text, "", 1);
    }
    assert_int_equal(file_write(file, text.text, text.len, &e), 0);
    str_release(&text);
    pack_defaults(&o);
    in.path = file;
    o.input = &in;
    o.n_input = 1;
    o.split = PACK_WHOLE;
    o.shard_bytes = 300;
    o.out = out;
    if (pack(&r, &o, &e))
        fail_msg("%s", e.text);
    free(file);
    free(out);
}

static void validation_text_in_the_training_set_is_refused(void **state)
{
    /* clang-format off */
    static const struct { int from, n; const char *says; } cases[] = {
        {1000, 200, NULL},       /* apart */
        {799, 300, NULL},        /* 1 of 300: 799 alone */
        {795, 300, "5 of its 300 documents are in the training set"},
        {100, 50, "50 of its 50 documents are in the training set"},
        {0, 800, "the validation set is the training set"},
    };
    /* clang-format on */
    struct fixture *f = *state;
    struct shard_set *train, *valid;
    char path[128];
    struct err e;

    pack_numbers(f, "t", 0, 800);
    snprintf(path, sizeof path, "%s/t/train", f->dir);
    train = open_ok(path);
    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        run("rm -rf %s/v", f->dir);
        pack_numbers(f, "v", cases[k].from, cases[k].n);
        snprintf(path, sizeof path, "%s/v/train", f->dir);
        valid = open_ok(path);
        e.text[0] = '\0';
        assert_int_equal(shard_check_data(train, &valid, 1, &e),
                         cases[k].says ? -1 : 0);
        if (cases[k].says && !strstr(e.text, cases[k].says))
            fail_msg("%s", e.text);
        shard_close(valid);
    }
    shard_close(train);
}

static void headers_read_back(void **state)
{
    const struct shard_header h = {.width = 2,
                                   .vocab = 65536,
                                   .tokens = 1000,
                                   .documents = 3,
                                   .bytes = 3210,
                                   .tokens_xxh3 = UINT64_C(0x8000000000000001),
                                   .index_xxh3 = 5};
    size_t len = (size_t)shard_file_size(&h);
    uint8_t *file = xcalloc(1, len);
    struct shard_header r;
    struct err e;

    (void)state;
    assert_int_equal(len, 128 + 2000 + 48);
    shard_header_write(file, &h);
    assert_int_equal(shard_header_read(&r, file, len, "f", &e), 0);
    assert_memory_equal(&r, &h, sizeof h);
    assert_int_equal(shard_header_read(&r, file, len - 1, "f", &e), -1);
    assert_int_equal(shard_header_read(&r, file, len + 8, "f", &e), -1);
    free(file);
}

/* A header with a correct checksum whose numbers cannot be. */
static void impossible_headers_are_refused(void **state)
{
    static const struct shard_header bad[] = {
        {.width = 3, .vocab = 256, .tokens = 8, .documents = 1, .bytes = 8},
        {.width = 1, .vocab = 257, .tokens = 8, .documents = 1, .bytes = 8},
        {.width = 1, .vocab = 0, .tokens = 8, .documents = 1, .bytes = 8},
        {.width = 1, .vocab = 256, .tokens = 8, .documents = 9, .bytes = 8},
        {.width = 4, .vocab = INT64_C(1) << 40, .tokens = 2, .bytes = 8},
        {.width = 4, .vocab = 9, .tokens = INT64_MAX / 4, .bytes = 8},
        {.width = 1, .vocab = 9, .tokens = -8, .bytes = 8},
    };
    uint8_t file[SHARD_HEADER + 64] = {0};
    struct shard_header r;
    struct err e;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
        shard_header_write(file, &bad[k]);
        for (size_t len = 0; len <= sizeof file; len++)
            assert_int_equal(shard_header_read(&r, file, len, "f", &e), -1);
    }
}

int main(void)
{
#define WITH_SET(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SET(reads_back_the_text),
        WITH_SET(finds_documents),
        WITH_SET(uniform_model_has_8_bits_a_byte),
        WITH_SET(identity_is_of_the_tokens),
        WITH_SET(damage_is_refused),
        WITH_SET(false_manifests_are_refused),
        WITH_SET(wrong_number_of_distinct_tokens_is_found),
        WITH_SET(a_directory_too_high_gets_a_hint),
        WITH_SET(validation_text_in_the_training_set_is_refused),
        cmocka_unit_test(headers_read_back),
        cmocka_unit_test(impossible_headers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
