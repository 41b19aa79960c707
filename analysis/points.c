/* Points: a table of named columns, and the one place where analysis meets
 * the database. */
#include "analysis/points.h"

#include "base/mem.h"
#include "base/str.h"
#include "db/points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name, *what;
} columns[POINT_COLS] = {
    [POINT_BUDGET] = {"budget", "nominal flops of its cell"},
    [POINT_M] = {"m", "non-embedding FLOPs per token"},
    [POINT_N] = {"n", "parameters"},
    [POINT_N1] = {"n1", "non-embedding parameters"},
    [POINT_N2] = {"n2", "complete parameters"},
    [POINT_D] = {"d", "training tokens"},
    [POINT_UNIQUE] = {"unique", "unique training tokens"},
    [POINT_FLOPS] = {"flops", "training compute"},
    [POINT_FLOPS_EXACT] = {"flops_exact", "exact training compute"},
    [POINT_LR] = {"lr", "peak learning rate"},
    [POINT_BATCH] = {"batch", "tokens per step"},
    [POINT_WD] = {"wd", "weight decay"},
    [POINT_D_MODEL] = {"d_model", "width"},
    [POINT_N_LAYER] = {"n_layer", "layers"},
    [POINT_SEED] = {"seed", "seed"},
    [POINT_STEPS] = {"steps", "optimiser steps"},
    [POINT_LOSS] = {"loss", "loss in nats per token"},
    [POINT_BPB] = {"bpb", "bits per byte"},
};

const char *point_col_name(enum point_col c)
{
    return columns[c].name;
}

int point_col_parse(const char *name)
{
    for (int c = 0; c < POINT_COLS; c++)
        if (strcasecmp(name, columns[c].name) == 0)
            return c;
    return -1;
}

void points_init(struct points *p)
{
    memset(p, 0, sizeof(*p));
}

void points_release(struct points *p)
{
    for (int c = 0; c < POINT_COLS; c++)
        free(p->col[c]);
    free(p->run);
    free(p->used);
    free(p->stage);
    free(p->group);
    free(p->why);
    points_init(p);
}

void point_init(struct point *r)
{
    memset(r, 0, sizeof(*r));
    for (int c = 0; c < POINT_COLS; c++)
        r->col[c] = NAN;
    r->used = 1;
}

static void reserve(struct points *p, size_t need)
{
    if (need <= p->cap)
        return;
    size_t cap = p->cap ? 2 * p->cap : 64;
    while (cap < need)
        cap *= 2;
    for (int c = 0; c < POINT_COLS; c++)
        p->col[c] = xrealloc(p->col[c], cap * sizeof(*p->col[c]));
    p->run = xrealloc(p->run, cap * sizeof(*p->run));
    p->used = xrealloc(p->used, cap * sizeof(*p->used));
    p->stage = xrealloc(p->stage, cap * sizeof(*p->stage));
    p->group = xrealloc(p->group, cap * sizeof(*p->group));
    p->why = xrealloc(p->why, cap * sizeof(*p->why));
    p->cap = cap;
}

void points_add(struct points *p, const struct point *r)
{
    size_t i = p->n;

    reserve(p, i + 1);
    for (int c = 0; c < POINT_COLS; c++)
        p->col[c][i] = r->col[c];
    p->run[i] = r->run;
    p->used[i] = r->used;
    memcpy(p->stage[i], r->stage, POINT_TEXT);
    memcpy(p->group[i], r->group, POINT_TEXT);
    memcpy(p->why[i], r->why, POINT_TEXT);
    p->n++;
}

void points_row(struct point *r, const struct points *p, size_t i)
{
    BUG_ON(i >= p->n);
    for (int c = 0; c < POINT_COLS; c++)
        r->col[c] = p->col[c][i];
    r->run = p->run[i];
    r->used = p->used[i];
    memcpy(r->stage, p->stage[i], POINT_TEXT);
    memcpy(r->group, p->group[i], POINT_TEXT);
    memcpy(r->why, p->why[i], POINT_TEXT);
}

void points_exclude(struct points *p, size_t i, const char *why)
{
    if (!p->used[i])
        return;
    p->used[i] = 0;
    snprintf(p->why[i], POINT_TEXT, "%s", why);
}

size_t points_used(const struct points *p)
{
    size_t used = 0;

    for (size_t i = 0; i < p->n; i++)
        used += p->used[i] != 0;
    return used;
}

size_t points_repeated(const struct points *p)
{
    const double *unique = p->col[POINT_UNIQUE], *D = p->col[POINT_D];
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) /* false where one is NaN */
        n += p->used[i] && D[i] > unique[i] * (1 + 1e-9);
    return n;
}

void points_select(struct points *to, const struct points *from,
                   const int *keep)
{
    struct point r;

    memcpy(to->file, from->file, sizeof to->file);
    for (size_t i = 0; i < from->n; i++)
        if (from->used[i] && (!keep || keep[i])) {
            points_row(&r, from, i);
            points_add(to, &r);
        }
}

int points_require(const struct points *p, enum point_col c, struct err *e)
{
    char at[320];

    for (size_t i = 0; i < p->n; i++) {
        double v = p->col[c][i];
        if (!p->used[i] || (v > 0 && isfinite(v)))
            continue;
        if (p->file[0])
            snprintf(at, sizeof at, "%s:%lld:", p->file, (long long)p->run[i]);
        else
            snprintf(at, sizeof at, "run %lld:", (long long)p->run[i]);
        if (isnan(v))
            return err_set(e, ERR_USAGE,
                           "%s no '%s' (%s); map a column to it (--map "
                           "%s=...) or leave the row out (--where)",
                           at, columns[c].name, columns[c].what,
                           columns[c].name);
        return err_set(e, ERR_USAGE,
                       "%s %s = %g, expected a positive number "
                       "(%s)",
                       at, columns[c].name, v, columns[c].what);
    }
    return 0;
}

void points_need(struct points *p, enum point_col c)
{
    char why[POINT_TEXT];

    if (!points_has(p, c))
        return;
    snprintf(why, sizeof why, "no %s", columns[c].name);
    for (size_t i = 0; i < p->n; i++)
        if (p->used[i] && isnan(p->col[c][i]))
            points_exclude(p, i, why);
}

int points_has(const struct points *p, enum point_col c)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->used[i] && !isnan(p->col[c][i]))
            return 1;
    return 0;
}

static void fill(double *x, double v)
{
    if (isnan(*x))
        *x = v;
}

void points_derive(struct points *p)
{
    for (size_t i = 0; i < p->n; i++) {
        double *M = &p->col[POINT_M][i], *N = &p->col[POINT_N][i];
        double *D = &p->col[POINT_D][i], *flops = &p->col[POINT_FLOPS][i];

        fill(N, p->col[POINT_N2][i]);
        fill(N, p->col[POINT_N1][i]);
        fill(D, *flops / *M);
        fill(D, *flops / (6 * *N));
        fill(flops, *M * *D);
        fill(flops, 6 * *N * *D);
        fill(M, *flops / *D);
    }
}

void points_hash(char hex[HASH_HEX], const struct points *p)
{
    /* most columns say again what the row above says, and to write a number
     * takes longer than to fit a profile */
    char number[POINT_COLS][STR_DOUBLE];
    double last[POINT_COLS];
    struct str s;

    for (int c = 0; c < POINT_COLS; c++)
        last[c] = NAN;
    str_init(&s);
    for (size_t i = 0; i < p->n; i++) {
        if (!p->used[i])
            continue;
        for (int c = 0; c < POINT_COLS; c++)
            if (!isnan(p->col[c][i])) {
                if (memcmp(&last[c], &p->col[c][i], sizeof(last[c])) != 0)
                    str_double(number[c], last[c] = p->col[c][i]);
                str_addf(&s, "%s=%s ", columns[c].name, number[c]);
            }
        str_addf(&s, "stage=%s group=%s\n", p->stage[i], p->group[i]);
    }
    hash_sha256(hex, s.text, s.len);
    str_release(&s);
}

static void from_row(struct point *r, const struct db_point *d)
{
    const struct {
        enum point_col col;
        double value;
    } map[] = {
        {POINT_BUDGET, d->budget},
        {POINT_M, d->M},
        {POINT_N, d->N2},
        {POINT_N1, d->N1},
        {POINT_N2, d->N2},
        {POINT_D, d->D},
        {POINT_FLOPS, d->flops},
        {POINT_FLOPS_EXACT, d->flops_exact},
        {POINT_LR, d->lr},
        {POINT_BATCH, d->batch},
        {POINT_WD, d->wd},
        {POINT_UNIQUE, d->unique_tokens},
        {POINT_D_MODEL, d->d_model},
        {POINT_N_LAYER, d->n_layer},
        {POINT_SEED, (double)d->seed},
        {POINT_STEPS, (double)d->steps},
        {POINT_LOSS, d->loss},
        {POINT_BPB, d->bpb},
    };

    point_init(r);
    for (size_t k = 0; k < ARRAY_LEN(map); k++)
        r->col[map[k].col] = map[k].value;
    r->run = d->run;
    r->used = d->used;
    snprintf(r->stage, POINT_TEXT, "%s", d->stage);
    snprintf(r->group, POINT_TEXT, "%s", d->cluster);
    snprintf(r->why, POINT_TEXT, "%s", d->why);
}

int points_from_db(struct points *p, struct store *db, int64_t study,
                   const char *stage, const char *where, struct err *e)
{
    struct db_point *row;
    struct point r;
    size_t n;

    if (db_points(&row, &n, db, study, stage, where, e))
        return -1;
    for (size_t i = 0; i < n; i++) {
        from_row(&r, &row[i]);
        points_add(p, &r);
    }
    free(row);
    return 0;
}
