/* laws: every law of a study, fitted once, in the order in which they need
 * each other; see predict.h. */
#include "analysis/laws_impl.h"

#include "analysis/bootstrap.h"
#include "analysis/points.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SURFACE_POINTS 12 /* fewest runs for a five-parameter surface */
#define SURFACE_BOOT 200

void laws_opts_default(struct laws_opts *o)
{
    struct run_spec base;

    spec_defaults(&base);
    base.model.vocab = 102400; /* DeepSeek LLM, section 2 */
    base.model.seq_len = 4096;
    *o = (struct laws_opts){.model = base.model,
                            .shape = {.head_dim = 128,
                                      .aspect = 100,
                                      .ff_multiple = 256,
                                      .kv_group = 1,
                                      .max_d_model = 65536},
                            .hyper = HYPER_FITTED,
                            .level = 0.90,
                            .bootstrap = 1000,
                            .seed = 1};
}

/* Who says where lr and batch come from: the last predict stage, else the
 * last verify, else the last isoflop stage. */
static const struct stage *rate_stage(const struct study *s)
{
    static const enum stage_kind order[] = {STAGE_PREDICT, STAGE_VERIFY,
                                            STAGE_ISOFLOP};

    for (size_t k = 0; k < ARRAY_LEN(order); k++)
        for (int i = s->n_stage; i-- > 0;)
            if (s->stage[i].kind == order[k])
                return &s->stage[i];
    return NULL;
}

void laws_opts_study(struct laws_opts *o, const struct study *s)
{
    const struct stage *from = rate_stage(s);

    laws_opts_default(o);
    o->model = s->base.model;
    o->shape = s->shape;
    if (!from)
        return;
    o->hyper = from->hyper;
    o->lr_fixed = from->lr_fixed;
    o->batch_fixed = (double)from->batch_fixed;
}

/* --- the surface --- */

static int surface_row(const struct points *p, size_t i, enum point_col metric)
{
    return p->used[i] && p->col[POINT_M][i] > 0 && p->col[POINT_D][i] > 0 &&
           p->col[metric][i] > 0;
}

static int surface_boot(double *stat, const size_t *idx, size_t n,
                        const struct boot_turn *turn, void *ctx)
{
    struct laws_surface *s = ctx;
    struct surface_fit f = s->fit;
    struct surface_data d = {.n = n,
                             .size = s->boot,
                             .tokens = s->boot + n,
                             .loss = s->boot + 2 * n};

    (void)turn;
    for (size_t i = 0; i < n; i++) {
        s->boot[i] = s->M[idx[i]];
        s->boot[n + i] = s->D[idx[i]];
        s->boot[2 * n + i] = s->loss[idx[i]];
    }
    if (surface_refit(&f, &d, NULL))
        return -1;
    memcpy(stat, f.s.p, 5 * sizeof *stat);
    return 0;
}

/* A surface that is not identified has no vote, and needs no interval. */
static void surface_resample(struct laws *l, struct laws_surface *s)
{
    struct boot_options o = {.resamples = SURFACE_BOOT, .seed = l->opts.seed};

    if (l->opts.bootstrap < 1 || !s->fit.identified)
        return;
    s->boot = xmalloc((3 * s->n + 1) * sizeof *s->boot);
    s->have_draws = !bootstrap_run(&s->draws, &o, s->n, NULL, s->n, s->fit.s.p,
                                   5, surface_boot, s, NULL);
    free(s->boot);
    s->boot = NULL;
}

/* Skaling is the fitted form with one exponent more: where that one is not
 * identified it is not either, and the search for it is the longest of all. */
static void fit_others(struct laws_surface *s, const struct surface_data *d)
{
    static const enum surface_form forms[LAWS_OTHER] = {
        SURFACE_TIED, SURFACE_POWER, SURFACE_SKALING};

    for (int i = 0; i < LAWS_OTHER; i++) {
        struct surface_fit *f = &s->other[s->n_other];
        struct surface_options o = surface_defaults;
        o.form = forms[i];
        if (forms[i] == SURFACE_SKALING && !s->fit.identified) {
            *f = (struct surface_fit){.s.form = forms[i], .options = o};
            s->n_other++;
        } else {
            s->n_other += !surface_fit(f, d, &o, NULL);
        }
    }
}

static void fit_surface(struct laws *l, const struct points *p)
{
    struct surface_options o = surface_defaults;
    struct laws_surface *s = xcalloc(1, sizeof *s);
    enum point_col metric = l->isoflop.metric_bpb ? POINT_BPB : POINT_LOSS;
    struct surface_data d = {0};

    s->M = xmalloc((3 * p->n + 1) * sizeof *s->M);
    s->D = s->M + p->n;
    s->loss = s->D + p->n;
    for (size_t i = 0; i < p->n; i++) {
        if (!surface_row(p, i, metric))
            continue;
        s->M[s->n] = p->col[POINT_M][i];
        s->D[s->n] = p->col[POINT_D][i];
        s->loss[s->n++] = p->col[metric][i];
    }
    l->surface = s;
    d = (struct surface_data){
        .n = s->n, .size = s->M, .tokens = s->D, .loss = s->loss};
    o.form = SURFACE_CHINCHILLA;
    o.level = l->opts.level;
    if (s->n < SURFACE_POINTS || surface_fit(&s->fit, &d, &o, NULL))
        return;
    l->have_surface = 1;
    surface_resample(l, s);
    if (l->opts.surfaces)
        fit_others(s, &d);
}

/* --- all --- */

static int some(const struct points *p)
{
    return p && points_used(p) > 0;
}

static int fit_isoflop(struct laws *l, const struct points *p, struct err *e)
{
    struct isoflop_opts io;
    struct curve_opts co;
    struct curve_point *at;
    int n;

    isoflop_opts_default(&io);
    io.level = l->opts.level;
    io.bootstrap = l->opts.bootstrap;
    io.seed = l->opts.seed;
    if (isoflop_fit(&l->isoflop, p, &io, e))
        return -1;
    l->have_isoflop = 1;
    l->flops_mid = 1;
    for (int i = 0; i < l->isoflop.n_budget; i++) {
        double C = l->isoflop.budget[i].flops;
        l->flops_top = fmax(l->flops_top, C);
        l->flops_mid *= pow(C, 1.0 / l->isoflop.n_budget);
    }
    curve_opts_isoflop(&co, &l->isoflop);
    co.level = l->opts.level;
    co.bootstrap = l->opts.bootstrap < 400 ? l->opts.bootstrap : 400;
    co.seed = l->opts.seed;
    n = curve_points(&at, &l->isoflop);
    l->have_curve = !curve_fit(&l->curve, at, n, l->isoflop.noise, &co, e);
    free(at);
    if (!l->have_curve)
        return -1;
    fit_surface(l, p);
    return 0;
}

static int fit_hyper(struct laws *l, const struct points *p, struct err *e)
{
    struct hyper_opts o;

    hyper_opts_default(&o);
    o.level = l->opts.level;
    o.bootstrap = l->opts.bootstrap;
    o.seed = l->opts.seed;
    if (hyper_fit(&l->hyper, p, &o, e))
        return -1;
    l->have_hyper = 1;
    return 0;
}

static void choose_law(struct laws *l)
{
    if (l->opts.hyper == HYPER_FIXED) {
        l->law = (struct hyper_law){.lr_coef = l->opts.lr_fixed,
                                    .batch_coef = l->opts.batch_fixed};
        str_addf(&l->law_how, "lr %.4g and batch %.0f as given in the study\n",
                 l->opts.lr_fixed, l->opts.batch_fixed);
    } else if (l->opts.hyper == HYPER_FITTED && l->have_hyper) {
        hyper_fit_use(&l->law, &l->law_how, &l->hyper);
    } else {
        l->law = hyper_law_deepseek;
        str_addf(&l->law_how,
                 "lr and batch: Eq. 1 of DeepSeek LLM as "
                 "printed%s\n",
                 l->opts.hyper == HYPER_FITTED
                     ? ", there being no hyper runs to fit"
                     : "");
    }
}

int laws_fit(struct laws *l, const struct points *hyper,
             const struct points *isoflop, const struct laws_opts *o,
             struct err *e)
{
    memset(l, 0, sizeof *l);
    l->opts = *o;
    str_init(&l->law_how);
    if (!some(hyper) && !some(isoflop)) {
        laws_release(l);
        return err_set(e, ERR_FAILED,
                       "no finished runs to fit laws to; `status` says what "
                       "is still to come");
    }
    if ((some(hyper) && fit_hyper(l, hyper, e)) ||
        (some(isoflop) && fit_isoflop(l, isoflop, e))) {
        laws_release(l);
        return -1;
    }
    choose_law(l);
    return 0;
}

void laws_release(struct laws *l)
{
    if (l->have_hyper)
        hyper_fit_release(&l->hyper);
    if (l->have_isoflop)
        isoflop_fit_release(&l->isoflop);
    if (l->have_curve)
        curve_fit_release(&l->curve);
    if (l->surface) {
        if (l->surface->have_draws)
            bootstrap_release(&l->surface->draws);
        free(l->surface->M);
        free(l->surface);
    }
    str_release(&l->law_how);
    memset(l, 0, sizeof *l);
}
