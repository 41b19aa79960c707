/* stage: the stages of a study file, and what they need of each other.
 *
 * A stage is a map of one key, its kind.  Stages may only rely on stages above
 * them, so that a study can always run from top to bottom. */
#include "base/mem.h"
#include "sweep/axis.h"
#include "sweep/study_keys.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [STAGE_HYPER] = "hyper",
    [STAGE_ISOFLOP] = "isoflop",
    [STAGE_PREDICT] = "predict",
    [STAGE_VERIFY] = "verify",
};

const char *stage_kind_name(enum stage_kind kind)
{
    return kind_names[kind];
}

/* clang-format off */
#define AT(field) offsetof(struct stage, field)
#define H (1u << STAGE_HYPER)
#define I (1u << STAGE_ISOFLOP)
#define P (1u << STAGE_PREDICT)
#define V (1u << STAGE_VERIFY)
static const struct field stage_fields[] = {
    {"name",   FIELD_NAME, H | I | P | V, NULL, AT(name), 0, 0},
    {"flops",  FIELD_AXIS, H | I | P | V, NULL, AT(flops), 1, STUDY_FLOPS},
    {"lr",     FIELD_AXIS, H,             NULL, AT(lr), 1, STUDY_GRID},
    {"batch",  FIELD_AXIS, H,             NULL, AT(batch), 1, STUDY_GRID},
    {"width",  FIELD_I64,  H,             NULL, AT(width), 1, 1 << 20},
    {"M",      FIELD_AXIS, H | I,         NULL, AT(M), 1, STUDY_GRID},
    {"sizes",  FIELD_INT,  I,             NULL, AT(sizes), 1, STUDY_GRID},
    {"span",   FIELD_REAL, I,             NULL, AT(span), 1, 1e6},
    {"centre", FIELD_REAL, H | I,         NULL, AT(centre), 1e-3, 1e3},
    {"hyper",  FIELD_OWN,  I | P,         NULL, 0, 0, 0},
    {"trunk",  FIELD_BOOL, H | I | V,     NULL, AT(trunk), 1, 0},
    {"seeds",  FIELD_OWN,  H | I | V,     NULL, 0, 0, 0},
    {"extend", FIELD_OWN,  H | I,         NULL, 0, 0, 0},
    {"confirm", FIELD_OWN, H | I,         NULL, 0, 0, 0},
    {"early",  FIELD_OWN,  H,             NULL, 0, 0, 0},
};
#undef H
#undef I
#undef P
#undef V
#undef AT
/* clang-format on */
const struct section section_stage = {"stage", stage_fields,
                                      ARRAY_LEN(stage_fields)};

/* --- one stage --- */

static int read_kind(enum stage_kind *kind, const struct doc *d, int item,
                     struct err *e)
{
    const char *text, *near;
    int key;

    if (doc_kind(d, item) != DOC_MAP || doc_count(d, item) != 1)
        return doc_error(d, item, e,
                         "stages: one of hyper, isoflop, predict, verify "
                         "expected, as '- kind: {...}'");
    key = doc_key(d, item, 0);
    text = doc_text(d, key);
    for (size_t i = 0; i < ARRAY_LEN(kind_names); i++)
        if (!strcmp(text, kind_names[i])) {
            *kind = (enum stage_kind)i;
            return 0;
        }
    near = str_nearest(text, kind_names, ARRAY_LEN(kind_names));
    return doc_error(d, key, e,
                     "stages: '%.40s' is none of hyper, isoflop, predict, "
                     "verify%s%s%s",
                     text, near ? "; did you mean '" : "", near ? near : "",
                     near ? "'?" : "");
}

/* The last stage of a kind above the k-th; -1 if there is none. */
static int last_of(const struct study *s, int k, enum stage_kind kind)
{
    while (--k >= 0)
        if (s->stage[k].kind == kind)
            return k;
    return -1;
}

static int read_fixed(struct stage *st, const struct study *s,
                      const struct doc *d, int node, struct err *e)
{
    static const char *const keys[] = {"lr", "batch"};
    int lr = doc_get(d, node, "lr"), batch = doc_get(d, node, "batch");

    if (doc_check_map(d, node, "hyper", keys, ARRAY_LEN(keys), e))
        return -1;
    if (!lr || !batch)
        return doc_error(d, node, e, "hyper: {lr, batch} expected");
    st->hyper = HYPER_FIXED;
    if (doc_double(&st->lr_fixed, d, lr, "lr", e) ||
        doc_i64(&st->batch_fixed, d, batch, "batch", e))
        return -1;
    if (!(st->lr_fixed > 0 && st->lr_fixed <= 1e3))
        return doc_error(d, lr, e, "lr: %s: more than 0 expected",
                         doc_text(d, lr));
    if (st->batch_fixed < s->base.model.seq_len)
        return doc_error(d, batch, e,
                         "batch: %s tokens are less than one sequence of %lld",
                         doc_text(d, batch), (long long)s->base.model.seq_len);
    return 0;
}

/* hyper: fitted | deepseek | {lr, batch}; by default what the stage above
 * does, else fitted where there is something to fit, else Eq. 1. */
static int read_hyper(struct stage *st, const struct study *s, int k,
                      const struct doc *d, int node, struct err *e)
{
    int above = last_of(s, k, STAGE_ISOFLOP);
    const char *text = doc_text(d, node);

    if (!node && above >= 0) {
        st->hyper = s->stage[above].hyper;
        st->lr_fixed = s->stage[above].lr_fixed;
        st->batch_fixed = s->stage[above].batch_fixed;
    } else if (!node) {
        st->hyper =
            last_of(s, k, STAGE_HYPER) >= 0 ? HYPER_FITTED : HYPER_DEEPSEEK;
    } else if (doc_kind(d, node) == DOC_MAP) {
        return read_fixed(st, s, d, node, e);
    } else if (!strcmp(text, "fitted")) {
        st->hyper = HYPER_FITTED;
    } else if (!strcmp(text, "deepseek")) {
        st->hyper = HYPER_DEEPSEEK;
    } else {
        return doc_error(d, node, e,
                         "hyper: '%.40s': fitted, deepseek or {lr, batch} "
                         "expected",
                         text);
    }
    if (st->hyper == HYPER_FITTED && last_of(s, k, STAGE_HYPER) < 0)
        return doc_error(d, node, e,
                         "hyper: fitted needs a hyper stage above this one");
    return 0;
}

/* extend: true | false | N */
static int read_extend(struct stage *st, const struct doc *d, int node,
                       struct err *e)
{
    const char *text = doc_text(d, node);
    int64_t n;
    int yes;

    if (!node)
        return 0;
    if (!str_to_i64(text, &n) && n >= 0 && n <= 100) {
        st->extend = (int)n;
        return 0;
    }
    if (!strcmp(text, "true") || !strcmp(text, "false")) {
        if (doc_bool(&yes, d, node, "extend", e))
            return -1;
        st->extend = yes ? STUDY_EXTEND : 0;
        return 0;
    }
    return doc_error(d, node, e,
                     "extend: '%.40s': true, false or 0 to 100 expected", text);
}

/* confirm: [2, 3], seeds that the stage does not train everything with. */
static int read_confirm(struct stage *st, const struct doc *d, int node,
                        struct err *e)
{
    if (!node)
        return 0;
    if (seeds_read(st->confirm, &st->n_confirm, d, node, "confirm", e))
        return -1;
    for (int i = 0; i < st->n_confirm; i++)
        for (int j = 0; j < st->n_seed; j++)
            if (st->confirm[i] == st->seed[j])
                return doc_error(d, node, e,
                                 "confirm: %lld is one of the stage's seeds: a "
                                 "fresh one expected",
                                 (long long)st->confirm[i]);
    return 0;
}

/* early: true | false | {at: 0.4, margin: 0.05} */
static int read_early(struct stage *st, const struct doc *d, int node,
                      struct err *e)
{
    static const char *const keys[] = {"at", "margin"};
    int at = doc_get(d, node, "at"), margin = doc_get(d, node, "margin");
    int yes = 1;

    if (!node)
        return 0;
    if (doc_kind(d, node) != DOC_MAP) {
        if (doc_bool(&yes, d, node, "early", e))
            return -1;
    } else if (doc_check_map(d, node, "early", keys, ARRAY_LEN(keys), e) ||
               (at && doc_double(&st->early_at, d, at, "early.at", e)) ||
               (margin &&
                doc_double(&st->early_margin, d, margin, "early.margin", e))) {
        return -1;
    }
    if (!at)
        st->early_at = yes ? STUDY_EARLY_AT : 0;
    if (!margin)
        st->early_margin = yes ? STUDY_EARLY_MARGIN : 0;
    if (at && !(st->early_at > 0 && st->early_at < 1))
        return doc_error(d, at, e, "early.at: %s: between 0 and 1 expected",
                         doc_text(d, at));
    if (margin && !(st->early_margin > 0 && st->early_margin <= 10))
        return doc_error(d, margin, e, "early.margin: %s: above 0 expected",
                         doc_text(d, margin));
    return 0;
}

/* --- what a stage needs --- */

static int check_hyper(const struct stage *st, const struct study *s,
                       const struct doc *d, int map, struct err *e)
{
    int64_t unit = shape_unit(&s->shape);
    int width = doc_get(d, map, "width"), M = doc_get(d, map, "M");

    if (!st->lr.n || !st->batch.n)
        return doc_error(d, map, e, "hyper: missing key '%s'",
                         st->lr.n ? "batch" : "lr");
    if (st->lr.value[st->lr.n - 1] > 1e3)
        return doc_error(d, doc_get(d, map, "lr"), e,
                         "lr: at most 1000 expected");
    if (st->batch.value[0] < (double)s->base.model.seq_len)
        return doc_error(d, doc_get(d, map, "batch"), e,
                         "batch: %.0f tokens are less than one sequence of "
                         "%lld",
                         st->batch.value[0], (long long)s->base.model.seq_len);
    if (st->batch.value[st->batch.n - 1] > 1e12)
        return doc_error(d, doc_get(d, map, "batch"), e,
                         "batch: at most 1e12 tokens expected");
    if (width && M)
        return doc_error(d, width, e, "hyper: width or M expected, not both");
    if (width && (st->width % unit || st->width > s->shape.max_d_model))
        return doc_error(d, width, e,
                         "width: %lld: a multiple of %lld up to %lld expected",
                         (long long)st->width, (long long)unit,
                         (long long)s->shape.max_d_model);
    if (M && st->M.n > 1 && st->M.n != st->flops.n)
        return doc_error(d, M, e,
                         "M: one value, or one for each of the %d budgets, "
                         "expected",
                         st->flops.n);
    return 0;
}

static int check_isoflop(struct stage *st, const struct doc *d, int map,
                         struct err *e)
{
    if (!st->M.n)
        return 0;
    if (doc_get(d, map, "sizes") || doc_get(d, map, "span") ||
        doc_get(d, map, "centre"))
        return doc_error(d, doc_get(d, map, "M"), e,
                         "M: give the sizes by M, or by sizes, span and "
                         "centre");
    st->sizes = st->M.n;
    return 0;
}

/* Budgets are those of the predict stages above, all of them by default. */
static int check_verify(struct stage *st, const struct study *s, int k,
                        const struct doc *d, int map, struct err *e)
{
    int flops = doc_get(d, map, "flops"), p = last_of(s, k, STAGE_PREDICT);

    if (p < 0)
        return doc_error(d, map, e,
                         "verify needs a predict stage above this one");
    if (!flops)
        st->flops = s->stage[p].flops;
    for (int i = 0; i < st->flops.n; i++) {
        int found = 0;
        for (int j = 0; j < k; j++)
            for (int b = 0;
                 s->stage[j].kind == STAGE_PREDICT && b < s->stage[j].flops.n;
                 b++)
                found |=
                    axis_same(st->flops.value[i], s->stage[j].flops.value[b]);
        if (!found)
            return doc_error(d, flops, e,
                             "verify: no predict stage above has the budget "
                             "%g",
                             st->flops.value[i]);
    }
    st->hyper = s->stage[p].hyper;
    st->lr_fixed = s->stage[p].lr_fixed;
    st->batch_fixed = s->stage[p].batch_fixed;
    return 0;
}

static int check_stage(struct stage *st, const struct study *s, int k,
                       const struct doc *d, int map, struct err *e)
{
    for (int i = 0; i < k; i++)
        if (!strcmp(s->stage[i].name, st->name))
            return doc_error(d, map, e,
                             "stages: '%s' is the name of the stage on line "
                             "%d; give this one another `name`",
                             st->name, s->stage[i].line);
    if (st->kind != STAGE_VERIFY && !st->flops.n)
        return doc_error(d, map, e, "%s: missing key 'flops'",
                         kind_names[st->kind]);
    switch (st->kind) {
    case STAGE_HYPER:
        return check_hyper(st, s, d, map, e);
    case STAGE_ISOFLOP:
        return check_isoflop(st, d, map, e);
    case STAGE_PREDICT:
        if (last_of(s, k, STAGE_ISOFLOP) < 0)
            return doc_error(d, map, e,
                             "predict needs an isoflop stage above this one");
        return 0;
    case STAGE_VERIFY:
        return check_verify(st, s, k, d, map, e);
    }
    return 0;
}

static int read_stage(struct study *s, const struct doc *d, int item,
                      const int64_t *seed, int n_seed, struct err *e)
{
    int k = s->n_stage, map, seeds;
    struct stage *st = &s->stage[k];

    if (k == STUDY_STAGES)
        return doc_error(d, item, e, "stages: at most %d expected",
                         STUDY_STAGES);
    if (read_kind(&st->kind, d, item, e))
        return -1;
    map = doc_item(d, item, 0);
    st->line = doc_line(d, doc_key(d, item, 0));
    snprintf(st->name, sizeof st->name, "%s", kind_names[st->kind]);
    st->sizes = 8;
    st->span = 8;
    st->centre = 1;
    st->trunk = s->trunk;
    if (st->kind != STAGE_PREDICT) {
        memcpy(st->seed, seed, sizeof st->seed);
        st->n_seed = n_seed;
    }
    if (section_check(&section_stage, 1u << st->kind, d, map,
                      kind_names[st->kind], e) ||
        section_read(st, NULL, &section_stage, d, map, e))
        return -1;
    seeds = doc_get(d, map, "seeds");
    if (seeds) {
        memset(st->seed, 0, sizeof st->seed);
        if (seeds_read(st->seed, &st->n_seed, d, seeds, "seeds", e))
            return -1;
    }
    if (read_confirm(st, d, doc_get(d, map, "confirm"), e))
        return -1;
    if (st->kind == STAGE_ISOFLOP || st->kind == STAGE_PREDICT)
        if (read_hyper(st, s, k, d, doc_get(d, map, "hyper"), e))
            return -1;
    if (read_extend(st, d, doc_get(d, map, "extend"), e) ||
        read_early(st, d, doc_get(d, map, "early"), e) ||
        check_stage(st, s, k, d, map, e))
        return -1;
    s->n_stage++;
    return 0;
}

int stages_read(struct study *s, const struct doc *d, int list,
                const int64_t *seed, int n_seed, struct err *e)
{
    if (doc_kind(d, list) != DOC_LIST || !doc_count(d, list))
        return doc_error(d, list, e, "stages: a list of stages expected");
    for (int i = 0; i < doc_count(d, list); i++)
        if (read_stage(s, d, doc_item(d, list, i), seed, n_seed, e))
            return -1;
    return 0;
}
