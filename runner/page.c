/* page: see page.h.  The sections; the lists are in page_lists.c. */
#include "runner/page.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BAR 30      /* characters of the bar of progress */
#define MAX_LIST 12 /* rows of one list on the page */

static const char *state_name(int i)
{
    return run_state_name((enum run_state)i);
}

enum paint page_state_paint(const char *state)
{
    if (!strcmp(state, "done") || !strcmp(state, "complete"))
        return PAINT_GOOD;
    if (!strcmp(state, "failed") || !strcmp(state, "diverged") ||
        !strcmp(state, "stopped") || !strcmp(state, "refused"))
        return PAINT_BAD;
    return !strcmp(state, "running") || !strcmp(state, "open") ? PAINT_BUSY
                                                               : PAINT_PLAIN;
}

static int64_t total(const int64_t runs[RUN_STATES])
{
    int64_t n = 0;

    for (int i = 0; i < RUN_STATES; i++)
        n += runs[i];
    return n;
}

static double share_done(const struct status *s)
{
    return s->flops > 0 ? s->flops_done / s->flops : 0;
}

/* --- the head --- */

static void add_states(struct grid *g, const struct status *s)
{
    int row = grid_line(g),
        col = grid_putf(g, row, 0, PAINT_PLAIN,
                        "%lld runs:", (long long)total(s->runs));

    for (int i = 0; i < RUN_STATES; i++)
        if (s->runs[i])
            col = grid_putf(g, row, col, page_state_paint(state_name(i)),
                            " %lld %s", (long long)s->runs[i], state_name(i));
}

static void add_progress(struct grid *g, const struct status *s)
{
    char a[STR_DOUBLE];
    int row = grid_line(g), full = (int)(share_done(s) * BAR + 0.5), col;

    grid_put(g, row, 0, PAINT_PLAIN, "[");
    for (int i = 0; i < BAR; i++)
        grid_put(g, row, 1 + i, i < full ? PAINT_GOOD : PAINT_DIM,
                 i < full ? "#" : ".");
    col = grid_putf(g, row, BAR + 1, PAINT_PLAIN, "] %.1f %% of %.3g flops",
                    100 * share_done(s), s->flops);
    if (!isnan(s->eta))
        grid_putf(g, row, col, PAINT_PLAIN, ", %s left",
                  str_seconds(a, s->eta));
}

/* Who was killed could not say that its runs are not running. */
static void add_interrupted(struct grid *g, const struct status *s)
{
    grid_addf(g, PAINT_BAD,
              "%d slot%s busy when the writer was lost: run the study again to "
              "go on",
              s->slots, s->slots == 1 ? " was" : "s were");
}

static void add_speed(struct grid *g, const struct status *s)
{
    int row, col;

    if (s->slots && !s->writer[0])
        add_interrupted(g, s);
    if (!s->slots || !s->writer[0])
        return;
    row = grid_line(g);
    col = s->of_slots ? grid_putf(g, row, 0, PAINT_PLAIN, "%d of %d slots busy",
                                  s->slots, s->of_slots)
                      : grid_putf(g, row, 0, PAINT_PLAIN, "%d slot%s busy",
                                  s->slots, s->slots == 1 ? "" : "s");
    if (s->rate > 0)
        col =
            grid_putf(g, row, col, PAINT_PLAIN, ", %.3g flops/s each", s->rate);
    if (!isnan(s->peak_share))
        col = grid_putf(g, row, col, PAINT_PLAIN, ", %.0f %% of peak",
                        100 * s->peak_share);
    if (s->tokens_rate > 0)
        grid_putf(g, row, col, PAINT_PLAIN, ", %.0f tokens/s", s->tokens_rate);
}

/* What it has cost so far, and what it has not. */
static void add_cost(struct grid *g, const struct status *s)
{
    char spent[STR_DOUBLE];
    int row, col;

    if (!(s->slot_seconds > 0))
        return;
    row = grid_line(g);
    col = grid_putf(g, row, 0, PAINT_PLAIN, "cost %s of slot time",
                    str_seconds(spent, s->slot_seconds));
    if (s->shared > 0)
        col = grid_putf(g, row, col, PAINT_PLAIN,
                        ", trunks spared %.0f %% of the flops",
                        100 * s->shared / s->flops);
    if (s->stopped > 0)
        grid_putf(g, row, col, PAINT_PLAIN, ", early stops %.0f %%",
                  100 * s->stopped / s->flops);
}

void page_head(struct grid *g, const struct status *s, const char *path)
{
    int row = grid_line(g), col = grid_put(g, row, 0, PAINT_BOLD, s->study);

    grid_putf(g, row, col, PAINT_PLAIN, " in %s, started %.10s %.5s", path,
              s->created, strlen(s->created) > 11 ? s->created + 11 : "");
    grid_addf(g, PAINT_DIM, "%s%s", s->writer[0] ? "written by " : "",
              s->writer[0] ? s->writer : "nobody is writing");
    add_states(g, s);
    add_progress(g, s);
    add_speed(g, s);
    add_cost(g, s);
}

/* --- stages --- */

void page_stages(struct grid *g, const struct status *s)
{
    grid_addf(g, PAINT_BOLD, "%-12s %-8s %-8s %5s %5s %4s %4s %7s %8s %9s",
              "stage", "kind", "state", "runs", "done", "bad", "now", "flops",
              "left", "best bpb");
    for (size_t i = 0; i < s->n_stage; i++) {
        const struct status_stage *v = &s->stage[i];
        char best[STR_DOUBLE] = "", left[STR_DOUBLE] = "";
        int64_t bad =
            v->runs[RUN_DIVERGED] + v->runs[RUN_FAILED] + v->runs[RUN_STOPPED];
        int row;

        if (!isnan(v->best))
            snprintf(best, sizeof best, "%.4f", v->best);
        if (!isnan(v->eta))
            str_seconds(left, v->eta);
        row = grid_addf(
            g, PAINT_PLAIN,
            "%-12.12s %-8.8s %-8.8s %5lld %5lld %4lld %4lld %5.1f %% %8s %9s",
            v->name, v->kind, v->state, (long long)total(v->runs),
            (long long)v->runs[RUN_DONE], (long long)bad,
            (long long)v->runs[RUN_RUNNING],
            v->flops > 0 ? 100 * v->flops_done / v->flops : 0, left, best);
        grid_putf(g, row, 22, page_state_paint(v->state), "%-8.8s", v->state);
        if (v->reason[0])
            grid_addf(g, PAINT_DIM, "  %s", v->reason);
    }
}

/* --- what ended badly --- */

void page_failures(struct grid *g, const struct status *s)
{
    if (s->n_failure)
        grid_addf(g, PAINT_BOLD, "ended badly");
    for (size_t i = 0; i < s->n_failure; i++) {
        const struct status_failure *f = &s->failure[i];
        int row = grid_addf(g, PAINT_PLAIN, "%6lld", (long long)f->n);
        grid_put(g, row, 7, page_state_paint(f->state), f->state);
        grid_put(g, row, 17, PAINT_PLAIN,
                 f->reason[0] ? f->reason : "(no reason given)");
    }
}

/* --- a curve in a line --- */

/* From the lowest value to the highest one behind the first tenth, which is the
 * steep beginning. */
static void extent(double *low, double *high, const double *v, int n)
{
    int first = n / 10;

    *low = INFINITY;
    *high = -INFINITY;
    for (int i = 0; i < n; i++) {
        if (isnan(v[i]))
            continue;
        *low = fmin(*low, v[i]);
        if (i >= first)
            *high = fmax(*high, v[i]);
    }
    if (*high < *low)
        *high = *low;
}

void page_spark(struct str *out, const double *v, int n, int cols, int ascii)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄",
                                         "▅", "▆", "▇", "█"};
    static const char *const letters[] = {"_", ".", "-", "~",
                                          "=", "+", "*", "#"};
    double low, high, mean = NAN;
    int last = n;

    extent(&low, &high, v, n);
    while (last && isnan(v[last - 1])) /* what is still to come */
        last--;
    for (int i = 0; i < cols; i++) {
        int from = n * i / cols, to = n * (i + 1) / cols, k = 0;
        double sum = 0;

        for (int j = from; j < to || j == from; j++)
            if (!isnan(v[j])) {
                sum += v[j];
                k++;
            }
        mean = k ? sum / k : mean; /* a gap is bridged */
        if (from >= last || isnan(mean)) {
            str_add(out, " ");
            continue;
        }
        k = high > low ? (int)((mean - low) / (high - low) * 7.999) : 0;
        k = k < 0 ? 0 : k > 7 ? 7 : k;
        str_add(out, ascii ? letters[k] : blocks[k]);
    }
}

/* --- all of it --- */

static void add_list(struct grid *g, const struct list *l, size_t from,
                     const char *more)
{
    size_t to = from + MAX_LIST < l->n ? from + MAX_LIST : l->n;

    if (!l->n)
        return;
    grid_line(g);
    grid_copy_row(g, grid_line(g), &l->grid, 0);
    for (size_t i = from; i < to; i++)
        grid_copy_row(g, grid_line(g), &l->grid, (int)i + 1);
    if (to - from < l->n)
        grid_addf(g, PAINT_DIM, "  and %zu %s", l->n - (to - from), more);
}

void page_all(struct grid *g, const struct status *s, const char *path)
{
    struct list l;

    page_head(g, s, path);
    grid_line(g);
    page_stages(g, s);
    list_init(&l, g->cols, g->ascii);
    list_best(&l, s);
    add_list(g, &l, l.n > MAX_LIST ? l.n - MAX_LIST : 0, "smaller budgets");
    list_release(&l);
    list_init(&l, g->cols, g->ascii);
    list_running(&l, s);
    add_list(g, &l, 0, "more");
    list_release(&l);
    list_init(&l, g->cols, g->ascii);
    list_lanes(&l, s, NULL);
    add_list(g, &l, 0, "more");
    list_release(&l);
    if (s->n_failure) {
        grid_line(g);
        page_failures(g, s);
    }
    list_init(&l, g->cols, g->ascii);
    list_events(&l, s);
    add_list(g, &l, l.n > MAX_LIST ? l.n - MAX_LIST : 0, "earlier");
    list_release(&l);
}

void page_line(struct str *out, const struct status *s)
{
    char a[STR_DOUBLE];
    int64_t bad =
        s->runs[RUN_DIVERGED] + s->runs[RUN_FAILED] + s->runs[RUN_STOPPED];

    str_addf(out, "%s: %lld of %lld runs done, %lld running", s->study,
             (long long)s->runs[RUN_DONE], (long long)total(s->runs),
             (long long)s->runs[RUN_RUNNING]);
    if (bad)
        str_addf(out, ", %lld ended badly", (long long)bad);
    str_addf(out, "; %.1f %% of %.3g flops", 100 * share_done(s), s->flops);
    if (s->tokens_rate > 0)
        str_addf(out, "; %.0f tokens/s", s->tokens_rate);
    if (!isnan(s->peak_share))
        str_addf(out, ", %.0f %% of peak", 100 * s->peak_share);
    if (!isnan(s->eta))
        str_addf(out, "; %s left", str_seconds(a, s->eta));
    if (!s->writer[0])
        str_add(out, "; nobody is writing");
}

int page_is_over(const struct status *s)
{
    for (size_t i = 0; i < s->n_stage; i++)
        if (strcmp(s->stage[i].state, "complete") &&
            strcmp(s->stage[i].state, "refused"))
            return 0;
    return s->n_stage > 0 && !s->writer[0];
}
