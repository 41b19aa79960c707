/* series: see series.h. */
#include "analysis/series.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void series_init(struct series_set *t)
{
    memset(t, 0, sizeof *t);
}

void series_release(struct series_set *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->s[i].step);
        free(t->s[i].lr);
        free(t->s[i].loss);
    }
    free(t->s);
    series_init(t);
}

struct series *series_add(struct series_set *t, const char *label,
                          const char *family, const char *cell)
{
    t->s = mem_grow(t->s, &t->cap, t->n + 1, sizeof *t->s);
    struct series *s = &t->s[t->n++];
    *s = (struct series){.flops = NAN};
    snprintf(s->label, POINT_TEXT, "%s", label);
    snprintf(s->family, POINT_TEXT, "%s", family);
    snprintf(s->cell, POINT_TEXT, "%s", cell);
    return s;
}

int series_row(struct series *s, double step, double lr, double loss,
               struct err *e)
{
    if (!(step > (s->n ? s->step[s->n - 1] : 0)))
        return err_set(e, ERR_USAGE,
                       "run '%s': step %g does not follow step %g, expected "
                       "positive steps, each once",
                       s->label, step, s->n ? s->step[s->n - 1] : 0);
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->step = xrealloc(s->step, s->cap * sizeof *s->step);
        s->lr = xrealloc(s->lr, s->cap * sizeof *s->lr);
        s->loss = xrealloc(s->loss, s->cap * sizeof *s->loss);
    }
    s->step[s->n] = step;
    s->lr[s->n] = lr;
    s->loss[s->n++] = loss;
    return 0;
}

double series_steps(const struct series *s)
{
    return s->n ? s->step[s->n - 1] : 0;
}

/* The loss at a step between two rows with losses. */
static double between(const struct series *s, double step)
{
    size_t lo = s->n, hi = s->n;

    for (size_t i = 0; i < s->n && hi == s->n; i++) {
        if (!isfinite(s->loss[i]))
            continue;
        if (s->step[i] <= step)
            lo = i;
        if (s->step[i] >= step)
            hi = i;
    }
    if (lo == s->n || hi == s->n)
        return NAN;
    if (lo == hi)
        return s->loss[lo];
    double t = (step - s->step[lo]) / (s->step[hi] - s->step[lo]);
    return s->loss[lo] + t * (s->loss[hi] - s->loss[lo]);
}

double series_loss(const struct series *s, double from, double to)
{
    double sum = 0, weight = 0;

    for (size_t i = 0; i < s->n && s->step[i] <= to * (1 + 1e-12); i++) {
        double before = i ? s->step[i - 1] : 0, w = s->step[i] - before;
        if (s->step[i] <= from || !isfinite(s->loss[i]))
            continue;
        sum += w * s->loss[i];
        weight += w;
    }
    return weight > 0 ? sum / weight : between(s, (from + to) / 2);
}

double series_peak(const struct series *s)
{
    double most = 0;

    for (size_t i = 0; i < s->n; i++)
        most = fmax(most, s->lr[i]);
    for (size_t i = 0; i < s->n; i++)
        if (s->lr[i] >= most * (1 - 1e-6))
            return s->step[i];
    return 0;
}

/* --- from a file --- */

struct by_run {
    const struct points *p;
    size_t at, first; /* row, and the first row of its run */
};

static int by_run(const void *a, const void *b)
{
    const struct by_run *x = a, *y = b;

    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    double s = x->p->col[POINT_STEPS][x->at], t = y->p->col[POINT_STEPS][y->at];
    return s < t ? -1 : s > t;
}

/* Rows in the order of their runs' first appearance, then of their steps. */
static size_t sorted_rows(struct by_run *row, const struct points *p)
{
    size_t n = 0, *seen = xmalloc((p->n + 1) * sizeof *seen), runs = 0;

    for (size_t i = 0; i < p->n; i++) {
        size_t k = runs;
        if (!p->used[i])
            continue;
        while (k-- > 0) /* the last run is the likeliest */
            if (strcmp(p->group[seen[k]], p->group[i]) == 0)
                break;
        if (k == (size_t)-1) {
            k = runs;
            seen[runs++] = i;
        }
        row[n++] = (struct by_run){p, i, seen[k]};
    }
    free(seen);
    qsort(row, n, sizeof *row, by_run);
    return n;
}

static void cell_name(char *cell, const struct points *p, size_t i)
{
    char number[48] = "";

    /* runs of one family and seed are cells by their own label */
    if (isnan(p->col[POINT_SEED][i]))
        snprintf(cell, POINT_TEXT, "%s", p->group[i]);
    else if (p->stage[i][0])
        snprintf(cell, POINT_TEXT, "%s", p->stage[i]);
    else {
        snprintf(number, sizeof number, "n %.6g, flops %.4g",
                 p->col[POINT_N][i], p->col[POINT_BUDGET][i]);
        snprintf(cell, POINT_TEXT, "%s", number);
    }
}

int series_of_points(struct series_set *t, const struct points *p,
                     struct err *e)
{
    struct by_run *row = xmalloc((p->n + 1) * sizeof *row);
    size_t n = sorted_rows(row, p);
    struct series *s = NULL;
    int rc = 0;

    for (size_t k = 0; k < n && rc == 0; k++) {
        size_t i = row[k].at;
        double loss = isnan(p->col[POINT_LOSS][i]) ? p->col[POINT_BPB][i]
                                                   : p->col[POINT_LOSS][i];
        if (!p->group[i][0] || !(p->col[POINT_STEPS][i] > 0)) {
            rc = err_set(e, ERR_USAGE,
                         "row %lld has no %s; a file of curves needs one row a "
                         "point with the run, its step and its loss: --map "
                         "group=RUN,steps=STEP,loss=LOSS,lr=LR",
                         (long long)p->run[i], p->group[i][0] ? "step" : "run");
            break;
        }
        if (!k || row[k].first != row[k - 1].first) {
            char cell[POINT_TEXT];
            cell_name(cell, p, i);
            s = series_add(t, p->group[i], p->stage[i], cell);
        }
        rc =
            series_row(s, p->col[POINT_STEPS][i], p->col[POINT_LR][i], loss, e);
        if (p->col[POINT_FLOPS][i] > 0)
            s->flops =
                fmax(isnan(s->flops) ? 0 : s->flops, p->col[POINT_FLOPS][i]);
    }
    free(row);
    return rc;
}
