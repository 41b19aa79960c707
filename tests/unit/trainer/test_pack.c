/* pack: every document lands in exactly one set, by its text and not by its
 * place; what is left out is listed; nothing foreign is ever replaced. */
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "trainer/pack.h"
#include "trainer/pack_source.h"
#include "trainer/pack_window.h"
#include "trainer/shard.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DOCUMENTS 200

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...)
{
    char command[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    assert_int_equal(system(command), 0);
}

/* *state is the name of a temporary directory. */
static int set_up(void **state)
{
    char *dir = xstrdup("/tmp/test_pack.XXXXXX");

    assert_non_null(mkdtemp(dir));
    *state = dir;
    return 0;
}

static int tear_down(void **state)
{
    run("rm -rf %s", (char *)*state);
    free(*state);
    return 0;
}

static const char *in(const char *dir, const char *name)
{
    static char path[4][256];
    static int next;

    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", dir, name);
    return path[next];
}

static void put(const char *dir, const char *name, const void *text, size_t n)
{
    const char *path = in(dir, name);
    char *copy = xstrdup(path);
    struct err e;

    *strrchr(copy, '/') = '\0';
    assert_int_equal(file_mkdirs(copy, &e), 0);
    assert_int_equal(file_write(path, text, n, &e), 0);
    free(copy);
}

/* Document d: "d<number> " and random letters, n in all. */
static void letters(struct str *s, int d, size_t n)
{
    struct rng rng = {.seed = (uint64_t)d, .stream = RNG_TEST};

    str_clear(s);
    str_addf(s, "d%d ", d);
    while (s->len < n) {
        char c = (char)('a' + (char)rng_next_below(&rng, 26));
        str_add_n(s, &c, 1);
    }
}

/* 200 documents of 100 to 299 bytes as files DIR/sub/gNN/dNNN; `order` names
 * them in another order. */
static void put_documents(const char *dir, const char *sub, int order)
{
    struct str s;

    str_init(&s);
    for (int d = 0; d < DOCUMENTS; d++) {
        char name[64];
        int at = order ? DOCUMENTS - 1 - d : d;

        letters(&s, d, 100 + (size_t)d);
        snprintf(name, sizeof name, "%s/g%02d/d%03d", sub, at / 10, at);
        put(dir, name, s.text, s.len);
    }
    str_release(&s);
}

static int pack_dir(struct pack_report *r, struct pack_options *o,
                    const char *from, const char *to, struct err *e)
{
    struct pack_input input = {from, PACK_TRAIN};
    int rc;

    o->input = &input;
    o->n_input = 1;
    o->out = to;
    rc = pack(r, o, e);
    o->input = NULL;
    return rc;
}

static void pack_ok(struct pack_report *r, struct pack_options *o,
                    const char *from, const char *to)
{
    struct err e;

    if (pack_dir(r, o, from, to, &e))
        fail_msg("%s", e.text);
}

/* Numbers of the documents of a set ("d<number> ..."), marked in seen. */
static void documents_of(int seen[DOCUMENTS], const char *out, const char *set)
{
    struct shard_set *s;
    struct err e;

    memset(seen, 0, DOCUMENTS * sizeof *seen);
    if (shard_open(&s, in(out, set), &e) || shard_verify(s, 1, &e))
        fail_msg("%s", e.text);
    for (int64_t k = 0; k < shard_info(s)->documents; k++) {
        int32_t tokens[512];
        char text[512];
        int64_t from, n;
        struct str is;
        int d;

        shard_document(&from, &n, s, k);
        shard_read(tokens, s, from, n);
        for (int64_t i = 0; i < n; i++)
            text[i] = (char)tokens[i];
        d = atoi(text + 1);
        assert_in_range(d, 0, DOCUMENTS - 1);
        seen[d]++;
        str_init(&is);
        letters(&is, d, 100 + (size_t)d);
        assert_string_equal(text, is.text);
        str_release(&is);
    }
    shard_close(s);
}

static void every_document_is_in_one_set(void **state)
{
    int train[DOCUMENTS], valid[DOCUMENTS], n_valid = 0;
    struct pack_options o;
    struct pack_report r;

    put_documents(*state, "text", 0);
    pack_defaults(&o);
    o.valid_share = 0.2;
    o.shard_bytes = 2000; /* several shards */
    pack_ok(&r, &o, in(*state, "text"), in(*state, "out"));
    documents_of(train, in(*state, "out"), "train");
    documents_of(valid, in(*state, "out"), "valid");
    for (int d = 0; d < DOCUMENTS; d++) {
        assert_int_equal(train[d] + valid[d], 1);
        n_valid += valid[d];
    }
    assert_true(n_valid >= 30);
    assert_true((double)r.set[PACK_VALID].bytes > 0.15 * (double)r.bytes);
    assert_true((double)(r.set[PACK_VALID].bytes - n_valid) <=
                0.2 * (double)r.bytes);
    assert_int_equal(r.documents, DOCUMENTS);
    assert_int_equal(r.set[PACK_TRAIN].bytes + r.set[PACK_VALID].bytes,
                     r.bytes + DOCUMENTS);
}

/* Other names, another order, one file with NULs: the same validation set. */
static void the_split_is_of_the_text(void **state)
{
    int a[DOCUMENTS], b[DOCUMENTS], moved = 0;
    struct pack_options o;
    struct pack_report r, again;

    put_documents(*state, "one", 0);
    put_documents(*state, "two", 1);
    run("cd %s && for f in one/*/*; do cat $f; printf '\\0'; done > three",
        (char *)*state);
    pack_defaults(&o);
    o.valid_share = 0.2;
    pack_ok(&r, &o, in(*state, "one"), in(*state, "out1"));
    pack_ok(&again, &o, in(*state, "two"), in(*state, "out2"));
    assert_string_equal(r.set[1].sha256, again.set[1].sha256);
    pack_ok(&again, &o, in(*state, "three"), in(*state, "out3"));
    assert_string_equal(r.set[1].sha256, again.set[1].sha256);
    assert_string_equal(r.set[0].sha256, again.set[0].sha256);
    o.seed = 1; /* another seed splits otherwise */
    pack_ok(&again, &o, in(*state, "one"), in(*state, "out4"));
    assert_string_not_equal(r.set[1].sha256, again.set[1].sha256);
    documents_of(a, in(*state, "out1"), "valid");
    documents_of(b, in(*state, "out4"), "valid");
    for (int d = 0; d < DOCUMENTS; d++)
        moved += a[d] != b[d];
    assert_true(moved > 20);
}

/* Not the first, not the last: positions of the chosen spread evenly. */
static void the_split_is_not_of_the_position(void **state)
{
    int valid[DOCUMENTS], n = 0, low = 0;
    struct pack_options o;
    struct pack_report r;

    put_documents(*state, "text", 0);
    pack_defaults(&o);
    o.valid_share = 0.3;
    pack_ok(&r, &o, in(*state, "text"), in(*state, "out"));
    documents_of(valid, in(*state, "out"), "valid");
    for (int d = 0; d < DOCUMENTS; d++) {
        n += valid[d];
        low += valid[d] && d < DOCUMENTS / 2;
    }
    /* binomial: 4 SD of n/2 */
    assert_true(fabs(low - 0.5 * n) < 4 * sqrt(0.25 * n) + 4);
}

static void a_directory_is_on_one_side(void **state)
{
    int valid[DOCUMENTS], directories = 0;
    struct pack_options o;
    struct pack_report r;

    put_documents(*state, "text", 0);
    pack_defaults(&o);
    o.split = PACK_BY_DIRECTORY;
    o.valid_share = 0.2;
    pack_ok(&r, &o, in(*state, "text"), in(*state, "out"));
    documents_of(valid, in(*state, "out"), "valid");
    for (int g = 0; g < DOCUMENTS / 10; g++) {
        for (int d = 10 * g + 1; d < 10 * g + 10; d++)
            assert_int_equal(valid[d], valid[10 * g]);
        directories += valid[10 * g];
    }
    assert_in_range(directories, 2, 6);
}

static void named_patterns_validate(void **state)
{
    int valid[DOCUMENTS];
    struct pack_options o;
    struct pack_report r;

    put_documents(*state, "text", 0);
    pack_defaults(&o);
    o.valid_glob[o.n_valid_glob++] = "g03/*";
    o.valid_glob[o.n_valid_glob++] = "*/d?99";
    pack_ok(&r, &o, in(*state, "text"), in(*state, "out"));
    documents_of(valid, in(*state, "out"), "valid");
    for (int d = 0; d < DOCUMENTS; d++)
        assert_int_equal(valid[d], d / 10 == 3 || d == 99 || d == 199);
}

/* A text in train and in a validation set is taken out of train; of two
 * copies in train one stays; blank documents go. */
static void copies_are_left_out_of_train(void **state)
{
    struct pack_input input[4];
    struct pack_options o;
    struct pack_report r;
    struct err e;
    char *notes;
    size_t len;

    put(*state, "a/x", "the same text in three places", 29);
    put(*state, "a/y", "another text\0the same text in three places", 42);
    put(*state, "a/z", " \n\t\n", 4);
    put(*state, "v", "validation only", 15);
    put(*state, "o", "the same text in three places", 29);
    pack_defaults(&o);
    input[0] = (struct pack_input){in(*state, "a"), PACK_TRAIN};
    input[1] = (struct pack_input){in(*state, "v"), PACK_VALID};
    input[2] = (struct pack_input){in(*state, "o"), PACK_MORE};
    o.input = input;
    o.n_input = 3;
    o.n_set = 3;
    snprintf(o.set_name[2], PACK_NAME, "ood");
    o.out = in(*state, "out");
    if (pack(&r, &o, &e))
        fail_msg("%s", e.text);
    assert_int_equal(r.documents, 5);
    assert_int_equal(r.blank, 1);
    assert_int_equal(r.duplicates, 2);
    assert_int_equal(r.duplicate_bytes, 58);
    assert_int_equal(r.set[0].documents, 1);
    assert_int_equal(r.set[0].bytes, 13);
    assert_int_equal(r.set[1].bytes, 16);
    assert_int_equal(r.set[2].bytes, 30);
    assert_int_equal(
        file_read(&notes, &len, in(*state, "out/notes.tsv"), 4096, &e), 0);
    assert_non_null(strstr(notes, "copy\t"));
    assert_non_null(strstr(notes, "a/y\t13\t29\tof "));
    free(notes);
}

/* A passage of `copied` bytes of a validation document stands in train too:
 * copied - 63 of its length - 63 windows are found, wherever it stands. */
static void overlap_is_measured_exactly(void **state)
{
    const size_t copied[] = {0, 63, 64, 100, 500, 1000};
    struct str train, valid;

    str_init(&train);
    str_init(&valid);
    for (size_t k = 0; k < ARRAY_LEN(copied); k++) {
        struct pack_input input[2];
        struct pack_options o;
        struct pack_report r;
        struct err e;
        double is = copied[k] < 64 ? 0 : ((double)copied[k] - 63) / 937;

        letters(&valid, 1, 1000);
        letters(&train, 2, 777); /* any shift */
        str_add_n(&train, valid.text, copied[k]);
        str_add(&train, "tail");
        put(*state, "t", train.text, train.len);
        put(*state, "v", valid.text, valid.len);
        pack_defaults(&o);
        input[0] = (struct pack_input){in(*state, "t"), PACK_TRAIN};
        input[1] = (struct pack_input){in(*state, "v"), PACK_VALID};
        o.input = input;
        o.n_input = 2;
        o.force = 1;
        o.out = in(*state, "out");
        if (pack(&r, &o, &e))
            fail_msg("%s", e.text);
        if (fabs(r.set[1].overlap - is) > 1e-9)
            fail_msg("%zu bytes: overlap %g, is %g", copied[k],
                     r.set[1].overlap, is);
        assert_true(fabs(r.set[1].unique - 1) < 1e-9);
    }
    str_release(&train);
    str_release(&valid);
}

static void overlapping_documents_can_be_left_out(void **state)
{
    struct pack_input input[3];
    struct pack_options o;
    struct pack_report r;
    struct str s;
    struct err e;

    str_init(&s);
    letters(&s, 1, 1000);
    put(*state, "v1", s.text, s.len); /* half of it is in train */
    put(*state, "t", s.text + 400, 600);
    letters(&s, 2, 1000);
    put(*state, "v2", s.text, s.len);
    pack_defaults(&o);
    input[0] = (struct pack_input){in(*state, "t"), PACK_TRAIN};
    input[1] = (struct pack_input){in(*state, "v1"), PACK_VALID};
    input[2] = (struct pack_input){in(*state, "v2"), PACK_VALID};
    o.input = input;
    o.n_input = 3;
    o.max_overlap = 0.01;
    o.out = in(*state, "out");
    if (pack(&r, &o, &e))
        fail_msg("%s", e.text);
    assert_int_equal(r.overlapping, 1);
    assert_int_equal(r.set[1].documents, 1);
    assert_true(r.set[1].overlap <= 0);
    o.n_input = 2; /* v1 alone: nothing would be left */
    o.force = 1;
    assert_int_equal(pack(&r, &o, &e), -1);
    assert_non_null(strstr(e.text, "would be empty"));
    str_release(&s);
}

static void text_that_is_not_utf8(void **state)
{
    /* clang-format off */
    static const struct { const char *text; size_t n, bad, first; } cases[] = {
        {"plain", 5, 0, 0},
        {"caf\xc3\xa9", 5, 0, 0},
        {"\xe4\xb8\xad\xe6\x96\x87", 6, 0, 0},
        {"\xf0\x9f\x98\x80", 4, 0, 0},
        {"\xf4\x8f\xbf\xbf", 4, 0, 0},      /* U+10FFFF */
        {"\xf4\x90\x80\x80", 4, 4, 0},      /* above it */
        {"\xc0\xaf", 2, 2, 0},              /* overlong */
        {"\xe0\x80\xaf", 3, 3, 0},
        {"\xed\xa0\x80", 3, 3, 0},          /* surrogate */
        {"\xed\x9f\xbf", 3, 0, 0},
        {"ab\xff" "cd", 5, 1, 2},
        {"abc\xe4\xb8", 5, 2, 3},           /* cut */
        {"\x80", 1, 1, 0},
    };
    /* clang-format on */
    struct pack_options o;
    struct pack_report r;
    struct err e;

    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        size_t first = 0;
        assert_int_equal(pack_invalid_utf8((const uint8_t *)cases[k].text,
                                           cases[k].n, &first),
                         cases[k].bad);
        if (cases[k].bad)
            assert_int_equal(first, cases[k].first);
    }
    put(*state, "in/a",
        "fine\0b\xff"
        "d\0fine too",
        17);
    pack_defaults(&o);
    o.split = PACK_WHOLE;
    pack_ok(&r, &o, in(*state, "in"), in(*state, "keep"));
    assert_int_equal(r.invalid_documents, 1);
    assert_int_equal(r.invalid_bytes, 1);
    assert_int_equal(r.set[0].documents, 3);
    o.invalid = PACK_DROP;
    pack_ok(&r, &o, in(*state, "in"), in(*state, "drop"));
    assert_int_equal(r.set[0].documents, 2);
    o.invalid = PACK_REFUSE;
    assert_int_equal(
        pack_dir(&r, &o, in(*state, "in"), in(*state, "refuse"), &e), -1);
    assert_non_null(strstr(e.text, "in/a: offset 6: not UTF-8"));
    assert_false(file_exists(in(*state, "refuse")));
    assert_false(file_exists(in(*state, "refuse.packing")));
}

/* The same documents, whatever they are wrapped in. */
static void wrapped_text_is_the_same_text(void **state)
{
    static const char *const wrapped[] = {
        "gzip -c three > w.gz",
        "xz -c three > w.xz",
        "bzip2 -c three > w.bz2",
        "zstd -q -c three > w.zst",
        ("for f in one/*/*; do printf '{\"id\": [1], \"text\": \"'; cat $f; "
         "printf '\"}\\n'; done > w.jsonl"),
        "gzip -c w.jsonl > w.ndjson.gz",
    };
    static const char *const file[] = {"w.gz",  "w.xz",    "w.bz2",
                                       "w.zst", "w.jsonl", "w.ndjson.gz"};
    static const char *const need[] = {"gzip", "xz",   "bzip2",
                                       "zstd", "true", "gzip"};
    struct pack_options o;
    struct pack_report plain, r;
    int tried = 0;

    put_documents(*state, "one", 0);
    run("cd %s && for f in one/*/*; do cat $f; printf '\\0'; done > three",
        (char *)*state);
    pack_defaults(&o);
    o.valid_share = 0.2;
    pack_ok(&plain, &o, in(*state, "three"), in(*state, "plain"));
    for (size_t k = 0; k < ARRAY_LEN(wrapped); k++) {
        char have[64];

        snprintf(have, sizeof have, "command -v %s > /dev/null", need[k]);
        if (system(have))
            continue;
        run("cd %s && %s", (char *)*state, wrapped[k]);
        o.force = 1;
        pack_ok(&r, &o, in(*state, file[k]), in(*state, "out"));
        assert_int_equal(r.documents, DOCUMENTS);
        assert_string_equal(r.set[0].sha256, plain.set[0].sha256);
        assert_string_equal(r.set[1].sha256, plain.set[1].sha256);
        tried++;
    }
    assert_true(tried >= 3);
}

static void damaged_wrapping_is_refused(void **state)
{
    /* clang-format off */
    static const struct { const char *file, *text, *says; } cases[] = {
        {"a.gz", "this is not compressed", "a.gz: damaged (gzip"},
        {"b.jsonl", "{\"text\": \"fine\"}\n\n{\"text\": 3}\n", "b.jsonl:3: expected an object with a text \"text\""},
        {"c.jsonl", "{\"text\": \"fine\"}\n{\"body\": \"x\"}", "c.jsonl:2: expected an object"},
        {"d.jsonl", "{\"text\": \"fine\"}\n{\"text\": \"cut", "d.jsonl:2: "},
        {"e.jsonl", "[1, 2]\n", "e.jsonl:1: expected an object"},
        {"f.jsonl", "{\"text\": \"a\\u0000b\"}\n", "f.jsonl:1: "},
    };
    /* clang-format on */
    struct pack_options o;
    struct pack_report r;
    struct err e;

    pack_defaults(&o);
    o.split = PACK_WHOLE;
    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        put(*state, cases[k].file, cases[k].text, strlen(cases[k].text));
        assert_int_equal(
            pack_dir(&r, &o, in(*state, cases[k].file), in(*state, "out"), &e),
            -1);
        if (!strstr(e.text, cases[k].says))
            fail_msg("%s", e.text);
        assert_false(file_exists(in(*state, "out")));
    }
}

static void the_same_again_changes_nothing(void **state)
{
    struct pack_options o;
    struct pack_report r;
    struct stat before, after;
    struct err e;

    put_documents(*state, "text", 0);
    pack_defaults(&o);
    pack_ok(&r, &o, in(*state, "text"), in(*state, "out"));
    assert_int_equal(r.unchanged, 0);
    stat(in(*state, "out/train/shard-00000.tok"), &before);
    pack_ok(&r, &o, in(*state, "text"), in(*state, "out"));
    assert_int_equal(r.unchanged, 1);
    stat(in(*state, "out/train/shard-00000.tok"), &after);
    assert_int_equal(before.st_ino, after.st_ino);
    /* other content: only by force */
    put(*state, "text/more", "one more document", 17);
    assert_int_equal(
        pack_dir(&r, &o, in(*state, "text"), in(*state, "out"), &e), -1);
    assert_non_null(strstr(e.text, "--force"));
    stat(in(*state, "out/train/shard-00000.tok"), &after);
    assert_int_equal(before.st_ino, after.st_ino);
    o.force = 1;
    pack_ok(&r, &o, in(*state, "text"), in(*state, "out"));
    stat(in(*state, "out/train/shard-00000.tok"), &after);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_false(file_exists(in(*state, "out.packing")));
}

static void foreign_files_are_never_replaced(void **state)
{
    static const char *const foreign[] = {"out/thesis.txt", "out/train/x",
                                          "out/deep/er/file"};
    struct pack_options o;
    struct pack_report r;
    struct err e;

    put_documents(*state, "text", 0);
    pack_defaults(&o);
    o.force = 1;
    for (size_t k = 0; k < ARRAY_LEN(foreign); k++) {
        run("rm -rf %s/out", (char *)*state);
        put(*state, foreign[k], "mine", 4);
        assert_int_equal(
            pack_dir(&r, &o, in(*state, "text"), in(*state, "out"), &e), -1);
        assert_non_null(strstr(e.text, "not made by data pack"));
        assert_true(file_exists(in(*state, foreign[k])));
        assert_false(file_exists(in(*state, "out.packing")));
    }
    run("rm -rf %s/out && mkdir %s/out", (char *)*state, (char *)*state);
    pack_ok(&r, &o, in(*state, "text"), in(*state, "out")); /* empty: fine */
}

static void leftovers_are_cleared_and_one_packs_at_a_time(void **state)
{
    struct pack_options o;
    struct pack_report r;
    struct err e;
    int fd;

    put_documents(*state, "text", 0);
    put(*state, "out.packing/train/shard-00000.tok", "half", 4);
    put(*state, "out.packing/valid.raw", "half", 4);
    pack_defaults(&o);
    fd = open(in(*state, "out.packing"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(
        pack_dir(&r, &o, in(*state, "text"), in(*state, "out"), &e), -1);
    assert_non_null(strstr(e.text, "another process is packing"));
    close(fd); /* it died */
    pack_ok(&r, &o, in(*state, "text"), in(*state, "out"));
    assert_false(file_exists(in(*state, "out.packing")));
}

static void what_cannot_be_split_is_refused(void **state)
{
    struct pack_options o;
    struct pack_report r;
    struct err e;

    pack_defaults(&o);
    put(*state, "one/only", "a single document of some length", 32);
    put(*state, "none/blank", "   ", 3);
    put(*state, "none/empty", "", 0);
    assert_int_equal(pack_dir(&r, &o, in(*state, "one"), in(*state, "out"), &e),
                     -1);
    assert_non_null(strstr(e.text, "none of 1 documents"));
    o.valid_bytes = 1000;
    assert_int_equal(pack_dir(&r, &o, in(*state, "one"), in(*state, "out"), &e),
                     -1);
    assert_non_null(strstr(e.text, "no document would be in 'train'"));
    assert_int_equal(
        pack_dir(&r, &o, in(*state, "none"), in(*state, "out"), &e), -1);
    assert_non_null(strstr(e.text, "no document would be in"));
    assert_int_equal(
        pack_dir(&r, &o, in(*state, "gone"), in(*state, "out"), &e), -1);
    assert_non_null(strstr(e.text, "No such file"));
    assert_false(file_exists(in(*state, "out")));
}

/* A table that must sample gives the same shares within sampling error. */
static void sampled_windows_are_unbiased(void **state)
{
    struct windows all, few;
    struct str a, b;
    int64_t n, found;
    double share[2];

    (void)state;
    str_init(&a);
    str_init(&b);
    letters(&a, 1, 200000);
    letters(&b, 2, 1000);
    str_add_n(&b, a.text + 50000, 60000); /* 30 % of a */
    windows_init(&all, 1000000);
    windows_init(&few, 5000);
    windows_add(&all, (const uint8_t *)a.text, a.len);
    windows_add(&few, (const uint8_t *)a.text, a.len);
    assert_int_equal(all.mask, 0);
    assert_true(few.used <= 5000 && few.used > 1250);
    windows_find(&all, 1, (const uint8_t *)b.text, b.len);
    windows_find(&few, 1, (const uint8_t *)b.text, b.len);
    windows_overlap(&all, (const uint8_t *)a.text, a.len, &n, &found);
    share[0] = (double)found / (double)n;
    assert_int_equal(n, 200000 - 63);
    assert_int_equal(found, 60000 - 63);
    windows_overlap(&few, (const uint8_t *)a.text, a.len, &n, &found);
    share[1] = (double)found / (double)n;
    assert_true(fabs(share[1] - share[0]) < 0.05);
    /* a text that repeats itself four times is a quarter unique */
    for (int i = 0; i < 3; i++)
        windows_add(&few, (const uint8_t *)a.text, a.len);
    assert_true(fabs(windows_unique(&few) - 0.25) < 0.01);
    windows_release(&all);
    windows_release(&few);
    str_release(&a);
    str_release(&b);
}

int main(void)
{
#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_DIR(every_document_is_in_one_set),
        IN_DIR(the_split_is_of_the_text),
        IN_DIR(the_split_is_not_of_the_position),
        IN_DIR(a_directory_is_on_one_side),
        IN_DIR(named_patterns_validate),
        IN_DIR(copies_are_left_out_of_train),
        IN_DIR(overlap_is_measured_exactly),
        IN_DIR(overlapping_documents_can_be_left_out),
        IN_DIR(text_that_is_not_utf8),
        IN_DIR(wrapped_text_is_the_same_text),
        IN_DIR(damaged_wrapping_is_refused),
        IN_DIR(the_same_again_changes_nothing),
        IN_DIR(foreign_files_are_never_replaced),
        IN_DIR(leftovers_are_cleared_and_one_packs_at_a_time),
        IN_DIR(what_cannot_be_split_is_refused),
        cmocka_unit_test(sampled_windows_are_unbiased),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
