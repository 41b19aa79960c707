/* predict: one budget; see predict.h.
 *
 * The loss is that of one run of the chosen shape: the loss law's forecast at
 * the best size, raised by what the rounding of the shape costs on the
 * profiles' own curvature, with the uncertainty of the allocation, of the law's
 * form and of the seed in the interval.  A surface that is identified gets a
 * vote: the interval is stretched to reach its value. */
#include "analysis/predict.h"

#include "analysis/laws_impl.h"
#include "analysis/stat.h"
#include "base/mem.h"
#include "sweep/flops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_EXPONENT                                                          \
    0.08 /* SD of an allocation exponent not identified: the                   \
            range of published ones is 0.45 to 0.58 */

/* --- size, shape, rate --- */

static void choose_shape(struct prediction *p, const struct laws *l)
{
    struct model_count c;

    p->choice.flops = p->flops;
    p->choice.model = l->opts.model;
    shape_for_M(&p->choice.model, &l->opts.shape, p->M_opt);
    model_count(&c, &p->choice.model);
    p->M = c.M;
    p->N = c.N2;
    p->params = c.params;
    p->D = p->flops / p->M;
    p->tokens_per_param = p->D / p->params;
    if (fabs(log(p->M / p->M_opt)) > log(1.5))
        str_addf(&p->here,
                 "shape: the nearest the shape rule makes has M %.3g, not "
                 "%.3g\n",
                 p->M, p->M_opt);
}

/* Where the exponent of lr is open: what it leaves here, and the law in (N, D)
 * instead, if that was judged better. */
static void open_rate(struct prediction *p, const struct laws *l)
{
    double range[2], lr;

    if (l->opts.hyper != HYPER_FITTED || !l->have_hyper)
        return;
    if (hyper_lr_left(range, &l->hyper, p->flops) == 0)
        str_addf(&p->here,
                 "lr: the open exponent leaves %.3g to %.3g at this budget\n",
                 range[0], range[1]);
    lr = hyper_lr_of_ND(&l->hyper, p->N, p->D);
    if (!isfinite(lr))
        return;
    str_addf(&p->here,
             "lr: %.4g N^%.3f D^%.3f instead, not %.4g: on held-out grids it "
             "costs %.3g %%, the law in C %.3g %%\n",
             l->hyper.lr_nd.coef, l->hyper.lr_nd.n, l->hyper.lr_nd.d, p->lr,
             100 * l->hyper.score[HYPER_FORM_ND].mean,
             100 * l->hyper.score[HYPER_FORM_C].mean);
    p->lr = lr;
}

static void choose_rate(struct prediction *p, const struct laws *l)
{
    double T = (double)p->choice.model.seq_len;

    p->lr = hyper_lr(&l->law, p->flops);
    open_rate(p, l);
    p->batch_tokens = hyper_batch(&l->law, p->flops);
    p->choice.lr = p->lr;
    p->choice.batch_tokens = (int64_t)(fmax(1, round(p->batch_tokens / T)) * T);
    p->hyper_identified = l->opts.hyper != HYPER_FITTED ||
                          (l->have_hyper && hyper_fit_identified(&l->hyper));
    str_add(&p->how, l->law_how.text);
}

/* --- loss --- */

/* SD of log M_opt at this budget. */
static double allocation_sd(const struct laws *l, double flops)
{
    const struct isoflop_power *M = &l->isoflop.M;
    double lever = log(flops / l->flops_mid), sd = OPEN_EXPONENT;

    if (l->isoflop.identified)
        sd = (M->exponent_ci[1] - M->exponent_ci[0]) / 2 /
             stat_normal_quantile((1 + l->opts.level) / 2);
    return sd * fabs(lever);
}

static double off_cost(const struct laws *l, double log_ratio)
{
    double off = isfinite(l->isoflop.off) ? l->isoflop.off : 0;
    return off * log_ratio * log_ratio;
}

static void add_opinion(struct prediction *p, const char *name, double bpb,
                        double lo, double hi, double M)
{
    struct opinion *o = &p->opinion[p->n_opinion++];

    BUG_ON(p->n_opinion > PREDICT_OPINIONS);
    *o = (struct opinion){name, bpb, lo, hi, M};
}

/* The surface at the chosen size, with its interval over resamples and the
 * noise of one run; the value, or NaN. */
static double ask_surface(struct prediction *p, const struct laws *l)
{
    const struct laws_surface *s = l->surface;
    double bpb, M = NAN, D, best, lo = NAN, hi = NAN;
    double z = stat_normal_quantile((1 + p->level) / 2);

    if (!l->have_surface)
        return NAN;
    bpb = surface_loss(&s->fit.s, p->M, p->D, NAN);
    if (!isfinite(bpb))
        return NAN;
    if (surface_optimum(&M, &D, &best, &s->fit.s, p->flops, 1, NULL))
        M = NAN;
    if (s->have_draws && s->draws.good > 10) {
        double *v = xmalloc(s->draws.good * sizeof *v), noise;
        for (size_t i = 0; i < s->draws.good; i++) {
            struct surface t = s->fit.s;
            memcpy(t.p, s->draws.value + 5 * i, 5 * sizeof *t.p);
            v[i] = surface_loss(&t, p->M, p->D, NAN);
        }
        stat_sort(v, s->draws.good);
        lo = stat_quantile_sorted(v, s->draws.good, (1 - p->level) / 2);
        hi = stat_quantile_sorted(v, s->draws.good, (1 + p->level) / 2);
        noise = isfinite(l->isoflop.noise) ? z * l->isoflop.noise * bpb : 0;
        lo = bpb - hypot(bpb - fmin(lo, bpb), noise);
        hi = bpb + hypot(fmax(hi, bpb) - bpb, noise);
        free(v);
    }
    if (s->fit.identified) {
        add_opinion(p, "E + A/M^alpha + B/D^beta", bpb, lo, hi, M);
        return bpb;
    }
    add_opinion(p, "E + A/M^alpha + B/D^beta", NAN, NAN, NAN, NAN);
    str_addf(&p->how, "surface: not identified, no vote (%s)\n",
             s->fit.refused);
    return NAN;
}

/* What the other forms of the surface say where they are identified, without a
 * vote; the range of all of them. */
static void ask_others(struct prediction *p, const struct laws *l)
{
    static const char *const name[SURFACE_FORMS] = {
        [SURFACE_TIED] = "E + A/M^alpha + B/D^alpha",
        [SURFACE_POWER] = "A/M^alpha + B/D^beta",
        [SURFACE_SKALING] = "E + (A/M^al + B/D^be)^k"};
    double lo = INFINITY, hi = 0;
    int n = 0;

    if (!l->have_surface)
        return;
    for (int i = -1; i < l->surface->n_other; i++) {
        const struct surface_fit *f =
            i < 0 ? &l->surface->fit : &l->surface->other[i];
        const struct surface *s = &f->s;
        double bpb = surface_loss(s, p->M, p->D, NAN), M, D, best;
        if (!f->identified || !isfinite(bpb)) {
            if (i >= 0)
                add_opinion(p, name[s->form], NAN, NAN, NAN, NAN);
            continue;
        }
        n++;
        lo = fmin(lo, bpb);
        hi = fmax(hi, bpb);
        if (i < 0)
            continue;
        if (surface_optimum(&M, &D, &best, s, p->flops, 1, NULL))
            M = NAN;
        add_opinion(p, name[s->form], bpb, NAN, NAN, M);
    }
    if (n > 1) {
        p->surfaces_lo = lo;
        p->surfaces_hi = hi;
    }
}

/* Tokens at which a model of size M has this loss; INFINITY when it never
 * has. */
static double tokens_for(const struct surface *s, double M, double loss)
{
    double lo = 1, hi = 1e40;

    if (!(surface_loss(s, M, hi, NAN) < loss))
        return INFINITY;
    for (int i = 0; i < 200 && hi > lo * (1 + 1e-12); i++) {
        double D = sqrt(lo * hi);
        if (surface_loss(s, M, D, NAN) < loss)
            hi = D;
        else
            lo = D;
    }
    return hi;
}

/* The cost of being off, by a surface that is identified. */
static void being_off(struct prediction *p, const struct laws *l)
{
    static const double factor[PREDICT_OVER] = {2, 4, 8, 16};
    const struct surface *s = &l->surface->fit.s;
    double M, D, best;

    if (!l->have_surface || !l->surface->fit.identified ||
        surface_optimum(&M, &D, &best, s, p->flops, 1, NULL))
        return;
    p->half_M = surface_loss(s, M / 2, D * 2, NAN) / best - 1;
    p->double_M = surface_loss(s, M * 2, D / 2, NAN) / best - 1;
    for (int i = 0; i < PREDICT_OVER; i++) {
        struct over_trained *o = &p->over[p->n_over++];
        double k = factor[i], tokens = tokens_for(s, M / k, best);
        *o = (struct over_trained){
            .factor = k,
            .excess = surface_loss(s, M / k, D * k, NAN) / best - 1,
            .flops = M / k * tokens / p->flops,
            /* parameters go with M near the chosen shape */
            .tokens_per_param = tokens / (p->params * (M / k) / p->M)};
    }
}

static void say_loss(struct prediction *p, const struct laws *l, double cost)
{
    str_addf(
        &p->how,
        "loss: law of the %s over %d budgets, averaged over E and the exponent",
        l->isoflop.metric_bpb ? "bits per byte" : "loss", l->curve.n);
    if (l->curve.misfit > 1)
        str_addf(&p->how,
                 "; chi2/dof is %.1f, and the excess counts as error of the "
                 "law",
                 l->curve.misfit);
    if (cost > 5e-5)
        str_addf(&p->here, "loss: %.2f %% of it for the shape\n", 100 * cost);
    if (isfinite(l->isoflop.noise))
        str_addf(&p->how, "; one run in the interval, seed SD %.2f %%\n",
                 100 * l->isoflop.noise);
    else
        str_add(&p->how, "; the noise between seeds is not known and not in "
                         "the interval\n");
}

static void refuse_loss(struct prediction *p, const struct laws *l)
{
    p->bpb = p->lo = p->hi = NAN;
    snprintf(p->refused, sizeof p->refused, "the loss law: %s",
             l->curve.refused);
    p->settle_flops = 10 * l->flops_top * l->isoflop.budget[0].n_size;
    snprintf(p->settle, sizeof p->settle,
             "profiles at more budgets: one of %d sizes at %.2g flops costs "
             "%.2g flops",
             l->isoflop.budget[0].n_size, 10 * l->flops_top, p->settle_flops);
}

static void forecast(struct prediction *p, const struct laws *l)
{
    double sd = allocation_sd(l, p->flops);
    double cost = off_cost(l, log(p->M / p->M_opt)), surface;
    struct curve_forecast c;

    p->half_M = off_cost(l, log(2));
    p->double_M = p->half_M;
    if (!isfinite(l->isoflop.off))
        p->half_M = p->double_M = NAN;
    being_off(p, l);
    p->loss_identified =
        !curve_forecast(&c, &l->curve, p->flops, p->level, off_cost(l, sd));
    if (!p->loss_identified) {
        refuse_loss(p, l);
        return;
    }
    p->decades = c.decades;
    p->bpb = c.loss * (1 + cost);
    p->lo = c.run_ci[0] * (1 + cost);
    p->hi = c.run_ci[1] * (1 + cost);
    say_loss(p, l, cost);
    add_opinion(p, "average over E and p", p->bpb, p->lo, p->hi, p->M_opt);
    add_opinion(p, "E + k C^-p", c.with_E * (1 + cost), NAN, NAN, NAN);
    add_opinion(p, "k C^-p", c.pure * (1 + cost), NAN, NAN, NAN);
    surface = ask_surface(p, l);
    ask_others(p, l);
    if (isfinite(surface) && (surface < p->lo || surface > p->hi)) {
        str_addf(&p->here, "interval: stretched to the surface's %.4f\n",
                 surface);
        p->stretched = 1;
        p->lo = fmin(p->lo, surface);
        p->hi = fmax(p->hi, surface);
    }
}

static void settle(struct prediction *p, const struct laws *l)
{
    if (p->settle[0])
        return;
    if (!l->isoflop.identified) {
        p->settle_flops = l->isoflop.settle_flops;
        snprintf(p->settle, sizeof p->settle, "for the allocation: %s",
                 l->isoflop.settle);
    } else if (!p->hyper_identified && l->have_hyper) {
        const struct hyper_grid *g = &l->hyper.grid[l->hyper.n_grid - 1];
        p->settle_flops = 10 * g->flops * g->n_cell;
        snprintf(p->settle, sizeof p->settle,
                 "for lr and batch: a grid of %d cells at %.2g flops (%.2g "
                 "flops)",
                 g->n_cell, 10 * g->flops, p->settle_flops);
    }
}

int predict(struct prediction *p, const struct laws *l, double flops,
            struct err *e)
{
    if (!(flops > 0) || !isfinite(flops))
        return err_set(e, ERR_USAGE,
                       "a budget is a positive number of flops, not %g", flops);
    if (!l->have_isoflop)
        return err_set(e, ERR_FAILED,
                       "no isoflop runs, so nothing says what size to train "
                       "at %g flops; run an isoflop stage first",
                       flops);
    memset(p, 0, sizeof *p);
    str_init(&p->how);
    str_init(&p->here);
    p->surfaces_lo = p->surfaces_hi = NAN;
    p->flops = flops;
    p->level = l->opts.level;
    p->metric_bpb = l->isoflop.metric_bpb;
    p->decades = log10(flops / l->flops_top);
    p->allocation_identified = l->isoflop.identified;
    p->M_opt = isoflop_fit_use(&p->how, &l->isoflop, flops);
    p->D_opt = flops / p->M_opt;
    choose_shape(p, l);
    choose_rate(p, l);
    forecast(p, l);
    add_opinion(p, "Eq. 4 of DeepSeek LLM", NAN, NAN, NAN, deepseek_M(flops));
    settle(p, l);
    return 0;
}

void prediction_release(struct prediction *p)
{
    str_release(&p->how);
    str_release(&p->here);
    memset(p, 0, sizeof *p);
}
