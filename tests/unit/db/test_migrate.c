/* migrate: files of older versions become files of this one. */
#include "db/migrate.h"

#include "db/sql.h"
#include "db/upkeep.h"
#include "lab.h"

static struct err err;

/* A file of an older version, made from its dump. */
static void make_old(struct lab *l, int version)
{
    char path[512], pragma[128], *sql;
    sqlite3 *h;
    size_t n;

    snprintf(path, sizeof path, "%s/version-%d.sql", FIXTURES, version);
    ok(file_read(&sql, &n, path, 1 << 20, &err));
    snprintf(pragma, sizeof pragma,
             "PRAGMA application_id = %u; PRAGMA user_version = %d",
             STORE_APP_ID, version);
    assert_int_equal(sqlite3_open(l->path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, pragma, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(h);
    free(sql);
}

/* Tables by their columns, everything else by its text. */
static char *shape(struct store *db)
{
    return lab_print(
        db,
        "SELECT m.type, m.name, iif(m.type = 'table', "
        "(SELECT group_concat(x.cid || x.name || x.type || x.\"notnull\" || "
        "coalesce(x.dflt_value, '-') || x.pk || x.hidden) "
        "FROM pragma_table_xinfo(m.name) x), m.sql) "
        "FROM sqlite_schema m WHERE m.name NOT LIKE 'sqlite_%' "
        "ORDER BY m.type, m.name",
        QUERY_CSV);
}

static void every_older_version_becomes_this_one(void **state)
{
    struct lab *l = *state;
    struct store *fresh;
    char path[128], *is, *want;
    int64_t found;

    snprintf(path, sizeof path, "%s/fresh.db", l->dir);
    ok(store_open(&fresh, path, STORE_WRITE, &err));
    want = shape(fresh);
    store_close(fresh);
    assert_true(migrate_version() >= 2);
    for (int v = 1; v < migrate_version(); v++) {
        make_old(l, v);
        ok(store_open(&l->db, l->path, STORE_WRITE, &err));
        assert_number(l->db, "PRAGMA user_version", migrate_version());
        is = shape(l->db);
        assert_string_equal(is, want);
        free(is);
        ok(db_check(&found, stdout, l->db, 1, &err));
        assert_int_equal(found, 0);
        /* what was in it is in it, and it is used like a new one */
        assert_number(l->db, "SELECT count(*) FROM runs", 4);
        assert_number(l->db, "SELECT bpb FROM points", 2.1);
        assert_number(l->db, "SELECT count(*) FROM curves", 2);
        assert_number(l->db, "SELECT bpb FROM predictions", 1.9);
        ok(db_study_find(&l->study, l->db, "s", &err));
        ok(db_event(l->db, l->study, 0, "note", "after", &err));
        store_close(l->db);
        l->db = NULL;
        unlink(l->path);
    }
    free(want);
}

static void an_older_version_can_be_read_as_it_is(void **state)
{
    struct lab *l = *state;

    make_old(l, 1);
    ok(store_open(&l->db, l->path, STORE_READ, &err));
    assert_number(l->db, "PRAGMA user_version", 1);
    assert_number(l->db, "SELECT bpb FROM points", 2.1);
}

/* A step that fails leaves the file as it was. */
static void a_failed_migration_changes_nothing(void **state)
{
    struct lab *l = *state;
    sqlite3 *h;

    make_old(l, 1);
    assert_int_equal(sqlite3_open(l->path, &h), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(h, "CREATE TABLE imported(x)", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(h);
    refused(store_open(&l->db, l->path, STORE_WRITE, &err), ERR_DB,
            "already exists");
    ok(store_open(&l->db, l->path, STORE_READ, &err));
    assert_number(l->db, "PRAGMA user_version", 1);
    assert_number(l->db, "SELECT count(*) FROM runs", 4);
}

/* Views are made again when their text is another one. */
static void views_follow_the_program(void **state)
{
    struct lab *l = *state;

    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
    ok(sql_exec(l->db,
                "DROP VIEW points; CREATE VIEW points AS SELECT 1 AS x;"
                "UPDATE meta SET value = 'other' WHERE key = 'views'",
                &err));
    store_close(l->db);
    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
    assert_number(l->db, "SELECT count(bpb) FROM points", 0);
}

/* A reader cannot bring a file up to date; it says who can. */
static void an_older_file_that_is_only_read_says_so(void **state)
{
    struct lab *l = *state;

    make_old(l, 1);
    ok(store_open(&l->db, l->path, STORE_READ, &err));
    assert_int_equal(db_query(stdout, l->db, "SELECT flops_shared FROM cost",
                              QUERY_CSV, &err),
                     -1);
    assert_non_null(strstr(err.text, "no such column: flops_shared"));
    assert_non_null(strstr(err.text, "loglog db vacuum"));
    store_close(l->db);
    ok(store_open(&l->db, l->path, STORE_WRITE, &err));
    store_close(l->db);
    ok(store_open(&l->db, l->path, STORE_READ, &err));
    assert_int_equal(
        db_query(stdout, l->db, "SELECT nothing FROM cost", QUERY_CSV, &err),
        -1);
    assert_null(strstr(err.text, "vacuum"));
}

#define NEW(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW(every_older_version_becomes_this_one),
        NEW(an_older_file_that_is_only_read_says_so),
        NEW(an_older_version_can_be_read_as_it_is),
        NEW(a_failed_migration_changes_nothing),
        NEW(views_follow_the_program),
    };

    return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
