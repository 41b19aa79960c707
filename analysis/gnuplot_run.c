/* gnuplot_run: loss curves, residuals, the schedule. */
#include "analysis/gnuplot_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void gnuplot_curves(struct gnuplot *g, const struct plot_curve *c, size_t n)
{
    struct scale x, y;

    scale_empty(&x, 1);
    scale_empty(&y, 0);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c[i].n; k++) {
            scale_hold(&x, c[i].x[k]);
            scale_hold(&y, c[i].y[k]);
        }
    gnuplot_axis(g, 'x', &x, 0.02, "compute spent, flops");
    gnuplot_axis(g, 'y', &y, 0.04, "training loss, nats");
    str_add(&g->script, "plot ");
    for (size_t i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "budget %.3g", c[i].budget);
        gnuplot_block(g, name, "flops loss");
        for (size_t k = 0; k < c[i].n; k++)
            gnuplot_row(g, 2, c[i].x[k], c[i].y[k]);
        str_addf(&g->script, "%sdata index %zu with lines lt %zu title '%.3g'",
                 i ? ", \\\n  " : "", i, i + 1, c[i].budget);
    }
    str_add(&g->script, "\n");
}

void gnuplot_residuals(struct gnuplot *g, const double *M, const double *D,
                       const double *residual, size_t n)
{
    struct scale x, y;

    scale_empty(&x, 1);
    scale_empty(&y, 1);
    gnuplot_block(g, "runs", "M D log_residual");
    for (size_t i = 0; i < n; i++) {
        gnuplot_row(g, 3, M[i], D[i], residual[i]);
        scale_hold(&x, M[i]);
        scale_hold(&y, D[i]);
    }
    str_add(&g->script, "stats data using (abs($3)) nooutput\n"
                        "size(r) = 0.4 + 3 * sqrt(abs(r) / STATS_max)\n");
    gnuplot_axis(g, 'x', &x, 0.06, "model scale M, flops a token");
    gnuplot_axis(g, 'y', &y, 0.1, "tokens D");
    str_add(&g->script,
            "plot data using 1:($3 > 0 ? $2 : 1/0):(size($3)) with points pt 7 "
            "ps variable lt 2 title 'above the surface', \\\n"
            "  data using 1:($3 > 0 ? 1/0 : $2):(size($3)) with points pt 7 ps "
            "variable lt 1 title 'below it'\n");
}

void gnuplot_collapse(struct gnuplot *g, const struct collapse_fit *f)
{
    struct scale y;

    scale_empty(&y, 0);
    for (size_t k = 0; k < f->n; k++)
        for (int i = COLLAPSE_GRID / 20; i < COLLAPSE_GRID; i++)
            scale_hold(&y, f->run[k].z[i]);
    gnuplot_axis(g, 'y', &y, 0.05, "(L - L0) / (L_end - L0)");
    gnuplot_block(g, "all", "share mean scatter_of_sizes noise_of_seeds");
    for (int i = 0; i < COLLAPSE_GRID; i++)
        gnuplot_row(g, 4, (i + 0.5) / COLLAPSE_GRID, f->mean[i], f->scatter[i],
                    f->noise[i]);
    str_add(&g->script, "set xlabel 'share of the run'\n"
                        "set xrange [0:1]\n"
                        "plot data index 0 using 1:2 with lines lc rgb 'black' "
                        "lw 3 title 'mean of the sizes'");
    for (size_t k = 0; k < f->n; k++) {
        char name[2 * POINT_TEXT + 8];
        snprintf(name, sizeof name, "run %s", f->run[k].label);
        gnuplot_block(g, name, "share z loss");
        for (int i = 0; i < COLLAPSE_GRID; i++)
            gnuplot_row(g, 3, (i + 0.5) / COLLAPSE_GRID, f->run[k].z[i],
                        f->run[k].loss[i]);
        str_addf(&g->script,
                 ", \\\n  data index %zu using 1:2 with lines lw 1 lt %d title "
                 "'%.3g flops'",
                 k + 1, f->run[k].cell_id + 1, f->run[k].flops);
    }
    str_add(&g->script, "\n");
}

void gnuplot_schedule(struct gnuplot *g, const struct plot_schedule *s)
{
    gnuplot_block(g, "attempts", "from to lane done");
    for (size_t i = 0; i < s->n; i++)
        gnuplot_row(g, 4, s->attempt[i].from, s->attempt[i].to,
                    (double)s->attempt[i].lane,
                    (double)!strcmp(s->attempt[i].state, "done"));
    str_addf(&g->script,
             "set xlabel 'seconds since the start'\nset ylabel 'lane'\n"
             "set yrange [%zu.5:-0.5]\nset ytics (",
             s->n_lane - 1);
    for (size_t i = 0, every = s->n_lane / 24 + 1; i < s->n_lane; i += every) {
        str_add(&g->script, i ? ", '" : "'");
        for (const char *c = s->lane[i]; *c; c++)
            if (*c != '\'') /* which would end the text */
                str_add_n(&g->script, c, 1);
        str_addf(&g->script, "' %zu", i);
    }
    str_add(&g->script,
            ")\nset key outside below\n"
            "plot data using 1:3:1:2:($3-0.4):($3+0.4) with boxxyerror fs "
            "solid fc rgb '#bbbbbb' title 'not done', \\\n"
            "  data using ($4 > 0 ? $1 : 1/0):3:1:2:($3-0.4):($3+0.4) with "
            "boxxyerror fs solid 0.8 noborder fc rgb '#007a5a' title "
            "'done'\n");
}
