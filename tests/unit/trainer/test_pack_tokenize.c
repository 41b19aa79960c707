/* pack_tokenize: the same documents and the same bytes under any tokenizer, and
 * the same shards whatever the number of threads. */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/trainer/scratch.h"
#include "trainer/pack_tokenize.h"
#include "trainer/pack_write.h"
#include "trainer/shard.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DOCUMENTS 400
#define TOKENIZER(name) LOGLOG_GOLDEN "/tokenizers/" name

static void document_text(struct str *s, int k)
{
    str_clear(s);
    for (int i = 0; i < 3 + k % 90; i++)
        str_addf(s, "%s %d, %s\n", i % 3 ? "value" : "Größe 大小", i * k,
                 i % 7 ? "and it's more" : "\t<|endoftext|>");
}

/* A set of bytes in dir/bytes. */
static int write_bytes(void **state)
{
    struct pack_writer w;
    struct str text;
    struct err e;
    int rc;

    if (set_up(state))
        return -1;
    str_init(&text);
    rc = pack_writer_open(&w, in_dir("bytes"), 300000, NULL, &e);
    for (int k = 0; k < DOCUMENTS && !rc; k++) {
        document_text(&text, k);
        rc = pack_writer_add(&w, (const uint8_t *)text.text, text.len, &e);
    }
    rc = rc || pack_writer_finish(&w, "{}", &e);
    pack_writer_release(&w);
    str_release(&text);
    return rc;
}

static struct shard_set *opened(const char *name)
{
    struct shard_set *set;
    struct err e;

    if (shard_open(&set, in_dir(name), &e) || shard_verify(set, 1, &e))
        fail_msg("%s", e.text);
    return set;
}

/* Encode dir/bytes as dir/name; NULL: this build lacks the library. */
static struct shard_set *encoded(const char *name, const char *tokenizer,
                                 int threads)
{
    struct pack_tokenize_report r;
    struct shard_set *bytes = opened("bytes");
    struct tokenizer *t;
    struct err e;
    int rc = tokenizer_open(&t, tokenizer, NULL, &e);

    if (!rc) {
        rc = pack_tokenize(&r, in_dir(name), bytes, t, threads, 50000, &e);
        tokenizer_close(t);
    }
    shard_close(bytes);
    if (rc && e.cls != ERR_ENV)
        fail_msg("%s", e.text);
    return rc ? NULL : opened(name);
}

static void documents_and_bytes_are_the_same(void **state)
{
    /* clang-format off */
    static const char *const files[][2] = {
        {"hf", TOKENIZER("gpt2.json")}, {"tik", TOKENIZER("small.tiktoken:cl100k")},
        {"sp", TOKENIZER("small.model")}, {"llama", TOKENIZER("llama.model")}};
    /* clang-format on */
    struct shard_set *bytes = opened("bytes");
    struct str text, expected;
    int64_t from, n;

    (void)state;
    str_init(&text);
    str_init(&expected);
    for (size_t f = 0; f < ARRAY_LEN(files); f++) {
        struct shard_set *set = encoded(files[f][0], files[f][1], 3);
        const struct shard_info *i;

        if (!set)
            skip();
        i = shard_info(set);
        assert_int_equal(i->documents, DOCUMENTS);
        assert_int_equal(i->bytes, shard_info(bytes)->bytes);
        assert_true(i->tokens < shard_info(bytes)->tokens);
        assert_true(i->shards > 1);
        for (int k = 0; k < DOCUMENTS; k++) {
            shard_document(&from, &n, set, k);
            str_clear(&text);
            assert_int_equal(shard_text(&text, set, from, n), 0);
            document_text(&expected, k);
            if (text.len == expected.len + 1) /* a space was put in front */
                assert_string_equal(text.text + 1, expected.text);
            else
                assert_string_equal(text.text, expected.text);
            assert_int_equal(shard_bytes(set, from, n), expected.len + 1);
        }
        shard_close(set);
    }
    str_release(&text);
    str_release(&expected);
    shard_close(bytes);
}

/* The same text is divided by the same bytes: a model that gives each of 256
 * bytes the same probability has tokens log2(256) / bytes = 8 bits a byte, one
 * that gives each of V tokens the same has tokens log2(V) over those bytes,
 * however it is cut into windows. */
static void bits_per_byte_compare(void **state)
{
    struct shard_set *bytes = opened("bytes");
    struct shard_set *set = encoded("bpb", TOKENIZER("gpt2.json"), 1);
    const struct shard_info *b = shard_info(bytes), *i;
    int64_t sum = 0;

    (void)state;
    if (!set)
        skip();
    i = shard_info(set);
    assert_int_equal(shard_bytes(bytes, 0, b->tokens), b->tokens);
    for (int64_t at = 0; at < i->tokens; at += 57)
        sum += shard_bytes(set, at, at + 57 < i->tokens ? 57 : i->tokens - at);
    assert_int_equal(sum, shard_bytes(bytes, 0, b->tokens));
    shard_close(set);
    shard_close(bytes);
}

static void threads_do_not_matter(void **state)
{
    struct shard_set *one = encoded("one", TOKENIZER("llama3.json"), 1);
    struct shard_set *five = encoded("five", TOKENIZER("llama3.json"), 5);

    (void)state;
    if (!one)
        skip();
    assert_string_equal(shard_info(one)->sha256, shard_info(five)->sha256);
    shard_close(one);
    shard_close(five);
}

/* Bytes per token that do not add up to the index are damage. */
static void wrong_lengths_are_found(void **state)
{
    struct shard_set *set = encoded("wrong", TOKENIZER("gpt2.json"), 2);
    struct err e;
    FILE *f;

    (void)state;
    if (!set)
        skip();
    shard_close(set);
    f = fopen(in_dir("wrong/token_bytes.bin"), "r+");
    fseek(f, 2 * 0, SEEK_SET); /* the mark counts two */
    fputc(2, f);
    fclose(f);
    assert_int_equal(shard_open(&set, in_dir("wrong"), &e), 0);
    assert_int_equal(shard_verify(set, 0, &e), -1);
    assert_non_null(strstr(e.text, "the index says"));
    shard_close(set);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(documents_and_bytes_are_the_same),
    cmocka_unit_test(bits_per_byte_compare),
    cmocka_unit_test(threads_do_not_matter),
    cmocka_unit_test(wrong_lengths_are_found),
};

int main(void)
{
    return cmocka_run_group_tests(tests, write_bytes, tear_down);
}
