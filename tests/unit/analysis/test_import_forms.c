/* The same runs in whatever form a table may come: delimiter, quotes, line
 * ends, byte-order mark, order and units of columns, numbers written in any
 * way, cells that are missing, JSON lines.  They are read as the same points,
 * and where they cannot be, one line says where. */
#include "analysis/import.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/str.h"
#include "tests/unit/analysis/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS 40
#define FORMS 400

static char path[64];

struct form {
    struct rng r;
    char delimiter; /* 0: JSON lines */
    int quote, crlf, bom, comment, order[3], unit[3], missing, nested, spaces;
};

static uint64_t pick(struct form *f, uint64_t n)
{
    return (uint64_t)(rng_next_uniform(&f->r) * (double)n);
}

static const struct {
    const char *plain[4]; /* names that need no mapping */
    enum point_col col;
} columns[3] = {
    {{"n", "Params", "Model Size", "N_PARAMS"}, POINT_N},
    {{"d", "tokens", "Training Tokens (tokens)", "n-tokens"}, POINT_D},
    {{"loss", "Final Loss", "val_loss", "smooth loss"}, POINT_LOSS},
};

static double truth(int column, int row)
{
    if (column == 0)
        return 1e7 * pow(1.3, row % 10);
    if (column == 1)
        return 1e8 * pow(1.7, row / 10 + row % 3);
    return 1.8 + 480 / pow(truth(0, row), 0.348) +
           2085 / pow(truth(1, row), 0.366);
}

static const double units[4] = {1, 1e6, 1e9, 1e3};

static void number(struct str *s, struct form *f, double v)
{
    static const char *const how[] = {"%.17g", "%.16e", "%.16E", "%+.17g"};

    str_addf(s, how[f->delimiter ? pick(f, 4) : pick(f, 2)], v);
}

/* One cell: empty, or a number in some notation. */
static void cell(struct str *s, struct form *f, int column, int row, int gone)
{
    static const char *const nothing[] = {"",     "nan",  "NaN", "NA",
                                          "null", "None", "inf"};
    int quote = f->quote && pick(f, 2);

    if (!f->delimiter) {
        if (gone)
            str_add(s, pick(f, 2) ? "null" : "NaN");
        else
            number(s, f, truth(column, row) / units[f->unit[column]]);
        return;
    }
    if (f->spaces)
        str_add(s, quote ? "" : " ");
    if (quote)
        str_add(s, "\"");
    if (gone)
        str_add(s, nothing[pick(f, 7)]);
    else
        number(s, f, truth(column, row) / units[f->unit[column]]);
    if (quote)
        str_add(s, "\"");
}

static void draw_form(struct form *f, uint64_t seed)
{
    static const char delimiters[] = {',', ';', '\t', 0};

    *f = (struct form){.r = {seed, RNG_BOOT, 0}};
    f->delimiter = delimiters[pick(f, 4)];
    f->quote = (int)pick(f, 2);
    f->crlf = (int)pick(f, 2);
    f->bom = (int)pick(f, 2);
    f->nested = (int)pick(f, 2);
    f->spaces = (int)pick(f, 2);
    f->missing = (int)pick(f, 3);
    f->comment = (int)pick(f, 2);
    for (int i = 0; i < 3; i++)
        f->order[i] = i;
    for (int i = 2; i > 0; i--) {
        int k = (int)pick(f, (uint64_t)i + 1), t = f->order[i];
        f->order[i] = f->order[k];
        f->order[k] = t;
    }
    f->unit[0] = (int)pick(f, 4);
    f->unit[1] = (int)pick(f, 4);
}

static void write_table(struct form *f, const char *const name[3], int gone[])
{
    const char *end = f->crlf ? "\r\n" : "\n";
    struct str s;
    struct err e;

    str_init(&s);
    if (f->bom)
        str_add(&s, "\xef\xbb\xbf");
    for (int i = 0; f->delimiter && i < 3; i++)
        str_addf(&s, "%s%c", name[f->order[i]], f->delimiter);
    if (f->delimiter)
        str_addf(&s, "\"a, note; of \"\"it\"\"\"%s", end);
    for (int row = 0; row < ROWS; row++) {
        gone[row] = f->missing && pick(f, 8) == 0;
        if (!f->delimiter)
            str_add(&s,
                    f->nested ? "{\"run\": {\"tags\": [1]}, \"m\": {" : "{");
        for (int i = 0; i < 3; i++) {
            int c = f->order[i];
            if (!f->delimiter)
                str_addf(&s, "%s\"%s\": ", i ? ", " : "", name[c]);
            cell(&s, f, c, row, gone[row] && c == 2);
            if (f->delimiter)
                str_add_n(&s, &f->delimiter, 1);
        }
        if (f->delimiter)
            str_addf(&s, "\"x%d\"%s", row, end);
        else
            str_addf(&s, f->nested ? "}}%s" : "}%s", end);
    }
    if (f->comment)
        str_addf(&s, "%s%s", end, end); /* blank lines at the end */
    ok(file_write(path, s.text, s.len, &e));
    str_release(&s);
}

/* MAP for the units that are not 1, or "" when none is needed. */
static void make_map(struct str *map, const struct form *f,
                     const char *const name[3])
{
    static const char *const target[] = {"n", "d", "loss"};
    const char *in = !f->delimiter && f->nested ? "m." : "";

    if (!f->unit[0] && !f->unit[1])
        return;
    for (int c = 0; c < 3; c++)
        str_addf(map, "%s%s = `%s%s` * %g", c ? ", " : "", target[c], in,
                 name[c], units[f->unit[c]]);
}

static void test_forms(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= FORMS; seed++) {
        const char *name[3];
        struct form f;
        struct points p;
        struct str map;
        struct err e;
        int gone[ROWS], used = 0;

        draw_form(&f, seed);
        for (int c = 0; c < 3; c++)
            name[c] = columns[c].plain[pick(&f, 4)];
        write_table(&f, name, gone);
        str_init(&map);
        make_map(&map, &f, name);
        points_init(&p);
        if (points_import(&p, path, map.len ? map.text : NULL, NULL, &e)) {
            print_error("form %llu: %s\n", (unsigned long long)seed, e.text);
            fail();
        }
        assert_int_equal(p.n, ROWS);
        for (int row = 0; row < ROWS; row++) {
            assert_int_equal(p.used[row], !gone[row]);
            used += !gone[row];
            for (int c = 0; c < 3; c++)
                if (!gone[row] || c < 2)
                    near(p.col[columns[c].col][row], truth(c, row), 1e-14);
            if (!gone[row])
                near(p.col[POINT_FLOPS][row], 6 * truth(0, row) * truth(1, row),
                     1e-13);
        }
        assert_int_equal(points_used(&p), used);
        points_release(&p);
        str_release(&map);
    }
}

/* A table with one byte changed is read, or refused in one line that names
 * the file; nothing is left in the points then. */
static void test_damage(void **state)
{
    const char *const name[3] = {"n", "d", "loss"};
    int gone[ROWS];
    struct err e;

    (void)state;
    for (uint64_t seed = 1; seed <= FORMS; seed++) {
        struct form f;
        struct points p;
        char *text;
        size_t len;

        draw_form(&f, seed);
        f.unit[0] = f.unit[1] = 0;
        write_table(&f, name, gone);
        ok(file_read(&text, &len, path, 1 << 20, &e));
        for (int k = 0; k < 3; k++)
            text[pick(&f, len)] = (char)(pick(&f, 127) + 1);
        ok(file_write(path, text, len, &e));
        free(text);
        points_init(&p);
        if (points_import(&p, path, NULL, NULL, &e)) {
            assert_int_equal(p.n, 0);
            assert_non_null(strstr(e.text, path));
            assert_null(strchr(e.text, '\n'));
        }
        points_release(&p);
    }
}

static void test_where_it_is_wrong(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"n,d,loss\n1,2,3\n1,2,abc\n", ":3: column 'loss': 'abc'"},
        {"n,d,loss\n1,2,3\n1,2\n", ":3: 2 cells, expected 3"},
        {"n,d,loss\n\"1,2,3\n", ":2: a quote is never closed"},
        {"n,d,d\n1,2,3\n", ":1: column 'd' appears twice"},
        {"{\"n\": 1}\n{\"n\": }\n", ":2:"},
        {"a,b,c\n1,2,3\n", "no column is called loss"},
        {"n,d,loss\n124M,2,3\n", ":2: column 'n': '124M'"},
        {"", "empty"},
        {"\x1f\x8b\x08 packed", " is gzip: unpack it first"},
        {"\xff\xfe\x6e", " is UTF-16: convert it first"},
        {"PAR1", " is Parquet"},
        {"# a remark\n\nn,d,loss\n1,2,x\n", ":4: column 'loss'"},
        {"\tn\td\tloss\n0\t1\t2\ty\n", ":2: column 'loss'"}, /* an index */
    };
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ok(file_write(path, bad[i].text, strlen(bad[i].text), &e));
        assert_int_equal(points_import(&p, path, NULL, NULL, &e), -1);
        if (!strstr(e.text, bad[i].says) || strncmp(e.text, path, strlen(path)))
            print_error("'%s', expected '%s'\n", e.text, bad[i].says);
        assert_non_null(strstr(e.text, bad[i].says));
        assert_memory_equal(e.text, path, strlen(path));
        assert_int_equal(p.n, 0);
    }
    points_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_where_it_is_wrong),
    };
    int rc;

    snprintf(path, sizeof path, "/tmp/loglog-forms-%d", (int)getpid());
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return rc;
}
