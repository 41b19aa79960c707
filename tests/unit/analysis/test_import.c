/* import: tables, formulas and mappings, good and bad. */
#include "analysis/expr.h"
#include "analysis/import.h"
#include "analysis/table.h"
#include "base/file.h"
#include "base/mem.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void put(const char *text)
{
    struct err e;

    snprintf(path, sizeof(path), "/tmp/loglog-import-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    ok(file_write(path, text, strlen(text), &e));
}

static int forget(void **state)
{
    (void)state;
    if (path[0])
        unlink(path);
    path[0] = '\0';
    return 0;
}

static void csv_quoting_is_rfc_4180(void **state)
{
    struct table t;
    struct err e;

    (void)state;
    put("\xef\xbb\xbf"
        "a,\"b \"\"x\"\"\", c \r\n"
        "1,\"two, with\nbreak\",3\r\n"
        "\r\n"
        "\"\",,\"6\"\"\"\n"
        "7,8,9");
    ok(table_read(&t, path, &e));
    assert_int_equal(t.cols, 3);
    assert_int_equal(t.rows, 3);
    assert_string_equal(t.name[0], "a");
    assert_string_equal(t.name[1], "b \"x\"");
    assert_string_equal(t.name[2], "c");
    assert_string_equal(table_cell(&t, 0, 1), "two, with\nbreak");
    assert_string_equal(table_cell(&t, 1, 2), "6\"");
    assert_string_equal(table_cell(&t, 2, 2), "9");
    assert_int_equal(t.line[1], 5);
    assert_int_equal(t.line[2], 6);
    table_release(&t);
}

static void delimiters_are_seen(void **state)
{
    static const char *const text[] = {"x;y\n1,5;2\n", "x\ty\n1,5\t2\n"};
    struct table t;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(text); i++) {
        put(text[i]);
        ok(table_read(&t, path, &e));
        assert_int_equal(t.cols, 2);
        assert_string_equal(table_cell(&t, 0, 0), "1,5");
        table_release(&t);
        unlink(path);
    }
}

static void json_lines_and_arrays_are_tables(void **state)
{
    static const char *const text[] = {
        "{\"n\": 1e8, \"opt\": {\"lr\": 0.01}, \"loss\": NaN}\n\n"
        "{\"loss\": 3.25, \"name\": \"a \\\"NaN\\\" b\", \"ok\": true,"
        " \"n\": 12345678901234567890}\n",
        "[{\"n\": 1e8, \"opt\": {\"lr\": 0.01}, \"loss\": null},\n"
        "{\"loss\": 3.25, \"name\": \"a \\\"NaN\\\" b\", \"ok\": true,"
        " \"n\": 12345678901234567890}]",
    };
    struct table t;
    struct err e;
    double v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(text); i++) {
        put(text[i]);
        ok(table_read(&t, path, &e));
        assert_int_equal(t.rows, 2);
        ok(table_number(&v, &t, 0, (size_t)table_column(&t, "opt.lr"), &e));
        near(v, 0.01, 0);
        ok(table_number(&v, &t, 0, (size_t)table_column(&t, "loss"), &e));
        assert_true(isnan(v));
        ok(table_number(&v, &t, 1, (size_t)table_column(&t, "opt.lr"), &e));
        assert_true(isnan(v));
        ok(table_number(&v, &t, 1, (size_t)table_column(&t, "n"), &e));
        near(v, 12345678901234567890.0, 1e-15);
        assert_string_equal(table_cell(&t, 1, (size_t)table_column(&t, "name")),
                            "a \"NaN\" b");
        ok(table_number(&v, &t, 1, (size_t)table_column(&t, "ok"), &e));
        near(v, 1, 0);
        table_release(&t);
        unlink(path);
    }
}

static void broken_tables_say_where(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "empty"},
        {" \n\n", "empty"},
        {"a,b\n1,2\n3\n", ":3: 1 cells, expected 2"},
        {"a,b\n1,2\n3,4,5\n", ":3: 3 cells"},
        {"a,b\n1,\"2\n3,4\n", ":2: a quote is never closed"},
        {"a,b\n1,\"2\"x\n", ":2: 'x' after a closing quote"},
        {"a,b,a\n", "column 'a' appears twice"},
        {"{\"a\": 1}\n{\"a\": 1,}\n", ":2: "},
        {"{\"a\": 1}\n[1]\n", ":2: expected an object"},
        {"[{\"a\": 1}, 3]", ":2: expected an object"},
        {"[{\"a\": 1}", ":1: "},
    };
    struct table t;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        put(bad[i].text);
        assert_int_equal(table_read(&t, path, &e), -1);
        if (!strstr(e.text, bad[i].why))
            print_error("case %zu: %s\n", i, e.text);
        assert_non_null(strstr(e.text, bad[i].why));
        assert_non_null(strstr(e.text, path));
        assert_int_equal(e.cls, ERR_USAGE);
        unlink(path);
    }
}

static void formulas_follow_the_usual_precedence(void **state)
{
    static const struct {
        const char *text;
        double v;
    } good[] = {
        {"1+2*3", 7},
        {"(1+2)*3", 9},
        {"2^3^2", 512},
        {"2**3", 8},
        {"-2^2", -4},
        {"7-2-1", 4},
        {"8/4/2", 1},
        {"x*1e6", 3e6},
        {"X + y", 7},
        {"`odd name` - 1", 9},
        {"\"odd name\" / 2", 5},
        {"log10(1000)", 3},
        {"log(exp(2))", 2},
        {"max(x, y) + min(x, y)", 7},
        {"sqrt(16) + abs(-3)", 7},
        {"x < y and y <= 4", 1},
        {"x > y or not (y = 4)", 0},
        {"x != 3 || y == 4", 1},
        {"!(x == 3) && 1", 0},
        {"name == 'b c'", 1},
        {"name != 'b c'", 0},
        {"name ~ ' c'", 1},
        {"name ~ 'd'", 0},
        {"empty = empty", 0}, /* NaN equals nothing */
        {"empty != 3", 0},
        {".5 + 1.5e0", 2},
    };
    struct table t;
    struct expr *x;
    struct err e;
    double v;

    (void)state;
    put("x,y,name,odd name,empty\n3,4,b c,10,nan\n");
    ok(table_read(&t, path, &e));
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        ok(expr_parse(&x, good[i].text, &t, NULL, 0, &e));
        ok(expr_eval(&v, x, 0, NULL, &e));
        if (!(fabs(v - good[i].v) < 1e-12))
            print_error("%s\n", good[i].text);
        within(v, good[i].v, 1e-12);
        expr_free(x);
    }
    table_release(&t);
}

/* 1,234,567.8 is a number where the comma cannot be a decimal one. */
static void groups_of_three_are_numbers(void **state)
{
    static const struct {
        const char *text;
        double v; /* NaN: refused */
    } cell[] = {
        {"a;b\n1,234,567.5;1\n", 1234567.5},
        {"a,b\n\"1,234\",1\n", 1234},
        {"a,b\n-1_000,1\n", -1000},
        {"a\tb\n12 345 678\t1\n", 12345678},
        {"a,b\n\"2,000,000e3\",1\n", 2e9},
        {"a;b\n1,234;1\n", NAN},
        {"a,b\n\"12,34\",1\n", NAN},
        {"a,b\n\"1234,567\",1\n", NAN},
        {"a,b\n\"1,234_567\",1\n", NAN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cell); i++) {
        struct table t;
        struct err e;
        double v;
        put(cell[i].text);
        ok(table_read(&t, path, &e));
        int rc = table_number(&v, &t, 0, 0, &e);
        assert_int_equal(rc, isnan(cell[i].v) ? -1 : 0);
        if (!rc)
            assert_true(v == cell[i].v);
        table_release(&t);
    }
}

static void bad_formulas_say_where(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"1 +", "ends too early"},
        {"(1", "expected ')'"},
        {"1 2", "at character 3"},
        {"tokns", "did you mean 'tokens'"},
        {"zzzzzzzz", "it has tokens, name"},
        {"'abc", "never closed"},
        {"1e5x", "not a number"},
        {"max(1)", "second argument"},
        {"log(1, 2)", "expected ')'"},
        {"1e999", "not a number"},
    };
    char deep[400];
    struct table t;
    struct expr *x;
    struct err e;
    double v;

    (void)state;
    put("tokens,name\n1,abc\n");
    ok(table_read(&t, path, &e));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(expr_parse(&x, bad[i].text, &t, NULL, 0, &e), -1);
        if (!strstr(e.text, bad[i].why))
            print_error("%s: %s\n", bad[i].text, e.text);
        assert_non_null(strstr(e.text, bad[i].why));
    }
    memset(deep, '(', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    assert_int_equal(expr_parse(&x, deep, &t, NULL, 0, &e), -1);
    assert_non_null(strstr(e.text, "nested"));
    ok(expr_parse(&x, "name * 2", &t, NULL, 0, &e));
    assert_int_equal(expr_eval(&v, x, 0, NULL, &e), -1);
    assert_non_null(strstr(e.text, ":2: column 'name': 'abc'"));
    expr_free(x);
    table_release(&t);
}

static void a_mapping_makes_points(void **state)
{
    struct points p;
    struct err e;

    (void)state;
    put("run,params_m,bs,seq,steps,C,loss,ok\n"
        "a,70,32,1024,1000,1e17,3.5,1\n"
        "a,70,32,1024,2000,2e17,3.25,1\n"
        "b,140,64,1024,1000,3e17,,1\n"
        "b,140,64,1024,1500,4e17,3.0,0\n"
        "c,10,64,1024,1500,4e17,9.0,1\n");
    points_init(&p);
    ok(points_import(&p, path,
                     "n = params_m*1e6, flops=C, d=flops/(6*n),"
                     " batch=bs*seq, loss=loss, group=run, used=ok",
                     "params_m > 20 and run != 'z'", &e));
    assert_int_equal(p.n, 4);
    assert_int_equal(points_used(&p), 2);
    near(p.col[POINT_N][0], 70e6, 1e-15);
    near(p.col[POINT_D][1], 2e17 / (6 * 70e6), 1e-15);
    near(p.col[POINT_BATCH][2], 65536, 0);
    near(p.col[POINT_M][0], 6 * 70e6, 1e-14); /* derived: flops / D */
    assert_string_equal(p.group[1], "a");
    assert_string_equal(p.why[2], "no loss");
    assert_string_equal(p.why[3], "not used by the file");
    assert_int_equal(p.run[3], 5); /* the line */
    points_release(&p);
}

static void usual_names_need_no_mapping(void **state)
{
    static const char *const text[] = {
        "C,N,D,loss\n6e17,1e8,1e9,3\n",
        "Params,Tokens,final_loss,other\n1e8,1e9,3,x\n",
        "{\"parameters\": 1e8, \"train_tokens\": 1e9, \"val_loss\": 3}\n",
        "n,params,d,loss\n1e8,7,1e9,3\n", /* its own name comes first */
    };
    struct points p;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(text); i++) {
        put(text[i]);
        points_init(&p);
        ok(points_import(&p, path, NULL, NULL, &e));
        near(p.col[POINT_N][0], 1e8, 0);
        near(p.col[POINT_D][0], 1e9, 0);
        near(p.col[POINT_LOSS][0], 3, 0);
        near(p.col[POINT_FLOPS][0], 6e17, 1e-15);
        points_release(&p);
        unlink(path);
    }
}

static void bad_mappings_are_refused(void **state)
{
    static const struct {
        const char *map, *where, *why;
    } bad[] = {
        {"n=params,loss=los", NULL, "did you mean 'loss'"},
        {"params", NULL, "expected COLUMN=FORMULA"},
        {"=params", NULL, "expected COLUMN=FORMULA"},
        {"paramters=params", NULL, "unknown column 'paramters'"},
        {"tokn=params", NULL, "expected one of"},
        {"n=params,loss=loss", "params >", "--where: in 'params >'"},
        {"n=params,loss=run", NULL, ":2: column 'run': 'a' is not a number"},
        {"n=params,loss=loss", "run > 3", ":2: column 'run'"},
        {NULL, NULL, NULL},
    };
    struct points p;
    struct err e;

    (void)state;
    put("run,params,loss\na,1e8,3\n");
    points_init(&p);
    for (size_t i = 0; bad[i].why; i++) {
        assert_int_equal(points_import(&p, path, bad[i].map, bad[i].where, &e),
                         -1);
        if (!strstr(e.text, bad[i].why))
            print_error("%s: %s\n", bad[i].map, e.text);
        assert_non_null(strstr(e.text, bad[i].why));
        assert_int_equal(e.cls, ERR_USAGE);
        assert_int_equal(p.n, 0);
    }
    unlink(path);
    put("run,params,x\na,1e8,3\n");
    assert_int_equal(points_import(&p, path, NULL, NULL, &e), -1);
    assert_non_null(strstr(e.text, "no column is called loss"));
    assert_non_null(strstr(e.text, "run, params, x"));
    points_release(&p);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, forget)
    const struct CMUnitTest tests[] = {
        T(csv_quoting_is_rfc_4180),
        T(delimiters_are_seen),
        T(json_lines_and_arrays_are_tables),
        T(broken_tables_say_where),
        T(formulas_follow_the_usual_precedence),
        T(groups_of_three_are_numbers),
        T(bad_formulas_say_where),
        T(a_mapping_makes_points),
        T(usual_names_need_no_mapping),
        T(bad_mappings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
