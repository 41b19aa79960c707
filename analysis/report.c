/* report: the page as a whole; see report.h. */
#include "analysis/report.h"

#include "analysis/report_impl.h"
#include "base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *report_num(char buf[REPORT_NUM], double v, int digits)
{
    char *e;

    buf[0] = 0;
    if (!isfinite(v))
        return buf;
    if (v == round(v) && fabs(v) < 1e6) {
        snprintf(buf, REPORT_NUM, "%.0f", v);
        return buf;
    }
    snprintf(buf, REPORT_NUM, "%.*g", digits, v);
    e = strchr(buf, 'e');
    if (!e && fabs(v) >= 1e6) {
        snprintf(buf, REPORT_NUM, "%.*e", digits - 1, v);
        e = strchr(buf, 'e');
    }
    if (e) { /* 1.2e+07 -> 1.2e7 */
        char *to = e + 1, *from = e + 1 + (e[1] == '+');
        if (*from == '-')
            *to++ = *from++;
        while (*from == '0' && from[1])
            from++;
        memmove(to, from, strlen(from) + 1);
    }
    return buf;
}

const char *report_percent(char buf[REPORT_NUM], double v)
{
    buf[0] = 0;
    if (isfinite(v))
        snprintf(buf, REPORT_NUM, "%+.2f %%", 100 * v);
    return buf;
}

void report_lines(struct page *p, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (n)
            page_para(p, "%.*s", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

void report_figure(struct page *p, const char *name, struct str *svg,
                   const char *fmt, ...)
{
    char caption[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(caption, sizeof caption, fmt, ap);
    va_end(ap);
    page_figure(p, name, svg->text, caption);
    str_clear(svg);
}

void report_gnuplot(struct page *p, struct gnuplot *g)
{
    const struct page_figure *f = &p->figure[p->n_figure - 1];
    struct str script;

    str_init(&script);
    gnuplot_head(&script, f->name, f->caption.text);
    str_add_n(&script, g->script.text, g->script.len);
    str_clear(&g->script);
    page_figure_gnuplot(p, &script, &g->data);
    str_release(&script);
}

void report_rows(struct page *p, const struct report_table *t)
{
    const char *row[PAGE_COLS];

    if (t->note)
        page_para(p, "%s", t->note);
    if (!t->rows) {
        page_para(p, "None.");
        return;
    }
    page_table_begin(p, NULL, t->head);
    for (size_t i = 0; i < t->rows; i++) {
        for (int k = 0; k < t->cols; k++)
            row[k] = t->cell[i * (size_t)t->cols + (size_t)k];
        page_row(p, row);
    }
    page_table_end(p);
}

void report_table(struct page *p, const struct report_table *t)
{
    if (!t->title)
        return;
    page_heading(p, t->title);
    report_rows(p, t);
}

/* --- summary --- */

static void say_runs(struct page *p, const struct report_data *r)
{
    const struct points *set[] = {r->hyper, r->isoflop, r->verify};
    static const char *const name[] = {"hyper-parameter grids",
                                       "IsoFLOP profiles", "verification"};
    struct str text;

    str_init(&text);
    for (int i = 0; i < 3; i++)
        if (set[i] && set[i]->n)
            str_addf(&text, "%s%zu for %s (%zu used)", text.len ? ", " : "",
                     set[i]->n, name[i], points_used(set[i]));
    page_item(p, "finished runs", "%s", text.len ? text.text : "none");
    str_release(&text);
}

static void say_laws(struct page *p, const struct laws *l)
{
    const struct isoflop_fit *f = &l->isoflop;
    const struct hyper_fit *h = &l->hyper;

    if (l->have_isoflop && f->identified)
        page_item(p, "allocation",
                  "M_opt = %.4g C^%.3f (%.3f to %.3f), D_opt = %.4g C^%.3f",
                  f->M.coef, f->M.exponent, f->M.exponent_ci[0],
                  f->M.exponent_ci[1], f->D.coef, f->D.exponent);
    else if (l->have_isoflop)
        page_item(p, "allocation", "not identified: %s", f->refused);
    if (l->have_curve && l->curve.identified)
        page_item(p, "loss",
                  "L = %.4g + %.4g C^-%.3f; without a constant %.4g C^-%.4f",
                  l->curve.with_E.E, l->curve.with_E.k, l->curve.with_E.p,
                  l->curve.pure.k, l->curve.pure.p);
    else if (l->have_curve)
        page_item(p, "loss", "not identified: %s", l->curve.refused);
    if (!l->have_hyper)
        return;
    if (h->lr.identified)
        page_item(p, "learning rate", "%.4g C^%.3f (%.3f to %.3f)", h->lr.coef,
                  h->lr.exponent, h->lr.exponent_ci[0], h->lr.exponent_ci[1]);
    else
        page_item(p, "learning rate", "not identified: %s", h->lr.refused);
    if (h->batch.identified)
        page_item(p, "batch", "%.4g C^%.3f tokens (%.3f to %.3f)",
                  h->batch.coef, h->batch.exponent, h->batch.exponent_ci[0],
                  h->batch.exponent_ci[1]);
    else
        page_item(p, "batch", "not identified: %s", h->batch.refused);
}

static double mean_of(const struct report_prediction *q)
{
    double sum = 0;

    for (size_t i = 0; i < q->n; i++)
        sum += q->measured[i];
    return q->n ? sum / (double)q->n : NAN;
}

static void say_predictions(struct page *p, const struct report_data *r)
{
    for (size_t i = 0; i < r->n_prediction; i++) {
        const struct report_prediction *q = &r->prediction[i];
        double m = mean_of(q);
        char term[48], dev[REPORT_NUM], flops[REPORT_NUM];
        snprintf(term, sizeof term, "at %s flops",
                 report_num(flops, q->flops, 3));
        if (!q->n)
            page_item(p, term,
                      "%.4f bits per byte predicted (%.4f to %.4f), not yet "
                      "measured",
                      q->bpb, q->lo, q->hi);
        else
            page_item(p, term,
                      "%.4f bits per byte predicted (%.4f to %.4f), %.4f "
                      "measured over %zu run%s: %s, %s the interval",
                      q->bpb, q->lo, q->hi, m, q->n, q->n == 1 ? "" : "s",
                      report_percent(dev, m / q->bpb - 1),
                      m >= q->lo && m <= q->hi ? "inside" : "outside");
    }
}

static void summary(struct page *p, const struct report_data *r)
{
    page_section(p, "Summary");
    page_list_begin(p);
    say_runs(p, r);
    if (r->laws)
        say_laws(p, r->laws);
    say_predictions(p, r);
    page_list_end(p);
    if (!r->laws)
        page_note(p, "No law could be fitted: %s",
                  r->no_laws ? r->no_laws : "there are no finished runs");
}

static void schedule(struct page *p, const struct report_data *r)
{
    struct gnuplot g;
    struct str svg;
    char id[16];

    page_heading(p, "Schedule");
    gnuplot_init(&g);
    str_init(&svg);
    page_figures_begin(p);
    page_figure_id(id, p);
    plot_schedule(&svg, id, r->schedule);
    report_figure(p, "schedule", &svg,
                  "What each lane (host and rank) did: attempts that ended "
                  "well (green), are at work (blue), diverged (a triangle), "
                  "failed (a cross), were stopped (a square).");
    gnuplot_schedule(&g, r->schedule);
    report_gnuplot(p, &g);
    page_figures_end(p);
    str_release(&svg);
    gnuplot_release(&g);
    if (!r->table[REPORT_TRIES].title)
        return;
    page_fold_begin(p, r->table[REPORT_TRIES].title);
    report_rows(p, &r->table[REPORT_TRIES]);
    page_fold_end(p);
}

static void appendix(struct page *p, const struct report_data *r)
{
    page_section(p, "Cost");
    report_table(p, &r->table[REPORT_STAGES]);
    report_table(p, &r->table[REPORT_COST]);
    if (r->schedule)
        schedule(p, r);
    page_section(p, "Provenance");
    report_table(p, &r->table[REPORT_ATTEMPTS]);
    report_table(p, &r->table[REPORT_FITS]);
    report_table(p, &r->table[REPORT_EVENTS]);
    if (r->study_text) {
        page_fold_begin(p, "The study as it ran, every default filled in");
        page_code(p, r->study_text);
        page_fold_end(p);
    }
}

void report_write(struct page *p, const struct report_data *r,
                  enum page_format format, const char *stem)
{
    page_begin(p, format, stem, r->name, r->subtitle);
    summary(p, r);
    report_predictions(p, r);
    if (r->laws) {
        report_loss(p, r);
        report_allocation(p, r);
        report_hyper(p, r);
    }
    report_collapse(p, r);
    report_method(p, r);
    report_runs(p, r);
    appendix(p, r);
    page_end(p);
}
