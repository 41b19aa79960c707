/* The bootstrap.  Each resample is a function of (seed, its number) alone, so
 * threads only share out the numbers and the answer does not depend on how
 * many there are.  BCa after Efron 1987, the acceleration from a jackknife
 * over the groups. */
#include "analysis/bootstrap.h"

#include "analysis/boot_draws.h"
#include "analysis/stat.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[BOOT_KINDS] = {
    [BOOT_PERCENTILE] = "percentile",
    [BOOT_BASIC] = "basic",
    [BOOT_BCA] = "bca",
};

const char *boot_kind_name(enum boot_kind k)
{
    return kind_names[k];
}

int boot_kind_parse(const char *name)
{
    for (int k = 0; k < BOOT_KINDS; k++)
        if (strcmp(name, kind_names[k]) == 0)
            return k;
    return -1;
}

/* All rows in order of group: those of group g are
 * row[start[g]] .. row[start[g + 1] - 1]. */
struct grouping {
    size_t n_rows, n_groups, most; /* most: rows of the largest group */
    size_t *start, *row;
};

static void grouping_init(struct grouping *g, size_t n_rows,
                          const size_t *group, size_t n_groups)
{
    g->n_rows = n_rows;
    g->n_groups = group ? n_groups : n_rows;
    g->most = 0;
    g->start = xcalloc(g->n_groups + 2, sizeof(*g->start));
    g->row = xmalloc((n_rows + 1) * sizeof(*g->row));
    for (size_t i = 0; i < n_rows; i++) {
        size_t k = group ? group[i] : i;
        BUG_ON(k >= g->n_groups);
        g->start[k + 2]++;
    }
    for (size_t k = 0; k < g->n_groups; k++) {
        if (g->start[k + 2] > g->most)
            g->most = g->start[k + 2];
        g->start[k + 2] += g->start[k + 1];
    }
    for (size_t i = 0; i < n_rows; i++)
        g->row[g->start[(group ? group[i] : i) + 1]++] = i;
}

static void grouping_release(struct grouping *g)
{
    free(g->start);
    free(g->row);
}

/* The work, and what the threads share. */
struct job {
    const struct grouping *g;
    const size_t *draw; /* (resamples, per) from a file, or NULL */
    size_t per;         /* groups drawn for one resample */
    size_t resamples, n_stat, n_jack;
    uint64_t seed;
    double *value; /* (resamples + n_jack, n_stat) */
    char *ok;      /* (resamples + n_jack) */
    boot_fn *fn;
    void *ctx;
    atomic_size_t next;
};

struct worker {
    struct job *job;
    int number;
};

static size_t add_group(size_t *idx, size_t m, const struct grouping *g,
                        size_t k)
{
    for (size_t i = g->start[k]; i < g->start[k + 1]; i++)
        idx[m++] = g->row[i];
    return m;
}

static void *work(void *arg)
{
    struct worker *me = arg;
    struct job *j = me->job;
    const struct grouping *g = j->g;
    size_t most = g->most * j->per > g->n_rows ? g->most * j->per : g->n_rows;
    size_t *idx = xmalloc((most + 1) * sizeof(*idx));

    for (;;) {
        size_t b = atomic_fetch_add(&j->next, 1), m = 0;
        if (b >= j->resamples + j->n_jack)
            break;
        struct boot_turn turn = {me->number, b, b >= j->resamples};
        if (turn.left_out) {
            turn.number -= j->resamples;
            for (size_t k = 0; k < g->n_groups; k++)
                if (k != turn.number)
                    m = add_group(idx, m, g, k);
        } else {
            for (size_t i = 0; i < j->per; i++) {
                size_t k = j->draw ? j->draw[b * j->per + i]
                                   : rng_below(j->seed, RNG_BOOT,
                                               b * j->per + i, g->n_groups);
                m = add_group(idx, m, g, k);
            }
        }
        double *stat = j->value + b * j->n_stat;
        j->ok[b] = j->fn(stat, idx, m, &turn, j->ctx) == 0;
        for (size_t s = 0; s < j->n_stat && j->ok[b]; s++)
            if (!isfinite(stat[s]))
                j->ok[b] = 0;
    }
    free(idx);
    return NULL;
}

static void run_threads(struct job *j, int threads)
{
    enum { MOST = 64 };
    pthread_t id[MOST];
    struct worker w[MOST];
    int started = 0;

    if (threads > MOST)
        threads = MOST;
    for (int t = 1; t < threads; t++) {
        w[started + 1] = (struct worker){j, started + 1};
        if (pthread_create(&id[started], NULL, work, &w[started + 1]) == 0)
            started++;
    }
    w[0] = (struct worker){j, 0};
    work(&w[0]);
    for (int t = 0; t < started; t++)
        pthread_join(id[t], NULL);
}

/* Move the good rows to the front; returns their number. */
static size_t compact(double *value, const char *ok, size_t n, size_t n_stat)
{
    size_t good = 0;

    for (size_t b = 0; b < n; b++)
        if (ok[b])
            memmove(value + n_stat * good++, value + n_stat * b,
                    n_stat * sizeof(*value));
    return good;
}

int bootstrap_run(struct bootstrap *b, const struct boot_options *o,
                  size_t n_rows, const size_t *group, size_t n_groups,
                  const double *estimate, size_t n_stat, boot_fn *fn, void *ctx,
                  struct err *e)
{
    struct grouping g;
    struct job j = {.seed = o->seed, .n_stat = n_stat, .fn = fn, .ctx = ctx};
    size_t *draw = NULL;
    int rc = -1;

    memset(b, 0, sizeof(*b));
    grouping_init(&g, n_rows, group, n_groups);
    j.g = &g;
    j.per = g.n_groups;
    j.resamples = o->resamples;
    if (g.n_groups < 2) {
        err_set(e, ERR_FAILED,
                "a bootstrap needs at least 2 independent groups, found %zu",
                g.n_groups);
        goto out;
    }
    if (o->indices &&
        boot_draws_read(&draw, &j.resamples, &j.per, o->indices, g.n_groups, e))
        goto out;
    j.draw = draw;
    j.n_jack = o->jackknife ? g.n_groups : 0;
    size_t all = j.resamples + j.n_jack;
    j.value = xcalloc(all * n_stat + 1, sizeof(*j.value));
    j.ok = xcalloc(all + 1, 1);
    run_threads(&j, o->threads);

    b->n_stat = n_stat;
    b->n_groups = g.n_groups;
    b->resamples = j.resamples;
    if (j.n_jack) {
        b->jack = xcalloc(j.n_jack * n_stat + 1, sizeof(*b->jack));
        memcpy(b->jack, j.value + j.resamples * n_stat,
               j.n_jack * n_stat * sizeof(*b->jack));
        b->n_jack = compact(b->jack, j.ok + j.resamples, j.n_jack, n_stat);
    }
    b->good = compact(j.value, j.ok, j.resamples, n_stat);
    b->value = j.value;
    b->estimate = xmalloc((n_stat + 1) * sizeof(*b->estimate));
    memcpy(b->estimate, estimate, n_stat * sizeof(*estimate));
    free(j.ok);
    if (2 * b->good < b->resamples || b->good < 2) {
        err_set(e, ERR_FAILED,
                "only %zu of %zu bootstrap refits succeeded: the fit is not "
                "determined by the data",
                b->good, b->resamples);
        bootstrap_release(b);
        goto out;
    }
    rc = 0;
out:
    free(draw);
    grouping_release(&g);
    return rc;
}

void bootstrap_release(struct bootstrap *b)
{
    free(b->value);
    free(b->estimate);
    free(b->jack);
    memset(b, 0, sizeof(*b));
}

static double *column(const double *value, size_t n, size_t n_stat, size_t k)
{
    double *v = xmalloc((n + 1) * sizeof(*v));

    for (size_t i = 0; i < n; i++)
        v[i] = value[i * n_stat + k];
    return v;
}

double bootstrap_se(const struct bootstrap *b, size_t k)
{
    double *v = column(b->value, b->good, b->n_stat, k);
    double sd = stat_sd(v, b->good);

    free(v);
    return sd;
}

double bootstrap_mean(const struct bootstrap *b, size_t k)
{
    double *v = column(b->value, b->good, b->n_stat, k);
    double mean = stat_mean(v, b->good);

    free(v);
    return mean;
}

void bootstrap_sorted(double *v, const struct bootstrap *b, size_t k)
{
    for (size_t i = 0; i < b->good; i++)
        v[i] = b->value[i * b->n_stat + k];
    stat_sort(v, b->good);
}

/* Move the two tail probabilities by bias and acceleration; -1 if these are
 * undefined. */
static int bca(double tail[2], const struct bootstrap *b, size_t k,
               const double *sorted)
{
    double below = 0, num = 0, den = 0;

    if (b->n_jack < 2)
        return -1;
    for (size_t i = 0; i < b->good; i++)
        below += sorted[i] < b->estimate[k]
                     ? 1
                     : (sorted[i] == b->estimate[k] ? 0.5 : 0);
    below /= (double)b->good;
    if (!(below > 0 && below < 1))
        return -1;
    double *jack = column(b->jack, b->n_jack, b->n_stat, k);
    double mean = stat_mean(jack, b->n_jack);
    for (size_t i = 0; i < b->n_jack; i++) {
        double d = mean - jack[i];
        num += d * d * d;
        den += d * d;
    }
    free(jack);
    double accel = den > 0 ? num / (6 * pow(den, 1.5)) : 0;
    double z0 = stat_normal_quantile(below);
    for (int s = 0; s < 2; s++) {
        double z = z0 + stat_normal_quantile(tail[s]);
        if (!(1 - accel * z > 0))
            return -1;
        tail[s] = stat_normal_cdf(z0 + z / (1 - accel * z));
    }
    return 0;
}

int bootstrap_interval(double *lo, double *hi, const struct bootstrap *b,
                       size_t k, enum boot_kind kind, double level)
{
    double plain[2] = {(1 - level) / 2, (1 + level) / 2};
    double tail[2] = {plain[0], plain[1]};
    double *v = xmalloc((b->good + 1) * sizeof(*v));
    int fell_back = 0;

    bootstrap_sorted(v, b, k);
    if (kind == BOOT_BCA && bca(tail, b, k, v)) {
        memcpy(tail, plain, sizeof(tail));
        fell_back = 1;
    }
    *lo = stat_quantile_sorted(v, b->good, tail[0]);
    *hi = stat_quantile_sorted(v, b->good, tail[1]);
    if (kind == BOOT_BASIC) {
        double low = *lo;
        *lo = 2 * b->estimate[k] - *hi;
        *hi = 2 * b->estimate[k] - low;
    }
    free(v);
    return fell_back;
}

void boot_groups_of_text(size_t *group, size_t *n_groups,
                         const char *const *label, size_t n)
{
    size_t *first = xmalloc((n + 1) * sizeof(*first)), g = 0;

    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < g &&
               (!label[i][0] || strcmp(label[first[k]], label[i]) != 0))
            k++;
        if (k == g)
            first[g++] = i;
        group[i] = k;
    }
    free(first);
    *n_groups = g;
}

void boot_groups_of_number(size_t *group, size_t *n_groups, const double *x,
                           size_t n)
{
    double *first = xmalloc((n + 1) * sizeof(*first));
    size_t g = 0;

    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < g && memcmp(&first[k], &x[i], sizeof(*x)) != 0)
            k++;
        if (k == g)
            first[g++] = x[i];
        group[i] = k;
    }
    free(first);
    *n_groups = g;
}
