/* gnuplot: what the scripts share, and the grids of learning rate and batch. */
#include "analysis/gnuplot_impl.h"

#include "base/mem.h"
#include "sweep/flops.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gnuplot_init(struct gnuplot *g)
{
    str_init(&g->script);
    str_init(&g->data);
}

void gnuplot_release(struct gnuplot *g)
{
    str_release(&g->script);
    str_release(&g->data);
}

void gnuplot_head(struct str *out, const char *name, const char *caption)
{
    str_addf(out, "# %s: ", name);
    for (const char *c = caption; *c; c++)
        str_addf(out, "%c", *c == '\n' ? ' ' : *c);
    str_addf(out,
             "\n# In the folder of this file:  gnuplot %s.gp\n"
             "# or  gnuplot -e \"term='pdfcairo'; out='%s.pdf'\" %s.gp\n"
             "if (!exists(\"term\")) term = \"svg size 640,460 dynamic font "
             "'sans-serif,12'\"\n"
             "if (!exists(\"out\")) out = '%s.plot.svg'\n"
             "set terminal @term\n"
             "set output out\n"
             "data = '%s.dat'\n"
             "set termoption noenhanced\n"
             "set grid\n"
             "set key top right\n"
             /* Okabe and Ito, as in the report */
             "set linetype 1 lc rgb '#0072b2' lw 2\n"
             "set linetype 2 lc rgb '#d55e00' lw 2\n"
             "set linetype 3 lc rgb '#007a5a' lw 2\n"
             "set linetype 4 lc rgb '#a4508b' lw 2\n",
             name, name, name, name, name);
}

void gnuplot_block(struct gnuplot *g, const char *name, const char *columns)
{
    if (g->data.len)
        str_add(&g->data, "\n\n");
    str_addf(&g->data, "# %s\n# %s\n", name, columns);
}

void gnuplot_row(struct gnuplot *g, int n, ...)
{
    char buf[STR_DOUBLE];
    va_list ap;

    va_start(ap, n);
    for (int i = 0; i < n; i++) {
        double v = va_arg(ap, double);
        str_addf(&g->data, "%s%s", i ? " " : "",
                 isfinite(v) ? str_double(buf, v) : "nan");
    }
    va_end(ap);
    str_add(&g->data, "\n");
}

void gnuplot_axis(struct gnuplot *g, char which, struct scale *s, double margin,
                  const char *name)
{
    char label[STR_DOUBLE], v[3][STR_DOUBLE];
    struct ticks t;

    scale_finish(s, margin);
    scale_ticks(&t, s);
    str_addf(&g->script, "set %clabel '%s'\n%s%.*s%s", which, name,
             s->log ? "set logscale " : "", s->log ? 1 : 0, &which,
             s->log ? "\n" : "");
    str_addf(&g->script, "set %crange [%s:%s]\nset %ctics (", which,
             str_double(v[0], s->lo), str_double(v[1], s->hi), which);
    for (int i = 0, n = 0; i < t.n; i++) {
        if (!t.label[i])
            continue;
        scale_label(label, t.v[i], s);
        str_addf(&g->script, "%s'%s' %s", n++ ? ", " : "", label,
                 str_double(v[2], t.v[i]));
    }
    str_add(&g->script, ")\n");
}

/* --- learning rate and batch --- */

/* Half the ratio of neighbours, for n values from lo to hi. */
static double half_step(double lo, double hi, int n)
{
    return n > 1 ? pow(hi / lo, 0.5 / (n - 1)) : 1.4;
}

static void grid_axes(struct gnuplot *g, const struct hyper_grid *grid,
                      double half[2])
{
    struct scale x, y;

    scale_empty(&x, 1);
    scale_empty(&y, 1);
    for (int i = 0; i < grid->n_cell; i++) {
        scale_hold(&x, grid->cell[i].lr);
        scale_hold(&y, grid->cell[i].batch);
    }
    half[0] = half_step(x.lo, x.hi, grid->n_lr);
    half[1] = half_step(y.lo, y.hi, grid->n_batch);
    x.lo /= half[0];
    x.hi *= half[0];
    y.lo /= half[1];
    y.hi *= half[1];
    gnuplot_axis(g, 'x', &x, 0, "peak learning rate");
    gnuplot_axis(g, 'y', &y, 0, "batch, tokens");
}

void gnuplot_grid(struct gnuplot *g, const struct hyper_grid *grid,
                  const struct hyper_law *law)
{
    double half[2];

    gnuplot_block(g, "cells", "lr batch loss excess_percent near_optimal runs");
    for (int i = 0; i < grid->n_cell; i++) {
        const struct hyper_cell *c = &grid->cell[i];
        gnuplot_row(g, 6, c->lr, c->batch, c->loss, 100 * c->excess,
                    (double)c->near, (double)c->n);
    }
    gnuplot_block(g, "law in use", "lr batch");
    if (law)
        gnuplot_row(g, 2, hyper_lr(law, grid->flops),
                    hyper_batch(law, grid->flops));
    else
        gnuplot_row(g, 2, NAN, NAN);
    grid_axes(g, grid, half);
    str_addf(&g->script,
             "w = %.6g\nh = %.6g\n"
             "unset grid\nset key outside below\nset style fill solid\n"
             "set cblabel 'percent above the lowest loss'\n"
             "set palette defined (0 '#fee838', 0.5 '#8a8678', 1 '#00224e')\n"
             "set logscale cb\nset cbrange [0.1:40]\n"
             "shade(v) = v > 0.1 ? v : 0.1\n"
             "plot data index 0 using 1:2:($1/w):($1*w):($2/h):($2*h):"
             "(shade($4)) with boxxyerror fc palette notitle, \\\n"
             "  data index 0 using ($5 > 0 ? $1 : 1/0):2:($1/w):($1*w):($2/h):"
             "($2*h) with boxxyerror fs empty border rgb '#d1007a' lw 3 title "
             "'near-optimal', \\\n"
             "  data index 0 using 1:2:(gprintf('%%.1f', $4)):($4 > 4 ? "
             "0xffffff : 0x10141a) with labels tc rgb variable notitle, \\\n"
             "  data index 1 using 1:2 with points pt 12 ps 2 lw 2 lc rgb "
             "'black' title 'law in use'\n",
             half[0], half[1]);
}

void gnuplot_hyper_law(struct gnuplot *g, const struct hyper_fit *f,
                       const struct hyper_law *law, int batch)
{
    const struct hyper_law *eq1 = &hyper_law_deepseek;
    char a[4][STR_DOUBLE];
    struct scale x, y;

    gnuplot_block(g, "near-optimal cells", "flops value");
    for (int i = 0; i < f->n_grid; i++)
        for (int k = 0; k < f->grid[i].n_cell; k++) {
            const struct hyper_cell *c = &f->grid[i].cell[k];
            if (c->near)
                gnuplot_row(g, 2, f->grid[i].flops, batch ? c->batch : c->lr);
        }
    gnuplot_block(g, "grids", "flops centre low high quadratic edge");
    for (int i = 0; i < f->n_grid; i++) {
        const struct hyper_grid *q = &f->grid[i];
        gnuplot_row(g, 6, q->flops, batch ? q->batch : q->lr,
                    batch ? q->batch_lo : q->lr_lo,
                    batch ? q->batch_hi : q->lr_hi,
                    !q->quad.ok ? NAN
                    : batch     ? q->quad.batch
                                : q->quad.lr,
                    (double)(batch ? q->dbatch : q->dlr));
    }
    scale_empty(&x, 1);
    scale_empty(&y, 1);
    for (int i = 0; i < f->n_grid; i++) {
        const struct hyper_grid *q = &f->grid[i];
        scale_hold(&x, q->flops);
        scale_hold(&y, batch ? q->batch_lo : q->lr_lo);
        scale_hold(&y, batch ? q->batch_hi : q->lr_hi);
        scale_hold(&y, batch ? hyper_batch(law, q->flops)
                             : hyper_lr(law, q->flops));
        scale_hold(&y, batch ? hyper_batch(eq1, q->flops)
                             : hyper_lr(eq1, q->flops));
    }
    y.hi *= pow(y.hi / y.lo, 0.4); /* room for the key */
    gnuplot_axis(g, 'x', &x, 0.15, "compute C, flops");
    gnuplot_axis(g, 'y', &y, 0.06,
                 batch ? "batch, tokens" : "peak learning rate");
    str_addf(&g->script,
             "plot %s * x**(%s) with lines lt 1 title 'law in use', \\\n"
             "  %s * x**(%s) with lines lt 4 dt 2 title 'Eq. 1 of DeepSeek "
             "LLM', \\\n"
             "  data index 0 with points pt 7 ps 0.6 lt 1 title 'near-optimal "
             "cells', \\\n"
             "  data index 1 using 1:2 with points pt 13 ps 1.4 lt 2 title "
             "'their centre', \\\n"
             "  data index 1 using 1:5 with points pt 4 lt 3 title 'minimum of "
             "the quadratic'\n",
             str_double(a[0], batch ? law->batch_coef : law->lr_coef),
             str_double(a[1], batch ? law->batch_exp : law->lr_exp),
             str_double(a[2], batch ? eq1->batch_coef : eq1->lr_coef),
             str_double(a[3], batch ? eq1->batch_exp : eq1->lr_exp));
}
