/* fit_groups: see fit_groups.h. */
#include "runner/fit_groups.h"

#include "analysis/bootstrap.h"
#include "analysis/cell.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Cells: the same size and tokens (to 1 %), whatever the seed. */
static void group_cells(size_t *group, size_t *n, const struct surface_data *d)
{
    int *size = xmalloc((2 * d->n + 1) * sizeof(*size)), *tokens = size + d->n;
    double *cell = xmalloc((d->n + 1) * sizeof(*cell));

    cell_cluster(size, d->size, d->n, 0.01);
    int n_tokens = cell_cluster(tokens, d->tokens, d->n, 0.01);
    for (size_t i = 0; i < d->n; i++)
        cell[i] = (double)size[i] * n_tokens + tokens[i];
    boot_groups_of_number(group, n, cell, d->n);
    free(cell);
    free(size);
}

/* Budgets: the nominal one, or compute to 5 %. */
static void group_budgets(size_t *group, size_t *n, const struct points *p)
{
    int *id = xmalloc((p->n + 1) * sizeof(*id));
    double *budget = xmalloc((p->n + 1) * sizeof(*budget));
    int nominal = 1;

    for (size_t i = 0; i < p->n; i++)
        nominal &= p->col[POINT_BUDGET][i] > 0;
    cell_cluster(id, p->col[nominal ? POINT_BUDGET : POINT_FLOPS], p->n,
                 nominal ? 0.001 : 0.05);
    for (size_t i = 0; i < p->n; i++)
        budget[i] = id[i];
    boot_groups_of_number(group, n, budget, p->n);
    free(budget);
    free(id);
}

static void group_labels(size_t *group, size_t *n, const struct points *p)
{
    const char **label = xmalloc((p->n + 1) * sizeof(*label));

    for (size_t i = 0; i < p->n; i++)
        label[i] = p->group[i];
    boot_groups_of_text(group, n, label, p->n);
    free(label);
}

/* The column of a word, or -1; "seeds" is one. */
static int group_column(const char *by)
{
    return strcmp(by, "seeds") == 0 ? POINT_SEED : point_col_parse(by);
}

int fit_groups(size_t **group, size_t *n, const struct surface_data *d,
               const struct points *p, const char *by, struct err *e)
{
    int labelled = 0, col;

    for (size_t i = 0; i < p->n; i++)
        labelled |= p->group[i][0] != 0;
    if (!by)
        by = labelled ? "trunks" : "runs";
    *group = NULL;
    *n = 0;
    if (strcmp(by, "rows") == 0 || strcmp(by, "runs") == 0)
        return 0;
    col = group_column(by);
    *group = xmalloc((p->n + 1) * sizeof(**group));
    if ((strcmp(by, "group") == 0 || strcmp(by, "trunks") == 0) && labelled)
        group_labels(*group, n, p);
    else if (strcmp(by, "budgets") == 0)
        group_budgets(*group, n, p);
    else if (strcmp(by, "cells") == 0)
        group_cells(*group, n, d);
    else if (col >= 0 && points_has(p, (enum point_col)col))
        boot_groups_of_number(*group, n, p->col[col], p->n);
    else {
        free(*group);
        *group = NULL;
        return err_set(e, ERR_USAGE, "--resample %.60s: %s", by,
                       col >= 0 || strcmp(by, "group") == 0 ||
                               strcmp(by, "trunks") == 0
                           ? "the points have none (--map group=..., seed=...)"
                           : "expected runs, trunks, budgets, cells, seeds or "
                             "a column such as n, d, lr");
    }
    if (*n >= 2)
        return 0;
    free(*group);
    *group = NULL;
    return err_set(e, ERR_USAGE,
                   "--resample %.60s: all points are one group, so nothing "
                   "can be drawn",
                   by);
}
