/* cell: the columns of `points` brought to one form, then sorted into budgets
 * and sizes by clustering, because a budget read from a file carries rounding
 * and an achieved one is only near its neighbours. */
#include "analysis/cell.h"

#include "analysis/bootstrap.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int positive(double x)
{
    return isfinite(x) && x > 0;
}

static double first_of(double a, double b)
{
    return positive(a) ? a : b;
}

struct ranked {
    double x;
    size_t i;
};

static int by_value(const void *a, const void *b)
{
    const struct ranked *p = a, *q = b;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return p->i < q->i ? -1 : p->i > q->i;
}

int cell_cluster(int *id, const double *x, size_t n, double tol)
{
    struct ranked *r = xmalloc((n + 1) * sizeof *r);
    size_t m = 0;
    int k = 0;

    for (size_t i = 0; i < n; i++) {
        id[i] = -1;
        if (positive(x[i]))
            r[m++] = (struct ranked){x[i], i};
    }
    qsort(r, m, sizeof *r, by_value);
    for (size_t j = 0; j < m; j++) {
        if (j == 0 || r[j].x > r[j - 1].x * (1 + tol))
            k++;
        id[r[j].i] = k - 1;
    }
    free(r);
    return k;
}

/* bits per byte if all used runs have it: the one that compares between
 * tokenizers, and what predictions are stated in. */
static enum point_col choose_metric(const struct points *p)
{
    size_t used = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (!p->used[i])
            continue;
        used++;
        if (!positive(p->col[POINT_BPB][i]))
            return POINT_LOSS;
    }
    return used ? POINT_BPB : POINT_LOSS;
}

static void read_run(struct cell_run *r, const struct points *p, size_t i)
{
    double n = first_of(p->col[POINT_N][i], p->col[POINT_N1][i]);

    r->flops = p->col[POINT_FLOPS][i];
    r->D = p->col[POINT_D][i];
    r->M = first_of(p->col[POINT_M][i], first_of(r->flops / r->D, 6 * n));
    r->D = first_of(r->D, r->flops / r->M);
    r->flops = first_of(r->flops, r->M * r->D);
    r->N = n;
    r->budget = first_of(p->col[POINT_BUDGET][i], r->flops);
    r->lr = p->col[POINT_LR][i];
    r->batch = p->col[POINT_BATCH][i];
    r->wd = p->col[POINT_WD][i];
}

static void number_cells(struct cell_runs *c, int nominal)
{
    double *x = xmalloc((c->n + 1) * sizeof *x);
    int *id = xmalloc((c->n + 1) * sizeof *id);

    for (size_t i = 0; i < c->n; i++)
        x[i] = c->run[i].budget;
    c->n_budget = cell_cluster(id, x, c->n, nominal ? 1e-3 : 0.05);
    for (size_t i = 0; i < c->n; i++) {
        c->run[i].budget_id = id[i];
        x[i] = c->run[i].M;
    }
    c->n_M = cell_cluster(id, x, c->n, 1e-3);
    for (size_t i = 0; i < c->n; i++)
        c->run[i].M_id = id[i];
    free(x);
    free(id);
}

static void number_trunks(struct cell_runs *c, const struct points *p)
{
    char(*text)[2 * POINT_TEXT] = xcalloc(c->n + 1, sizeof *text);
    const char **label = xmalloc((c->n + 1) * sizeof *label);
    size_t *id = xmalloc((c->n + 1) * sizeof *id), n;
    int *budget;

    for (size_t i = 0; i < c->n; i++) {
        const struct cell_run *r = &c->run[i];
        const char *group = p->group[r->row];
        label[i] = text[i];
        if (group[0])
            snprintf(text[i], sizeof text[i], "%s %d %.9g %.9g", group, r->M_id,
                     r->lr, r->batch);
    }
    boot_groups_of_text(id, &n, label, c->n);
    c->n_trunk = (int)n;
    budget = xmalloc((n + 1) * sizeof *budget);
    for (size_t k = 0; k < n; k++)
        budget[k] = -1;
    for (size_t i = 0; i < c->n; i++) {
        struct cell_run *r = &c->run[i];
        r->trunk = (int)id[i];
        c->shared |= budget[id[i]] >= 0 && budget[id[i]] != r->budget_id;
        budget[id[i]] = r->budget_id;
    }
    free(budget);
    free(id);
    free(label);
    free(text);
}

int *cell_trunks(const struct cell_runs *c)
{
    int *trunk = xmalloc((c->n + 1) * sizeof *trunk);

    for (size_t i = 0; i < c->n; i++)
        trunk[i] = c->run[i].trunk;
    return trunk;
}

double cell_deviate(struct rng *r, const double *z, const int *trunk, int n)
{
    double sum = 0;

    if (!z)
        return rng_next_normal(r);
    for (int i = 0; i < n; i++)
        sum += z[trunk[i]];
    return sum / sqrt(n);
}

void cell_runs_init(struct cell_runs *c, const struct points *p)
{
    int nominal = 1;

    memset(c, 0, sizeof *c);
    c->metric = choose_metric(p);
    c->run = xcalloc(p->n + 1, sizeof *c->run);
    for (size_t i = 0; i < p->n; i++) {
        struct cell_run r = {.row = i};
        double y = p->col[c->metric][i];
        int diverged = !p->used[i] && !strncmp(p->why[i], "diverged", 8);
        /* tried, and known to be no optimum: as good as diverged */
        int hopeless = !p->used[i] && !strncmp(p->why[i], "stopped: early", 14);

        c->n_diverged += (size_t)diverged;
        diverged |= hopeless;
        read_run(&r, p, i);
        r.y = diverged ? INFINITY : y;
        if ((!diverged && (!p->used[i] || !positive(y))) || !positive(r.M) ||
            !positive(r.budget)) {
            c->n_excluded++;
            continue;
        }
        c->n_used += !diverged;
        c->n_excluded += (size_t)diverged;
        if (!positive(p->col[POINT_BUDGET][i]))
            nominal = 0;
        c->run[c->n++] = r;
    }
    number_cells(c, nominal);
    number_trunks(c, p);
}

void cell_runs_release(struct cell_runs *c)
{
    free(c->run);
    memset(c, 0, sizeof *c);
}

void cell_noise_add(struct cell_noise *s, const double *y, size_t n)
{
    double sum = 0, mean;
    size_t m = 0;

    for (size_t i = 0; i < n; i++)
        if (isfinite(y[i])) {
            sum += y[i];
            m++;
        }
    if (m < 2)
        return;
    mean = sum / (double)m;
    for (size_t i = 0; i < n; i++)
        if (isfinite(y[i]))
            s->ss += (y[i] / mean - 1) * (y[i] / mean - 1);
    s->dof += (int)m - 1;
}

double cell_noise_sd(const struct cell_noise *s)
{
    return s->dof > 0 ? sqrt(s->ss / s->dof) : NAN;
}
