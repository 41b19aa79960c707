/* page_lists: the lists of page.h. */
#include "base/mem.h"
#include "runner/page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_COLUMNS 240
#define WIDE 100   /* columns from which on curves get twice the room */
#define QUIET 10.0 /* seconds without a step that are worth a word */

void list_init(struct list *l, int cols, int ascii)
{
    *l = (struct list){.cols = cols};
    grid_init(&l->grid, cols > LIST_COLUMNS ? cols : LIST_COLUMNS, ascii);
    grid_line(&l->grid);
}

void list_release(struct list *l)
{
    grid_release(&l->grid);
    free(l->run);
    *l = (struct list){.n = 0};
}

static void head(struct list *l, const char *text)
{
    grid_put(&l->grid, 0, 0, PAINT_BOLD, text);
}

/* A new row for this run; its number in the grid. */
static int add(struct list *l, int64_t run)
{
    l->run = mem_grow(l->run, &l->cap, l->n + 1, sizeof *l->run);
    l->run[l->n++] = run;
    if ((size_t)l->grid.rows <= l->n) /* many rows: grow in large pieces */
        grid_grow(&l->grid, (int)l->n + 1);
    return (int)l->n;
}

/* "" for NaN. */
static const char *number(char buf[STR_DOUBLE], const char *fmt, double v)
{
    buf[0] = '\0';
    if (!isnan(v)) {
        if (*fmt == 's')
            str_seconds(buf, v);
        else if (*fmt == 'k')
            snprintf(buf, STR_DOUBLE, v < 9999.5 ? "%.0f" : "%.0fk",
                     v < 9999.5 ? v : v / 1000);
        else if (*fmt == 'p')
            snprintf(buf, STR_DOUBLE, "%.0f %%", 100 * v);
        else
            snprintf(buf, STR_DOUBLE, "%.*f", fmt[0] - '0', v);
    }
    return buf;
}

/* --- running --- */

void list_running(struct list *l, const struct status *s)
{
    int cols = l->cols >= WIDE ? STATUS_SPARK : STATUS_SPARK / 2;
    char text[160];

    snprintf(text, sizeof text, "%-19s %-8s %5s %8s %7s %6s %5s  %-*s %s",
             "running", "stage", "step", "left", "loss", "tok/s", "peak", cols,
             "loss so far", l->cols >= WIDE ? "shape, host" : "");
    head(l, text);
    for (size_t i = 0; i < s->n_running; i++) {
        const struct status_running *r = &s->running[i];
        int row = add(l, r->run), col;
        char left[STR_DOUBLE], loss[STR_DOUBLE], rate[STR_DOUBLE],
            peak[STR_DOUBLE];
        struct str spark;

        col = grid_putf(
            &l->grid, row, 0, PAINT_PLAIN,
            "%-19lld %-8.8s %3.0f %% %8s %7s %6s %5s  ", (long long)r->run,
            r->stage, r->steps ? 100.0 * (double)r->step / (double)r->steps : 0,
            number(left, "s", r->eta), number(loss, "4", r->loss),
            number(rate, "k", r->tokens_rate),
            number(peak, "p", r->flops_rate / r->peak));
        str_init(&spark);
        page_spark(&spark, r->spark, STATUS_SPARK, cols, l->grid.ascii);
        grid_put(&l->grid, row, col, PAINT_BUSY, spark.text);
        str_release(&spark);
        if (l->cols >= WIDE)
            grid_putf(&l->grid, row, col + cols + 1, PAINT_PLAIN,
                      "d %lld, %lld layers, %s", (long long)r->d_model,
                      (long long)r->n_layer, r->host);
    }
}

/* --- lanes --- */

/* The k-th number of "0 1 4"; -1: there is none. */
static int kth_rank(const char *ranks, int k)
{
    char *end;

    for (;; k--) {
        long v = strtol(ranks, &end, 10);
        if (end == ranks)
            return -1;
        if (k == 0)
            return (int)v;
        ranks = end;
    }
}

struct lane {
    int rank, member;
    size_t running;
};

static int by_rank(const void *a, const void *b)
{
    const struct lane *x = a, *y = b;

    if (x->rank != y->rank)
        return (x->rank > y->rank) - (x->rank < y->rank);
    if (x->running != y->running)
        return (x->running > y->running) - (x->running < y->running);
    return (x->member > y->member) - (x->member < y->member);
}

static void add_lane(struct list *l, const struct lane *at,
                     const struct status_running *r, double quiet)
{
    int row = add(l, r->run), col;
    char rank[16] = "", left[STR_DOUBLE];

    if (at->rank >= 0)
        snprintf(rank, sizeof rank, "%d", at->rank);
    col = grid_putf(&l->grid, row, 0, PAINT_PLAIN, "%5s  %-12.12s %-19lld %s, ",
                    rank, r->host, (long long)r->run, r->stage);
    if (r->gang > 1)
        col = grid_putf(&l->grid, row, col, PAINT_PLAIN, "%d of %d, ",
                        at->member + 1, r->gang);
    if (!r->step)
        col = grid_put(&l->grid, row, col, PAINT_BUSY, "starting");
    else
        col = grid_putf(&l->grid, row, col, PAINT_PLAIN, "step %lld/%lld",
                        (long long)r->step, (long long)r->steps);
    if (quiet >= QUIET)
        grid_putf(&l->grid, row, col, PAINT_BAD, ", silent for %s",
                  str_seconds(left, quiet));
    else if (!isnan(r->eta))
        grid_putf(&l->grid, row, col, PAINT_PLAIN, ", %s left",
                  str_seconds(left, r->eta));
}

void list_lanes(struct list *l, const struct status *s, const double *quiet)
{
    struct lane *lane = NULL;
    size_t n = 0, cap = 0;
    int row;

    head(l, " rank  host         run                 what it does");
    for (size_t i = 0; i < s->n_running; i++)
        for (int k = 0; k < s->running[i].gang; k++) {
            lane = mem_grow(lane, &cap, n + 1, sizeof *lane);
            lane[n++] = (struct lane){kth_rank(s->running[i].ranks, k), k, i};
        }
    if (n)
        qsort(lane, n, sizeof *lane, by_rank);
    for (size_t i = 0; i < n; i++)
        add_lane(l, &lane[i], &s->running[lane[i].running],
                 quiet ? quiet[lane[i].running] : 0);
    free(lane);
    if (s->of_slots <= s->slots)
        return;
    row = add(l, 0);
    grid_putf(&l->grid, row, 0, PAINT_BUSY, "       %d slot%s idle",
              s->of_slots - s->slots, s->of_slots - s->slots == 1 ? "" : "s");
}

/* --- best --- */

void list_best(struct list *l, const struct status *s)
{
    head(l, "best of          budget      bpb    ahead d_model layer        lr"
            "     batch");
    for (size_t i = 0; i < s->n_best; i++) {
        const struct status_best *b = &s->best[i];
        char gap[STR_DOUBLE] = "";

        if (!isnan(b->gap))
            snprintf(gap, sizeof gap, "%.2f %%", 100 * b->gap);
        grid_putf(&l->grid, add(l, b->run), 0, PAINT_PLAIN,
                  "%-14.14s %8.3g %8.4f %8s %7lld %5lld %9.3g %9lld", b->stage,
                  b->budget, b->bpb, gap, (long long)b->d_model,
                  (long long)b->n_layer, b->lr, (long long)b->batch);
    }
}

/* --- runs --- */

static int is_bad(enum run_state state)
{
    return state == RUN_DIVERGED || state == RUN_FAILED || state == RUN_STOPPED;
}

void list_runs(struct list *l, const struct listing *runs)
{
    head(l, "run                 state    stage      budget d_mod  L       lr"
            "  batch      bpb  done  why");
    for (size_t i = 0; i < runs->n; i++) {
        const struct listed *r = &runs->run[i];
        const char *state = run_state_name(r->state);
        char bpb[STR_DOUBLE];
        int row = add(l, r->run), col;

        col = grid_putf(
            &l->grid, row, 0, PAINT_PLAIN,
            "%-19lld %-8.8s %-8.8s %8.3g %5lld %2lld %8.3g %6lld %8s ",
            (long long)r->run, state, r->stage, r->budget,
            (long long)r->d_model, (long long)r->n_layer, r->lr,
            (long long)r->batch, number(bpb, "4", r->bpb));
        if (r->state == RUN_PENDING || is_bad(r->state))
            col = grid_putf(&l->grid, row, col, PAINT_PLAIN, "%2.0f %%",
                            r->steps ? 100.0 * (double)r->steps_done /
                                           (double)r->steps
                                     : 0);
        grid_putf(&l->grid, row, 20, page_state_paint(state), "%-8.8s", state);
        grid_putf(&l->grid, row, col > 86 ? col : 86, PAINT_PLAIN, "%s",
                  r->reason);
    }
}

void list_failures(struct list *l, const struct listing *runs)
{
    head(l, "run                 state    stage       step try  why");
    for (size_t i = 0; i < runs->n; i++) {
        const struct listed *r = &runs->run[i];
        const char *state = run_state_name(r->state);
        int row;

        if (!is_bad(r->state) && !(r->state == RUN_PENDING && r->reason[0]))
            continue;
        row = add(l, r->run);
        grid_putf(&l->grid, row, 0, PAINT_PLAIN,
                  "%-19lld %-8.8s %-8.8s %7lld %3lld  %s", (long long)r->run,
                  state, r->stage, (long long)r->steps_done,
                  (long long)r->attempts,
                  r->reason[0] ? r->reason : "(no reason given)");
        grid_putf(&l->grid, row, 20, page_state_paint(state), "%-8.8s", state);
    }
}

void list_events(struct list *l, const struct status *s)
{
    head(l, "last events");
    for (size_t i = 0; i < s->n_event; i++) {
        const struct status_event *v = &s->event[i];
        int whole = strlen(v->at) >= 19; /* "2026-11-25T22:15:07.123Z" */
        int row = add(l, v->run),
            col = grid_putf(&l->grid, row, 0, PAINT_DIM, "%.5s %.8s ",
                            whole ? v->at + 5 : v->at, whole ? v->at + 11 : "");

        grid_putf(&l->grid, row, col, PAINT_PLAIN, "%-6s %s", v->kind, v->text);
    }
}
