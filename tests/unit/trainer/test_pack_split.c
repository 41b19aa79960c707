/* pack: every document lands in exactly one set, by its text, its directory or
 * its name, and not by its place. */
#include "tests/unit/trainer/packing.h"
#include "trainer/shard.h"

#include <math.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(every_document_is_in_one_set),
        IN_DIR(the_split_is_of_the_text),
        IN_DIR(the_split_is_not_of_the_position),
        IN_DIR(a_directory_is_on_one_side),
        IN_DIR(named_patterns_validate),
        IN_DIR(what_cannot_be_split_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
