/* pack: what is in train and in a validation set is left out or measured. */
#include "tests/unit/trainer/packing.h"
#include "trainer/pack_window.h"

#include <math.h>

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
    const struct CMUnitTest tests[] = {
        IN_DIR(copies_are_left_out_of_train),
        IN_DIR(overlap_is_measured_exactly),
        IN_DIR(overlapping_documents_can_be_left_out),
        cmocka_unit_test(sampled_windows_are_unbiased),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
