/* isoflop_use: is the allocation law identified, what would settle it, and
 * what to go on with meanwhile. */
#include "analysis/isoflop_impl.h"

#include <math.h>
#include <stdio.h>

#define SPAN 3.0   /* least largest / smallest accepted budget */
#define WIDEST 0.6 /* widest interval of an exponent that is a result */
#define EQ4_EXPONENT 0.5243 /* DeepSeek LLM Eq. 4 */

static double all_flops(const struct isoflop_fit *f)
{
    double sum = 0;

    for (int i = 0; i < f->n_budget; i++)
        for (int k = 0; k < f->budget[i].n_size; k++)
            sum += f->budget[i].size[k].flops * f->budget[i].size[k].n;
    return sum;
}

/* What would help: more seeds shrink the interval as their square root, a
 * budget ten times the largest by the longer lever. */
static void settle_width(struct isoflop_fit *f, double width)
{
    const struct isoflop_budget *top = &f->budget[f->n_budget - 1];
    double again = ceil(width / (WIDEST / 2) * (width / (WIDEST / 2)) - 1);
    double seeds = all_flops(f) * fmax(again, 1);
    double next = 10 * top->flops * top->n_size;

    f->settle_flops = fmin(seeds, next);
    snprintf(f->settle, sizeof f->settle,
             "about %.0f more seed%s of every run (%.2g flops), or a profile "
             "of %d sizes at %.2g flops (%.2g flops)",
             fmax(again, 1), again > 1 ? "s" : "", seeds, top->n_size,
             10 * top->flops, next);
}

static void settle_budgets(struct isoflop_fit *f)
{
    int edge = 0, n = 0;
    double cost = 0;

    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        if (b->ok)
            continue;
        edge += b->dir != 0;
        n++;
        for (int k = 0; k < b->n_size; k++)
            cost += b->size[k].flops;
    }
    if (n) {
        f->settle_flops = cost;
        snprintf(f->settle, sizeof f->settle,
                 "wider profiles or more seeds at the %d refused budget%s "
                 "(%d of them end on a falling side); one more run of each "
                 "size there costs %.2g flops",
                 n, n == 1 ? "" : "s", edge, cost);
        return;
    }
    f->settle_flops =
        10 * f->budget[f->n_budget - 1].flops * f->budget[0].n_size;
    snprintf(f->settle, sizeof f->settle,
             "profiles at more budgets: one of %d sizes at %.2g flops costs "
             "%.2g flops",
             f->budget[0].n_size, 10 * f->budget[f->n_budget - 1].flops,
             f->settle_flops);
}

/* Largest over smallest accepted budget. */
static double accepted_span(const struct isoflop_fit *f)
{
    double lo = INFINITY, hi = 0;

    for (int i = 0; i < f->n_budget; i++)
        if (f->budget[i].ok) {
            lo = fmin(lo, f->budget[i].flops);
            hi = fmax(hi, f->budget[i].flops);
        }
    return hi / lo;
}

void isoflop_verdict(struct isoflop_fit *f)
{
    double lo = f->M.exponent_ci[0], hi = f->M.exponent_ci[1];
    double width = hi - lo, span = accepted_span(f);
    int percent = (int)lround(100 * f->opts.level);

    if (f->n_ok < 3) {
        snprintf(f->refused, sizeof f->refused,
                 "%d of %d budgets have an accepted minimum; an exponent "
                 "needs 3",
                 f->n_ok, f->n_budget);
        settle_budgets(f);
    } else if (span < SPAN) {
        snprintf(f->refused, sizeof f->refused,
                 "the accepted budgets span a factor %.2g; an exponent needs "
                 "%.2g",
                 span, SPAN);
        settle_budgets(f);
    } else if (!isfinite(width)) {
        snprintf(f->refused, sizeof f->refused,
                 "no interval was made (bootstrap %d), so nothing is known to "
                 "be identified",
                 f->opts.bootstrap);
        snprintf(f->settle, sizeof f->settle, "resamples, or a second seed");
    } else if (lo <= 0 || hi >= 1 || width > WIDEST) {
        snprintf(f->refused, sizeof f->refused,
                 "the %d %% interval of the exponent of M_opt is %.2f to "
                 "%.2f%s",
                 percent, lo, hi,
                 lo <= 0 || hi >= 1
                     ? ": it leaves open whether model and data both grow"
                     : ": too wide to extrapolate");
        settle_width(f, width);
    } else {
        f->identified = 1;
    }
}

static double centred_coef(const struct isoflop_fit *f, double exponent,
                           int accepted)
{
    double sum = 0;
    int n = 0;

    for (int i = 0; i < f->n_budget; i++) {
        const struct isoflop_budget *b = &f->budget[i];
        if (accepted && !b->ok)
            continue;
        sum += log(accepted ? b->M : b->low_M) - exponent * log(b->flops);
        n++;
    }
    return exp(sum / n);
}

double isoflop_fit_use(struct str *how, const struct isoflop_fit *f,
                       double flops)
{
    double a = EQ4_EXPONENT;
    const char *bound = "Eq. 4's";

    if (f->identified) {
        str_addf(how, "allocation: M_opt = %.4g C^%.4f fitted to %d budgets\n",
                 f->M.coef, f->M.exponent, f->n_ok);
        return f->M.coef * pow(flops, f->M.exponent);
    }
    if (f->n_ok >= 3 && f->M.exponent_ci[0] > a) {
        a = f->M.exponent_ci[0];
        bound = "the low end of the fitted interval, nearest to Eq. 4's,";
    } else if (f->n_ok >= 3 && f->M.exponent_ci[1] < a) {
        a = f->M.exponent_ci[1];
        bound = "the high end of the fitted interval, nearest to Eq. 4's,";
    }
    str_addf(how,
             "allocation: the exponent is not identified (%s); %s exponent "
             "%.4f goes through the %s\n",
             f->refused, bound, a,
             f->n_ok ? "accepted optima"
                     : "lowest points of the profiles, which are bounds");
    return centred_coef(f, a, f->n_ok > 0) * pow(flops, a);
}
