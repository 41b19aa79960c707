/* Out of sample. */
#include "analysis/holdout.h"

#include "analysis/stat.h"
#include "analysis/surface_boot.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME 0.05 /* budgets this close (in logarithm) are one */
#define MOST_LEVELS 24

int holdout_parse(struct holdout_spec *s, const char *text, struct err *e)
{
    size_t n = strcspn(text, ":>");
    char name[32], number[64];
    double v;

    *s = (struct holdout_spec){.share = NAN, .above = NAN};
    if (n == 0 || n >= sizeof(name) || !text[n])
        goto bad;
    memcpy(name, text, n);
    name[n] = '\0';
    int col = point_col_parse(name);
    if (col < 0)
        return err_set(e, ERR_USAGE,
                       "--holdout %s: unknown column '%s', expected such as "
                       "flops, n, m or d",
                       text, name);
    s->col = (enum point_col)col;
    snprintf(number, sizeof(number), "%s", text + n + 1);
    size_t len = strlen(number);
    int percent = len > 0 && number[len - 1] == '%';
    if (percent)
        number[len - 1] = '\0';
    if (str_to_double(number, &v) || !(v > 0))
        goto bad;
    if (text[n] == '>' && !percent)
        s->above = v;
    else if (text[n] == ':' && percent && v < 100)
        s->share = v / 100;
    else if (text[n] == ':' && !percent && v == floor(v) && v < 1e6)
        s->top = (int)v;
    else
        goto bad;
    return 0;
bad:
    return err_set(e, ERR_USAGE,
                   "--holdout %.60s: expected COLUMN:K (the K largest "
                   "values), COLUMN:P%% or COLUMN>VALUE",
                   text);
}

/* The smallest value that is held out, from the sorted used values. */
static double threshold(const double *sorted, size_t n,
                        const struct holdout_spec *s)
{
    if (!isnan(s->above))
        return nextafter(s->above, INFINITY);
    if (!isnan(s->share)) {
        size_t keep = (size_t)floor((1 - s->share) * (double)n + 0.5);
        return keep < n ? sorted[keep] : INFINITY;
    }
    double last = INFINITY;
    for (size_t i = n, distinct = 0; i-- > 0;) {
        if (!(sorted[i] > last * exp(-SAME)) || isinf(last)) {
            if (distinct++ == (size_t)s->top)
                return last;
        }
        last = sorted[i];
    }
    return -INFINITY;
}

int holdout_mark(int *held, const struct points *p,
                 const struct holdout_spec *s, struct err *e)
{
    const double *x = p->col[s->col];
    double *v = xmalloc((p->n + 1) * sizeof(*v));
    size_t n = 0, out = 0;

    for (size_t i = 0; i < p->n; i++)
        if (p->used[i] && !isnan(x[i]))
            v[n++] = x[i];
    stat_sort(v, n);
    double from = n ? threshold(v, n, s) : INFINITY;
    free(v);
    for (size_t i = 0; i < p->n; i++) {
        held[i] = p->used[i] && x[i] >= from;
        out += (size_t)held[i];
    }
    if (out == 0)
        return err_set(e, ERR_USAGE, "--holdout: no point is held out (%s)",
                       n ? "all lie below" : "the column is empty");
    if (2 * out > points_used(p))
        return err_set(e, ERR_USAGE,
                       "--holdout: %zu of %zu points would be held out, more "
                       "than half",
                       out, points_used(p));
    return 0;
}

/* The rows with held[i] == which, copied. */
struct part {
    struct surface_data d;
    double *block;
};

static void part_init(struct part *t, const struct surface_data *d,
                      const int *held, int which)
{
    size_t n = 0, m = d->n + 1;

    t->block = xmalloc(5 * m * sizeof(*t->block));
    double *col[5];
    const double *from[5] = {d->size, d->tokens, d->loss, d->unique, d->weight};
    for (int c = 0; c < 5; c++)
        col[c] = t->block + (size_t)c * m;
    for (size_t i = 0; i < d->n; i++) {
        if ((held[i] != 0) != which)
            continue;
        for (int c = 0; c < 5; c++)
            if (from[c])
                col[c][n] = from[c][i];
        n++;
    }
    t->d = (struct surface_data){n,
                                 col[0],
                                 col[1],
                                 col[2],
                                 d->unique ? col[3] : NULL,
                                 d->weight ? col[4] : NULL};
}

static void part_release(struct part *t)
{
    free(t->block);
}

static double predict(const struct surface *s, const struct surface_data *d,
                      size_t i)
{
    return surface_loss(s, d->size[i], d->tokens[i],
                        d->unique ? d->unique[i] : NAN);
}

/* Interval of one run at row i: the law of each resample, plus a draw of the
 * noise about the law. */
static void interval(struct holdout_row *r, const struct bootstrap *b,
                     const struct surface_fit *f, const struct surface_data *d,
                     const struct holdout_options *o, double *work)
{
    struct surface s = f->s;

    for (size_t k = 0; k < b->good; k++) {
        memcpy(s.p, b->value + k * b->n_stat,
               (size_t)surface_n_params(s.form) * sizeof(*s.p));
        double z = rng_normal(o->seed, RNG_FIT, r->index * b->good + k);
        work[k] = log(predict(&s, d, r->index)) + f->resid_sd * z;
    }
    stat_sort(work, b->good);
    r->lo = exp(stat_quantile_sorted(work, b->good, (1 - o->level) / 2));
    r->hi = exp(stat_quantile_sorted(work, b->good, (1 + o->level) / 2));
    r->inside = r->observed >= r->lo && r->observed <= r->hi;
}

static int by_flops(const void *pa, const void *pb)
{
    const struct holdout_row *a = pa, *b = pb;

    if (a->flops != b->flops)
        return a->flops < b->flops ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

int holdout_surface(struct holdout *h, const struct surface_data *d,
                    const double *flops, const int *held,
                    const struct holdout_options *o, struct err *e)
{
    struct boot_options bo = {
        .resamples = o->resamples, .seed = o->seed, .threads = o->threads};
    struct bootstrap b;
    struct part in;
    double top = 0, sum = 0, square = 0;
    size_t inside = 0;

    memset(h, 0, sizeof(*h));
    part_init(&in, d, held, 0);
    if (surface_fit(&h->fit, &in.d, &o->surface, e) ||
        surface_bootstrap(&b, &h->fit, &in.d, NULL, 0, &bo, e)) {
        part_release(&in);
        return err_prefix(e, "without the holdout: ");
    }
    for (size_t i = 0; i < d->n; i++)
        if (!held[i])
            top = fmax(top, flops[i]);
    h->row = xcalloc(d->n + 1, sizeof(*h->row));
    double *work = xmalloc((b.good + 1) * sizeof(*work));
    for (size_t i = 0; i < d->n; i++) {
        if (!held[i])
            continue;
        struct holdout_row *r = &h->row[h->n++];
        r->index = i;
        r->flops = flops[i];
        r->decades = log10(flops[i] / top);
        r->observed = d->loss[i];
        r->predicted = predict(&h->fit.s, d, i);
        r->error = r->predicted / r->observed - 1;
        interval(r, &b, &h->fit, d, o, work);
        sum += r->error;
        square += r->error * r->error;
        inside += (size_t)r->inside;
        h->decades = fmax(h->decades, r->decades);
    }
    qsort(h->row, h->n, sizeof(*h->row), by_flops);
    h->mean_error = sum / (double)h->n;
    h->rms = sqrt(square / (double)h->n);
    h->inside = (double)inside / (double)h->n;
    free(work);
    bootstrap_release(&b);
    part_release(&in);
    return 0;
}

void holdout_release(struct holdout *h)
{
    free(h->row);
    memset(h, 0, sizeof(*h));
}

/* The upper ends of the budget levels, ascending; *level is the caller's. */
static size_t levels_of(double **level, const double *flops, size_t n)
{
    double *v = xmalloc((n + 1) * sizeof(*v)), *out;
    size_t m = 0;

    memcpy(v, flops, n * sizeof(*v));
    stat_sort(v, n);
    out = xmalloc((n + 1) * sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        if (m > 0 && v[i] <= out[m - 1] * exp(SAME))
            out[m - 1] = v[i];
        else
            out[m++] = v[i];
    }
    if (m > MOST_LEVELS) { /* no grid: half decades from the top down */
        double top = v[n - 1];
        m = 0;
        for (double at = top; at > v[0] && m < 64; at /= sqrt(10))
            out[m++] = at;
        for (size_t i = 0; i < m / 2; i++) {
            double t = out[i];
            out[i] = out[m - 1 - i];
            out[m - 1 - i] = t;
        }
    }
    free(v);
    *level = out;
    return m;
}

static void roll(struct rolling_row *r, const struct surface_fit *f,
                 const struct surface_data *d, const double *flops, double lo,
                 double hi)
{
    double sum = 0, square = 0;

    for (size_t i = 0; i < d->n; i++) {
        if (!(flops[i] > lo && flops[i] <= hi))
            continue;
        double err = predict(&f->s, d, i) / d->loss[i] - 1;
        sum += err;
        square += err * err;
        r->n++;
    }
    r->mean_error = sum / (double)r->n;
    r->rms = sqrt(square / (double)r->n);
}

int holdout_rolling(struct rolling_row **rows, size_t *n,
                    const struct surface_data *d, const double *flops,
                    const struct surface_options *o, struct err *e)
{
    struct surface_options plain = *o;
    double *level;
    size_t m = levels_of(&level, flops, d->n);
    int *held = xcalloc(d->n + 1, sizeof(*held));

    *n = 0;
    *rows = xcalloc(m * m + 1, sizeof(**rows));
    for (size_t c = 0; c + 1 < m; c++) {
        struct surface_fit f;
        struct part in;
        for (size_t i = 0; i < d->n; i++)
            held[i] = flops[i] > level[c];
        part_init(&in, d, held, 0);
        /* a cut-off too low for the form is no error: later ones may do */
        int rc = in.d.n < (size_t)surface_n_params(o->form) + 3
                     ? -1
                     : surface_fit(&f, &in.d, &plain, NULL);
        for (size_t k = c + 1; k < m && rc == 0; k++) {
            struct rolling_row r = {.cutoff = level[c],
                                    .flops = level[k],
                                    .decades = log10(level[k] / level[c]),
                                    .fitted = in.d.n,
                                    .identified = f.identified};
            roll(&r, &f, d, flops, level[k - 1], level[k]);
            if (r.n > 0)
                (*rows)[(*n)++] = r;
        }
        part_release(&in);
    }
    free(held);
    free(level);
    if (*n > 0)
        return 0;
    free(*rows);
    *rows = NULL;
    return err_set(e, ERR_FAILED,
                   "no budget can be predicted from lower ones: %zu budgets "
                   "of %zu points",
                   m, d->n);
}

static int by_rms(const void *pa, const void *pb)
{
    const struct selection *a = pa, *b = pb;

    return (a->rms > b->rms) - (a->rms < b->rms);
}

int holdout_select(struct selection *s, int *n, const struct surface_data *d,
                   const int *held, const struct surface_options *o,
                   struct err *e)
{
    struct part in;

    *n = 0;
    part_init(&in, d, held, 0);
    for (int form = 0; form < SURFACE_FORMS; form++) {
        struct surface_options with = *o;
        struct surface_fit f;
        double sum = 0, square = 0, count = 0;
        with.form = (enum surface_form)form;
        if ((form == SURFACE_REPEATED && !d->unique) ||
            surface_fit(&f, &in.d, &with, NULL))
            continue;
        for (size_t i = 0; i < d->n; i++) {
            if (!held[i])
                continue;
            double err = predict(&f.s, d, i) / d->loss[i] - 1;
            sum += err;
            square += err * err;
            count++;
        }
        if (!(count > 0) || !isfinite(square))
            continue;
        s[(*n)++] = (struct selection){.form = with.form,
                                       .rms = sqrt(square / count),
                                       .mean_error = sum / count,
                                       .in_sample = f.resid_sd,
                                       .identified = f.identified};
    }
    part_release(&in);
    if (*n == 0)
        return err_set(e, ERR_FAILED, "no form of surface could be fitted");
    qsort(s, (size_t)*n, sizeof(*s), by_rms);
    return 0;
}
