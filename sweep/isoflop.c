/* isoflop: the sizes of an IsoFLOP profile (DeepSeek LLM 3.2; Chinchilla
 * approach 2 with M for N).
 *
 * Sizes are spaced evenly in log M over `span`, centred on a multiple of
 * Eq. 4's M_opt, each taken to the nearest width of the shape rule.  The rule
 * is coarse where models are small: widths that fall together are spread over
 * unused widths between the ends, and where those run out a budget simply has
 * fewer sizes than asked for. */
#include "base/mem.h"
#include "sweep/design.h"
#include "sweep/flops.h"

#include <math.h>
#include <string.h>

struct widths {
    int n;
    int64_t d[STUDY_GRID]; /* increasing */
};

static int widths_add(struct widths *w, int64_t d)
{
    int i = 0;

    while (i < w->n && w->d[i] < d)
        i++;
    if ((i < w->n && w->d[i] == d) || w->n == STUDY_GRID)
        return 0;
    memmove(w->d + i + 1, w->d + i, (size_t)(w->n - i) * sizeof w->d[0]);
    w->d[i] = d;
    w->n++;
    return 1;
}

static double M_of(const struct study *s, int64_t d)
{
    struct model_spec m = s->base.model;
    struct model_count c;

    shape_for_width(&m, &s->shape, d);
    model_count(&c, &m);
    return c.M;
}

/* Put one more width into the widest gap (in log M) that has room for one.
 * Returns 0 when there is no room. */
static int fill_gap(struct widths *w, const struct study *s)
{
    int64_t unit = shape_unit(&s->shape), best = 0;
    double widest = 0;

    for (int i = 0; i + 1 < w->n; i++) {
        double lo = M_of(s, w->d[i]), hi = M_of(s, w->d[i + 1]);
        struct model_spec m = s->base.model;
        if (w->d[i] + unit >= w->d[i + 1] || hi / lo <= widest)
            continue;
        widest = hi / lo;
        shape_for_M(&m, &s->shape, sqrt(lo * hi));
        best = m.d_model;
        if (best <= w->d[i])
            best = w->d[i] + unit;
        if (best >= w->d[i + 1])
            best = w->d[i + 1] - unit;
    }
    return best ? widths_add(w, best) : 0;
}

static int choose(struct widths *w, const struct study *s, int k, int budget,
                  struct err *e)
{
    const struct stage *st = &s->stage[k];
    double centre = st->centre * deepseek_M(st->flops.value[budget]);
    struct model_spec m;

    w->n = 0;
    for (int i = 0; i < st->sizes; i++) {
        double at = st->sizes > 1 ? (double)i / (st->sizes - 1) - 0.5 : 0;
        double M = st->M.n ? st->M.value[i] : centre * pow(st->span, at);
        if (design_model(&m, s, M, e))
            return err_prefix(e, "%.200s:%d: %s: ", s->file, st->line,
                              st->name);
        widths_add(w, m.d_model);
    }
    while (w->n < st->sizes && fill_gap(w, s))
        ;
    return 0;
}

int isoflop_design(struct plan *p, const struct study *s, int k, int budget,
                   const struct plan_context *ctx, struct err *e)
{
    double flops = s->stage[k].flops.value[budget], lr, batch;
    struct widths w;

    if (plan_hyper(&lr, &batch, s, k, flops, ctx))
        return 0; /* its law is not fitted yet */
    if (choose(&w, s, k, budget, e))
        return -1;
    for (int i = 0; i < w.n; i++) {
        struct model_spec m = s->base.model;
        shape_for_width(&m, &s->shape, w.d[i]);
        if (design_seeds(p, s, k, flops, &m, lr, batch, 0, ctx, e) < 0)
            return -1;
    }
    return 0;
}

/* The width one size beyond d: the profile's own spacing, or the rule's where
 * that is coarser.  0 when the rule has none. */
static int64_t next_size(const struct study *s, const struct stage *st,
                         int64_t d, int dir)
{
    double ratio =
        st->M.n ? st->M.ratio
                : pow(st->span, 1.0 / (st->sizes > 1 ? st->sizes - 1 : 1));
    struct model_spec m = s->base.model;

    shape_for_M(&m, &s->shape, M_of(s, d) * (dir > 0 ? ratio : 1 / ratio));
    if (dir > 0 ? m.d_model > d : m.d_model < d)
        return m.d_model;
    return shape_next(&s->shape, d, dir);
}

int plan_extend_isoflop(struct plan *p, const struct study *s, int k,
                        double flops, int dir, const struct plan_context *ctx,
                        struct err *e)
{
    const struct stage *st = &s->stage[k];
    int extension = design_next_extension(p, s, k, flops), added = 0;
    double lr, batch;
    size_t was = p->n;
    int64_t d = 0;

    BUG_ON(st->kind != STAGE_ISOFLOP);
    if (!extension || !dir || plan_hyper(&lr, &batch, s, k, flops, ctx))
        return 0;
    for (size_t i = 0; i < was; i++) {
        int64_t w = p->run[i].spec.model.d_model;
        if (design_is(&p->run[i], k, flops) &&
            (!d || (dir > 0 ? w > d : w < d)))
            d = w;
    }
    for (int i = 0; i < 2; i++) {
        struct model_spec m = s->base.model;
        int rc;
        d = next_size(s, st, d, dir);
        if (!d || flops / M_of(s, d) / batch < PLAN_MIN_STEPS)
            break;
        shape_for_width(&m, &s->shape, d);
        rc = design_seeds(p, s, k, flops, &m, lr, batch, extension, ctx, e);
        if (rc < 0) {
            plan_truncate(p, was);
            return -1;
        }
        added += rc;
    }
    return added;
}
