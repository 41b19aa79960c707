/* pack: text in any wrapping, what is not text, and nothing foreign is ever
 * replaced. */
#include "tests/unit/trainer/packing.h"
#include "trainer/pack_source.h"

#include <fcntl.h>
#include <sys/file.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(text_that_is_not_utf8),
        IN_DIR(wrapped_text_is_the_same_text),
        IN_DIR(damaged_wrapping_is_refused),
        IN_DIR(the_same_again_changes_nothing),
        IN_DIR(foreign_files_are_never_replaced),
        IN_DIR(leftovers_are_cleared_and_one_packs_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
