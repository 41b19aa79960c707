/* cmd_status: one page about a study. */
#include "base/mem.h"
#include "base/str.h"
#include "db/runs.h"
#include "db/status.h"
#include "runner/cmd.h"
#include "runner/colour.h"
#include "runner/live.h"
#include "runner/page.h"
#include "runner/status_json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIVE_SECONDS 2.0 /* between pages on a terminal */
#define LOG_SECONDS 60.0 /* between lines elsewhere */
#define PIPE_COLUMNS 120 /* of a page that is no terminal's */

static void print_json(const struct status *s)
{
    json_t *o = status_json(s);

    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

/* --- once, or again and again --- */

static void print_page(const struct status *s, const char *path, int colour,
                       int cols)
{
    struct grid g;

    grid_init(&g, cols, colour_is_ascii());
    page_all(&g, s, path);
    grid_print(stdout, &g, colour);
    grid_release(&g);
}

static int show_once(struct live *l, int json, int colour, struct err *e)
{
    struct top_data d = {.path = NULL};

    if (live_read(&d, l, NULL, e))
        return -1;
    if (json)
        print_json(&d.status);
    else
        print_page(&d.status, l->path, colour,
                   isatty(STDOUT_FILENO) ? colour_columns() : PIPE_COLUMNS);
    live_data_release(&d);
    return 0;
}

/* The page in place, until the study is over. */
static int show_again(struct live *l, double seconds, int colour, struct err *e)
{
    const struct timespec nap = {(time_t)seconds,
                                 (long)(1e9 * (seconds - floor(seconds)))};
    struct top_data d = {.path = NULL};
    int over = 0;

    while (!over) {
        if (live_read(&d, l, NULL, e))
            return -1;
        fputs("\033[H\033[J", stdout);
        print_page(&d.status, l->path, colour, colour_columns());
        fflush(stdout);
        over = page_is_over(&d.status);
        if (!over)
            nanosleep(&nap, NULL);
    }
    live_data_release(&d);
    return 0;
}

static int status_main(const struct command *self, int argc, char **argv)
{
    const char *name = NULL, *when = NULL, **args;
    int64_t events = 5;
    double seconds = 0;
    int json = 0, again = 0, n_args, rc, colour;
    struct live l;
    struct err e;
    const struct opt opts[] = {
        {"json", 0, OPT_FLAG, &json, NULL, "one JSON object"},
        {"study", 0, OPT_STRING, &name, "NAME",
         "which, when there are several"},
        {"events", 0, OPT_INT, &events, "N", "show the last N (5)"},
        {"watch", 'w', OPT_FLAG, &again, NULL,
         "again and again, until the study is over"},
        {"interval", 'i', OPT_DOUBLE, &seconds, "S",
         "with --watch: every S seconds (2; 60 into a log)"},
        {"color", 0, OPT_STRING, &when, "WHEN", COLOUR_HELP},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (events < 0 || events > 1000)
        err_set(&e, ERR_USAGE, "--events %lld: 0 to 1000 expected",
                (long long)events);
    else if (seconds < 0 || seconds > 86400 || (json && again))
        err_set(&e, ERR_USAGE,
                json ? "--json and --watch exclude each other"
                     : "--interval: seconds of a day expected");
    else if (!colour_wanted(&colour, when, &e)) {
        int live = isatty(STDOUT_FILENO);
        live_init(&l, args[0], name, (int)events);
        seconds = seconds > 0 ? seconds : live ? LIVE_SECONDS : LOG_SECONDS;
        rc = !again ? show_once(&l, json, colour, &e)
             : live ? show_again(&l, seconds, colour, &e)
                    : live_lines(&l, seconds, &e);
        live_release(&l);
        if (!rc)
            return 0;
    }
    return opts_fail(&e);
}

const struct command cmd_status = {
    .name = "status",
    .synopsis = "status F [--json] [--study NAME] [--events N] [--watch] "
                "[--interval S] [--color WHEN]",
    .summary = "one page: stages, runs, progress, what is best, what failed",
    .help = "May be asked at any time, also while the study runs.  Time left "
            "is what is still\nto be computed, at the rate of the runs that "
            "have ended, on the slots at work now;\nthe time of a stage counts "
            "those before it.  With --watch the page is renewed in\nplace; "
            "where the output is no terminal that is one line a minute "
            "instead.\n`loglog top` shows the same with keys.\n",
    .main = status_main,
};
