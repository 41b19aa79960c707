/* export: every row, exactly, in a form that others read. */
#include "db/export.h"

#include "lab.h"

#include <jansson.h>

static struct err err;

static char *export(struct store *db, const char *what, const char *where,
                    enum query_format format)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    ok(db_export(f, db, what, where, format, &err));
    fclose(f);
    return text;
}

static int lines(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Two runs, one with 250 steps. */
static int with_steps(void **state)
{
    struct planned p = lab_run(0, 64, 1e-3, 1), q = lab_run(0, 64, 2e-3, 1);
    struct db_step s[250];
    struct lab *l;

    if (lab_study(state))
        return -1;
    l = *state;
    lab_result(l, &q, "hyper", RUN_DIVERGED, 9.5);
    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    lab_begin(l, p.id);
    for (int i = 0; i < 250; i++)
        s[i] = (struct db_step){.run = p.id,
                                .attempt = 1,
                                .step = i + 1,
                                .tokens = 1024 * (i + 1),
                                .loss = 3.0 / (i + 1),
                                .lr = 1e-3,
                                .grad_norm = 0.5,
                                .seconds = 0.001};
    s[249].loss = NAN;
    ok(db_steps_add(l->db, s, 250, &err));
    return 0;
}

static void every_step_is_there_and_exact(void **state)
{
    struct lab *l = *state;
    char *text = export(l->db, "steps", NULL, QUERY_JSON), *save = NULL;
    int n = 0;

    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        json_t *o = json_loads(line, 0, NULL), *loss;
        assert_non_null(o);
        assert_int_equal(json_integer_value(json_object_get(o, "step")), ++n);
        loss = json_object_get(o, "loss");
        if (n == 250)
            assert_true(json_is_null(loss));
        else
            assert_true(json_number_value(loss) == 3.0 / n);
        json_decref(o);
    }
    assert_int_equal(n, 250);
    free(text);
    text = export(l->db, "steps", "step <= 7", QUERY_CSV);
    assert_int_equal(lines(text), 8);
    assert_int_equal(strncmp(text, "run,step,tokens,flops,loss,", 27), 0);
    free(text);
}

static void everything_in_the_table_can_be_exported(void **state)
{
    static const struct {
        const char *what;
        int rows;
    } rows[] = {
        {"runs", 2},     {"points", 1}, {"steps", 250}, {"evaluations", 0},
        {"attempts", 2}, {"optima", 0}, {"fits", 0},    {"predictions", 0},
        {"cost", 1},     {"events", 0},
    };
    struct lab *l = *state;
    size_t n = 0;

    for (; export_what[n].name; n++) {
        char *csv = export(l->db, export_what[n].name, NULL, QUERY_CSV);
        char *json = export(l->db, export_what[n].name, NULL, QUERY_JSON);
        assert_string_equal(export_what[n].name, rows[n].what);
        assert_int_equal(lines(csv), rows[n].rows + 1);
        assert_int_equal(lines(json), rows[n].rows);
        free(csv);
        free(json);
    }
    assert_int_equal(n, ARRAY_LEN(rows));
}

static void what_is_not_there_is_refused(void **state)
{
    struct lab *l = *state;

    refused(db_export(stdout, l->db, "run", NULL, QUERY_CSV, &err), ERR_USAGE,
            "one of: runs, points");
    refused(db_export(stdout, l->db, "runs", "1); DELETE FROM run; --",
                      QUERY_CSV, &err),
            ERR_USAGE, "");
    assert_number(l->db, "SELECT count(*) FROM runs", 2);
}

#define NUMBERS                                                                \
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c "          \
    "WHERE i < 9000) SELECT "

/* More rows than fit one batch: all of them, in order, each with its own text;
 * or the whole of what was before the row that fails. */
static void many_rows_keep_their_order(void **state)
{
    struct lab *l = *state;
    char *text =
        lab_print(l->db, NUMBERS "i, i / 8.0, 'a,' || i FROM c", QUERY_CSV);
    const char *at = text;

    assert_int_equal(strncmp(at, "i,", 2), 0);
    at += strcspn(at, "\n") + 1;
    for (int i = 1; i <= 9000; i++) {
        char want[64];
        snprintf(want, sizeof want, "%d,%.15g,\"a,%d\"\n", i, i / 8.0, i);
        assert_int_equal(strncmp(at, want, strlen(want)), 0);
        at += strlen(want);
    }
    assert_string_equal(at, "");
    free(text);
}

static void trouble_on_the_way_ends_the_rows(void **state)
{
    struct lab *l = *state;
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    refused(db_query(f, l->db,
                     NUMBERS
                     "abs(iif(i = 7000, -9223372036854775808, i)) FROM c",
                     QUERY_CSV, &err),
            ERR_DB, "overflow");
    fclose(f);
    assert_int_equal(lines(text), 7000);
    free(text);
    f = fopen("/dev/full", "w");
    assert_non_null(f);
    refused(db_query(f, l->db, NUMBERS "i FROM c", QUERY_CSV, &err), ERR_ENV,
            "No space");
    fclose(f);
}

#define STEPS(f) cmocka_unit_test_setup_teardown(f, with_steps, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEPS(every_step_is_there_and_exact),
        STEPS(everything_in_the_table_can_be_exported),
        STEPS(many_rows_keep_their_order),
        STEPS(trouble_on_the_way_ends_the_rows),
        STEPS(what_is_not_there_is_refused),
    };

    return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
