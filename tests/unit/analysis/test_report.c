/* report: whole in both formats whatever is missing, and nothing that came
 * from a database is markup. */
#include "check.h"

#include "analysis/report.h"
#include "base/mem.h"
#include "profiles.h"

#include <stdio.h>

#include <stdlib.h>
#include <string.h>

static const char evil[] = "<script>alert(1)</script> & \"q\" |x| `y`";

static int count(const char *text, const char *what)
{
    int n = 0;

    while ((text = strstr(text, what)) != NULL) {
        n++;
        text += strlen(what);
    }
    return n;
}

/* LaTeX opens and closes alike, outside what is set as it is. */
static void expect_whole_tex(const struct page *p)
{
    const char *t = p->out.text;
    int depth = 0, verbatim = 0;

    assert_memory_equal(t, "\\documentclass", 14);
    assert_string_equal(t + p->out.len - 15, "\\end{document}\n");
    assert_int_equal(count(t, "\\begin{"), count(t, "\\end{"));
    for (; *t; t++) {
        if (!strncmp(t, "\\begin{verbatim}", 16))
            verbatim = 1;
        if (!strncmp(t, "\\end{verbatim}", 14))
            verbatim = 0;
        if (*t == '\\' && strchr("\\{}$&#%_", t[1])) {
            t++;
            continue;
        }
        depth += verbatim ? 0 : (*t == '{') - (*t == '}');
        assert_true(depth >= 0);
    }
    assert_int_equal(depth, 0);
}

static void expect_whole(const struct page *p)
{
    const char *t = p->out.text;

    if (p->format == PAGE_MD) {
        assert_memory_equal(t, "# ", 2);
        return;
    }
    if (p->format == PAGE_TEX) {
        expect_whole_tex(p);
        return;
    }
    assert_non_null(strstr(t, "</html>"));
    static const char *const pair[][2] = {
        {"<section ", "</section>"}, {"<table>", "</table>"},
        {"<svg ", "</svg>"},         {"<details>", "</details>"},
        {"<figure>", "</figure>"},   {"<tr>", "</tr>"},
        {"<thead>", "</thead>"},     {"<tbody>", "</tbody>"}};
    for (size_t i = 0; i < ARRAY_LEN(pair); i++)
        assert_int_equal(count(t, pair[i][0]), count(t, pair[i][1]));
    assert_int_equal(count(t, "<script"), 0);
    assert_int_equal(count(t, "=\"nan\"") + count(t, "=\"inf\"") +
                         count(t, "=\"-nan\"") + count(t, "=\"-inf\""),
                     0);
}

static void test_an_empty_study(void **state)
{
    struct report_data r = {.name = "empty",
                            .subtitle = "of nothing",
                            .no_laws = "there is no run"};

    (void)state;
    for (int format = PAGE_HTML; format < PAGE_FORMATS; format++) {
        struct page p;
        report_write(&p, &r, (enum page_format)format, "stem");
        expect_whole(&p);
        assert_non_null(strstr(p.out.text, "there is no run"));
        assert_non_null(strstr(p.out.text, "No prediction"));
        page_release(&p);
    }
}

/* A study with a diverged run whose reason is markup. */
static void fill(struct points *p)
{
    struct design d = {1e18, 1e20, 5, 7, 2, 4, 1, 1, 0.003};
    struct rng r = {3, RNG_TEST, 0};
    struct point q;

    points_init(p);
    simulate(p, &truth_chinchilla, &d, &r);
    points_row(&q, p, 0);
    q.used = 0;
    snprintf(q.why, sizeof q.why, "%s", evil);
    snprintf(q.stage, sizeof q.stage, "%s", evil);
    points_add(p, &q);
}

static void test_a_study_with_everything(void **state)
{
    static const char *const head[] = {"a", "b", NULL};
    double measured[2] = {2.21, 2.25};
    int64_t seed[2] = {11, 12}, run[2] = {1, 2};
    struct report_prediction q = {.flops = 1e21,
                                  .M = 1e9,
                                  .N = 1e8,
                                  .D = 1e12,
                                  .lr = 1e-3,
                                  .batch = 1024,
                                  .n_layer = 2,
                                  .d_model = 64,
                                  .bpb = 2.22,
                                  .lo = 2.1,
                                  .hi = 2.24,
                                  .level = 0.9,
                                  .decades = 1,
                                  .made = "today",
                                  .sha256 = "0123456789abcdef",
                                  .measured = measured,
                                  .seed = seed,
                                  .run = run,
                                  .n = 2};
    char cell[sizeof evil];
    char *cells[2] = {cell, NULL};
    double x[3] = {1e17, 1e18, 1e19}, y[3] = {5, 4, 3};
    struct plot_curve curve = {"<b>", 1e19, x, y, 3};
    struct laws_opts o;
    struct points runs;
    struct laws l;
    struct err e;

    (void)state;
    memcpy(cell, evil, sizeof evil);
    fill(&runs);
    laws_opts_default(&o);
    o.bootstrap = 50;
    ok(laws_fit(&l, NULL, &runs, &o, &e));
    struct report_data r = {.name = evil,
                            .subtitle = evil,
                            .study_text = evil,
                            .laws = &l,
                            .isoflop = &runs,
                            .prediction = &q,
                            .n_prediction = 1,
                            .curve = &curve,
                            .n_curve = 1};
    r.table[REPORT_EVENTS] =
        (struct report_table){evil, evil, head, cells, 1, 2};
    r.table[REPORT_EXCLUDED] = r.table[REPORT_RUNS] = r.table[REPORT_EVENTS];
    for (int format = PAGE_HTML; format < PAGE_FORMATS; format++) {
        struct page p;
        report_write(&p, &r, (enum page_format)format, "stem");
        expect_whole(&p);
        if (format == PAGE_HTML) {
            assert_true(count(p.out.text, "&lt;script&gt;") >= 7);
            assert_int_equal(count(p.out.text, "<svg "), 7);
            assert_int_equal(count(p.out.text, "<title id="), 7);
            /* one run inside, one outside */
            assert_int_equal(count(p.out.text, ">inside<"), 1);
            assert_int_equal(count(p.out.text, ">outside<"), 1);
        } else if (format == PAGE_TEX) {
            assert_int_equal(count(p.out.text, "<script>"), 1); /* as is */
            assert_true(count(p.out.text, "\\textless{}script") >= 6);
            assert_int_equal(count(p.out.text, "\\onefigure{stem{-}"), 0);
            assert_non_null(strstr(p.out.text, "\\onefigure{stem-tokens}"));
        } else {
            assert_int_equal(p.n_figure, 7);
            assert_non_null(strstr(p.out.text, "stem-tokens.svg"));
            /* outside indented code, markup is escaped */
            assert_non_null(strstr(p.out.text, "\\<script\\>"));
            for (size_t i = 0; i < p.n_figure; i++)
                assert_int_equal(count(p.figure[i].svg.text, "<b>"), 0);
        }
        page_release(&p);
    }
    laws_release(&l);
    points_release(&runs);
}

/* A Markdown table keeps its columns whatever is in a cell. */
static void test_markdown_cells(void **state)
{
    static const char *const head[] = {"a", "b", NULL};
    static const char *const row[] = {"x | y\nz", "2"};
    struct page p;

    (void)state;
    page_begin(&p, PAGE_MD, "s", "t", "u");
    page_table_begin(&p, NULL, head);
    page_row(&p, row);
    page_table_end(&p);
    assert_non_null(strstr(p.out.text, "| x \\| y z | 2 |\n"));
    page_release(&p);
}

static void test_numbers_stand_right(void **state)
{
    static const char *const head[] = {"a", "b", "c", NULL};
    static const char *const row[] = {"text", "-1.2e3", "+0.42 %"};
    struct page p;

    (void)state;
    page_begin(&p, PAGE_HTML, "s", "t", "u");
    page_table_begin(&p, NULL, head);
    page_row(&p, row);
    page_table_end(&p);
    assert_non_null(strstr(p.out.text, "<th scope=\"col\">a</th>"));
    assert_non_null(strstr(p.out.text, "<th scope=\"col\" class=\"n\">b</th>"));
    assert_non_null(strstr(p.out.text, "<td class=\"n\">-1.2e3</td>"));
    assert_non_null(strstr(p.out.text, "<td class=\"n\">+0.42 %</td>"));
    page_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_study),
        cmocka_unit_test(test_a_study_with_everything),
        cmocka_unit_test(test_markdown_cells),
        cmocka_unit_test(test_numbers_stand_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
