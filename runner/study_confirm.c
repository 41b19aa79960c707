/* study_confirm: the winners of a stage, trained again with fresh seeds.
 *
 * The best of many runs is partly the luckiest one.  Each budget's best cell is
 * therefore trained with the stage's `confirm` seeds as well, and cells are
 * compared by their means: when another cell is the best then, it is confirmed
 * too, until the best one is.  The runs follow from the results alone, so a
 * study that was interrupted adds the same ones. */
#include "runner/study_stage.h"

#include "base/mem.h"
#include "sweep/axis.h"

#include <math.h>
#include <stdlib.h>

/* The runs of a budget that differ in their seed alone. */
struct confirm_cell {
    int64_t id;   /* of its spec with seed 0 */
    size_t first; /* its first run in the plan */
    double sum;   /* of losses; INFINITY when one of them is none */
    int n;
};

static int64_t cell_id(const struct planned *r)
{
    struct run_spec spec = r->spec;

    spec.seed = 0;
    return spec_id(&spec);
}

static double loss_of(const struct points *p, int64_t run)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->run[i] == run)
            return p->used[i] ? p->col[POINT_LOSS][i] : INFINITY;
    return INFINITY;
}

/* The cells of the budget of run `from`, which is the first of it. */
static size_t cells_of(struct confirm_cell *cell, const struct plan *plan,
                       size_t from, const struct points *p)
{
    size_t n = 0;

    for (size_t i = from; i < plan->n; i++) {
        const struct planned *r = &plan->run[i];
        int64_t id;
        size_t j = 0;

        if (!axis_same(r->budget, plan->run[from].budget))
            continue;
        id = cell_id(r);
        while (j < n && cell[j].id != id)
            j++;
        if (j == n)
            cell[n++] = (struct confirm_cell){.id = id, .first = i};
        cell[j].sum += loss_of(p, r->id);
        cell[j].n++;
    }
    return n;
}

static int first_of_budget(const struct plan *plan, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (axis_same(plan->run[j].budget, plan->run[i].budget))
            return 0;
    return 1;
}

static int confirm_budget(struct study_run *s, int k, size_t from,
                          struct confirm_cell *cell, const struct points *p,
                          struct err *e)
{
    struct plan *plan = &s->stage[k].plan;
    size_t n = cells_of(cell, plan, from, p), best = 0;

    for (size_t j = 1; j < n; j++)
        if (cell[j].sum / cell[j].n < cell[best].sum / cell[best].n)
            best = j;
    if (!isfinite(cell[best].sum))
        return 0;
    return plan_confirm(plan, s->study, cell[best].first, &s->ctx, e);
}

int stage_confirm(struct study_run *s, int k, const struct points *p,
                  struct err *e)
{
    struct plan *plan = &s->stage[k].plan;
    size_t before = plan->n;
    struct confirm_cell *cell;
    struct str text;
    int rc = 0;

    if (!s->study->stage[k].n_confirm)
        return 0;
    cell = xcalloc(before, sizeof *cell);
    for (size_t i = 0; i < before && rc >= 0; i++)
        if (first_of_budget(plan, i))
            rc = confirm_budget(s, k, i, cell, p, e);
    free(cell);
    if (rc < 0 || plan->n == before)
        return rc < 0 ? -1 : 0;
    str_init(&text);
    str_addf(&text, "stage '%s': %zu runs more, to confirm what is best",
             s->study->stage[k].name, plan->n - before);
    rc = stage_store(s, k, before, e) || stage_note(s, text.text, e);
    str_release(&text);
    return rc ? -1 : 1;
}
