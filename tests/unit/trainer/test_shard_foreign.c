/* shard_foreign: files laid out as the original writers lay them out are read
 * in place, and whatever does not add up is refused.
 *
 * The files are built here from the layouts, byte by byte, and not with the
 * readers' own code. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/trainer/scratch.h"
#include "trainer/shard.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N 300

/* Token i of every file here. */
static uint32_t token(int i, uint32_t vocab)
{
    return (uint32_t)(i * 7919 + i * i * 31) % vocab;
}

static void le(struct str *s, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++, v >>= 8) {
        char c = (char)(v & 255);
        str_add_n(s, &c, 1);
    }
}

static void tokens(struct str *s, int from, int to, int width, uint32_t vocab)
{
    for (int i = from; i < to; i++)
        le(s, token(i, vocab), width);
}

static void save(const char *name, struct str *s)
{
    struct err e;

    assert_int_equal(file_write(in_dir(name), s->text, s->len, &e), 0);
    str_clear(s);
}

static void llmc(struct str *s, uint32_t magic, uint32_t version, int from,
                 int to, int width, uint32_t vocab)
{
    le(s, magic, 4);
    le(s, version, 4);
    le(s, (uint64_t)(to - from), 4);
    for (int i = 3; i < 256; i++)
        le(s, 0, 4);
    tokens(s, from, to, width, vocab);
}

static void npy(struct str *s, int major, const char *dict, int width,
                uint32_t vocab)
{
    size_t head = major == 1 ? 10 : 12, len = strlen(dict);
    size_t padded = (head + len + 1 + 63) / 64 * 64 - head;

    str_add_n(s, "\x93NUMPY", 6);
    le(s, (uint64_t)major, 1);
    le(s, 0, 1);
    le(s, padded, major == 1 ? 2 : 4);
    str_add(s, dict);
    for (size_t i = len; i + 1 < padded; i++)
        str_add(s, " ");
    str_add(s, "\n");
    tokens(s, 0, N, width, vocab);
}

/* Sequences of 100, 0, 50 and 150 tokens; documents of 1, 2 and 1 of them. */
static void megatron_idx(struct str *s, int type, int width)
{
    static const int length[] = {100, 0, 50, 150}, document[] = {0, 1, 3, 4};
    int64_t at = 0;

    str_add_n(s, "MMIDIDX\0", 9);
    le(s, 1, 8);
    le(s, (uint64_t)type, 1);
    le(s, 4, 8);
    le(s, 4, 8);
    for (int i = 0; i < 4; i++)
        le(s, (uint64_t)length[i], 4);
    for (int i = 0; i < 4; i++) {
        le(s, (uint64_t)at, 8);
        at += length[i] * width;
    }
    for (int i = 0; i < 4; i++)
        le(s, (uint64_t)document[i], 8);
}

static struct shard_set *open_ok(const char *path)
{
    struct shard_set *set;
    struct err e;

    if (shard_open(&set, path, &e))
        fail_msg("%s", e.text);
    return set;
}

/* The set holds tokens 0 .. N, whatever part of them is asked for. */
static void holds_tokens(const char *path, uint32_t made_of, int64_t vocab)
{
    struct shard_set *set = open_ok(path);
    int32_t out[N];
    struct err e;

    assert_int_equal(shard_info(set)->tokens, N);
    assert_int_equal(shard_info(set)->vocab, vocab);
    if (shard_verify(set, 1, &e))
        fail_msg("%s", e.text);
    for (int from = 0; from < N; from += 37) {
        int n = from + 111 < N ? 111 : N - from;
        shard_read(out, set, from, n);
        for (int i = 0; i < n; i++)
            assert_int_equal(out[i], token(from + i, made_of));
    }
    shard_close(set);
}

static void refused(const char *path, const char *says)
{
    struct shard_set *set;
    struct err e = {0};

    if (!shard_open(&set, path, &e)) {
        if (!shard_verify(set, 0, &e))
            fail_msg("%s: read", path);
        shard_close(set);
    }
    if (!strstr(e.text, says))
        fail_msg("%s: '%s', expected '%s'", path, e.text, says);
    assert_int_equal(e.cls, ERR_USAGE);
}

static void reads_llmc(void **state)
{
    struct str s;

    (void)state;
    str_init(&s);
    llmc(&s, 20240520, 1, 0, N, 2, 50257);
    save("gpt2.bin", &s);
    holds_tokens(in_dir("gpt2.bin"), 50257, 50257);
    llmc(&s, 20240801, 7, 0, N, 4, 128256);
    save("llama3.bin", &s);
    holds_tokens(in_dir("llama3.bin"), 128256, 128256);
    /* several files by a pattern, in the order of their names */
    llmc(&s, 20240520, 1, 200, N, 2, 50257);
    save("part_000002.bin", &s);
    llmc(&s, 20240520, 1, 0, 120, 2, 50257);
    save("part_000000.bin", &s);
    llmc(&s, 20240520, 1, 120, 200, 2, 50257);
    save("part_000001.bin", &s);
    holds_tokens(in_dir("part_*.bin"), 50257, 50257);
    holds_tokens(in_dir("part_00000{0,1,2}.bin:llmc"), 50257, 50257);
    str_release(&s);
}

static void refuses_what_is_not_llmc(void **state)
{
    struct str s;

    (void)state;
    str_init(&s);
    llmc(&s, 20240520, 2, 0, N, 2, 50257);
    save("version.bin", &s);
    refused(in_dir("version.bin"), "magic 20240520 version 2");
    llmc(&s, 20240522, 1, 0, N, 2, 50257);
    save("eval.bin", &s);
    refused(in_dir("eval.bin"), "multiple-choice");
    llmc(&s, 20240520, 1, 0, N, 2, 50257);
    str_add(&s, "x");
    save("longer.bin", &s);
    refused(in_dir("longer.bin"), "the header says 300 tokens of 16 bits");
    llmc(&s, 20240520, 1, 0, 0, 2, 50257);
    save("empty.bin", &s);
    refused(in_dir("empty.bin"), "the header says 0 tokens");
    llmc(&s, 20240520, 1, 0, N, 2, 65536); /* beyond GPT-2's vocabulary */
    s.text[1024 + 2 * 17] = s.text[1024 + 2 * 17 + 1] = (char)255;
    save("vocab.bin", &s);
    refused(in_dir("vocab.bin"),
            "offset 1058: token 65535 is outside the vocabulary of 50257");
    llmc(&s, 20240520, 1, 0, N, 2, 50257);
    s.len = 500;
    save("short.bin", &s);
    refused(in_dir("short.bin"), "shorter than llm.c's header");
    str_release(&s);
}

static void reads_npy(void **state)
{
    /* clang-format off */
    static const struct { int major; const char *dict; int width;
                          uint32_t made_of; int64_t vocab; } files[] = {
        {1, "{'descr': '<u2', 'fortran_order': False, 'shape': (300,), }", 2, 60000, 65536},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (300,), }", 1, 256, 256},
        {2, "{'shape': (300,), 'fortran_order': False, 'descr': '<i4'}", 4, 1000000, INT64_C(1) << 31},
        {3, "{\"descr\":\"<u4\",\"fortran_order\":True,\"shape\":( 300 , )}", 4, 1000000, INT64_C(1) << 31},
    };
    /* clang-format on */
    struct str s;

    (void)state;
    str_init(&s);
    for (size_t k = 0; k < ARRAY_LEN(files); k++) {
        npy(&s, files[k].major, files[k].dict, files[k].width,
            files[k].made_of);
        save("x.npy", &s);
        holds_tokens(in_dir("x.npy"), files[k].made_of, files[k].vocab);
    }
    str_release(&s);
}

static void refuses_what_is_not_npy(void **state)
{
    /* clang-format off */
    static const struct { int major; const char *dict; const char *says; } files[] = {
        {4, "{'descr': '<u2', 'fortran_order': False, 'shape': (300,), }", "version 4"},
        {1, "{'descr': '<u2', 'fortran_order': False, 'shape': (30, 10), }", "one-dimensional"},
        {1, "{'descr': '<u2', 'fortran_order': False, 'shape': (), }", "one-dimensional"},
        {1, "{'descr': '>u2', 'fortran_order': False, 'shape': (300,), }", "type '>u2'"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (300,), }", "type '<f4'"},
        {1, "{'descr': '<u2', 'fortran_order': False, 'shape': (301,), }", "the header says 301"},
        {1, "{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,), }", "one-dimensional"},
        {1, "{'descr': '<u2', 'fortran_order': False, }", "one-dimensional"},
        {1, "{'descr': [('a', '<u2')], 'fortran_order': False, 'shape': (300,), }", "one-dimensional"},
        {1, "{'descr': '<u2' 'fortran_order': False, 'shape': (300,)", "one-dimensional"},
        {1, "", "one-dimensional"},
    };
    /* clang-format on */
    struct str s;

    (void)state;
    str_init(&s);
    for (size_t k = 0; k < ARRAY_LEN(files); k++) {
        npy(&s, files[k].major, files[k].dict, 2, 60000);
        save("bad.npy", &s);
        refused(in_dir("bad.npy"), files[k].says);
    }
    npy(&s, 1, files[0].dict, 2, 60000);
    for (size_t len = 6; len < 140; len++) { /* cut anywhere */
        struct err e;
        assert_int_equal(file_write(in_dir("cut.npy"), s.text, len, &e), 0);
        refused(in_dir("cut.npy"), "cut.npy: ");
    }
    str_release(&s);
}

static void reads_megatron(void **state)
{
    static const struct {
        int type, width;
        uint32_t made_of;
        int64_t vocab;
    } files[] = {{8, 2, 60000, 65536},
                 {4, 4, 1000000, INT64_C(1) << 31},
                 {1, 1, 256, 256},
                 {3, 2, 30000, 32768}};
    static const int64_t start[] = {0, 100, 150}, length[] = {100, 50, 150};
    struct str s;

    (void)state;
    str_init(&s);
    for (size_t k = 0; k < ARRAY_LEN(files); k++) {
        struct shard_set *set;

        megatron_idx(&s, files[k].type, files[k].width);
        save("m.idx", &s);
        tokens(&s, 0, N, files[k].width, files[k].made_of);
        save("m.bin", &s);
        holds_tokens(in_dir("m.bin"), files[k].made_of, files[k].vocab);
        holds_tokens(in_dir("m.idx"), files[k].made_of, files[k].vocab);
        set = open_ok(in_dir("m.bin"));
        assert_int_equal(shard_info(set)->documents, 3);
        for (int d = 0; d < 3; d++) {
            int64_t from, n;
            shard_document(&from, &n, set, d);
            assert_int_equal(from, start[d]);
            assert_int_equal(n, length[d]);
        }
        shard_close(set);
    }
    str_release(&s);
}

static void refuses_what_is_not_megatron(void **state)
{
    /* one byte of the .idx changed */
    static const struct {
        size_t at;
        char to;
        const char *says;
    } damage[] = {
        {9, 2, "no index of Megatron, version 1"},
        {17, 7, "type 7 (float32)"},
        {17, 99, "type 99 (unknown)"},
        {17, 4, "describes another length"}, /* 32 bits in 16-bit data */
        {18, 5, "cannot hold"},
        {25, 1, "cannot hold"}, /* 2^56 sequences */
        {26, 1, "cannot hold"},
        {34, 99, "sequence 1 of its .idx"},
        {34 + 12, 0, "describes another length"}, /* the last: 0 tokens */
        {34 + 16 + 8, 1, "sequence 1 of its .idx"},
        {34 + 16 + 24 + 7, (char)0x80, "describes another length"},
        {34 + 16 + 32, 1, "document entry 0"},
        {34 + 16 + 32 + 8, 9, "document entry 1"},
        {34 + 16 + 32 + 24, 3, "document entry 3"},
    };
    struct str s, bin;

    (void)state;
    str_init(&s);
    str_init(&bin);
    tokens(&bin, 0, N, 2, 60000);
    for (size_t k = 0; k < ARRAY_LEN(damage); k++) {
        struct str copy;
        str_init(&copy);
        str_add_n(&copy, bin.text, bin.len);
        save("d.bin", &copy);
        megatron_idx(&copy, 8, 2);
        copy.text[damage[k].at] = damage[k].to;
        save("d.idx", &copy);
        refused(in_dir("d.bin:megatron"), damage[k].says);
        str_release(&copy);
    }
    megatron_idx(&s, 8, 2);
    s.len -= 3;
    save("d.idx", &s);
    refused(in_dir("d.bin"), "cannot hold");
    unlink(in_dir("d.bin"));
    megatron_idx(&s, 8, 2);
    save("d.idx", &s);
    save("d.bin", &s); /* empty */
    refused(in_dir("d.bin"), "describes another length");
    str_release(&s);
    str_release(&bin);
}

static void reads_bare_tokens_by_name(void **state)
{
    struct shard_set *set;
    struct str s;

    (void)state;
    str_init(&s);
    tokens(&s, 0, N, 2, 50257);
    save("train.bin", &s);
    holds_tokens(in_dir("train.bin:u16"), 50257, 65536);
    holds_tokens(in_dir("train.bin:u16,vocab=50304"), 50257, 50304);
    refused(in_dir("train.bin"), "say "); /* what it is cannot be seen */
    refused(in_dir("train.bin:u16,vocab=100"), "outside the vocabulary of 100");
    refused(in_dir("train.bin:u32,vocab=100"), "outside the vocabulary of 100");
    refused(in_dir("train.bin:u16,size=3"), "'size=3': expected vocab=N");
    refused(in_dir("train.bin:u16,vocab=0"), "'vocab=0': expected vocab=N");
    refused(in_dir("train.bin:u17"), "'u17' is no layout");
    refused(in_dir("nothing_*.bin"), "No such file");
    tokens(&s, 0, N, 4, 100000);
    save("wide.bin", &s);
    holds_tokens(in_dir("wide.bin:u32,vocab=100277"), 100000, 100277);
    tokens(&s, 0, N, 1, 256);
    save("odd.bin", &s);
    holds_tokens(in_dir("odd.bin:bytes"), 256, 256);
    str_add(&s, "odd");
    save("odd.bin", &s);
    refused(in_dir("odd.bin:u16"), "not a whole number of 16-bit tokens");
    save("none.bin", &s);
    refused(in_dir("none.bin:u16"), "empty");
    /* what bits per byte divides by */
    set = open_ok(in_dir("train.bin:u16,bytes=1200"));
    assert_int_equal(shard_bytes(set, 10, 100), 400);
    shard_close(set);
    set = open_ok(in_dir("train.bin:u16"));
    assert_int_equal(shard_bytes(set, 10, 100), 0); /* not known */
    shard_close(set);
    str_release(&s);
}

/* The identity is of the tokens: the same in other files of the same layout,
 * other with one token changed. */
static void identity_is_of_the_tokens(void **state)
{
    struct shard_set *a, *b, *c;
    struct str s;

    (void)state;
    str_init(&s);
    tokens(&s, 0, N, 2, 50257);
    save("a.bin", &s);
    tokens(&s, 0, N, 2, 50257);
    save("b.bin", &s);
    tokens(&s, 0, N, 2, 50257);
    s.text[333] ^= 1;
    save("c.bin", &s);
    a = open_ok(in_dir("a.bin:u16"));
    b = open_ok(in_dir("b.bin:u16"));
    c = open_ok(in_dir("c.bin:u16"));
    assert_string_equal(shard_info(a)->sha256, shard_info(b)->sha256);
    assert_string_not_equal(shard_info(a)->sha256, shard_info(c)->sha256);
    shard_close(a);
    shard_close(b);
    shard_close(c);
    str_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_llmc),
        cmocka_unit_test(refuses_what_is_not_llmc),
        cmocka_unit_test(reads_npy),
        cmocka_unit_test(refuses_what_is_not_npy),
        cmocka_unit_test(reads_megatron),
        cmocka_unit_test(refuses_what_is_not_megatron),
        cmocka_unit_test(reads_bare_tokens_by_name),
        cmocka_unit_test(identity_is_of_the_tokens),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
