/* report_laws: predictions, the loss law, the allocation, lr and batch: each
 * with its figure and the table behind it. */
#include "analysis/report_impl.h"

#include "analysis/laws_impl.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUM(buf, v) report_num(buf, v, 4)

/* --- predictions --- */

static struct plot_forecast *forecasts(const struct report_data *r)
{
    struct plot_forecast *f = xcalloc(r->n_prediction + 1, sizeof *f);

    for (size_t i = 0; i < r->n_prediction; i++) {
        const struct report_prediction *q = &r->prediction[i];
        f[i] = (struct plot_forecast){q->flops, q->bpb,      q->lo,
                                      q->hi,    q->measured, q->n};
    }
    return f;
}

static void prediction_row_of(struct page *p, const struct report_prediction *q,
                              size_t k)
{
    char flops[REPORT_NUM], bpb[REPORT_NUM], lo[REPORT_NUM], hi[REPORT_NUM],
        m[REPORT_NUM], dev[REPORT_NUM], decades[REPORT_NUM], seed[REPORT_NUM];
    int have = k < q->n;
    double v = have ? q->measured[k] : NAN;
    const char *row[] = {
        NUM(flops, q->flops),
        report_num(decades, q->decades, 3),
        report_num(bpb, q->bpb, 5),
        report_num(lo, q->lo, 5),
        report_num(hi, q->hi, 5),
        seed,
        report_num(m, v, 5),
        report_percent(dev, v / q->bpb - 1),
        !have                      ? "not measured"
        : v >= q->lo && v <= q->hi ? "inside"
                                   : "outside",
    };

    seed[0] = 0;
    if (have)
        snprintf(seed, sizeof seed, "%lld", (long long)q->seed[k]);
    page_row(p, row);
}

static void choice_rows(struct page *p, const struct report_data *r)
{
    static const char *const head[] = {"flops", "registered", "layers", "width",
                                       "M",     "N",          "D",      "batch",
                                       "lr",    "sha256",     NULL};

    page_table_begin(p, "What was registered to be run", head);
    for (size_t i = 0; i < r->n_prediction; i++) {
        const struct report_prediction *q = &r->prediction[i];
        char b[8][REPORT_NUM], layers[REPORT_NUM], width[REPORT_NUM];
        char sha[17] = "";
        const char *row[] = {NUM(b[0], q->flops),
                             q->made,
                             layers,
                             width,
                             NUM(b[1], q->M),
                             NUM(b[2], q->N),
                             NUM(b[3], q->D),
                             NUM(b[4], q->batch),
                             NUM(b[5], q->lr),
                             sha};
        snprintf(layers, sizeof layers, "%lld", (long long)q->n_layer);
        snprintf(width, sizeof width, "%lld", (long long)q->d_model);
        if (q->sha256)
            snprintf(sha, sizeof sha, "%.16s", q->sha256);
        page_row(p, row);
    }
    page_table_end(p);
}

void report_predictions(struct page *p, const struct report_data *r)
{
    static const char *const head[] = {
        "flops", "decades beyond", "predicted", "low", "high",
        "seed",  "measured",       "deviation", "",    NULL};
    struct plot_forecast *f;
    struct str svg;
    char id[16];

    page_section(p, "Predictions");
    if (!r->n_prediction) {
        page_para(p, "No prediction has been registered.");
        return;
    }
    page_para(p,
              "Registered, hashed and dated before the runs that check them "
              "were allowed to start. The interval is of one run, at level "
              "%.0f %%.",
              100 * r->prediction[0].level);
    f = forecasts(r);
    str_init(&svg);
    page_figure_id(id, p);
    plot_forecasts(&svg, id, f, r->n_prediction);
    page_figures_begin(p);
    report_figure(p, "predictions", &svg,
                  "Measured runs (triangles) against the predicted interval "
                  "(bar), in percent of the prediction.");
    page_figures_end(p);
    page_table_begin(p, "Predicted and measured bits per byte", head);
    for (size_t i = 0; i < r->n_prediction; i++)
        for (size_t k = 0; k < (r->prediction[i].n ? r->prediction[i].n : 1);
             k++)
            prediction_row_of(p, &r->prediction[i], k);
    page_table_end(p);
    choice_rows(p, r);
    str_release(&svg);
    free(f);
}

/* --- loss --- */

static void loss_table(struct page *p, const struct curve_fit *f)
{
    static const char *const head[] = {
        "flops",      "loss",     "standard error",
        "E + k C^-p", "residual", "k C^-p",
        "residual",   "",         NULL};

    page_table_begin(p, "The points of the loss law", head);
    for (int i = 0; i < f->n; i++) {
        const struct curve_point *q = &f->point[i];
        double e = f->with_E.E + f->with_E.k * pow(q->flops, -f->with_E.p);
        double u = f->pure.k * pow(q->flops, -f->pure.p);
        char b[7][REPORT_NUM];
        const char *row[] = {NUM(b[0], q->flops),
                             report_num(b[1], q->loss, 5),
                             report_num(b[2], q->se, 2),
                             report_num(b[3], e, 5),
                             report_percent(b[4], q->loss / e - 1),
                             report_num(b[5], u, 5),
                             report_percent(b[6], q->loss / u - 1),
                             q->bound ? "a bound" : ""};
        page_row(p, row);
    }
    page_table_end(p);
}

static void loss_params(struct page *p, const struct curve_fit *f)
{
    static const char *const head[] = {"form",   "E",    "k",   "p", "p low",
                                       "p high", "chi2", "rms", NULL};
    const struct curve_form *form[] = {&f->with_E, &f->pure};
    static const char *const name[] = {"E + k C^-p", "k C^-p"};

    page_table_begin(p, "Both forms", head);
    for (int i = 0; i < 2; i++) {
        const struct curve_form *m = form[i];
        char b[7][REPORT_NUM];
        const char *row[] = {name[i],
                             NUM(b[0], m->E),
                             NUM(b[1], m->k),
                             NUM(b[2], m->p),
                             NUM(b[3], m->p_ci[0]),
                             NUM(b[4], m->p_ci[1]),
                             report_num(b[5], m->objective, 3),
                             report_percent(b[6], m->rms)};
        page_row(p, row);
    }
    page_table_end(p);
}

static void surface_part(struct page *p, const struct laws *l)
{
    const struct laws_surface *s = l->surface;
    const double *q = s->fit.s.p;
    double *residual = xmalloc((s->n + 1) * sizeof *residual);
    struct str svg;
    char id[16];

    page_heading(p, "The surface");
    page_para(p,
              "L = %.4g + %.4g / M^%.3f + %.4g / D^%.3f fitted to %zu runs "
              "(Huber of the log residuals, delta %g, by variable "
              "projection); allocation exponent %.3f; condition number %.3g; "
              "%zu of %zu starts reach the optimum; tokens per flop-a-token "
              "from %.3g to %.3g.",
              q[0], q[1], q[3], q[2], q[4], s->n, s->fit.options.delta,
              s->fit.a, s->fit.cond, s->fit.reached, s->fit.starts,
              s->fit.tpp_lo, s->fit.tpp_hi);
    if (!s->fit.identified)
        page_note(p, "Its exponents are not identified: %s", s->fit.refused);
    for (size_t i = 0; i < s->n; i++)
        residual[i] = log(s->loss[i]) -
                      log(surface_loss(&s->fit.s, s->M[i], s->D[i], NAN));
    str_init(&svg);
    page_figure_id(id, p);
    plot_residuals(&svg, id, "model scale M, flops a token", s->M, s->D,
                   residual, s->n);
    page_figures_begin(p);
    report_figure(p, "surface-residuals", &svg,
                  "Residuals of the surface; a pattern (a saddle, a slope) "
                  "would say that the form is wrong. The runs are in the "
                  "table of runs.");
    page_figures_end(p);
    str_release(&svg);
    free(residual);
}

void report_loss(struct page *p, const struct report_data *r)
{
    const struct laws *l = r->laws;
    struct plot_forecast *f;
    struct str svg;
    char id[16];

    if (!l->have_curve)
        return;
    page_section(p, "Loss against compute");
    if (!l->curve.identified)
        page_note(p, "Refused: %s", l->curve.refused);
    f = forecasts(r);
    str_init(&svg);
    page_figure_id(id, p);
    plot_loss_law(&svg, id, &l->curve, l->isoflop.metric_bpb, f,
                  r->n_prediction);
    page_figures_begin(p);
    report_figure(p, "loss-law", &svg,
                  "The best loss of each budget, both forms of the law and "
                  "the %.0f %% interval of one run, averaged over the "
                  "constant and the exponent.",
                  100 * l->curve.opts.level);
    if (r->n_curve) {
        page_figure_id(id, p);
        plot_curves(&svg, id, r->curve, r->n_curve);
        report_figure(p, "loss-curves", &svg,
                      "Training loss of the best run of each budget, and of "
                      "the verification runs, smoothed in bins of the log of "
                      "compute; labels are budgets in flops.");
    }
    page_figures_end(p);
    if (l->curve.identified)
        loss_params(p, &l->curve);
    loss_table(p, &l->curve);
    if (l->have_surface)
        surface_part(p, l);
    str_release(&svg);
    free(f);
}

/* --- allocation --- */

static void budget_table(struct page *p, const struct isoflop_fit *f)
{
    static const char *const head[] = {
        "flops", "sizes", "M_opt",       "low",     "high", "D_opt",
        "loss",  "Akima", "curvature t", "verdict", NULL};

    page_table_begin(p, "The minimum of each profile", head);
    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        char n[9][REPORT_NUM];
        const char *row[] = {NUM(n[0], b->flops),
                             n[1],
                             NUM(n[2], b->M),
                             NUM(n[3], b->M_ci[0]),
                             NUM(n[4], b->M_ci[1]),
                             NUM(n[5], b->D),
                             report_num(n[6], b->loss, 5),
                             NUM(n[7], b->akima_M),
                             report_num(n[8], b->curvature_t, 3),
                             b->ok ? "accepted" : b->refused};
        snprintf(n[1], sizeof n[1], "%d", b->n_size);
        page_row(p, row);
    }
    page_table_end(p);
}

static void size_table(struct page *p, const struct isoflop_fit *f)
{
    static const char *const head[] = {
        "budget",           "M",        "N", "D", "loss", "runs",
        "SD between seeds", "diverged", NULL};

    page_fold_begin(p, "The points of the profiles");
    page_table_begin(p, NULL, head);
    for (int i = 0; i < f->n_budget; i++)
        for (int k = 0; k < f->budget[i].n_size; k++) {
            const struct isoflop_size *s = &f->budget[i].size[k];
            char n[8][REPORT_NUM];
            const char *row[] = {NUM(n[0], f->budget[i].flops),
                                 NUM(n[1], s->M),
                                 NUM(n[2], s->N),
                                 NUM(n[3], s->D),
                                 report_num(n[4], s->loss, 5),
                                 n[5],
                                 report_num(n[6], s->sd, 2),
                                 n[7]};
            snprintf(n[5], sizeof n[5], "%d", s->n);
            snprintf(n[7], sizeof n[7], "%d", s->diverged);
            page_row(p, row);
        }
    page_table_end(p);
    page_fold_end(p);
}

static void power_table(struct page *p, const struct isoflop_fit *f)
{
    static const char *const head[] = {
        "law", "coefficient", "low", "high", "exponent", "low", "high", NULL};
    const struct isoflop_power *law[] = {&f->M, &f->D, &f->N};
    static const char *const name[] = {"M_opt", "D_opt", "N_opt"};

    page_table_begin(p, "Power laws of compute", head);
    for (int i = 0; i < 3; i++) {
        char n[6][REPORT_NUM];
        const char *row[] = {name[i],
                             NUM(n[0], law[i]->coef),
                             NUM(n[1], law[i]->coef_ci[0]),
                             NUM(n[2], law[i]->coef_ci[1]),
                             NUM(n[3], law[i]->exponent),
                             NUM(n[4], law[i]->exponent_ci[0]),
                             NUM(n[5], law[i]->exponent_ci[1])};
        page_row(p, row);
    }
    page_table_end(p);
}

void report_allocation(struct page *p, const struct report_data *r)
{
    const struct isoflop_fit *f = &r->laws->isoflop;
    struct str svg;
    char id[16];

    if (!r->laws->have_isoflop)
        return;
    page_section(p, "Model and data allocation");
    if (!f->identified)
        page_note(p,
                  "The exponents are not identified: %s. To settle it: %s. "
                  "They are shown as they came out and not used.",
                  f->refused, f->settle);
    str_init(&svg);
    page_figures_begin(p);
    page_figure_id(id, p);
    plot_isoflop(&svg, id, f);
    report_figure(p, "isoflop", &svg,
                  "IsoFLOP profiles with their parabolas; diamonds are "
                  "accepted minima, dashes refused ones, labels budgets in "
                  "flops.");
    for (int data = 0; data < 2; data++) {
        page_figure_id(id, p);
        plot_allocation(&svg, id, f, data);
        report_figure(p, data ? "tokens" : "model-scale", &svg,
                      "%s against compute.",
                      data ? "Optimal tokens" : "Optimal model scale");
    }
    page_figures_end(p);
    budget_table(p, f);
    if (f->n_ok >= 2)
        power_table(p, f);
    size_table(p, f);
    str_release(&svg);
}
