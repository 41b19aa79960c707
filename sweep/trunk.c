/* trunk: see trunk.h. */
#include "sweep/trunk.h"

#include "base/mem.h"
#include "sweep/schedule.h"

#include <stdlib.h>

struct member {
    int64_t family;
    int stage;
    int64_t plateau;
    size_t at; /* in the plan */
};

/* Families together, in each the longest first. */
static int by_family(const void *pa, const void *pb)
{
    const struct member *a = pa, *b = pb;

    if (a->stage != b->stage)
        return a->stage < b->stage ? -1 : 1;
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    if (a->plateau != b->plateau)
        return a->plateau > b->plateau ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* A run that is there already keeps what it was planned with: it cannot hang
 * on one that came later. */
static void branch(struct plan *p, const struct member *m,
                   const struct member *longest, size_t from)
{
    struct planned *r = &p->run[m->at];
    const struct planned *trunk = &p->run[longest->at];

    if (m->at < from || m->at == longest->at || trunk->trunk ||
        (double)m->plateau < TRUNK_LEAST * (double)r->spec.steps)
        return;
    r->trunk = trunk->id;
    r->trunk_step = m->plateau;
}

void trunk_plan(struct plan *p, size_t from, int use)
{
    struct member *m = xcalloc(p->n + 1, sizeof *m);
    size_t first = 0;

    for (size_t i = 0; i < p->n; i++) {
        struct planned *r = &p->run[i];

        if (i >= from) {
            r->trunk = 0;
            r->trunk_step = 0;
        }
        if (i >= from || !r->family)
            r->family = schedule_family(&r->spec);
        m[i] = (struct member){
            r->family, r->stage,
            schedule_plateau(&r->spec.schedule, r->spec.steps), i};
    }
    qsort(m, p->n, sizeof *m, by_family);
    for (size_t i = 0; use && i < p->n; i++) {
        if (m[i].family != m[first].family || m[i].stage != m[first].stage)
            first = i;
        branch(p, &m[i], &m[first], from);
    }
    free(m);
}

double trunk_saved(const struct planned *r)
{
    return r->flops * (double)r->trunk_step / (double)r->spec.steps;
}
