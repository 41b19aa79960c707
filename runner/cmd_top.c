/* cmd_top: the live view in the terminal. */
#include "base/clock.h"
#include "base/mem.h"
#include "runner/cmd.h"
#include "runner/colour.h"
#include "runner/live.h"
#include "runner/top.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EVENTS 200       /* how far back the list of events goes */
#define LOG_SECONDS 60.0 /* between lines when nobody can press keys */

/* Look, unless paused; a look that fails is told on the screen. */
static void look(struct top_data *d, struct live *l, const struct top *t)
{
    struct err e;

    d->trouble[0] = '\0';
    if (live_read(d, l, t, &e))
        snprintf(d->trouble, sizeof d->trouble, "%s", e.text);
}

/* Keys and screens until q. */
static void watch(struct top *t, struct top_data *d, struct live *l, int ascii)
{
    double next = clock_now() + t->seconds;
    enum top_wish wish = TOP_STAY;

    while (wish != TOP_QUIT) {
        struct grid g;
        int rows, cols;
        double left = next - clock_now();

        if (wish == TOP_READ || (left <= 0 && !t->paused)) {
            look(d, l, t);
            next = clock_now() + t->seconds;
            left = t->seconds;
        }
        tui_size(&rows, &cols);
        top_draw(&g, rows, cols, ascii, t, d);
        tui_show(&g);
        grid_release(&g);
        left = t->paused           ? 3600
               : left < 0          ? 0
               : left > t->seconds ? t->seconds
                                   : left;
        wish = top_key(t, tui_key((int)(1000 * left) + 1));
    }
}

static int parse_list(struct top *t, const char *name, struct err *e)
{
    static const char *const lists[TOP_LISTS] = {
        [TOP_RUNNING] = "running",   [TOP_RUNS] = "runs",
        [TOP_BEST] = "best",         [TOP_LANES] = "lanes",
        [TOP_FAILURES] = "failures", [TOP_EVENTS] = "events",
    };

    for (int i = 0; i < TOP_LISTS; i++)
        if (!strcmp(lists[i], name)) {
            t->list = (enum top_list)i;
            return 0;
        }
    return err_set(e, ERR_USAGE,
                   "--list %s: running, runs, best, lanes, failures or events "
                   "expected",
                   name);
}

static int top_main(const struct command *self, int argc, char **argv)
{
    const char *name = NULL, *when = NULL, *list = "running", **args;
    struct top_data d = {.path = NULL};
    int n_args, rc, colour, ascii;
    struct live l;
    struct top t;
    struct err e;
    top_init(&t);
    const struct opt opts[] = {
        {"study", 0, OPT_STRING, &name, "NAME",
         "which, when there are several"},
        {"interval", 'i', OPT_DOUBLE, &t.seconds, "S",
         "seconds between looks (2)"},
        {"list", 0, OPT_STRING, &list, "LIST",
         "running (default), runs, best, lanes, failures, events"},
        {"color", 0, OPT_STRING, &when, "WHEN", COLOUR_HELP},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (!(t.seconds >= 0.1 && t.seconds <= 3600)) {
        err_set(&e, ERR_USAGE, "--interval: 0.1 to 3600 seconds expected");
        return opts_fail(&e);
    }
    if (colour_wanted(&colour, when, &e) || parse_list(&t, list, &e))
        return opts_fail(&e);
    ascii = colour_is_ascii();
    live_init(&l, args[0], name, EVENTS);
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        rc = live_lines(&l, LOG_SECONDS, &e);
    } else {
        rc = live_read(&d, &l, &t, &e) || tui_open(colour, &e) ? -1 : 0;
        if (!rc) {
            watch(&t, &d, &l, ascii);
            tui_close();
        }
        live_data_release(&d);
    }
    live_release(&l);
    return rc ? opts_fail(&e) : 0;
}

const struct command cmd_top = {
    .name = "top",
    .synopsis = "top F [--study NAME] [--interval S] [--list LIST] "
                "[--color WHEN]",
    .summary = "watch a study in the terminal: runs, lanes, curves, time left",
    .help =
        "May be asked at any time, also while the study runs, on any machine "
        "that sees the\nfile; it only reads.  The list named at the top is "
        "shown; 1 to 6 or Tab choose\nanother, the arrow keys a row, Enter "
        "opens that run's loss curve, s sorts, / filters,\n? shows all keys, q "
        "leaves.  Where no keys can be pressed (a log, a pipe) it prints a\n"
        "line a minute until the study is over.  Bars and curves need a UTF-8 "
        "locale (for\nexample LC_ALL=C.UTF-8) and are letters otherwise.\n",
    .main = top_main,
};
