/* report_allocation: the profiles, the allocation and their tables. */
#include "analysis/report_impl.h"

#include <math.h>
#include <stdio.h>

#define NUM(buf, v) report_num(buf, v, 4)

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
    struct gnuplot gp;
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
    gnuplot_init(&gp);
    page_figures_begin(p);
    page_figure_id(id, p);
    plot_isoflop(&svg, id, f);
    report_figure(p, "isoflop", &svg,
                  "IsoFLOP profiles with their parabolas; diamonds are "
                  "accepted minima, dashes refused ones, labels budgets in "
                  "flops.");
    gnuplot_isoflop(&gp, f);
    report_gnuplot(p, &gp);
    for (int data = 0; data < 2; data++) {
        page_figure_id(id, p);
        plot_allocation(&svg, id, f, data);
        report_figure(p, data ? "tokens" : "model-scale", &svg,
                      "%s against compute.",
                      data ? "Optimal tokens" : "Optimal model scale");
        gnuplot_allocation(&gp, f, data);
        report_gnuplot(p, &gp);
    }
    page_figures_end(p);
    budget_table(p, f);
    if (f->n_ok >= 2)
        power_table(p, f);
    size_table(p, f);
    str_release(&svg);
    gnuplot_release(&gp);
}
