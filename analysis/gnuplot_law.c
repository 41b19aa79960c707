/* gnuplot_law: the profiles, the allocation, the loss law, predictions. */
#include "analysis/gnuplot_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LEVEL_POINTS 33 /* of a band */

static void isoflop_axes(struct gnuplot *g, const struct isoflop_fit *f)
{
    struct scale x, y;

    scale_empty(&x, 1);
    scale_empty(&y, 0);
    for (int i = 0; i < f->n_budget; i++)
        for (int k = 0; k < f->budget[i].n_size; k++) {
            scale_hold(&x, f->budget[i].size[k].M);
            scale_hold(&y, f->budget[i].size[k].loss);
        }
    gnuplot_axis(g, 'x', &x, 0.06, "model scale M, flops a token");
    gnuplot_axis(g, 'y', &y, 0.06,
                 f->metric_bpb ? "bits per byte" : "loss, nats a token");
}

void gnuplot_isoflop(struct gnuplot *g, const struct isoflop_fit *f)
{
    gnuplot_block(g, "minima", "flops M loss M_low M_high accepted");
    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        gnuplot_row(g, 6, b->flops, b->M, b->loss, b->M_ci[0], b->M_ci[1],
                    (double)b->ok);
    }
    isoflop_axes(g, f);
    str_add(&g->script, "set key outside right\n");
    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        char name[48], c[4][STR_DOUBLE];
        snprintf(name, sizeof name, "%.3g flops", b->flops);
        gnuplot_block(g, name, "M loss SD_between_seeds runs D");
        for (int k = 0; k < b->n_size; k++)
            gnuplot_row(g, 5, b->size[k].M, b->size[k].loss, b->size[k].sd,
                        (double)b->size[k].n, b->size[k].D);
        if (!isfinite(b->c[2]))
            continue;
        str_addf(&g->script,
                 "p%d(x) = (u = log(x / %s), v = %s + u * (%s + u * %s), %s)\n",
                 i, str_double(c[0], b->M_mid), str_double(c[1], b->c[0]),
                 str_double(c[2], b->c[1]), str_double(c[3], b->c[2]),
                 f->opts.log_loss ? "exp(v)" : "v");
    }
    str_add(&g->script,
            "plot data index 0 using ($6 > 0 ? $2 : 1/0):3 with points "
            "pt 12 ps 1.6 lw 2 lc rgb 'black' title 'minima'");
    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        str_addf(&g->script,
                 ", \\\n  data index %d using 1:2 with points pt 7 lt %d title "
                 "'%.3g flops'",
                 i + 1, i + 1, b->flops);
        if (isfinite(b->c[2]))
            str_addf(
                &g->script,
                ", \\\n  [%.6g:%.6g] p%d(x) with lines lt %d dt %d notitle",
                b->size[0].M, b->size[b->n_size - 1].M, i, i + 1,
                b->ok ? 1 : 2);
    }
    str_add(&g->script, "\n");
}

void gnuplot_allocation(struct gnuplot *g, const struct isoflop_fit *f,
                        int data)
{
    const struct isoflop_power *law = data ? &f->D : &f->M;
    char a[2][STR_DOUBLE];
    struct scale x, y;

    gnuplot_block(g, "minima", "flops optimum low high");
    scale_empty(&x, 1);
    scale_empty(&y, 1);
    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        double lo = data ? b->flops / b->M_ci[1] : b->M_ci[0];
        double hi = data ? b->flops / b->M_ci[0] : b->M_ci[1];
        scale_hold(&x, b->flops);
        if (!b->ok)
            continue;
        gnuplot_row(g, 4, b->flops, data ? b->D : b->M, lo, hi);
        scale_hold(&y, lo);
        scale_hold(&y, hi);
    }
    if (!f->n_ok)
        gnuplot_row(g, 4, NAN, NAN, NAN, NAN);
    gnuplot_axis(g, 'x', &x, 0.1, "compute C, flops");
    gnuplot_axis(g, 'y', &y, 0.1,
                 data ? "D_opt, tokens" : "M_opt, flops a token");
    str_add(&g->script, "set key top left\n");
    if (isfinite(law->coef))
        str_addf(&g->script,
                 "plot %s * x**(%s) with lines lt 1 title 'law', \\\n  data ",
                 str_double(a[0], law->coef), str_double(a[1], law->exponent));
    else
        str_add(&g->script, "plot data ");
    str_add(&g->script, "index 0 using 1:2:3:4 with yerrorbars pt 13 lt 2 "
                        "title 'accepted minima'\n");
}

/* --- loss --- */

static void forecast_block(struct gnuplot *g, const struct plot_forecast *p,
                           size_t n)
{
    gnuplot_block(g, "registered predictions", "flops predicted low high");
    gnuplot_row(g, 4, NAN, NAN, NAN, NAN); /* a block must not be empty */
    for (size_t i = 0; i < n; i++)
        gnuplot_row(g, 4, p[i].flops, p[i].bpb, p[i].lo, p[i].hi);
    gnuplot_block(g, "measured",
                  "flops measured percent_of_predicted prediction");
    gnuplot_row(g, 4, NAN, NAN, NAN, NAN);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < p[i].n; k++)
            gnuplot_row(g, 4, p[i].flops, p[i].measured[k],
                        100 * (p[i].measured[k] / p[i].bpb - 1), (double)i);
}

static void law_band(struct gnuplot *g, struct scale *x, struct scale *y,
                     const struct curve_fit *f, const struct plot_forecast *p,
                     size_t n)
{
    double lo = f->point[0].flops, hi = f->point[f->n - 1].flops;

    for (size_t i = 0; i < n; i++)
        hi = fmax(hi, p[i].flops);
    scale_hold(x, lo / 1.2);
    scale_hold(x, 1.2 * hi);
    gnuplot_block(g, "law", "flops average low high with_E without_E");
    for (int i = 0; i < LEVEL_POINTS; i++) {
        double C = lo / 1.2 * pow(1.44 * hi / lo, i / (LEVEL_POINTS - 1.0));
        struct curve_forecast c;
        if (curve_forecast(&c, f, C, f->opts.level, 0)) {
            gnuplot_row(g, 6, C, NAN, NAN, NAN, NAN, NAN);
            continue;
        }
        gnuplot_row(g, 6, C, c.loss, c.run_ci[0], c.run_ci[1], c.with_E,
                    c.pure);
        scale_hold(y, c.run_ci[0]);
        scale_hold(y, c.run_ci[1]);
    }
}

void gnuplot_loss_law(struct gnuplot *g, const struct curve_fit *f, int bpb,
                      const struct plot_forecast *p, size_t n)
{
    struct scale x, y;

    scale_empty(&x, 1);
    scale_empty(&y, 1);
    gnuplot_block(g, "points", "flops loss standard_error bound");
    for (int i = 0; i < f->n; i++) {
        gnuplot_row(g, 4, f->point[i].flops, f->point[i].loss, f->point[i].se,
                    (double)f->point[i].bound);
        scale_hold(&y, f->point[i].loss);
    }
    for (size_t i = 0; i < n; i++) {
        scale_hold(&y, p[i].lo);
        scale_hold(&y, p[i].hi);
        for (size_t k = 0; k < p[i].n; k++)
            scale_hold(&y, p[i].measured[k]);
    }
    forecast_block(g, p, n);
    law_band(g, &x, &y, f, p, n);
    gnuplot_axis(g, 'x', &x, 0, "compute C, flops");
    gnuplot_axis(g, 'y', &y, 0.06,
                 bpb ? "bits per byte" : "loss, nats a token");
    str_add(&g->script,
            "set style fill transparent solid 0.16 noborder\n"
            "plot data index 3 using 1:3:4 with filledcurves lt 1 title "
            "'interval of one run', \\\n"
            "  data index 3 using 1:5 with lines lt 1 title 'E + k C^-p', \\\n"
            "  data index 3 using 1:6 with lines lt 3 dt 2 title 'k C^-p', "
            "\\\n"
            "  data index 0 using 1:2:3 with yerrorbars pt 7 lt 1 title 'best "
            "of each budget', \\\n"
            "  data index 1 using 1:2:3:4 with yerrorbars pt 4 lt 4 title "
            "'registered prediction', \\\n"
            "  data index 2 using 1:2 with points pt 9 lt 2 title "
            "'measured'\n");
}

void gnuplot_forecasts(struct gnuplot *g, const struct plot_forecast *p,
                       size_t n)
{
    forecast_block(g, p, n);
    str_addf(&g->script,
             "set xlabel 'measured over predicted, percent'\n"
             "set ylabel 'prediction'\nset yrange [-1:%zu]\n"
             "set arrow 1 from 0, graph 0 to 0, graph 1 nohead\n"
             "plot data index 0 using (0):($0-1):(100*($3/$2-1)):"
             "(100*($4/$2-1)) with xerrorbars pt 4 lt 4 title 'interval', \\\n"
             "  data index 1 using 3:4 with points pt 9 lt 2 title "
             "'measured'\n",
             n);
}
