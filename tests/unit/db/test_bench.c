/* bench: it measures something, and leaves nothing behind. */
#include "db/bench.h"

#include "lab.h"

#include <jansson.h>

static struct err err;

static void a_small_one_has_sensible_numbers(void **state)
{
    struct lab *l = *state;
    struct db_bench b;
    char *text = NULL;
    size_t n;
    FILE *f;
    json_t *o;

    ok(db_bench(&b, l->path, 20, 10000, &err));
    assert_int_equal(b.runs, 20);
    assert_int_equal(b.rows, 10000);
    assert_true(b.insert_rate > 0 && b.export_rate > 0);
    assert_true(b.row_bytes > 10 && b.row_bytes < 60);
    assert_true(b.journal_bytes > 20 && b.journal_bytes < 120);
    assert_true(b.status_ms > 0 && b.by_run_ms > 0 && b.points_ms > 0);
    assert_non_null(b.by_run_view);
    f = open_memstream(&text, &n);
    db_bench_print(f, &b, 1);
    fclose(f);
    o = json_loads(text, 0, NULL);
    assert_true(json_number_value(json_object_get(o, "bytes_per_row")) ==
                b.row_bytes);
    json_decref(o);
    free(text);
}

static void nothing_is_left(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock",
                                       ".journal.jsonl"};
    struct lab *l = *state;
    struct db_bench b;
    char name[160];

    ok(db_bench(&b, l->path, 1, 1, &err));
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        snprintf(name, sizeof name, "%s%s", l->path, ends[i]);
        assert_false(file_exists(name));
    }
}

static void nothing_is_overwritten(void **state)
{
    struct lab *l = *state;
    struct db_bench b;

    ok(file_write(l->path, "mine", 4, &err));
    refused(db_bench(&b, l->path, 1, 1, &err), ERR_USAGE, "there already");
    refused(db_bench(&b, l->path, 5, 1, &err), ERR_USAGE, "at least");
}

#define NEW(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW(a_small_one_has_sensible_numbers),
        NEW(nothing_is_left),
        NEW(nothing_is_overwritten),
    };

    return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}
