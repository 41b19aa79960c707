/* cmd_status: one page about a study. */
#include "base/mem.h"
#include "base/str.h"
#include "db/runs.h"
#include "db/status.h"
#include "runner/cmd.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LIST 12 /* rows of one list on the page */

/* --- for people --- */

/* Colours, or nothing: "" unless the output is a terminal that wants them. */
struct paint {
    const char *good, *bad, *busy, *dim, *bold, *off;
};
static const struct paint plain = {"", "", "", "", "", ""};
static const struct paint coloured = {"\033[32m", "\033[31m", "\033[36m",
                                      "\033[2m",  "\033[1m",  "\033[0m"};

static const struct paint *choose_paint(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    if (!isatty(STDOUT_FILENO) || (no && *no) || !term || !strcmp(term, "dumb"))
        return &plain;
    return &coloured;
}

static const char *state_paint(const struct paint *c, const char *state)
{
    if (!strcmp(state, "done") || !strcmp(state, "complete"))
        return c->good;
    if (!strcmp(state, "failed") || !strcmp(state, "diverged") ||
        !strcmp(state, "refused"))
        return c->bad;
    return !strcmp(state, "running") || !strcmp(state, "open") ? c->busy : "";
}

/* The time of day of an ISO time on the day it is; the date too otherwise. */
static const char *short_time(const char *iso)
{
    return strlen(iso) >= 19 ? iso + 5 : iso;
}

static const char *state_name(int i)
{
    return run_state_name((enum run_state)i);
}

static int64_t total(const int64_t runs[RUN_STATES])
{
    int64_t n = 0;

    for (int i = 0; i < RUN_STATES; i++)
        n += runs[i];
    return n;
}

static void print_bar(double share)
{
    int full = (int)(share * 30 + 0.5);

    putchar('[');
    for (int i = 0; i < 30; i++)
        putchar(i < full ? '#' : '.');
    putchar(']');
}

static void print_totals(const struct status *s, const struct paint *c)
{
    char a[STR_DOUBLE];
    double share = s->flops > 0 ? s->flops_done / s->flops : 0;

    printf("%lld runs:", (long long)total(s->runs));
    for (int i = 0; i < RUN_STATES; i++)
        if (s->runs[i])
            printf(" %s%lld %s%s", state_paint(c, state_name(i)),
                   (long long)s->runs[i], state_name(i), c->off);
    putchar('\n');
    print_bar(share);
    printf(" %.1f %% of %.3g flops", 100 * share, s->flops);
    if (!isnan(s->eta))
        printf(", %s left", str_seconds(a, s->eta));
    putchar('\n');
    if (s->rate > 0 && s->slots > 0)
        printf("%s%d slots at %.3g flops/s each%s\n", c->dim, s->slots, s->rate,
               c->off);
}

static void print_stages(const struct status *s, const struct paint *c)
{
    printf("\n%s%-14s %-8s %-9s %6s %6s %5s %5s %7s %9s%s\n", c->bold, "stage",
           "kind", "state", "runs", "done", "bad", "now", "flops", "best bpb",
           c->off);
    for (size_t i = 0; i < s->n_stage; i++) {
        const struct status_stage *g = &s->stage[i];
        char best[STR_DOUBLE] = "";
        int64_t bad =
            g->runs[RUN_DIVERGED] + g->runs[RUN_FAILED] + g->runs[RUN_STOPPED];

        if (!isnan(g->best))
            snprintf(best, sizeof best, "%.4f", g->best);
        printf("%-14.14s %-8s %s%-9s%s %6lld %6lld %5lld %5lld %5.1f %% %9s\n",
               g->name, g->kind, state_paint(c, g->state), g->state, c->off,
               (long long)total(g->runs), (long long)g->runs[RUN_DONE],
               (long long)bad, (long long)g->runs[RUN_RUNNING],
               g->flops > 0 ? 100 * g->flops_done / g->flops : 0, best);
        if (g->reason[0])
            printf("  %s%.76s%s\n", c->dim, g->reason, c->off);
    }
}

static void print_best(const struct status *s, const struct paint *c)
{
    size_t from = s->n_best > MAX_LIST ? s->n_best - MAX_LIST : 0;

    if (!s->n_best)
        return;
    printf("\n%s%-14s %9s %8s %8s %7s %5s %9s %9s%s\n", c->bold, "best of",
           "budget", "bpb", "ahead", "d_model", "layer", "lr", "batch", c->off);
    for (size_t i = from; i < s->n_best; i++) {
        const struct status_best *b = &s->best[i];
        char gap[STR_DOUBLE] = "";

        if (!isnan(b->gap))
            snprintf(gap, sizeof gap, "%.2f %%", 100 * b->gap);
        printf("%-14.14s %9.3g %8.4f %8s %7lld %5lld %9.3g %9lld\n", b->stage,
               b->budget, b->bpb, gap, (long long)b->d_model,
               (long long)b->n_layer, b->lr, (long long)b->batch);
    }
    if (from)
        printf("%s  and %zu smaller budgets%s\n", c->dim, from, c->off);
}

static void print_running(const struct status *s, const struct paint *c)
{
    if (!s->n_running)
        return;
    printf("\n%s%-19s %-10s %17s %6s %8s %4s %s%s\n", c->bold, "running",
           "stage", "step", "", "loss", "try", "host", c->off);
    for (size_t i = 0; i < s->n_running && i < MAX_LIST; i++) {
        const struct status_running *r = &s->running[i];
        char loss[STR_DOUBLE] = "", step[48];

        if (!isnan(r->loss))
            snprintf(loss, sizeof loss, "%.4f", r->loss);
        snprintf(step, sizeof step, "%lld/%lld", (long long)r->step,
                 (long long)r->steps);
        printf("%-19lld %-10.10s %17s %4.0f %% %8s %4lld %.10s\n",
               (long long)r->run, r->stage, step,
               r->steps ? 100.0 * (double)r->step / (double)r->steps : 0, loss,
               (long long)r->attempt, r->host);
    }
    if (s->n_running > MAX_LIST)
        printf("%s  and %zu more%s\n", c->dim, s->n_running - MAX_LIST, c->off);
}

static void print_trouble(const struct status *s, const struct paint *c)
{
    if (s->n_failure)
        printf("\n%sended badly%s\n", c->bold, c->off);
    for (size_t i = 0; i < s->n_failure; i++) {
        const struct status_failure *f = &s->failure[i];
        printf("%6lld %s%-9s%s %.62s\n", (long long)f->n,
               state_paint(c, f->state), f->state, c->off,
               f->reason[0] ? f->reason : "(no reason given)");
    }
    if (s->n_event)
        printf("\n%slast events%s\n", c->bold, c->off);
    for (size_t i = 0; i < s->n_event; i++) {
        const struct status_event *v = &s->event[i];
        printf("%.14s %-6s %.57s\n", short_time(v->at), v->kind, v->text);
    }
}

static void print_page(const struct status *s, const char *path)
{
    const struct paint *c = choose_paint();

    printf("%s%s%s in %s, started %.10s %.5s\n", c->bold, s->study, c->off,
           path, s->created, strlen(s->created) > 11 ? s->created + 11 : "");
    printf("%s%s%.70s%s\n", c->dim, s->writer[0] ? "written by " : "",
           s->writer[0] ? s->writer : "nobody is writing", c->off);
    print_totals(s, c);
    print_stages(s, c);
    print_best(s, c);
    print_running(s, c);
    print_trouble(s, c);
}

/* --- for machines --- */

static json_t *real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *text(const char *s)
{
    json_t *j = s[0] ? json_string(s) : json_null();

    return j ? j : json_string("(not UTF-8)");
}

static json_t *states(const int64_t runs[RUN_STATES])
{
    json_t *o = json_object();

    for (int i = 0; i < RUN_STATES; i++)
        json_object_set_new(o, state_name(i), json_integer(runs[i]));
    return o;
}

static json_t *stages_json(const struct status *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_stage; i++) {
        const struct status_stage *g = &s->stage[i];
        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "stage",
                      text(g->name), "kind", text(g->kind), "state",
                      text(g->state), "reason", text(g->reason), "runs",
                      states(g->runs), "flops", real(g->flops), "flops_done",
                      real(g->flops_done), "best_bpb", real(g->best)));
    }
    return list;
}

static json_t *best_json(const struct status *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_best; i++) {
        const struct status_best *b = &s->best[i];
        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:I, s:o, s:o, s:I, s:I, s:o, s:I}", "stage",
                      text(b->stage), "budget", real(b->budget), "run",
                      (json_int_t)b->run, "bpb", real(b->bpb), "gap",
                      real(b->gap), "d_model", (json_int_t)b->d_model,
                      "n_layer", (json_int_t)b->n_layer, "lr", real(b->lr),
                      "batch_tokens", (json_int_t)b->batch));
    }
    return list;
}

static json_t *running_json(const struct status *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_running; i++) {
        const struct status_running *r = &s->running[i];
        json_array_append_new(
            list, json_pack("{s:I, s:o, s:I, s:I, s:I, s:i, s:o, s:o, s:o}",
                            "run", (json_int_t)r->run, "stage", text(r->stage),
                            "attempt", (json_int_t)r->attempt, "step",
                            (json_int_t)r->step, "steps", (json_int_t)r->steps,
                            "gang", r->gang, "loss", real(r->loss), "host",
                            text(r->host), "since", text(r->since)));
    }
    return list;
}

static json_t *trouble_json(const struct status *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_failure; i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:I}", "state",
                                        text(s->failure[i].state), "reason",
                                        text(s->failure[i].reason), "n",
                                        (json_int_t)s->failure[i].n));
    return list;
}

static json_t *events_json(const struct status *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_event; i++) {
        const struct status_event *v = &s->event[i];
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o}", "at", text(v->at), "kind",
                            text(v->kind), "run",
                            v->run ? json_integer(v->run) : json_null(), "text",
                            text(v->text)));
    }
    return list;
}

static void print_json(const struct status *s)
{
    json_t *o = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, "
        "s:o}",
        "study", text(s->study), "created", text(s->created), "writer",
        text(s->writer), "runs", states(s->runs), "flops", real(s->flops),
        "flops_done", real(s->flops_done), "flops_per_second", real(s->rate),
        "slots", s->slots, "eta_seconds", real(s->eta), "stages",
        stages_json(s), "best", best_json(s), "running", running_json(s),
        "failures", trouble_json(s), "events", events_json(s));

    BUG_ON(!o);
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

static int status_main(const struct command *self, int argc, char **argv)
{
    const char *name = NULL, **args;
    int64_t study, events = 5;
    int json = 0, n_args, rc;
    struct status s;
    struct store *db;
    struct err e;
    const struct opt opts[] = {
        {"json", 0, OPT_FLAG, &json, NULL, "one JSON object"},
        {"study", 0, OPT_STRING, &name, "NAME",
         "which, when there are several"},
        {"events", 0, OPT_INT, &events, "N", "show the last N (5)"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (events < 0 || events > 1000) {
        err_set(&e, ERR_USAGE, "--events %lld: 0 to 1000 expected",
                (long long)events);
        return opts_fail(&e);
    }
    if (store_open(&db, args[0], STORE_READ, &e))
        return opts_fail(&e);
    rc = db_study_find(&study, db, name, &e) ||
         db_status(&s, db, study, (int)events, &e);
    store_close(db);
    if (rc)
        return opts_fail(&e);
    if (json)
        print_json(&s);
    else
        print_page(&s, args[0]);
    status_release(&s);
    return 0;
}

const struct command cmd_status = {
    .name = "status",
    .synopsis = "status F [--json] [--study NAME] [--events N]",
    .summary = "one page: stages, runs, progress, what is best, what failed",
    .help = "May be asked at any time, also while the study runs.  Time left "
            "is what is still\nto be computed, at the rate of the runs that "
            "have ended, on the slots at work now.\n",
    .main = status_main,
};
