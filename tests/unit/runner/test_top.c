/* top: keys pressed, screens read. */
#include "runner/top.h"

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

#define RUNS 40

static struct listed listed[RUNS];
static char text[512];

/* A study of RUNS runs: 1000, 1001, ...; every fifth failed. */
static void make(struct top_data *d)
{
    memset(d, 0, sizeof *d);
    memset(listed, 0, sizeof listed);
    d->path = "a.db";
    snprintf(d->clock, sizeof d->clock, "12:34:56");
    snprintf(d->status.study, sizeof d->status.study, "lab");
    d->status.eta = d->status.peak_share = NAN;
    d->runs = (struct listing){listed, RUNS};
    for (int i = 0; i < RUNS; i++) {
        struct listed *r = &listed[i];
        r->run = 1000 + i;
        r->ord = i;
        r->state = i % 5 ? RUN_DONE : RUN_FAILED;
        r->bpb = i % 5 ? 3 - 0.01 * i : NAN;
        r->budget = 1e9;
        r->lr = 0.001;
        snprintf(r->stage, sizeof r->stage, "%s", i < 20 ? "hyper" : "isoflop");
        if (r->state == RUN_FAILED)
            snprintf(r->reason, sizeof r->reason, "reason number %d", i);
    }
}

static void screen(struct grid *g, struct top *t, struct top_data *d)
{
    top_sort_runs(&d->runs, t);
    top_draw(g, 24, 80, 0, t, d);
    assert_int_equal(g->rows, 24);
    assert_int_equal(g->cols, 80);
}

static const char *row(const struct grid *g, int i)
{
    return grid_row_text(text, sizeof text, g, i);
}

static int shows(const struct grid *g, const char *what)
{
    for (int i = 0; i < g->rows; i++)
        if (strstr(row(g, i), what))
            return 1;
    return 0;
}

/* The row that is painted as selected holds this. */
static int selected(const struct grid *g, const char *what)
{
    for (int i = 7; i < g->rows; i++)
        if (g->cell[i * g->cols + 79].paint == PAINT_BAR)
            return strstr(row(g, i), what) != NULL;
    return 0;
}

static void keys(struct top *t, struct top_data *d, const char *pressed)
{
    struct grid g;

    for (; *pressed; pressed++) {
        top_key(t, *pressed == '\n' ? TUI_ENTER : *pressed);
        screen(&g, t, d);
        grid_release(&g);
    }
}

static void lists_are_chosen_by_number_and_tab(void **state)
{
    static const char *const heading[TOP_LISTS] = {
        "running  ",
        "run                 state",
        "best of",
        " rank  host",
        "run                 state    stage       step try  why",
        "last events"};
    struct top_data d;
    struct grid g;
    struct top t;

    (void)state;
    make(&d);
    top_init(&t);
    for (int i = 0; i < TOP_LISTS; i++) {
        top_key(&t, '1' + i);
        screen(&g, &t, &d);
        if (!shows(&g, heading[i]))
            fail_msg("list %d lacks '%s'", i, heading[i]);
        grid_release(&g);
    }
    top_key(&t, TUI_TAB);
    assert_int_equal(t.list, TOP_RUNNING);
    top_key(&t, TUI_LEFT);
    assert_int_equal(t.list, TOP_EVENTS);
}

static void the_selection_scrolls_and_stays_on_its_run(void **state)
{
    struct top_data d;
    struct grid g;
    struct top t;

    (void)state;
    make(&d);
    top_init(&t);
    keys(&t, &d, "2jj");
    screen(&g, &t, &d);
    assert_true(selected(&g, "1002"));
    grid_release(&g);
    top_key(&t, TUI_END);
    screen(&g, &t, &d);
    assert_true(selected(&g, "1039"));
    assert_false(shows(&g, "1002"));
    grid_release(&g);
    /* as rows move, it is still that run */
    listed[RUNS - 1].ord = -1;
    screen(&g, &t, &d);
    assert_int_equal(t.row, 0);
    assert_true(selected(&g, "1039"));
    grid_release(&g);
    /* sorted by something else, the first ones are what is wanted */
    top_key(&t, TUI_END);
    assert_int_equal(top_key(&t, 'r'), TOP_READ);
    screen(&g, &t, &d);
    assert_int_equal(t.row, 0);
    grid_release(&g);
    keys(&t, &d, "gk"); /* not above the first */
    assert_int_equal(t.row, 0);
    /* fewer rows than before */
    top_key(&t, TUI_END);
    d.runs.n = 3;
    screen(&g, &t, &d);
    assert_int_equal(t.row, 2);
    grid_release(&g);
    d.runs.n = 0;
    screen(&g, &t, &d);
    assert_true(shows(&g, "nothing here"));
    assert_int_equal(top_key(&t, TUI_ENTER), TOP_STAY);
    grid_release(&g);
}

static void runs_are_sorted_what_is_not_known_last(void **state)
{
    struct top_data d;
    struct top t;

    (void)state;
    make(&d);
    top_init(&t);
    t.sort = SORT_BPB;
    top_sort_runs(&d.runs, &t);
    assert_int_equal(listed[0].run, 1039);
    assert_true(isnan(listed[RUNS - 1].bpb));
    t.reverse = 1;
    top_sort_runs(&d.runs, &t);
    assert_int_equal(listed[0].run, 1001);
    assert_true(isnan(listed[RUNS - 1].bpb)); /* still */
    t.sort = SORT_PLAN;
    top_sort_runs(&d.runs, &t);
    assert_int_equal(listed[0].run, 1039);
    assert_int_equal(listed[RUNS - 1].run, 1000);
}

static void a_filter_shows_what_holds_it(void **state)
{
    struct top_data d;
    struct grid g;
    struct top t;

    (void)state;
    make(&d);
    top_init(&t);
    keys(&t, &d, "2/number 2"); /* of the reasons, which 80 columns cut off */
    screen(&g, &t, &d);
    assert_int_equal(t.rows, 2); /* 20 and 25 */
    assert_true(shows(&g, "/number 2_  (2 rows)"));
    assert_true(shows(&g, "1025"));
    assert_false(shows(&g, "1001"));
    grid_release(&g);
    top_key(&t, TUI_BACKSPACE);
    keys(&t, &d, "3\n");
    assert_int_equal(t.rows, 2); /* 30 and 35 */
    assert_false(t.typing);
    keys(&t, &d, "q"); /* a key again, not a letter */
    assert_string_equal(t.filter, "number 3");
    top_key(&t, TUI_ESCAPE);
    screen(&g, &t, &d);
    assert_int_equal(t.rows, RUNS);
    grid_release(&g);
}

static void enter_opens_the_curve_of_the_run(void **state)
{
    struct db_bucket p[] = {{.step = 1, .loss = 5},
                            {.step = 2, .loss = NAN},
                            {.step = 3, .loss = 3.5}};
    struct top_data d;
    struct grid g;
    struct top t;

    (void)state;
    make(&d);
    top_init(&t);
    keys(&t, &d, "2j");
    assert_int_equal(top_key(&t, TUI_ENTER), TOP_READ);
    assert_int_equal(t.open, 1001);
    assert_true(top_needs_runs(&t));
    screen(&g, &t, &d);
    assert_true(shows(&g, "no step has been recorded yet"));
    grid_release(&g);
    d.curve = (struct db_curve){.at = p, .n = 3};
    assert_int_equal(top_key(&t, 'x'), TOP_READ); /* other ranges */
    screen(&g, &t, &d);
    assert_true(shows(&g, "run 1001, loss 3.5000 by step 3"));
    assert_true(shows(&g, "hyper, d_model 0"));
    assert_true(shows(&g, "step, log"));
    grid_release(&g);
    keys(&t, &d, "2"); /* still in the list: the run after it */
    assert_int_equal(top_key(&t, TUI_ESCAPE), TOP_STAY);
    assert_int_equal(t.open, 0);
    assert_int_equal(top_key(&t, 'q'), TOP_QUIT);
}

static void the_open_curve_goes_on_to_the_next_run(void **state)
{
    struct top_data d;
    struct grid g;
    struct top t;

    (void)state;
    make(&d);
    top_init(&t);
    keys(&t, &d, "2j");
    top_key(&t, TUI_ENTER);
    assert_int_equal(top_key(&t, TUI_RIGHT), TOP_READ);
    assert_int_equal(t.open, 1002);
    screen(&g, &t, &d);
    grid_release(&g);
    keys(&t, &d, "n"); /* and on */
    assert_int_equal(t.open, 1003);
    keys(&t, &d, "nppp");
    assert_int_equal(t.open, 1001);
    keys(&t, &d, "pp"); /* not before the first */
    assert_int_equal(t.open, 1000);
    keys(&t, &d, "nn");
    top_key(&t, TUI_ESCAPE);
    screen(&g, &t, &d);
    assert_true(selected(&g, "1002"));
    grid_release(&g);
}

static void help_and_pause(void **state)
{
    struct top_data d;
    struct grid g;
    struct top t;

    (void)state;
    make(&d);
    top_init(&t);
    top_key(&t, '?');
    screen(&g, &t, &d);
    assert_true(shows(&g, "keys of loglog top"));
    grid_release(&g);
    assert_int_equal(top_key(&t, 'q'), TOP_STAY); /* closes the help */
    top_key(&t, ' ');
    screen(&g, &t, &d);
    assert_true(shows(&g, "paused"));
    grid_release(&g);
    assert_int_equal(top_key(&t, ' '), TOP_READ);
    top_key(&t, '+');
    assert_true(t.seconds == 1);
    /* a screen of nearly nothing does no harm */
    top_draw(&g, 3, 10, 1, &t, &d);
    grid_release(&g);
    top_draw(&g, 1, 1, 1, &t, &d);
    grid_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_chosen_by_number_and_tab),
        cmocka_unit_test(the_selection_scrolls_and_stays_on_its_run),
        cmocka_unit_test(runs_are_sorted_what_is_not_known_last),
        cmocka_unit_test(a_filter_shows_what_holds_it),
        cmocka_unit_test(enter_opens_the_curve_of_the_run),
        cmocka_unit_test(the_open_curve_goes_on_to_the_next_run),
        cmocka_unit_test(help_and_pause),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests_name("top", tests, NULL, NULL);
}
