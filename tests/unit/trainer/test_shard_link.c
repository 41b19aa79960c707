/* shard_link: a set of another program's files has the bytes of its text
 * exactly, and is the same wherever its files lie. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/trainer/scratch.h"
#include "trainer/shard.h"
#include "trainer/shard_link.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N 500
#define VOCAB 40
#define MARK 39

static int token(int i)
{
    return i % 100 == 99 ? MARK : (i * 17 + i / 7) % (VOCAB - 1);
}

/* Bytes of a token: 1 to 9, and one for the mark. */
static int bytes_of(int t)
{
    return t == MARK ? 1 : 1 + t % 9;
}

static void save(const char *name, struct str *s)
{
    struct err e;

    assert_int_equal(file_write(in_dir(name), s->text, s->len, &e), 0);
    str_release(s);
}

/* Tokens [from, to) as bare 16 bits. */
static void save_tokens(const char *name, int from, int to)
{
    struct str s;

    str_init(&s);
    for (int i = from; i < to; i++) {
        const char two[2] = {(char)token(i), 0};
        str_add_n(&s, two, 2);
    }
    save(name, &s);
}

/* "xxx" and its rank, for each token but the mark, the last first. */
static void save_tiktoken(const char *name)
{
    static const char *const base64[] = {
        NULL,       "eA==",     "eHg=",         "eHh4",         "eHh4eA==",
        "eHh4eHg=", "eHh4eHh4", "eHh4eHh4eA==", "eHh4eHh4eHg=", "eHh4eHh4eHh4"};
    struct str s;

    str_init(&s);
    for (int t = VOCAB - 2; t >= 0; t--)
        str_addf(&s, "%s %d\n", base64[bytes_of(t)], t);
    save(name, &s);
}

static void save_llmc_tokenizer(const char *name, size_t cut)
{
    struct str s;

    str_init(&s);
    str_add_n(&s, "\xc8\xd7\x34\x01\2\0\0\0\x27\0\0\0", 12); /* 20240328 */
    while (s.len < 1024)
        str_add_n(&s, "", 1);
    for (int t = 0; t < VOCAB - 1; t++) {
        char n = (char)bytes_of(t);
        str_add_n(&s, &n, 1);
        str_add_n(&s, "xxxxxxxxx", (size_t)n);
    }
    s.len -= cut;
    save(name, &s);
}

static struct shard_set *link_ok(const struct link_options *o)
{
    struct shard_set *set = NULL;
    struct err e;

    if (shard_link(o, &e) || shard_open(&set, o->out, &e) ||
        shard_verify(set, 1, &e))
        fail_msg("%s", e.text);
    return set;
}

static void link_refused(const struct link_options *o, const char *says)
{
    struct err e = {0};

    if (!shard_link(o, &e))
        fail_msg("linked, expected '%s'", says);
    if (!strstr(e.text, says))
        fail_msg("'%s', expected '%s'", e.text, says);
}

static void bytes_of_text_are_exact(void **state)
{
    static const char *const files[] = {"v.tiktoken", "tokenizer.bin"};
    const char *input[2];

    (void)state;
    save_tokens("a.bin", 0, 200);
    save_tokens("b.bin", 200, N);
    save_tiktoken("v.tiktoken");
    save_llmc_tokenizer("tokenizer.bin", 0);
    input[0] = xstrdup(in_dir("a.bin"));
    input[1] = xstrdup(in_dir("b.bin"));
    for (size_t k = 0; k < ARRAY_LEN(files); k++) {
        struct link_options o = {.out = in_dir("linked"),
                                 .input = input,
                                 .n_input = 2,
                                 .layout = "u16",
                                 .vocab = VOCAB,
                                 .token_file = in_dir(files[k]),
                                 .mark = MARK,
                                 .force = 1};
        struct shard_set *set = link_ok(&o);
        const struct shard_info *i = shard_info(set);
        int64_t all = 0;

        assert_int_equal(i->tokens, N);
        assert_int_equal(i->documents, 5);
        assert_int_equal(i->shards, 2);
        for (int at = 0; at < N; at++) {
            int32_t is;
            all += bytes_of(token(at));
            shard_read(&is, set, at, 1);
            assert_int_equal(is, token(at));
            assert_int_equal(shard_bytes(set, at, 1), bytes_of(token(at)));
            assert_int_equal(shard_bytes(set, 0, at + 1), all);
        }
        assert_int_equal(i->bytes, all);
        shard_close(set);
    }
    free((char *)(uintptr_t)input[0]);
    free((char *)(uintptr_t)input[1]);
}

static void counts_are_those_of_the_tokens(void **state)
{
    const char *input[1];
    struct link_options o = {
        .input = input, .n_input = 1, .layout = "u16", .mark = -1};
    struct shard_set *set;

    (void)state;
    save_tokens("c.bin", 0, 100);
    input[0] = in_dir("c.bin");
    o.out = in_dir("counted");
    o.bytes = 730;
    set = link_ok(&o);
    assert_int_equal(shard_info(set)->vocab, MARK + 1); /* largest + 1 */
    assert_int_equal(shard_info(set)->distinct, VOCAB);
    assert_int_equal(shard_info(set)->bytes, 730);
    assert_int_equal(shard_bytes(set, 0, 50), 365); /* in proportion */
    assert_false(shard_indexed(set));
    shard_close(set);
}

/* The same files under other paths are the same data. */
static void identity_does_not_depend_on_the_place(void **state)
{
    const char *input[1];
    struct link_options o = {
        .input = input, .n_input = 1, .layout = "u16", .mark = -1};
    struct shard_set *a, *b;
    char id_a[SPEC_DATA_ID], id_b[SPEC_DATA_ID];
    struct err e;

    (void)state;
    assert_int_equal(file_mkdirs(in_dir("there"), &e), 0);
    save_tokens("d.bin", 0, 100);
    save_tokens("there/d.bin", 0, 100);
    input[0] = in_dir("d.bin");
    o.out = in_dir("one");
    a = link_ok(&o);
    input[0] = in_dir("there/d.bin");
    o.out = in_dir("two");
    b = link_ok(&o);
    shard_data_id(id_a, a, NULL, 0);
    shard_data_id(id_b, b, NULL, 0);
    assert_string_equal(id_a, id_b);
    shard_close(a);
    shard_close(b);
}

static void a_changed_file_is_noticed(void **state)
{
    const char *input[1];
    struct link_options o = {
        .input = input, .n_input = 1, .layout = "u16", .mark = -1};
    struct shard_set *set;
    struct err e;

    (void)state;
    save_tokens("e.bin", 0, 100);
    input[0] = in_dir("e.bin");
    o.out = in_dir("changed");
    shard_close(link_ok(&o));
    save_tokens("e.bin", 1, 101); /* the same size */
    assert_int_equal(shard_open(&set, in_dir("changed"), &e), 0);
    assert_int_equal(shard_verify(set, 1, &e), -1);
    assert_non_null(strstr(e.text, "e.bin: sha256"));
    shard_close(set);
    save_tokens("e.bin", 0, 99);
    assert_int_equal(shard_open(&set, in_dir("changed"), &e), -1);
    assert_non_null(strstr(e.text, "not the shard that manifest.json"));
    unlink(in_dir("e.bin"));
    assert_int_equal(shard_open(&set, in_dir("changed"), &e), -1);
    assert_non_null(strstr(e.text, "No such file"));
}

static void what_does_not_fit_is_refused(void **state)
{
    const char *input[1];
    struct link_options o = {
        .input = input, .n_input = 1, .layout = "u16", .mark = -1};
    struct str s;

    (void)state;
    save_tokens("f.bin", 0, 200);
    save_tiktoken("v.tiktoken");
    input[0] = in_dir("f.bin");
    o.out = in_dir("refused");
    o.vocab = 30;
    link_refused(&o, "is outside the vocabulary of 30");
    o.vocab = VOCAB;
    o.mark = VOCAB;
    link_refused(&o, "mark 40 is outside the vocabulary");
    o.mark = -1;
    o.token_file = in_dir("v.tiktoken");
    link_refused(&o, "offset 198: token 39 has no bytes in");
    o.mark = MARK;
    o.vocab = VOCAB - 2;
    o.mark = -1;
    link_refused(&o, "v.tiktoken:1: rank outside the vocabulary of 38");
    o.vocab = VOCAB;
    str_init(&s);
    str_add(&s, "eA== 0\nnot base64 1\n");
    save("bad.tiktoken", &s);
    o.token_file = in_dir("bad.tiktoken");
    link_refused(&o, "bad.tiktoken:2: expected");
    save_llmc_tokenizer("cut.bin", 2);
    o.token_file = in_dir("cut.bin");
    link_refused(&o, "cut.bin: cut at token 38");
    o.token_file = NULL;
    o.layout = "u17";
    link_refused(&o, "'u17' is no layout");
    assert_false(file_exists(in_dir("refused")));
    /* what is there already stays */
    o.layout = "u16";
    shard_close(link_ok(&o));
    link_refused(&o, "holds a set already; --force");
    input[0] = in_dir("refused");
    o.layout = NULL;
    o.out = in_dir("other");
    link_refused(&o, "is a set already");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_text_are_exact),
        cmocka_unit_test(counts_are_those_of_the_tokens),
        cmocka_unit_test(identity_does_not_depend_on_the_place),
        cmocka_unit_test(a_changed_file_is_noticed),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
