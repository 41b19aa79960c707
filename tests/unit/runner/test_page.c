/* grid, page and plot: what a study looks like, cell by cell. */
#include "runner/page.h"
#include "runner/plot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static char text[1024];

static const char *row(const struct grid *g, int i)
{
    return grid_row_text(text, sizeof text, g, i);
}

/* Some row holds it. */
static int shows(const struct grid *g, const char *what)
{
    for (int i = 0; i < g->rows; i++)
        if (strstr(row(g, i), what))
            return 1;
    return 0;
}

static void text_is_cut_at_the_edge_and_made_harmless(void **state)
{
    struct grid g;

    (void)state;
    grid_init(&g, 8, 0);
    grid_addf(&g, PAINT_PLAIN, "%s", "0123456789");
    assert_string_equal(row(&g, 0), "01234567");
    grid_addf(&g, PAINT_PLAIN, "%s", "a\033[2Jb"); /* an escape sequence */
    assert_string_equal(row(&g, 1), "a [2Jb");
    grid_addf(&g, PAINT_PLAIN, "%s", "x\xff\xc3y"); /* broken UTF-8 */
    assert_string_equal(row(&g, 2), "x??y");
    grid_addf(&g, PAINT_PLAIN, "%s", "日本語日本");
    assert_string_equal(row(&g, 3), "日本語日"); /* two columns each */
    assert_int_equal(grid_put(&g, 3, 7, PAINT_PLAIN, "本"), 8);
    grid_right(&g, grid_line(&g), 8, PAINT_PLAIN, "end");
    assert_string_equal(row(&g, 4), "     end");
    assert_int_equal(grid_put(&g, 99, 0, PAINT_PLAIN, "nowhere"), 0);
    grid_release(&g);
}

static void colours_only_where_they_are_wanted(void **state)
{
    char out[256] = "";
    struct grid g;
    FILE *f;

    (void)state;
    grid_init(&g, 20, 0);
    grid_addf(&g, PAINT_GOOD, "done");
    for (int colour = 0; colour < 2; colour++) {
        f = fmemopen(out, sizeof out, "w");
        grid_print(f, &g, colour);
        fclose(f);
        assert_string_equal(out, colour ? "\033[0;32mdone\033[0m\n" : "done\n");
    }
    grid_release(&g);
}

static void a_curve_in_a_line(void **state)
{
    double v[10] = {99, 4, 3, 2, 1, NAN, NAN, NAN, NAN, NAN};
    struct str s;

    (void)state;
    str_init(&s);
    page_spark(&s, v, 10, 10, 0);
    /* the steep beginning does not flatten the rest */
    assert_string_equal(s.text, "██▆▃▁     ");
    str_clear(&s);
    page_spark(&s, v, 10, 5, 1);
    assert_int_equal(s.len, 5);
    assert_true(s.text[0] == '#' && s.text[4] == ' ');
    str_release(&s);
}

static void make_status(struct status *s)
{
    static struct status_stage stage[2];
    static struct status_running running[2];
    static struct status_failure failure[1];

    memset(s, 0, sizeof *s);
    memset(stage, 0, sizeof stage);
    memset(running, 0, sizeof running);
    snprintf(s->study, sizeof s->study, "lab");
    snprintf(s->created, sizeof s->created, "2026-01-31T12:00:00.000Z");
    s->runs[RUN_DONE] = 3;
    s->runs[RUN_RUNNING] = 2;
    s->runs[RUN_FAILED] = 1;
    s->flops = 4e12;
    s->flops_done = 1e12;
    s->rate = 2e9;
    s->slots = 3;
    s->of_slots = 4;
    s->tokens_rate = 12345;
    s->peak_share = 0.345;
    s->eta = 3720;
    s->stage = stage;
    s->n_stage = 2;
    snprintf(stage[0].name, sizeof stage[0].name, "hyper");
    snprintf(stage[0].state, sizeof stage[0].state, "open");
    snprintf(stage[0].reason, sizeof stage[0].reason, "a reason");
    stage[0].runs[RUN_RUNNING] = 2;
    stage[0].eta = 60;
    stage[0].best = 2.5;
    snprintf(stage[1].name, sizeof stage[1].name, "isoflop");
    snprintf(stage[1].state, sizeof stage[1].state, "waiting");
    stage[1].eta = stage[1].best = NAN;
    s->running = running;
    s->n_running = 2;
    for (int i = 0; i < 2; i++) {
        struct status_running *r = &running[i];
        r->run = 101 + i;
        r->gang = 1 + i;
        r->steps = 1000;
        r->step = 400 * i;
        r->tokens_rate = 5000 + 5000 * i;
        r->flops_rate = 1e9;
        r->peak = 4e9;
        r->eta = i ? 90 : NAN;
        r->loss = 2.25;
        snprintf(r->stage, sizeof r->stage, "hyper");
        snprintf(r->host, sizeof r->host, "node1");
        snprintf(r->ranks, sizeof r->ranks, "%s", i ? "2 0" : "1");
        for (int k = 0; k < STATUS_SPARK; k++)
            r->spark[k] = k < 10 ? 9.0 / (k + 1) : NAN;
    }
    s->failure = failure;
    s->n_failure = 1;
    memset(failure, 0, sizeof failure);
    failure[0].n = 1;
    snprintf(failure[0].state, sizeof failure[0].state, "failed");
    snprintf(failure[0].reason, sizeof failure[0].reason, "no memory");
}

static void a_page_has_all_of_it_in_80_columns(void **state)
{
    struct status s;
    struct grid g;

    (void)state;
    make_status(&s);
    snprintf(s.writer, sizeof s.writer, "host node1, pid 7");
    grid_init(&g, 80, 0);
    page_all(&g, &s, "a.db");
    assert_string_equal(row(&g, 0), "lab in a.db, started 2026-01-31 12:00");
    assert_string_equal(row(&g, 1), "written by host node1, pid 7");
    assert_string_equal(row(&g, 2), "6 runs: 2 running 3 done 1 failed");
    assert_string_equal(row(&g, 3),
                        "[########......................] 25.0 % of "
                        "4e+12 flops, 1h 02m left");
    assert_string_equal(row(&g, 4),
                        "3 of 4 slots busy, 2e+09 flops/s each, 34 % of peak, "
                        "12345 tokens/s");
    assert_true(shows(&g, "hyper                 open         2     0    0    "
                          "2   0.0 %   60.0 s    2.5000"));
    assert_true(shows(&g, "  a reason"));
    assert_true(shows(&g, "101                 hyper      0 %           2.2500 "
                          "  5000  25 %  █"));
    assert_true(shows(&g, "102                 hyper     40 %   90.0 s"));
    assert_true(shows(&g, "failed    no memory"));
    grid_release(&g);
}

/* Runs that are called running in the file of a writer that was killed. */
static void who_was_killed_has_no_busy_slots(void **state)
{
    struct status s;
    struct grid g;

    (void)state;
    make_status(&s);
    grid_init(&g, 80, 0);
    page_head(&g, &s, "a.db");
    assert_string_equal(row(&g, 1), "nobody is writing");
    assert_string_equal(row(&g, 4),
                        "3 slots were busy when the writer was lost: run the "
                        "study again to go on");
    assert_false(shows(&g, "tokens/s"));
    grid_release(&g);
}

/* Ranks in order, each member of a gang, and what is free. */
static void lanes_say_what_each_does(void **state)
{
    const double quiet[] = {0, 40};
    struct status s;
    struct list l;

    (void)state;
    make_status(&s);
    list_init(&l, 100, 0);
    list_lanes(&l, &s, quiet);
    assert_int_equal(l.n, 4);
    assert_string_equal(row(&l.grid, 1),
                        "    0  node1        102                 hyper, 2 of "
                        "2, step 400/1000, silent for 40.0 s");
    assert_string_equal(row(&l.grid, 2),
                        "    1  node1        101                 hyper, "
                        "starting");
    assert_string_equal(row(&l.grid, 4), "       1 slot idle");
    assert_int_equal(l.run[0], 102);
    assert_int_equal(l.run[3], 0);
    list_release(&l);
}

static void a_line_for_logs(void **state)
{
    struct status s;
    struct str line;

    (void)state;
    make_status(&s);
    str_init(&line);
    page_line(&line, &s);
    assert_string_equal(line.text,
                        "lab: 3 of 6 runs done, 2 running, 1 ended badly; 25.0 "
                        "% of 4e+12 flops; 12345 tokens/s, 34 % of peak; 1h "
                        "02m left; nobody is writing");
    str_release(&line);
    assert_false(page_is_over(&s));
    snprintf(s.stage[0].state, sizeof s.stage[0].state, "complete");
    snprintf(s.stage[1].state, sizeof s.stage[1].state, "refused");
    assert_true(page_is_over(&s));
    snprintf(s.writer, sizeof s.writer, "somebody");
    assert_false(page_is_over(&s));
}

/* --- plot --- */

static void draw(struct grid *g, int ascii, int log_y)
{
    static const double x[] = {1, 2, 3, 4, 5}, y[] = {10, 5, 3, 2, 1};
    const struct plot_series series[] = {{x, y, 5, PAINT_BUSY, 0},
                                         {x + 4, y + 4, 1, PAINT_GOOD, 'o'}};

    grid_init(g, 40, ascii);
    grid_grow(g, 12);
    plot_draw(g, 0, 0, 12, 40,
              &(struct plot){series, 2, 0, log_y, "step", "loss"});
}

static void a_line_goes_from_corner_to_corner(void **state)
{
    struct grid g;

    (void)state;
    draw(&g, 1, 0);
    assert_string_equal(row(&g, 0), "         loss");
    assert_true(strstr(row(&g, 1), "     10 |*"));
    assert_int_equal(strlen(row(&g, 9)), 40);
    assert_true(strstr(row(&g, 9), "      1 |"));
    assert_int_equal(row(&g, 9)[39], 'o'); /* the last point, marked */
    assert_true(strstr(row(&g, 11), "         1"));
    assert_true(strstr(row(&g, 11), "step"));
    assert_int_equal(row(&g, 11)[39], '5');
    grid_release(&g);
    draw(&g, 0, 0);
    assert_true(
        strstr(row(&g, 1), "     10 │⢣") || strstr(row(&g, 1), "     10 │⡇") ||
        strstr(row(&g, 1), "     10 │⢇") || strstr(row(&g, 1), "     10 │⠣"));
    grid_release(&g);
}

static void a_logarithmic_axis_shows_its_middle(void **state)
{
    struct grid g;

    (void)state;
    draw(&g, 1, 1);
    assert_true(shows(&g, "loss, log"));
    /* the middle of 1 and 10, rounded to a row */
    assert_true(shows(&g, "  3.162 |"));
    grid_release(&g);
}

static void without_data_or_room_nothing_is_drawn(void **state)
{
    const double x[] = {1}, y[] = {2};
    const struct plot_series none = {x, y, 0, PAINT_BUSY, 0},
                             one = {x, y, 1, PAINT_BUSY, 0};
    struct grid g;

    (void)state;
    grid_init(&g, 40, 1);
    grid_grow(&g, 8);
    plot_draw(&g, 0, 0, 8, 40, &(struct plot){&none, 1, 0, 0, "x", "y"});
    plot_draw(&g, 0, 0, 3, 40, &(struct plot){&one, 1, 0, 0, "x", "y"});
    for (int i = 0; i < g.rows; i++)
        assert_string_equal(row(&g, i), "");
    plot_draw(&g, 0, 0, 8, 40, &(struct plot){&one, 1, 1, 1, "x", "y"});
    assert_true(shows(&g, "*"));
    grid_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_at_the_edge_and_made_harmless),
        cmocka_unit_test(colours_only_where_they_are_wanted),
        cmocka_unit_test(a_curve_in_a_line),
        cmocka_unit_test(a_page_has_all_of_it_in_80_columns),
        cmocka_unit_test(who_was_killed_has_no_busy_slots),
        cmocka_unit_test(lanes_say_what_each_does),
        cmocka_unit_test(a_line_for_logs),
        cmocka_unit_test(a_line_goes_from_corner_to_corner),
        cmocka_unit_test(a_logarithmic_axis_shows_its_middle),
        cmocka_unit_test(without_data_or_room_nothing_is_drawn),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
