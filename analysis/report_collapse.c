/* report_collapse: whether the loss curves of all sizes coincide once scaled;
 * see collapse.h. */
#include "analysis/plots_fit.h"
#include "analysis/report_impl.h"

#include <math.h>
#include <stdio.h>

#define NUM(buf, v) report_num(buf, v, 4)

static void say_scatter(struct page *p, const struct collapse_fit *f)
{
    char b[3][REPORT_NUM];

    page_para(p,
              "The loss above L0 = %s (%s to %s), as a share of where each run "
              "ends, against the share of the run (Qiu et al., arXiv "
              "2507.02119).",
              report_num(b[0], f->L0, 5), report_num(b[1], f->L0_ci[0], 5),
              report_num(b[2], f->L0_ci[1], 5));
    if (isfinite(f->noise_rms))
        page_para(p,
                  "From %.0f %% of the run on, the sizes scatter by %.2f %%, "
                  "the seeds of a size by %.2f %%: %s.",
                  100 * f->opts.from, 100 * f->scatter_rms, 100 * f->noise_rms,
                  f->super ? "a supercollapse" : "no supercollapse");
    else
        page_para(
            p,
            "From %.0f %% of the run on, the sizes scatter by %.2f %%; no "
            "size has two seeds to compare that with.",
            100 * f->opts.from, 100 * f->scatter_rms);
}

static void run_table(struct page *p, const struct collapse_fit *f)
{
    static const char *const head[] = {
        "run", "flops", "steps", "end loss", "deviation", "", NULL};

    page_table_begin(p, "How far each run is from the common curve", head);
    for (size_t i = 0; i < f->n; i++) {
        const struct collapse_run *q = &f->run[i];
        char b[4][REPORT_NUM];
        const char *row[] = {q->label,
                             NUM(b[0], q->flops),
                             NUM(b[1], q->steps),
                             report_num(b[2], q->end, 5),
                             report_percent(b[3], q->deviation),
                             q->odd ? "odd: other hyper-parameters, or a fault"
                                    : ""};
        page_row(p, row);
    }
    page_table_end(p);
}

static void figure(struct page *p, const struct collapse_fit *f)
{
    struct gnuplot gp;
    struct str svg;
    char id[16];

    gnuplot_init(&gp);
    str_init(&svg);
    page_figures_begin(p);
    page_figure_id(id, p);
    plot_collapse(&svg, id, f);
    report_figure(p, "collapse", &svg,
                  "The scaled curves of the best run of each budget; one that "
                  "leaves the others has the wrong hyper-parameters, or a "
                  "fault.");
    gnuplot_collapse(&gp, f);
    report_gnuplot(p, &gp);
    page_figures_end(p);
    str_release(&svg);
    gnuplot_release(&gp);
}

void report_collapse(struct page *p, const struct report_data *r)
{
    const struct collapse_fit *f = r->collapse;

    if (!f && !r->no_collapse)
        return;
    page_section(p, "Collapse of the loss curves");
    if (!f) {
        page_para(p, "Not tried: %s.", r->no_collapse);
        return;
    }
    if (!f->identified)
        page_note(p, "Not identified: %s", f->refused);
    if (!isfinite(f->L0))
        return;
    say_scatter(p, f);
    figure(p, f);
    run_table(p, f);
}
