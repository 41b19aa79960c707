/* tokenizer: the tokens of the original programs on text of many scripts, and
 * every text back from its tokens.  The cases and what was expected of them:
 * tests/golden/make_tokenizers.py. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "trainer/tokenizer.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DIR LOGLOG_GOLDEN "/tokenizers/"

static struct file_map texts;

static int set_up(void **state)
{
    (void)state;
    return file_map(&texts, DIR "cases.bin", NULL);
}

static int tear_down(void **state)
{
    (void)state;
    file_unmap(&texts);
    return 0;
}

/* NULL: this build lacks the library. */
static struct tokenizer *opened(const char *file, const char *mark)
{
    struct tokenizer *t;
    struct err e;
    char path[512];

    snprintf(path, sizeof path, DIR "%s", file);
    if (!tokenizer_open(&t, path, mark, &e))
        return t;
    if (e.cls != ERR_ENV)
        fail_msg("%s", e.text);
    return NULL;
}

static uint64_t fnv1a(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return h;
}

/* 1 when the ids are those the line of the golden file tells. */
static int as_expected(const struct token_list *l, const char *line)
{
    struct str text;
    uint64_t hash;
    size_t n;
    int ok;

    str_init(&text);
    for (size_t i = 0; i < l->n; i++)
        str_addf(&text, "%s%" PRId32, i ? " " : "", l->id[i]);
    ok = sscanf(line, "%zu %" SCNx64, &n, &hash) == 2 && n == l->n &&
         hash == fnv1a(text.text);
    str_release(&text);
    return ok;
}

static void check_round_trip(const struct tokenizer *t,
                             const struct token_list *l, const char *text)
{
    struct str back;
    struct err e;
    int64_t bytes = tokenizer_length(t, tokenizer_info(t)->mark);

    str_init(&back);
    assert_int_equal(tokenizer_decode(&back, t, l->id, l->n, &e), 0);
    assert_string_equal(back.text, text);
    for (size_t i = 0; i < l->n; i++)
        bytes += tokenizer_length(t, l->id[i]);
    assert_int_equal(bytes, strlen(text) + 1);
    str_release(&back);
}

/* Every case under one tokenizer; those that hold `except` only for the way
 * back. */
static void compare(const char *file, const char *golden, const char *except)
{
    struct tokenizer *t = opened(file, NULL);
    const char *text = (const char *)texts.data;
    struct tokenizer_coder *coder;
    char path[512], line[64];
    struct err e;
    FILE *f;
    int k = 0;

    if (!t)
        skip();
    snprintf(path, sizeof path, DIR "%s.ids", golden);
    f = fopen(path, "r");
    assert_non_null(f);
    coder = tokenizer_coder_create(t);
    while (text < (const char *)texts.data + texts.len) {
        struct token_list l = {0};

        assert_non_null(fgets(line, sizeof line, f));
        if (tokenizer_encode(&l, coder, (const uint8_t *)text, strlen(text),
                             &e))
            fail_msg("%s: case %d: %s", file, k, e.text);
        if (!as_expected(&l, line) && !(except && strstr(text, except)))
            fail_msg("%s: case %d '%.60s': %zu tokens, expected %s", golden, k,
                     text, l.n, line);
        check_round_trip(t, &l, text);
        free(l.id);
        text += strlen(text) + 1;
        k++;
    }
    assert_true(k > 200);
    fclose(f);
    tokenizer_coder_destroy(coder);
    tokenizer_close(t);
}

static void hugging_face_tokens(void **state)
{
    (void)state;
    compare("gpt2.json", "gpt2.json", NULL);
    compare("llama3.json", "llama3.json", NULL);
    compare("deepseek.json", "deepseek.json", NULL);
    compare("deepseek3.json", "deepseek3.json", NULL);
}

static void tiktoken_tokens(void **state)
{
    (void)state;
    compare("small.tiktoken:gpt2", "small.tiktoken.gpt2", NULL);
    compare("small.tiktoken:cl100k", "small.tiktoken.cl100k", NULL);
    compare("small.tiktoken:o200k", "small.tiktoken.o200k", NULL);
    compare("small.tiktoken:llama3", "small.tiktoken.llama3", NULL);
}

static void sentencepiece_tokens(void **state)
{
    (void)state;
    compare("small.model", "small.model", NULL);
    compare("llama.model", "llama.model", NULL);
    /* 300 spaces are a tie, which versions of the library break differently */
    compare("unigram.model", "unigram.model", "          ");
}

/* Text that is no UTF-8, or holds what SentencePiece writes for a space,
 * comes back too. */
static void bytes_come_back(void **state)
{
    static const char *const files[] = {"gpt2.json", "small.tiktoken:o200k",
                                        "small.model"};
    static const char text[] = "ab\xff\xfe c\xe4\xb8 \xe2\x96\x81 d\xe2\x96\x81"
                               "e\n\xc3\n \xf0\x9f\x98\x80 f";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct tokenizer *t = opened(files[i], NULL);
        struct tokenizer_coder *coder;
        struct token_list l = {0};
        struct err e;

        if (!t)
            skip();
        coder = tokenizer_coder_create(t);
        if (tokenizer_encode(&l, coder, (const uint8_t *)text, sizeof text - 1,
                             &e))
            fail_msg("%s: %s", files[i], e.text);
        check_round_trip(t, &l, text);
        free(l.id);
        tokenizer_coder_destroy(coder);
        tokenizer_close(t);
    }
}

/* What a model cannot give back is an error, with the place. */
static void losses_are_refused(void **state)
{
    static const char text[] = "fine so far \xff";
    struct tokenizer *t = opened("llama.model", NULL);
    struct tokenizer_coder *coder;
    struct token_list l = {0};
    struct err e;

    (void)state;
    if (!t)
        skip();
    coder = tokenizer_coder_create(t);
    assert_int_equal(
        tokenizer_encode(&l, coder, (const uint8_t *)text, sizeof text - 1, &e),
        -1);
    assert_non_null(strstr(e.text, "offset 12: "));
    free(l.id);
    tokenizer_coder_destroy(coder);
    tokenizer_close(t);
}

/* gpt2.json with one change, and what is said of it. */
static void unsupported_is_named(void **state)
{
    /* clang-format off */
    static const struct { const char *was, *is, *says; } change[] = {
        {"\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}", "NFC"},
        {"\"dropout\":null", "\"dropout\":0.1", "dropout"},
        {"\"add_prefix_space\":false", "\"add_prefix_space\":true",
         "add_prefix_space"},
        {"\"type\":\"BPE\"", "\"type\":\"WordPiece\"", "WordPiece"},
        {"\"pre_tokenizer\":{\"type\":\"ByteLevel\"",
         "\"pre_tokenizer\":{\"type\":\"Metaspace\"", "Metaspace"},
        /* a property without its end */
        {"\"pre_tokenizer\":{\"type\":\"ByteLevel\"",
         "\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\","
         "\"invert\":false,\"pattern\":{\"Regex\":\"\\\\p{Greek\"}",
         "p{Greek"},
        {"\"merges\":[[", "\"merges\":[[\"nope\",\"x\"],[", "merges[0]"},
    };
    /* clang-format on */
    char path[] = "/tmp/test_tokenizer.XXXXXX.json", *text;
    size_t len;
    int fd = mkstemps(path, 5);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(file_read(&text, &len, DIR "gpt2.json", 1 << 20, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(change); i++) {
        char *at = strstr(text, change[i].was);
        struct tokenizer *t;
        struct str changed;
        struct err e;

        assert_non_null(at);
        str_init(&changed);
        str_add_n(&changed, text, (size_t)(at - text));
        str_add(&changed, change[i].is);
        str_add(&changed, at + strlen(change[i].was));
        assert_int_equal(file_write(path, changed.text, changed.len, NULL), 0);
        assert_int_equal(tokenizer_open(&t, path, NULL, &e), -1);
        if (e.cls != ERR_ENV && !strstr(e.text, change[i].says))
            fail_msg("%s", e.text);
        str_release(&changed);
    }
    unlink(path);
    free(text);
}

static void the_mark_is_chosen(void **state)
{
    struct tokenizer *t = opened("gpt2.json", "<|endoftext|>");
    struct err e;

    (void)state;
    if (!t)
        skip();
    assert_int_equal(tokenizer_info(t)->mark, 0);
    tokenizer_close(t);
    t = opened("small.tiktoken:gpt2", NULL); /* one more token */
    assert_int_equal(tokenizer_info(t)->mark, tokenizer_info(t)->vocab - 1);
    tokenizer_close(t);
    assert_int_equal(tokenizer_open(&t, DIR "gpt2.json", "300", &e), -1);
    assert_non_null(strstr(e.text, "is a token of the text"));
    assert_int_equal(tokenizer_open(&t, DIR "gpt2.json", "<none>", &e), -1);
    assert_int_equal(tokenizer_open(&t, DIR "small.tiktoken", NULL, &e), -1);
    assert_non_null(strstr(e.text, "ranks tell no pattern"));
}

/* A model learned here gives every case back. */
static void a_model_is_learned(void **state)
{
    char path[] = "/tmp/test_tokenizer.XXXXXX.model", input[64];
    const char *text = (const char *)texts.data;
    struct tokenizer_coder *coder;
    struct tokenizer *t;
    struct err e;
    int fd = mkstemps(path, 6);

    (void)state;
    close(fd);
    snprintf(input, sizeof input, "%s.txt", path);
    assert_int_equal(file_write(input, texts.data, texts.len, &e), 0);
    fd = tokenizer_train(path, input, 2400, 1, &e);
    unlink(input);
    if (fd && e.cls == ERR_ENV)
        skip();
    if (fd || tokenizer_open(&t, path, NULL, &e))
        fail_msg("%s", e.text);
    coder = tokenizer_coder_create(t);
    for (; text < (const char *)texts.data + texts.len;
         text += strlen(text) + 1) {
        struct token_list l = {0};

        if (tokenizer_encode(&l, coder, (const uint8_t *)text, strlen(text),
                             &e))
            fail_msg("%s", e.text);
        check_round_trip(t, &l, text);
        free(l.id);
    }
    tokenizer_coder_destroy(coder);
    tokenizer_close(t);
    unlink(path);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(hugging_face_tokens),
    cmocka_unit_test(tiktoken_tokens),
    cmocka_unit_test(sentencepiece_tokens),
    cmocka_unit_test(bytes_come_back),
    cmocka_unit_test(losses_are_refused),
    cmocka_unit_test(unsupported_is_named),
    cmocka_unit_test(the_mark_is_chosen),
    cmocka_unit_test(a_model_is_learned),
};

int main(void)
{
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
