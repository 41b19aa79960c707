/* report_method: what was done, in the four groups of (Mis)Fitting (arXiv
 * 2502.18969): the hypothesis, the training, the data taken from it, the
 * fitting. */
#include "analysis/report_impl.h"

#include "analysis/laws_impl.h"

#include <math.h>
#include <stdio.h>

static void hypothesis(struct page *p, const struct report_data *r)
{
    page_heading(p, "Hypothesis");
    page_list_begin(p);
    page_item(p, "forms",
              "loss L(C) = E + k C^-p and k C^-p; surface L(M, D) = E + "
              "A / M^alpha + B / D^beta; M_opt, D_opt, lr and batch powers of "
              "C");
    page_item(p, "compute",
              "C = M D, DeepSeek LLM (arXiv 2401.02954) Eq. 2, in flops, on "
              "the tokens really trained");
    page_item(p, "model scale",
              "M = 72 n_layer d_model^2 + 12 n_layer d_model l_seq flops a "
              "token: full attention, no embedding, no head; the exact count "
              "(head, causal attention) is stored beside it");
    page_item(p, "parameters",
              "N = 12 n_layer d_model^2 + vocab d_model (Eq. 2's N2); data D "
              "in tokens, batch in tokens a step");
    page_item(p, "loss", "%s on the first validation set",
              r->laws && r->laws->have_isoflop && !r->laws->isoflop.metric_bpb
                  ? "nats a token"
                  : "bits per byte");
    page_list_end(p);
}

static void say_schedule(struct page *p, const struct schedule_spec *c,
                         const struct study *s)
{
    char text[160];
    int at = 0;

    text[0] = 0;
    for (int64_t i = 0; i < c->n_stage && c->name == SCHED_MULTI_STEP; i++)
        at += snprintf(text + at, sizeof text - (size_t)at,
                       "%s %.3g of the peak from %.0f %%", i ? "," : ":",
                       c->factor[i], 100 * c->at[i]);
    page_item(p, "schedule", "%s%s; warm-up %.3g of the steps, at most %lld",
              schedule_name(c->name), text, s->warmup,
              (long long)s->warmup_max);
}

static void training(struct page *p, const struct report_data *r)
{
    const struct study *s = r->study;
    const struct model_spec *m = &s->base.model;
    const struct optim_spec *o = &s->base.optim;

    page_list_begin(p);
    page_item(p, "family",
              "%s: pre-norm RMSNorm, RoPE, causal attention, "
              "SwiGLU, untied head",
              family_name(m->family));
    page_item(p, "shapes",
              "head_dim %lld, d_model / n_layer %.3g, d_ff 8/3 d_model up to a "
              "multiple of %lld, %lld query heads a key/value head",
              (long long)s->shape.head_dim, s->shape.aspect,
              (long long)s->shape.ff_multiple, (long long)s->shape.kv_group);
    page_item(p, "text", "vocabulary %lld, context %lld tokens; trained on %s",
              (long long)m->vocab, (long long)m->seq_len, s->train);
    for (int i = 0; i < s->n_valid; i++)
        page_item(p, i ? "also evaluated on" : "validated on", "%s (%s)",
                  s->valid[i].path, s->valid[i].name);
    page_item(p, "optimiser",
              "AdamW, beta1 %g, beta2 %g, eps %g, weight decay %g on matrices, "
              "gradient clipped at norm %g; initial SD %g",
              o->beta1, o->beta2, o->eps, o->weight_decay, o->clip,
              m->init_std);
    say_schedule(p, &s->base.schedule, s);
    page_item(p, "precision", "%s", dtype_name(s->base.dtype));
    page_item(p, "learning rate and batch", "%s",
              r->laws ? r->laws->law_how.text : "as given in the study");
    page_list_end(p);
}

static void range_of(double *lo, double *hi, const struct points *p,
                     enum point_col c)
{
    for (size_t i = 0; p && i < p->n; i++)
        if (p->used[i] && isfinite(p->col[c][i])) {
            *lo = fmin(*lo, p->col[c][i]);
            *hi = fmax(*hi, p->col[c][i]);
        }
}

static void say_range(struct page *p, const struct report_data *r,
                      const char *name, enum point_col c)
{
    double lo = INFINITY, hi = -INFINITY;
    char b[2][REPORT_NUM];

    range_of(&lo, &hi, r->hyper, c);
    range_of(&lo, &hi, r->isoflop, c);
    range_of(&lo, &hi, r->verify, c);
    if (lo <= hi)
        page_item(p, name, "%s to %s", report_num(b[0], lo, 4),
                  report_num(b[1], hi, 4));
}

static void extraction(struct page *p, const struct report_data *r)
{
    page_heading(p, "Data taken from the runs");
    page_list_begin(p);
    page_item(p, "points",
              "one a run: the loss on the whole validation set after the last "
              "step, when the learning rate has decayed; no intermediate "
              "checkpoints, no smoothing");
    page_item(p, "excluded",
              "runs that diverged, failed or were stopped: listed below with "
              "the reason; a diverged run bounds its grid and never wins");
    page_item(p, "seeds", "averaged within a cell; their spread is the noise");
    say_range(p, r, "M", POINT_M);
    say_range(p, r, "N", POINT_N);
    say_range(p, r, "D", POINT_D);
    say_range(p, r, "steps", POINT_STEPS);
    say_range(p, r, "compute", POINT_FLOPS);
    page_list_end(p);
}

static void fitting(struct page *p, const struct laws *l)
{
    page_heading(p, "Fitting");
    page_list_begin(p);
    if (l->have_isoflop) {
        const struct isoflop_fit *f = &l->isoflop;
        char share[REPORT_NUM], misfit[REPORT_NUM], chi2[REPORT_NUM];
        snprintf(share, sizeof share, "%.2f %%", 100 * f->noise);
        page_item(p, "profiles",
                  "%s in log M, %d of %d minima accepted; at least %d sizes, "
                  "quadratic term at %.2f standard errors or more, minimum "
                  "inside the sizes run",
                  f->opts.method == ISOFLOP_AKIMA    ? "Akima's cubic"
                  : f->opts.method == ISOFLOP_SPLINE ? "the natural spline"
                                                     : "parabola",
                  f->n_ok, f->n_budget, f->opts.min_sizes, f->opts.curvature);
        page_item(p, "noise",
                  "%s of the loss for one run, from %s (%d degrees of "
                  "freedom); quartics against parabolas: %s%s",
                  isfinite(f->noise) ? share : "unknown",
                  f->noise_from_seeds ? "seeds" : "the profiles' residuals",
                  f->noise_dof,
                  isfinite(f->misfit_p) ? "p = "
                                        : "too few "
                                          "points to test",
                  report_num(misfit, f->misfit_p, 2));
        page_item(p, "allocation",
                  "weighted least squares in logs; intervals at %.0f %% from "
                  "%d resamples of %s; scatter about the law, chi2 per degree "
                  "of freedom: %s",
                  100 * f->opts.level, f->opts.bootstrap,
                  f->resampled == ISOFLOP_RESAMPLE_NOISE
                      ? "the cell means within their noise"
                  : f->resampled == ISOFLOP_RESAMPLE_TRUNKS
                      ? "the trunks within their noise"
                      : "whole budgets",
                  isfinite(f->chi2) ? report_num(chi2, f->chi2, 2)
                                    : "too few optima");
    }
    if (l->have_curve)
        page_item(p, "loss law",
                  "weighted least squares; the forecast averages over the "
                  "constant E and the exponent p with a fifth of the prior on "
                  "E = 0, and holds the noise of the optima, a quarter of a "
                  "percent for what was not tuned, and the seed of one run");
    if (l->have_hyper)
        page_item(p, "learning rate and batch",
                  "least squares in logs through the near-optimal cells of "
                  "grids with an interior optimum; %d resamples",
                  l->hyper.opts.bootstrap);
    if (l->have_surface)
        page_item(p, "surface",
                  "Huber loss of log residuals (delta %g), summed, variable "
                  "projection; resampling runs",
                  l->surface->fit.options.delta);
    page_item(p, "held out",
              "each grid in turn, to judge what following a law of learning "
              "rate and batch costs; the verification runs, which enter no "
              "fit");
    page_item(p, "sensitivity",
              "the intervals above; Akima's cubic beside the parabola, the "
              "quadratic beside the near-optimal cells, both forms of the "
              "loss law and the surface, in the tables");
    page_item(p, "random numbers", "seed %llu for every resampling",
              (unsigned long long)l->opts.seed);
    page_list_end(p);
}

void report_method(struct page *p, const struct report_data *r)
{
    page_section(p, "Method");
    hypothesis(p, r);
    page_heading(p, "Training");
    if (r->study)
        training(p, r);
    else
        page_para(p, "The runs were imported; how they were trained is not "
                     "recorded here.");
    report_table(p, &r->table[REPORT_DATA]);
    extraction(p, r);
    if (r->laws)
        fitting(p, r->laws);
}
