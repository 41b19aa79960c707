/* curve_mix: the average over (E, p), and what it forecasts.
 *
 * Prior: one fifth on E = 0; the rest uniform in E below the lowest loss; log p
 * uniform.  The level is integrated exactly, and so is the scale of the
 * errors, whose standard errors count as `se_dof` degrees of freedom against
 * the scatter about the law: the marginal weight of a pair is
 * (dof0 + S)^-(dof/2) / sqrt(precision of the level), the forecast given a
 * pair Student's t.  The grid follows the likelihood: E where its best p still
 * counts, p within four standard deviations at each E.
 *
 * Those standard errors are of the noise between runs, and no law of two or
 * three parameters is true to a hundredth of it.  Where the best pair leaves
 * chi2/dof above 1, the excess is error of the model, and every S is divided
 * by it (Birge, Phys. Rev. 40, 207 (1932); the scale factor of the Particle
 * Data Group; the dispersion of a quasi-likelihood, McCullagh & Nelder section
 * 9.2): else the average would choose between laws, all of them wrong, as if
 * one of them were right.  A budget not yet run departs from the law by as
 * much as those that were.  The excess is what the whole scatter is beyond the
 * stated errors, so it is known no better than that, by n - 3 degrees of
 * freedom. */
#include "analysis/curve_impl.h"

#include "analysis/stat.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#define PRIOR_PURE 0.2
#define COARSE 60    /* values of E to find where it counts */
#define FINE 36      /* values of E in the average */
#define P_POINTS 15  /* values of p at each E */
#define NEGLECT 10.0 /* log weight below the best that does not count */
#define TUNED 0.0025 /* relative SD for what was not tuned */

/* Degrees of freedom behind the variance of a point of which the residuals of
 * the budgets tell `residual`: the stated errors count with se_dof where they
 * hold, and the less the more the scatter is beyond them. */
static double freedom(const struct curve_fit *f, double residual)
{
    double noise = 1 / f->misfit;
    double told = f->n > 3 ? (1 - noise * noise) / residual : 0;

    return 1 / (noise * noise / (f->opts.se_dof + residual) + told);
}

/* Variance of a point with a stated variance of 1, given a sum of squares. */
static double scale(const struct curve_fit *f, double S)
{
    double stated = freedom(f, f->n - 1) - (f->n - 1);

    return (f->misfit * stated + S) / (stated + fmax(f->n - 3, 1));
}

static double log_weight(const struct curve_fit *f, double S, double sww)
{
    return -freedom(f, f->n - 1) / 2 * log(scale(f, S)) - log(sww) / 2;
}

static double profile_weight(const struct curve_fit *f,
                             const struct curve_data *d, double E)
{
    double p, L0, sww, S = curve_best_p(&p, d, E, &f->opts);

    curve_level(&L0, &sww, d, E, p);
    return log_weight(f, S, sww);
}

/* Append the parts of one E, each of log prior density `prior`. */
static void add_E(struct curve_fit *f, const struct curve_data *d, double E,
                  double prior)
{
    double lo = log(f->opts.p_min), hi = log(f->opts.p_max), best, L0, sww;
    double S = curve_best_p(&best, d, E, &f->opts), h = 0.02, sd, a, b;
    double c = log(best), curve;

    /* width of the likelihood in log p from its curvature */
    c = fmin(fmax(c, lo + h), hi - h);
    curve = (curve_level(&L0, &sww, d, E, exp(c + h)) +
             curve_level(&L0, &sww, d, E, exp(c - h)) -
             2 * curve_level(&L0, &sww, d, E, exp(c))) /
            (h * h);
    sd = curve > 0 ? sqrt(2 / curve * scale(f, S)) : hi - lo;
    a = fmax(lo, log(best) - 4 * sd);
    b = fmin(hi, log(best) + 4 * sd);
    for (int i = 0; i < P_POINTS; i++) {
        double step = (b - a) / P_POINTS, lp = a + (i + 0.5) * step;
        struct curve_part *q = &f->part[f->n_part];
        S = curve_level(&q->L0, &sww, d, E, exp(lp));
        if (q->L0 <= E)
            continue;
        q->E = E;
        q->p = exp(lp);
        q->var = scale(f, S) / sww;
        q->weight = prior + log(step) + log_weight(f, S, sww);
        f->n_part++;
    }
}

static void normalise(struct curve_fit *f)
{
    double most = -INFINITY, sum = 0;
    int n = 0;

    for (int i = 0; i < f->n_part; i++)
        most = fmax(most, f->part[i].weight);
    for (int i = 0; i < f->n_part; i++) {
        struct curve_part q = f->part[i];
        if (q.weight < most - NEGLECT)
            continue;
        q.weight = exp(q.weight - most);
        sum += q.weight;
        f->part[n++] = q;
    }
    f->n_part = n;
    for (int i = 0; i < n; i++)
        f->part[i].weight /= sum;
}

/* Relative SD of a budget about the law beyond its own error. */
static double departure(const struct curve_fit *f, const struct curve_data *d)
{
    double sum = 0;

    for (int i = 0; i < d->n; i++)
        sum += 1 / (d->w[i] * d->y[i] * d->y[i]);
    return sqrt((f->misfit - 1) * sum / d->n);
}

void curve_mix(struct curve_fit *f, const struct curve_data *d)
{
    double lowest, highest, w[COARSE], best = -INFINITY, step, fine, a;
    int lo = COARSE, hi = -1;

    f->part = xmalloc((FINE + 1) * P_POINTS * sizeof *f->part);
    f->misfit = f->chi2 > 1 ? f->chi2 : 1;
    f->dof = freedom(f, fmax(f->n - 3, 1));
    f->departs = departure(f, d);
    stat_range(&lowest, &highest, d->y, (size_t)d->n);
    step = lowest / COARSE;
    for (int i = 0; i < COARSE; i++) {
        w[i] = profile_weight(f, d, (i + 0.5) * step);
        best = fmax(best, w[i]);
    }
    for (int i = 0; i < COARSE; i++)
        if (w[i] > best - NEGLECT) {
            lo = i < lo ? i : lo;
            hi = i;
        }
    a = fmax(0, (lo - 1) * step); /* one coarse cell of margin */
    fine = (fmin(lowest, (hi + 2) * step) - a) / FINE;
    for (int i = 0; i < FINE; i++)
        add_E(f, d, a + (i + 0.5) * fine,
              log((1 - PRIOR_PURE) / lowest * fine));
    add_E(f, d, 0, log(PRIOR_PURE));
    normalise(f);
}

struct at {
    double E, weight;
};

static int by_E(const void *a, const void *b)
{
    const struct at *p = a, *q = b;
    return p->E < q->E ? -1 : p->E > q->E;
}

double curve_mix_E(const struct curve_fit *f, double q)
{
    struct at *v = xmalloc(((size_t)f->n_part + 1) * sizeof *v);
    double sum = 0, E = 0;

    for (int i = 0; i < f->n_part; i++)
        v[i] = (struct at){f->part[i].E, f->part[i].weight};
    qsort(v, (size_t)f->n_part, sizeof *v, by_E);
    for (int i = 0; i < f->n_part && sum < q; i++) {
        sum += v[i].weight;
        E = v[i].E;
    }
    free(v);
    return E;
}

/* --- forecasts --- */

/* Each part's Student's t at one budget. */
struct spread {
    double *mean, *sd;
};

static struct spread spread_at(const struct curve_fit *f, double x, double sd)
{
    size_t n = (size_t)f->n_part;
    struct spread s = {xmalloc(2 * n * sizeof(double)), NULL};

    s.sd = s.mean + n;
    for (size_t i = 0; i < n; i++) {
        const struct curve_part *q = &f->part[i];
        double t = pow(x, -q->p);
        s.mean[i] = q->E + (q->L0 - q->E) * t;
        s.sd[i] = sqrt(q->var * t * t + sd * sd);
    }
    return s;
}

static double cdf(const struct curve_fit *f, const struct spread *s, double y)
{
    double sum = 0;

    for (int i = 0; i < f->n_part; i++)
        sum +=
            f->part[i].weight * stat_t_cdf((y - s->mean[i]) / s->sd[i], f->dof);
    return sum;
}

/* The quantile at x = C / C0; sd: noise beyond the law's own. */
static double quantile(const struct curve_fit *f, double x, double prob,
                       double sd)
{
    struct spread s = spread_at(f, x, sd);
    double lo = 0, hi = f->point[0].loss;

    while (cdf(f, &s, hi) < prob)
        hi *= 2;
    while (hi - lo > 1e-7 * hi) {
        double mid = (lo + hi) / 2;
        if (cdf(f, &s, mid) < prob)
            lo = mid;
        else
            hi = mid;
    }
    free(s.mean);
    return (lo + hi) / 2;
}

static double form_at(const struct curve_form *m, double flops)
{
    return m->E + m->k * pow(flops, -m->p);
}

int curve_forecast(struct curve_forecast *out, const struct curve_fit *f,
                   double flops, double level, double extra)
{
    double x = flops / f->C0, noise = isfinite(f->noise) ? f->noise : 0;
    double law = hypot(hypot(extra, TUNED), f->departs);
    double run = hypot(law, noise);

    if (!f->identified)
        return -1;
    out->loss = quantile(f, x, 0.5, law * f->point[f->n - 1].loss);
    for (int k = 0; k < 2; k++) {
        double prob = k ? (1 + level) / 2 : (1 - level) / 2;
        out->law_ci[k] = quantile(f, x, prob, law * out->loss);
        out->run_ci[k] = quantile(f, x, prob, run * out->loss);
    }
    out->with_E = form_at(&f->with_E, flops);
    out->pure = form_at(&f->pure, flops);
    out->decades = log10(flops / f->point[f->n - 1].flops);
    return 0;
}
