/* query: users' SQL reads and nothing else; four ways to print rows. */
#include "db/query.h"

#include "lab.h"

static struct err err;

static const char *const values =
    "SELECT 42 AS n, 0.1 AS x, 'a \"b\", c' AS t, NULL AS none, '' AS empty "
    "UNION ALL SELECT -9223372036854775807, 1e300, 'line\none|two', 'x', 'y'";

static void rows_print_in_four_ways(void **state)
{
    static const struct {
        enum query_format format;
        const char *text;
    } rows[] = {
        {QUERY_CSV, "n,x,t,none,empty\n"
                    "42,0.1,\"a \"\"b\"\", c\",,\"\"\n"
                    "-9223372036854775807,1e+300,\"line\none|two\",x,y\n"},
        {QUERY_JSON, "{\"n\": 42, \"x\": 0.1, \"t\": \"a \\\"b\\\", c\", "
                     "\"none\": null, \"empty\": \"\"}\n"
                     "{\"n\": -9223372036854775807, \"x\": 1e+300, \"t\": "
                     "\"line\\none|two\", \"none\": \"x\", \"empty\": "
                     "\"y\"}\n"},
        {QUERY_MD, "| n | x | t | none | empty |\n"
                   "|---|---|---|---|---|\n"
                   "| 42 | 0.1 | a \"b\", c |  |  |\n"
                   "| -9223372036854775807 | 1e+300 | line one\\|two | x | y "
                   "|\n"},
        {QUERY_TABLE,
         "                   n       x  t             none  empty\n"
         "--------------------  ------  ------------  ----  -----\n"
         "                  42     0.1  a \"b\", c\n"
         "-9223372036854775807  1e+300  line one|two  x     y\n"},
    };
    struct lab *l = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = lab_print(l->db, values, rows[i].format);
        assert_string_equal(text, rows[i].text);
        free(text);
    }
}

static void exact_numbers_read_back(void **state)
{
    struct lab *l = *state;

    assert_true(lab_number(l->db, "SELECT 1.0 / 3") == 1.0 / 3);
    assert_true(lab_number(l->db, "SELECT 4.35") == 4.35);
    assert_true(lab_number(l->db, "SELECT 5e-324") == 5e-324);
    assert_text(l->db, "SELECT 9223372036854775807", "9223372036854775807");
    assert_text(l->db, "SELECT x'00ff'", "00ff");
}

static void json_is_always_valid(void **state)
{
    struct lab *l = *state;
    char *text =
        lab_print(l->db,
                  "SELECT 9e999 AS inf, CAST(x'61ff62c3' AS TEXT) AS bad, "
                  "'é' || char(1) AS good",
                  QUERY_JSON);

    assert_string_equal(text, "{\"inf\": null, \"bad\": \"a\\ufffdb\\ufffd\", "
                              "\"good\": \"é\\u0001\"}\n");
    free(text);
}

static void a_table_is_safe_to_look_at(void **state)
{
    struct lab *l = *state;
    char *text =
        lab_print(l->db, "SELECT char(27) || '[31m' AS t", QUERY_TABLE);

    assert_null(strchr(text, 27));
    free(text);
    text =
        lab_print(l->db, "SELECT printf('%.*c', 500, 'x') AS t", QUERY_TABLE);
    assert_true(strlen(text) < 200);
    free(text);
    text = lab_print(l->db, "SELECT 1 AS one WHERE 0", QUERY_TABLE);
    assert_string_equal(text, "one\n---\n");
    free(text);
    /* rows beyond those that decided the widths are there too */
    text = lab_print(l->db,
                     "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "
                     "SELECT i + 1 FROM c WHERE i < 5000) SELECT i FROM c",
                     QUERY_TABLE);
    assert_non_null(strstr(text, "\n5000\n"));
    free(text);
}

/* --- read-only, whatever it says --- */

static const char *const writes[] = {
    "INSERT INTO study(name, resolved, sha256, created) VALUES(1,2,3,4)",
    "UPDATE run SET lr = 1",
    "DELETE FROM run",
    "DROP TABLE run",
    "DROP VIEW runs",
    "CREATE TABLE t(x)",
    "CREATE TEMP TABLE t(x)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TRIGGER t AFTER INSERT ON run BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE t USING fts5(x)",
    "ALTER TABLE run ADD COLUMN x",
    "ATTACH '%s/other.db' AS other",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO '%s/other.db'",
    "REINDEX",
    "ANALYZE",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "SAVEPOINT s",
    "PRAGMA journal_mode = delete",
    "PRAGMA user_version = 7",
    "PRAGMA writable_schema = on",
    "PRAGMA wal_checkpoint(truncate)",
    "PRAGMA optimize",
    "PRAGMA incremental_vacuum",
    "PRAGMA temp_store_directory = '%s'",
    "SELECT load_extension('%s/x.so')",
    "SELECT writefile('%s/other.db', 'x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT edit('x', 'touch %s/other.db')",
    "SELECT 1; DELETE FROM run",
    "WITH x AS (SELECT 1) DELETE FROM run",
    "WITH x AS (SELECT 1) INSERT INTO event(at, kind, text) VALUES(1,2,3)",
    "DELETE FROM run RETURNING id",
    "EXPLAIN",
    "REPLACE INTO meta VALUES('journal', 1)",
    "SELECT * FROM fts3_tokenizer('simple', x'00')",
    "",
    ";",
    "-- nothing",
};

static void try_all(struct lab *l, struct store *db)
{
    char sql[256], other[96];
    FILE *out = fopen("/dev/null", "w");

    snprintf(other, sizeof other, "%s/other.db", l->dir);
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        const char *s = strstr(writes[i], "%s");
        snprintf(sql, sizeof sql, "%.*s%s%s",
                 (int)(s ? s - writes[i] : (long)strlen(writes[i])), writes[i],
                 s ? l->dir : "", s ? s + 2 : "");
        if (db_query(out, db, sql, QUERY_CSV, &err) == 0)
            fail_msg("allowed: %s", sql);
        assert_int_equal(err.cls, ERR_USAGE);
        assert_false(file_exists(other));
    }
    fclose(out);
}

static void no_query_can_write(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 1);
    struct store *reader;
    char wal[128];

    lab_result(l, &p, "hyper", RUN_DONE, 2.5);
    ok(store_open(&reader, l->path, STORE_READ, &err));
    try_all(l, reader);
    store_close(reader);
    /* and not even through a connection that may */
    try_all(l, l->db);
    assert_number(l->db, "SELECT count(*) FROM runs", 1);
    assert_number(l->db, "SELECT lr FROM runs", 1e-3);
    snprintf(wal, sizeof wal, "%s-wal", l->path);
    assert_true(file_exists(wal)); /* still in that mode */
    ok(db_event(l->db, l->study, 0, "note", "writing goes on", &err));
}

static void reading_of_all_kinds_works(void **state)
{
    static const char *const reads[] = {
        "SELECT * FROM runs",
        ("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c "
         "WHERE i < 9) SELECT sum(i) FROM c"),
        "VALUES(1, 2)",
        "SELECT exp(1), log10(100), sqrt(2), pow(2, 3)",
        "SELECT json_extract('{\"a\": 1}', '$.a')",
        "SELECT value FROM json_each('[1,2,3]')",
        "SELECT name FROM pragma_table_info('runs')",
        "PRAGMA table_info(runs)",
        "SELECT sql FROM sqlite_schema",
        "EXPLAIN QUERY PLAN SELECT * FROM runs",
        "SELECT lr, rank() OVER (ORDER BY lr) FROM points;",
        "SELECT 1 -- with a remark",
        "SELECT percent, max(s) FROM (SELECT 1 AS percent, 2 AS s)",
    };
    struct lab *l = *state;

    for (size_t i = 0; i < ARRAY_LEN(reads); i++)
        free(lab_print(l->db, reads[i], QUERY_JSON));
}

/* --- parameters and saved queries --- */

static void parameters_are_bound_not_pasted(void **state)
{
    struct lab *l = *state;
    const struct query_param p[] = {
        {"a", "7"}, {"b", "2.5"}, {"c", "x'); DROP TABLE run; --"}};
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    ok(db_query_with(f, l->db, "SELECT :a + 1, typeof(@b), $c, typeof(:a), :a",
                     p, 3, QUERY_CSV, &err));
    fclose(f);
    assert_non_null(
        strstr(text, "\n8,real,x'); DROP TABLE run; --,integer,7\n"));
    free(text);
    f = fopen("/dev/null", "w");
    refused(db_query(f, l->db, "SELECT :a", QUERY_CSV, &err), ERR_USAGE,
            "no value for the parameter 'a'");
    refused(db_query(f, l->db, "SELECT ?", QUERY_CSV, &err), ERR_USAGE,
            "write :name");
    refused(db_query_with(f, l->db, "SELECT :a", p, 2, QUERY_CSV, &err),
            ERR_USAGE, "no parameter 'b'");
    fclose(f);
}

static void saved_queries_all_run(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 1), q = lab_run(0, 64, 1e-3, 2);
    FILE *f = fopen("/dev/null", "w");

    lab_result(l, &p, "hyper", RUN_DONE, 2.5);
    lab_result(l, &q, "hyper", RUN_DONE, 2.7);
    for (const struct query_saved *s = query_saved; s->name; s++) {
        ok(db_query_with(f, l->db, s->sql, s->param, s->n_param, QUERY_TABLE,
                         &err));
        assert_ptr_equal(query_find(s->name), s);
        assert_true(strlen(s->help) > 0);
    }
    fclose(f);
    assert_null(query_find("nonsense"));
}

static void a_full_output_is_an_error(void **state)
{
    struct lab *l = *state;
    FILE *f = fopen("/dev/full", "w");

    refused(db_query(f, l->db, "SELECT 1", QUERY_CSV, &err), ERR_ENV,
            "No space");
    fclose(f);
}

static int count(void *ctx, int n, const char *const *value)
{
    int *calls = ctx;

    assert_int_equal(n, 2);
    assert_string_equal(value[0], *calls ? "2" : "1");
    assert_null(value[1]);
    return ++*calls == 2;
}

static void each_row_reaches_the_callback(void **state)
{
    struct lab *l = *state;
    int calls = 0;

    ok(db_each(l->db,
               "SELECT 1, NULL UNION SELECT 2, NULL UNION "
               "SELECT 3, NULL",
               count, &calls, &err));
    assert_int_equal(calls, 2); /* it said stop */
    refused(db_each(l->db, "DELETE FROM run", count, &calls, &err), ERR_USAGE,
            "only read");
}

struct page {
    const char *text; /* of docs/database.md */
    int columns;
};

/* view, column: `column` stands in the paragraph of **view**. */
static int documented(void *ctx, int n, const char *const *value)
{
    struct page *page = ctx;
    char mark[96];
    const char *from, *to, *at;

    assert_int_equal(n, 2);
    snprintf(mark, sizeof mark, "\n**%s**", value[0]);
    from = strstr(page->text, mark);
    if (!from)
        fail_msg("view %s is not documented", value[0]);
    to = strstr(from + 3, "\n**");
    snprintf(mark, sizeof mark, "`%s`", value[1]);
    at = strstr(from, mark);
    if (!at || (to && at > to))
        fail_msg("column %s of view %s is not documented", value[1], value[0]);
    page->columns++;
    return 0;
}

static void every_column_is_documented(void **state)
{
    struct lab *l = *state;
    struct page page = {.columns = 0};
    char *text;
    size_t n;

    ok(file_read(&text, &n, DOCS "/database.md", 1 << 20, &err));
    page.text = text;
    ok(db_each(l->db, query_find("schema")->sql, documented, &page, &err));
    assert_true(page.columns > 100);
    free(text);
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(rows_print_in_four_ways),
        STUDY(exact_numbers_read_back),
        STUDY(json_is_always_valid),
        STUDY(a_table_is_safe_to_look_at),
        STUDY(no_query_can_write),
        STUDY(reading_of_all_kinds_works),
        STUDY(parameters_are_bound_not_pasted),
        STUDY(saved_queries_all_run),
        STUDY(a_full_output_is_an_error),
        STUDY(each_row_reaches_the_callback),
        STUDY(every_column_is_documented),
    };

    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
