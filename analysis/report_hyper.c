/* report_hyper: the grids of learning rate and batch and their laws. */
#include "analysis/report_impl.h"

#include <math.h>
#include <stdio.h>

#define NUM(buf, v) report_num(buf, v, 4)
#define MAPS 48 /* heat maps of a report */

static void grid_table(struct page *p, const struct hyper_fit *f)
{
    static const char *const head[] = {"flops",
                                       "M",
                                       "cells",
                                       "near-optimal",
                                       "threshold",
                                       "best lr",
                                       "best batch",
                                       "centre lr",
                                       "centre batch",
                                       "quadratic lr",
                                       "quadratic batch",
                                       "edge",
                                       NULL};

    page_table_begin(p, "The optimum of each grid", head);
    for (int i = 0; i < f->n_grid; i++) {
        const struct hyper_grid *g = &f->grid[i];
        const struct hyper_cell *b = &g->cell[g->best];
        char n[11][REPORT_NUM];
        const char *row[] = {NUM(n[0], g->flops),
                             NUM(n[1], g->M),
                             n[2],
                             n[3],
                             report_percent(n[4], g->threshold),
                             NUM(n[5], b->lr),
                             NUM(n[6], b->batch),
                             NUM(n[7], g->lr),
                             NUM(n[8], g->batch),
                             NUM(n[9], g->quad.ok ? g->quad.lr : NAN),
                             NUM(n[10], g->quad.ok ? g->quad.batch : NAN),
                             g->why};
        snprintf(n[2], sizeof n[2], "%d", g->n_cell);
        snprintf(n[3], sizeof n[3], "%d", g->n_near);
        page_row(p, row);
    }
    page_table_end(p);
}

static void cell_table(struct page *p, const struct hyper_fit *f)
{
    static const char *const head[] = {"budget", "lr",           "batch",
                                       "loss",   "runs",         "diverged",
                                       "excess", "near-optimal", NULL};

    page_fold_begin(p, "The cells of the grids");
    page_table_begin(p, NULL, head);
    for (int i = 0; i < f->n_grid; i++)
        for (int k = 0; k < f->grid[i].n_cell; k++) {
            const struct hyper_cell *c = &f->grid[i].cell[k];
            char n[7][REPORT_NUM];
            const char *row[] = {NUM(n[0], f->grid[i].flops),
                                 NUM(n[1], c->lr),
                                 NUM(n[2], c->batch),
                                 report_num(n[3], c->loss, 5),
                                 n[4],
                                 n[5],
                                 report_percent(n[6], c->excess),
                                 c->near ? "yes" : ""};
            snprintf(n[4], sizeof n[4], "%d", c->n);
            snprintf(n[5], sizeof n[5], "%d", c->diverged);
            page_row(p, row);
        }
    page_table_end(p);
    page_fold_end(p);
}

static void score_table(struct page *p, const struct hyper_fit *f)
{
    static const char *const head[] = {"law in", "grids judged", "mean excess",
                                       "largest", NULL};

    page_table_begin(p,
                     "What following each law costs: excess loss over the "
                     "best cell of a grid that was left out of the fit",
                     head);
    for (int i = 0; i < HYPER_FORMS; i++) {
        const struct hyper_score *s = &f->score[i];
        char n[3][REPORT_NUM];
        const char *row[] = {hyper_form_name[i], n[0],
                             report_percent(n[1], s->mean),
                             report_percent(n[2], s->max)};
        if (!s->n)
            continue;
        snprintf(n[0], sizeof n[0], "%d", s->n);
        page_row(p, row);
    }
    page_table_end(p);
}

static void multi_para(struct page *p, const char *what,
                       const struct hyper_multi *m, int with_b)
{
    if (!m->ok)
        page_para(p, "%s: not fitted, %s.", what, m->why);
    else if (with_b)
        page_para(p, "%s: %.4g N^%.3f D^%.3f B^%.3f.", what, m->coef, m->n,
                  m->d, m->b);
    else
        page_para(p, "%s: %.4g N^%.3f D^%.3f.", what, m->coef, m->n, m->d);
}

/* A grid of one cell is no map, and nobody looks at a thousand. */
static int has_map(const struct hyper_fit *f, int i, int *drawn)
{
    return f->grid[i].n_cell > 1 && (*drawn)++ < MAPS;
}

static void heat_maps(struct page *p, const struct laws *l)
{
    char id[16], name[PAGE_NAME], b[2][REPORT_NUM];
    struct gnuplot gp;
    struct str svg;
    int maps = 0;

    gnuplot_init(&gp);
    str_init(&svg);
    page_figures_begin(p);
    for (int i = 0; i < l->hyper.n_grid; i++) {
        const struct hyper_grid *g = &l->hyper.grid[i];
        if (!has_map(&l->hyper, i, &maps))
            continue;
        snprintf(name, sizeof name, "grid-%d", i + 1);
        page_figure_id(id, p);
        plot_grid(&svg, id, g, &l->law);
        report_figure(p, name, &svg,
                      "%s flops, M %s: percent above the lowest loss; "
                      "framed cells are within %.2f %%, the diamond is the "
                      "law in use%s%s.",
                      report_num(b[0], g->flops, 3), report_num(b[1], g->M, 3),
                      100 * g->threshold, g->why[0] ? "; " : "", g->why);
        gnuplot_grid(&gp, g, &l->law);
        report_gnuplot(p, &gp);
    }
    for (int batch = 0; batch < 2; batch++) {
        page_figure_id(id, p);
        plot_hyper_law(&svg, id, &l->hyper, &l->law, batch);
        report_figure(p, batch ? "batch" : "learning-rate", &svg,
                      "%s against compute.", batch ? "Batch" : "Learning rate");
        gnuplot_hyper_law(&gp, &l->hyper, &l->law, batch);
        report_gnuplot(p, &gp);
    }
    page_figures_end(p);
    if (maps > MAPS)
        page_para(p, "Maps of the first %d of %d grids; the tables have all.",
                  MAPS, l->hyper.n_grid);
    str_release(&svg);
    gnuplot_release(&gp);
}

void report_hyper(struct page *p, const struct report_data *r)
{
    const struct laws *l = r->laws;

    if (!l->have_hyper)
        return;
    page_section(p, "Learning rate and batch");
    report_lines(p, l->law_how.text);
    if (isfinite(l->hyper.noise))
        page_para(p,
                  "The spread between seeds is %.2f %% of the loss (%d degrees "
                  "of freedom); near-optimal is within the larger of %.2f %% "
                  "and %.3g times that.",
                  100 * l->hyper.noise, l->hyper.noise_dof,
                  100 * l->hyper.opts.near_rel, l->hyper.opts.near_sd);
    else
        page_note(p,
                  "Every cell has one seed, so the noise is not known and "
                  "near-optimal is within %.2f %%, which may select noise.",
                  100 * l->hyper.opts.near_rel);
    heat_maps(p, l);
    grid_table(p, &l->hyper);
    score_table(p, &l->hyper);
    multi_para(p, "Learning rate in (N, D)", &l->hyper.lr_nd, 0);
    multi_para(p, "Batch in D", &l->hyper.batch_d, 0);
    multi_para(p, "Learning rate in (N, D, B)", &l->hyper.lr_ndb, 1);
    cell_table(p, &l->hyper);
}
