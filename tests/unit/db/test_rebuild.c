/* rebuild: files that are not journals, lines that make no sense. */
#include "db/rebuild.h"

#include "db/journal.h"
#include "lab.h"

static struct err err;

/* Whole lines, right checksums, wrong content: refused, not believed. */
static void lines_of_nonsense_are_refused(void **state)
{
    static const char *const ops[] = {
        "{\"op\":\"nonsense\"}",
        "{\"op\":\"study\"}",
        "{\"op\":\"study\",\"id\":5,\"name\":\"x\",\"resolved\":\"y\"}",
        "{\"op\":\"begin\",\"run\":12,\"attempt\":1}",
        "{\"op\":\"end\",\"run\":12,\"state\":\"done\"}",
        "{\"op\":\"plan\",\"study\":1,\"stage\":\"s\",\"runs\":[{}]}",
        "{\"op\":\"rows\",\"table\":\"sqlite_schema\",\"cols\":[\"sql\"],"
        "\"rows\":[[\"x\"]]}",
        "{\"op\":\"rows\",\"table\":\"study\",\"cols\":[\"id) SELECT 1;--\"],"
        "\"rows\":[[1]]}",
        "{\"op\":\"rows\",\"table\":\"study\",\"cols\":[\"id\"],"
        "\"rows\":[[1,2]]}",
        "{\"op\":\"steps\",\"run\":1,\"attempt\":1,\"rows\":[[1]]}",
        "{\"op\":\"event\",\"kind\":\"x\",\"text\":\"y\"}",
        "{\"op\":\"fit\",\"study\":9}",
        "{\"op\":\"prediction\",\"study\":1,\"model\":\"d_model = x\"}",
        "7",
    };
    struct lab *l = *state;
    struct rebuild r;
    struct str s;

    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        char in[128], out[128];
        snprintf(in, sizeof in, "%s/%zu.jsonl", l->dir, i);
        snprintf(out, sizeof out, "%s/%zu.db", l->dir, i);
        str_init(&s);
        str_add(&s, "{\"loglog_journal\":1,\"id\":\"0123456789abcdef\"}");
        journal_seal(&s, 0);
        str_addf(&s, "{\"n\":1,\"ops\":[%s]}", ops[i]);
        journal_seal(&s, s.len - strlen(ops[i]) - 16);
        ok(file_write(in, s.text, s.len, &err));
        str_release(&s);
        ok(db_rebuild(&r, in, out, &err));
        if (r.bad != 2)
            fail_msg("believed: %s", ops[i]);
        assert_true(r.why[0] != '\0');
    }
}

static void other_files_are_no_journals(void **state)
{
    struct lab *l = *state;
    struct rebuild r;
    char in[128], out[128];

    snprintf(in, sizeof in, "%s/in", l->dir);
    snprintf(out, sizeof out, "%s/out.db", l->dir);
    assert_int_equal(db_rebuild(&r, in, out, &err), -1);
    ok(file_write(in, "", 0, &err));
    refused(db_rebuild(&r, in, out, &err), ERR_DB, "empty");
    ok(file_write(in, "a,b,c\n1,2,3\n", 12, &err));
    ok(db_rebuild(&r, in, out, &err));
    assert_int_equal(r.bad, 1);
    assert_int_equal(r.lines, 0);
}

#define NEW(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW(lines_of_nonsense_are_refused),
        NEW(other_files_are_no_journals),
    };

    return cmocka_run_group_tests_name("rebuild", tests, NULL, NULL);
}
