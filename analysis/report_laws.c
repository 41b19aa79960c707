/* report_laws: the predictions and the loss law, each with its figure and the
 * table behind it. */
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
    struct gnuplot gp;
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
    gnuplot_init(&gp);
    page_figure_id(id, p);
    plot_forecasts(&svg, id, f, r->n_prediction);
    page_figures_begin(p);
    report_figure(p, "predictions", &svg,
                  "Measured runs (triangles) against the predicted interval "
                  "(bar), in percent of the prediction.");
    gnuplot_forecasts(&gp, f, r->n_prediction);
    report_gnuplot(p, &gp);
    page_figures_end(p);
    page_table_begin(p, "Predicted and measured bits per byte", head);
    for (size_t i = 0; i < r->n_prediction; i++)
        for (size_t k = 0; k < (r->prediction[i].n ? r->prediction[i].n : 1);
             k++)
            prediction_row_of(p, &r->prediction[i], k);
    page_table_end(p);
    choice_rows(p, r);
    str_release(&svg);
    gnuplot_release(&gp);
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

static void residual_table(struct page *p, const struct laws_surface *s,
                           const double *residual)
{
    static const char *const head[] = {"M",       "D",        "loss",
                                       "surface", "residual", NULL};

    page_fold_begin(p, "The runs of the surface");
    page_table_begin(p, NULL, head);
    for (size_t i = 0; i < s->n; i++) {
        char b[5][REPORT_NUM];
        const char *row[] = {NUM(b[0], s->M[i]), NUM(b[1], s->D[i]),
                             report_num(b[2], s->loss[i], 5),
                             report_num(b[3], s->loss[i] / exp(residual[i]), 5),
                             report_percent(b[4], expm1(residual[i]))};
        page_row(p, row);
    }
    page_table_end(p);
    page_fold_end(p);
}

static void surface_part(struct page *p, const struct laws *l)
{
    const struct laws_surface *s = l->surface;
    const double *q = s->fit.s.p;
    double *residual = xmalloc((s->n + 1) * sizeof *residual);
    struct gnuplot gp;
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
    gnuplot_init(&gp);
    page_figure_id(id, p);
    plot_residuals(&svg, id, "model scale M, flops a token", s->M, s->D,
                   residual, s->n);
    page_figures_begin(p);
    report_figure(p, "surface-residuals", &svg,
                  "Residuals of the surface; a pattern (a saddle, a slope) "
                  "would say that the form is wrong.");
    gnuplot_residuals(&gp, s->M, s->D, residual, s->n);
    report_gnuplot(p, &gp);
    page_figures_end(p);
    residual_table(p, s, residual);
    str_release(&svg);
    gnuplot_release(&gp);
    free(residual);
}

#define CURVE_ROWS 16 /* of one curve in the table */

static void curve_table(struct page *p, const struct report_data *r)
{
    static const char *const head[] = {"budget", "flops spent", "training loss",
                                       NULL};

    page_fold_begin(p, "Points of the loss curves");
    page_table_begin(p, NULL, head);
    for (size_t i = 0; i < r->n_curve; i++) {
        const struct plot_curve *c = &r->curve[i];
        size_t rows = c->n < CURVE_ROWS ? c->n : CURVE_ROWS;
        for (size_t k = 0; k < rows; k++) {
            size_t at = rows > 1 ? k * (c->n - 1) / (rows - 1) : 0;
            char b[3][REPORT_NUM];
            const char *row[] = {NUM(b[0], c->budget), NUM(b[1], c->x[at]),
                                 report_num(b[2], c->y[at], 5)};
            page_row(p, row);
        }
    }
    page_table_end(p);
    page_fold_end(p);
}

void report_loss(struct page *p, const struct report_data *r)
{
    const struct laws *l = r->laws;
    struct plot_forecast *f;
    struct gnuplot gp;
    struct str svg;
    char id[16];

    if (!l->have_curve)
        return;
    page_section(p, "Loss against compute");
    if (!l->curve.identified)
        page_note(p, "Refused: %s", l->curve.refused);
    f = forecasts(r);
    str_init(&svg);
    gnuplot_init(&gp);
    page_figure_id(id, p);
    plot_loss_law(&svg, id, &l->curve, l->isoflop.metric_bpb, f,
                  r->n_prediction);
    page_figures_begin(p);
    report_figure(p, "loss-law", &svg,
                  "The best loss of each budget, both forms of the law and "
                  "the %.0f %% interval of one run, averaged over the "
                  "constant and the exponent.",
                  100 * l->curve.opts.level);
    gnuplot_loss_law(&gp, &l->curve, l->isoflop.metric_bpb, f, r->n_prediction);
    report_gnuplot(p, &gp);
    if (r->n_curve) {
        page_figure_id(id, p);
        plot_curves(&svg, id, r->curve, r->n_curve);
        report_figure(p, "loss-curves", &svg,
                      "Training loss of the best run of each budget, and of "
                      "the verification runs, smoothed in bins of the log of "
                      "compute; labels are budgets in flops.");
        gnuplot_curves(&gp, r->curve, r->n_curve);
        report_gnuplot(p, &gp);
    }
    page_figures_end(p);
    if (l->curve.identified)
        loss_params(p, &l->curve);
    loss_table(p, &l->curve);
    if (r->n_curve)
        curve_table(p, r);
    if (l->have_surface)
        surface_part(p, l);
    str_release(&svg);
    gnuplot_release(&gp);
    free(f);
}
