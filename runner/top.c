/* top: see top.h.  Keys; top_draw.c draws. */
#include "runner/top.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void top_init(struct top *t)
{
    *t = (struct top){.seconds = 2};
}

int top_needs_runs(const struct top *t)
{
    return t->open || t->list == TOP_RUNS || t->list == TOP_FAILURES;
}

/* --- the order of runs --- */

/* What a run is sorted by; NaN: not known, which comes last in either order. */
static double key_of(const struct listed *r, enum top_sort sort)
{
    switch (sort) {
    case SORT_STATE:
        return (double)r->state;
    case SORT_BUDGET:
        return r->budget;
    case SORT_BPB:
        return r->bpb;
    case SORT_LR:
        return r->lr;
    case SORT_BATCH:
        return (double)r->batch;
    case SORT_SIZE:
        return (double)r->d_model;
    case SORT_DONE:
        return r->steps ? (double)r->steps_done / (double)r->steps : 0;
    default:
        return (double)r->ord;
    }
}

static int compare(const void *x, const void *y, void *ctx)
{
    const struct listed *a = x, *b = y;
    const struct top *t = ctx;
    double u = key_of(a, t->sort), v = key_of(b, t->sort);
    int order = (u > v) - (u < v);

    if (isnan(u) || isnan(v))
        order = isnan(u) - isnan(v);
    else if (t->reverse)
        order = -order;
    return order ? order : (a->ord > b->ord) - (a->ord < b->ord);
}

void top_sort_runs(struct listing *l, const struct top *t)
{
    struct top how = *t;

    if (l->n)
        qsort_r(l->run, l->n, sizeof *l->run, compare, &how);
}

/* --- keys --- */

static void go_to(struct top *t, double row)
{
    double last = t->rows ? (double)(t->rows - 1) : 0;

    t->row = (size_t)(row < 0 ? 0 : row > last ? last : row);
    t->run = 0; /* whatever run is there */
}

static enum top_wish choose(struct top *t, enum top_list list)
{
    t->list = list;
    t->row = t->first = 0;
    t->run = 0;
    return TOP_READ;
}

/* Keys go into the filter until Enter or Escape. */
static enum top_wish type(struct top *t, int key)
{
    size_t n = strlen(t->filter);

    if (key == TUI_ENTER || key == TUI_ESCAPE)
        t->typing = 0;
    if (key == TUI_ESCAPE)
        t->filter[0] = '\0';
    else if (key == TUI_BACKSPACE && n) {
        while (n > 1 && ((unsigned char)t->filter[n - 1] & 0xc0) == 0x80)
            n--;
        t->filter[n - 1] = '\0';
    } else if (key >= ' ' && key < 256 && n + 1 < sizeof t->filter) {
        t->filter[n] = (char)key;
        t->filter[n + 1] = '\0';
    }
    t->row = t->first = 0;
    t->run = 0;
    return TOP_STAY;
}

/* While one run's curve is open. */
static enum top_wish key_open(struct top *t, int key)
{
    int64_t other =
        key == TUI_RIGHT || key == TUI_DOWN || key == 'n' ? t->next_run
        : key == TUI_LEFT || key == TUI_UP || key == 'p'  ? t->previous_run
                                                          : 0;

    if (other) {
        t->open = t->run = other;
        return TOP_READ;
    }
    if (key == 'x') {
        t->log_x = !t->log_x;
        return TOP_READ; /* other ranges of steps */
    }
    if (key == 'y' || key == 'l')
        t->log_y = !t->log_y;
    else if (key == TUI_ESCAPE || key == 'q' || key == TUI_ENTER ||
             key == TUI_BACKSPACE)
        t->open = 0;
    return TOP_STAY;
}

/* Moves of the selection; 0 when the key is none. */
static int key_move(struct top *t, int key)
{
    double page = t->fit > 1 ? (double)t->fit - 1 : 1, row = (double)t->row;

    if (key == TUI_UP || key == 'k')
        go_to(t, row - 1);
    else if (key == TUI_DOWN || key == 'j')
        go_to(t, row + 1);
    else if (key == TUI_PAGE_UP)
        go_to(t, row - page);
    else if (key == TUI_PAGE_DOWN)
        go_to(t, row + page);
    else if (key == TUI_HOME || key == 'g')
        go_to(t, 0);
    else if (key == TUI_END || key == 'G')
        go_to(t, (double)t->rows);
    else
        return 0;
    return 1;
}

static enum top_wish key_list(struct top *t, int key)
{
    switch (key) {
    case TUI_TAB:
    case TUI_RIGHT:
        return choose(t, (t->list + 1) % TOP_LISTS);
    case TUI_LEFT:
        return choose(t, (t->list + TOP_LISTS - 1) % TOP_LISTS);
    case TUI_ENTER:
        t->open = t->run;
        return t->open ? TOP_READ : TOP_STAY;
    case 's':
        t->sort = (t->sort + 1) % SORTS;
        go_to(t, 0);
        return TOP_READ;
    case 'r':
        t->reverse = !t->reverse;
        go_to(t, 0);
        return TOP_READ;
    case '/':
        t->typing = 1;
        return TOP_STAY;
    case TUI_ESCAPE:
        t->filter[0] = '\0';
        return TOP_STAY;
    case 'q':
        return TOP_QUIT;
    default:
        return TOP_STAY;
    }
}

enum top_wish top_key(struct top *t, int key)
{
    if (key == TUI_NONE)
        return TOP_STAY;
    if (t->typing)
        return type(t, key);
    if (t->help) {
        t->help = 0;
        return TOP_STAY;
    }
    switch (key) {
    case '?':
    case 'h':
        t->help = 1;
        return TOP_STAY;
    case ' ':
        t->paused = !t->paused;
        return t->paused ? TOP_STAY : TOP_READ;
    case '+':
        t->seconds = fmax(t->seconds / 2, 0.5);
        return TOP_STAY;
    case '-':
        t->seconds = fmin(t->seconds * 2, 64);
        return TOP_STAY;
    default:
        break;
    }
    if (t->open)
        return key_open(t, key);
    if (key >= '1' && key < '1' + TOP_LISTS)
        return choose(t, (enum top_list)(key - '1'));
    if (key_move(t, key))
        return TOP_STAY;
    return key_list(t, key);
}
