/* top_draw: the screens of top; see top.h.
 *
 *   the head, four or five rows      how far, how fast
 *   the stages                       as many as a quarter of the screen takes
 *   a row of list names              1 running  2 runs  ...
 *   the list                         headings, then rows; one is selected
 *   a row about the selected run, or the filter
 *   the keys                                                             */
#include "base/mem.h"
#include "runner/plot.h"
#include "runner/top.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const list_name[TOP_LISTS] = {
    [TOP_RUNNING] = "running",   [TOP_RUNS] = "runs",
    [TOP_BEST] = "best",         [TOP_LANES] = "lanes",
    [TOP_FAILURES] = "failures", [TOP_EVENTS] = "events",
};
static const char *const sort_name[SORTS] = {
    [SORT_PLAN] = "plan",  [SORT_STATE] = "state", [SORT_BUDGET] = "budget",
    [SORT_BPB] = "bpb",    [SORT_LR] = "lr",       [SORT_BATCH] = "batch",
    [SORT_SIZE] = "model", [SORT_DONE] = "done",
};
static const char *const help_text[] = {
    "1 ... 6   running, runs, best of each budget, lanes, failures, events",
    "Tab       the next list (also left, right)",
    "up, down  select a row (also j, k; page up, page down; g, G)",
    "Enter     the curve of the selected run; again or Esc: back",
    "s, r      runs and failures: sort by the next column, in reverse",
    "/         show only rows that hold a text; Esc: all again",
    "x, y      in a curve: logarithmic steps, logarithmic loss",
    "n, p      in a curve: the next run of the list, the one before",
    "space     stop looking, and go on",
    "+, -      look more often, less often",
    "q         leave",
};

/* --- the list --- */

static void make_list(struct list *l, const struct top *t,
                      const struct top_data *d)
{
    switch (t->list) {
    case TOP_RUNNING:
        list_running(l, &d->status);
        break;
    case TOP_RUNS:
        list_runs(l, &d->runs);
        break;
    case TOP_BEST:
        list_best(l, &d->status);
        break;
    case TOP_LANES:
        list_lanes(l, &d->status, d->quiet);
        break;
    case TOP_FAILURES:
        list_failures(l, &d->runs);
        break;
    default:
        list_events(l, &d->status);
    }
}

/* The rows that hold the filter's text, cut ones too: which[0, n). */
static size_t filter(int *which, const struct list *l, const char *text)
{
    char row[2048];
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        if (!text[0] ||
            strcasestr(grid_row_text(row, sizeof row, &l->grid, (int)i + 1),
                       text))
            which[n++] = (int)i;
    return n;
}

/* Where the selected run is now; without one, the row stays. */
static void select_row(struct top *t, const struct list *l, const int *which,
                       size_t n)
{
    t->rows = n;
    for (size_t i = 0; t->run && i < n; i++)
        if (l->run[which[i]] == t->run) {
            if (t->row >= n || l->run[which[t->row]] != t->run)
                t->row = i;
            break;
        }
    if (t->row >= n)
        t->row = n ? n - 1 : 0;
    t->run = n ? l->run[which[t->row]] : 0;
    if (t->row < t->first)
        t->first = t->row;
    if (t->fit && t->row >= t->first + t->fit)
        t->first = t->row - t->fit + 1;
    if (t->first + t->fit > n)
        t->first = n > t->fit ? n - t->fit : 0;
}

/* The runs before and after the open one. */
static void note_neighbours(struct top *t, const struct list *l,
                            const int *which, size_t n)
{
    size_t i = t->row;

    t->next_run = t->previous_run = 0;
    while (i + 1 < n && !t->next_run) {
        int64_t run = l->run[which[++i]];
        t->next_run = run != t->open ? run : 0;
    }
    i = t->row;
    while (i > 0 && i < n + 1 && !t->previous_run) {
        int64_t run = l->run[which[--i]];
        t->previous_run = run != t->open ? run : 0;
    }
}

/* The rows that pass the filter. */
struct rows {
    struct list l;
    int *which; /* [n], rows of l */
    size_t n;
};

static void rows_make(struct rows *r, const struct grid *g, struct top *t,
                      const struct top_data *d)
{
    list_init(&r->l, g->cols, g->ascii);
    make_list(&r->l, t, d);
    r->which = xcalloc(r->l.n + 1, sizeof *r->which);
    r->n = filter(r->which, &r->l, t->filter);
    select_row(t, &r->l, r->which, r->n);
    note_neighbours(t, &r->l, r->which, r->n);
}

static void rows_release(struct rows *r)
{
    free(r->which);
    list_release(&r->l);
}

static void show_list(struct grid *g, int top, int bottom, struct top *t,
                      const struct top_data *d)
{
    struct rows r;

    t->fit = bottom > top + 1 ? (size_t)(bottom - top - 1) : 0;
    rows_make(&r, g, t, d);
    grid_copy_row(g, top, &r.l.grid, 0);
    for (size_t i = 0; i < t->fit && t->first + i < r.n; i++) {
        int row = top + 1 + (int)i;
        grid_copy_row(g, row, &r.l.grid, r.which[t->first + i] + 1);
        if (t->first + i == t->row)
            grid_paint_row(g, row, PAINT_BAR);
    }
    if (!r.n && t->fit)
        grid_put(g, top + 1, 0, PAINT_DIM,
                 t->filter[0] ? "no row holds that text" : "nothing here");
    rows_release(&r);
}

/* --- around the list --- */

/* The head and the stages; the row below them. */
static int show_top(struct grid *g, const struct top_data *d)
{
    struct grid page;
    int rows, most = g->rows / 4;

    grid_init(&page, g->cols, g->ascii);
    page_head(&page, &d->status, d->path);
    rows = page.rows;
    for (int i = 0; i < rows; i++)
        grid_copy_row(g, i, &page, i);
    grid_release(&page);
    grid_right(g, 0, g->cols, PAINT_DIM, d->clock);

    grid_init(&page, g->cols, g->ascii);
    page_stages(&page, &d->status);
    if (page.rows > most) { /* without the reasons */
        struct status brief = d->status;
        grid_release(&page);
        grid_init(&page, g->cols, g->ascii);
        brief.stage = xcalloc(brief.n_stage + 1, sizeof *brief.stage);
        for (size_t i = 0; i < brief.n_stage; i++) {
            brief.stage[i] = d->status.stage[i];
            brief.stage[i].reason[0] = '\0';
        }
        page_stages(&page, &brief);
        free(brief.stage);
    }
    /* the last ones, when there are too many: they are at work */
    for (int i = 0; i < page.rows && i < most; i++) {
        int from = i == 0 || page.rows <= most ? i : page.rows - most + i;
        grid_copy_row(g, rows++, &page, from);
    }
    grid_release(&page);
    return rows;
}

static void show_names(struct grid *g, int row, const struct top *t)
{
    int col = 0;

    for (int i = 0; i < TOP_LISTS; i++)
        col = grid_putf(g, row, col + (i > 0),
                        i == (int)t->list ? PAINT_BAR : PAINT_PLAIN, " %d %s ",
                        i + 1, list_name[i]);
    if (top_needs_runs(t))
        grid_putf(g, row, col + 2, PAINT_DIM, "by %s%s", sort_name[t->sort],
                  t->reverse ? " down" : "");
}

/* About the selected run, what its row has no room for. */
static void show_about(struct grid *g, int row, const struct top *t,
                       const struct top_data *d)
{
    if (d->trouble[0]) {
        grid_put(g, row, 0, PAINT_BAD, d->trouble);
        return;
    }
    if (t->typing || t->filter[0]) {
        grid_putf(g, row, 0, PAINT_BOLD, "/%s%s  (%zu rows)", t->filter,
                  t->typing ? "_" : "", t->rows);
        return;
    }
    for (size_t i = 0; i < d->runs.n; i++) {
        const struct listed *r = &d->runs.run[i];
        if (r->run != t->run)
            continue;
        grid_putf(g, row, 0, PAINT_DIM,
                  "%lld/%lld steps, seed %lld, %lld attempt%s%s%s",
                  (long long)r->steps_done, (long long)r->steps,
                  (long long)r->seed, (long long)r->attempts,
                  r->attempts == 1 ? "" : "s", r->reason[0] ? ": " : "",
                  r->reason);
        return;
    }
}

static void show_keys(struct grid *g, int row, const struct top *t)
{
    char end[48];

    grid_put(g, row, 0, PAINT_DIM,
             t->open ? "Esc back  n/p next/previous run  x/y log axes  ? keys"
                     : "Enter curve  s sort  r reverse  / filter  Tab list  "
                       "? keys  q quit");
    snprintf(end, sizeof end, t->paused ? "paused" : "%.3g s", t->seconds);
    grid_right(g, row, g->cols, t->paused ? PAINT_BOLD : PAINT_DIM, end);
}

static void show_help(struct grid *g)
{
    grid_put(g, 0, 0, PAINT_BOLD, "keys of loglog top");
    for (size_t i = 0; i < ARRAY_LEN(help_text); i++)
        grid_put(g, (int)i + 2, 2, PAINT_PLAIN, help_text[i]);
    grid_put(g, (int)ARRAY_LEN(help_text) + 3, 0, PAINT_DIM, "any key: back");
}

/* --- one run --- */

/* What is known of the open run, in two rows. */
static void show_facts(struct grid *g, const struct top *t,
                       const struct top_data *d)
{
    char left[STR_DOUBLE], loss[48] = "";
    const struct db_curve *c = &d->curve;

    if (c->n)
        snprintf(loss, sizeof loss, ", loss %.4f by step %lld",
                 c->at[c->n - 1].loss, (long long)c->at[c->n - 1].step);
    grid_putf(g, 0, 0, PAINT_BOLD, "run %lld%s", (long long)t->open, loss);
    for (size_t i = 0; i < d->status.n_running; i++) {
        const struct status_running *r = &d->status.running[i];
        if (r->run != t->open)
            continue;
        grid_putf(g, 1, 0, PAINT_PLAIN,
                  "%s, d_model %lld, %lld layers, lr %.3g, batch %lld: step "
                  "%lld of %lld%s%s",
                  r->stage, (long long)r->d_model, (long long)r->n_layer, r->lr,
                  (long long)r->batch, (long long)r->step, (long long)r->steps,
                  isnan(r->eta) ? "" : ", left: ",
                  isnan(r->eta) ? "" : str_seconds(left, r->eta));
        return;
    }
    for (size_t i = 0; i < d->runs.n; i++) {
        const struct listed *r = &d->runs.run[i];
        if (r->run != t->open)
            continue;
        grid_putf(g, 1, 0, PAINT_PLAIN,
                  "%s, d_model %lld, %lld layers, lr %.3g, batch %lld: %s%s%s",
                  r->stage, (long long)r->d_model, (long long)r->n_layer, r->lr,
                  (long long)r->batch, run_state_name(r->state),
                  r->reason[0] ? ": " : "", r->reason);
        return;
    }
}

static void show_curve(struct grid *g, const struct top *t,
                       const struct top_data *d)
{
    const struct db_curve *c = &d->curve;
    double *v = xcalloc(2 * (c->n + c->n_eval) + 1, sizeof *v),
           *loss = v + c->n, *at = loss + c->n, *eval = at + c->n_eval;
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++)
        if (isfinite(c->at[i].loss)) {
            v[n] = (double)c->at[i].step;
            loss[n++] = c->at[i].loss;
        }
    for (size_t i = 0; i < c->n_eval; i++) {
        at[i] = c->eval[i].step;
        eval[i] = c->eval[i].loss;
    }
    show_facts(g, t, d);
    if (!n && !c->n_eval)
        grid_put(g, 3, 0, PAINT_DIM, "no step has been recorded yet");
    else
        plot_draw(g, 2, 0, g->rows - 3, g->cols,
                  &(struct plot){(const struct plot_series[]){
                                     {v, loss, n, PAINT_BUSY, 0},
                                     {at, eval, c->n_eval, PAINT_GOOD, 'o'}},
                                 2, t->log_x, t->log_y, "step",
                                 "loss (nats a token; o: validation)"});
    free(v);
}

void top_draw(struct grid *g, int rows, int cols, int ascii, struct top *t,
              const struct top_data *d)
{
    struct rows r;
    int row;

    grid_init(g, cols, ascii);
    grid_grow(g, rows);
    if (t->help) {
        show_help(g);
        return;
    }
    if (t->open) {
        rows_make(&r, g, t, d); /* the list goes on: n and p follow it */
        rows_release(&r);
        show_curve(g, t, d);
    } else {
        row = show_top(g, d);
        show_names(g, row, t);
        show_list(g, row + 1, rows - 2, t, d);
        show_about(g, rows - 2, t, d);
    }
    show_keys(g, rows - 1, t);
}
