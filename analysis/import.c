/* Points from files. */
#include "analysis/import.h"

#include "analysis/expr.h"
#include "analysis/table.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a mapping may set besides the columns of points.h. */
enum extra { TO_GROUP = POINT_COLS, TO_STAGE, TO_USED, TARGETS };
static const char *const extra_names[] = {"group", "stage", "used"};

#define ASSIGNMENTS 48

struct assignment {
    int target;
    char name[32];
    struct expr *value;
};

struct mapping {
    int n;
    struct assignment a[ASSIGNMENTS];
    const char *name[EXPR_NAMES]; /* borrowed from a[] */
};

/* Usual names of columns, for files that need no mapping. */
static const struct {
    const char *name;
    int target;
} usual[] = {
    {"params", POINT_N},
    {"parameters", POINT_N},
    {"n_params", POINT_N},
    {"model_size", POINT_N},
    {"tokens", POINT_D},
    {"n_tokens", POINT_D},
    {"train_tokens", POINT_D},
    {"training_tokens", POINT_D},
    {"c", POINT_FLOPS},
    {"compute", POINT_FLOPS},
    {"flop", POINT_FLOPS},
    {"training_flop", POINT_FLOPS},
    {"final_loss", POINT_LOSS},
    {"val_loss", POINT_LOSS},
    {"valid_loss", POINT_LOSS},
    {"learning_rate", POINT_LR},
    {"batch_tokens", POINT_BATCH},
    {"unique_tokens", POINT_UNIQUE},
    {"step", POINT_STEPS},
    {"params_active_precise", POINT_N}, /* of the Gemstones */
    {"n_parameters", POINT_N},
    {"num_params", POINT_N},
    {"smooth_loss", POINT_LOSS},
    {"eval_loss", POINT_LOSS},
    {"validation_loss", POINT_LOSS},
    {"test_loss", POINT_LOSS},
    {"width", POINT_D_MODEL},
    {"depth", POINT_N_LAYER},
    {"weight_decay", POINT_WD},
    {"run", TO_GROUP},
    {"run_name", TO_GROUP},
    {"run_id", TO_GROUP},
};

/* What is left of a name: nothing, or a unit that changes no number. */
static int ends(const char *rest)
{
    static const char *const units[] = {"(flops)", "(flop)", "(tokens)",
                                        "(nats)"};

    for (size_t k = 0; k < ARRAY_LEN(units); k++)
        if (strcasecmp(rest, units[k]) == 0)
            return 1;
    return !*rest;
}

/* Is this the column's name?  Case, blanks, '_', '-' and '.' do not count, nor
 * the objects that it is in: "metrics.Final Loss" is a final_loss. */
static int same_name(const char *usual_name, const char *column)
{
    const char *dot = strrchr(column, '.'), *c = dot ? dot + 1 : column;

    for (const char *u = usual_name;; u++, c++) {
        while (*u == '_')
            u++;
        while (*c && strchr(" _-", *c))
            c++;
        if (!*u || !*c)
            return !*u && ends(c);
        if (tolower((unsigned char)*u) != tolower((unsigned char)*c))
            return 0;
    }
}

static void mapping_release(struct mapping *m)
{
    for (int i = 0; i < m->n; i++)
        expr_free(m->a[i].value);
    m->n = 0;
}

static const char *target_name(int target)
{
    return target < POINT_COLS ? point_col_name((enum point_col)target)
                               : extra_names[target - POINT_COLS];
}

static int target_parse(const char *name)
{
    int c = point_col_parse(name);

    for (int k = 0; c < 0 && k < TARGETS - POINT_COLS; k++)
        if (strcasecmp(name, extra_names[k]) == 0)
            return POINT_COLS + k;
    return c;
}

static int unknown_target(const char *name, struct err *e)
{
    const char *list[TARGETS];
    struct str s;

    for (int c = 0; c < TARGETS; c++)
        list[c] = target_name(c);
    const char *near = str_nearest(name, list, TARGETS);
    str_init(&s);
    if (near)
        str_addf(&s, "did you mean '%s'?", near);
    else
        for (int c = 0; c < TARGETS; c++)
            str_addf(&s, "%s%s", c ? ", " : "expected one of ", list[c]);
    err_set(e, ERR_USAGE, "--map: unknown column '%.40s', %s", name, s.text);
    str_release(&s);
    return -1;
}

/* Add name=formula. */
static int assign(struct mapping *m, int target, const char *formula,
                  const struct table *t, struct err *e)
{
    struct assignment *a = &m->a[m->n];

    if (m->n == ASSIGNMENTS)
        return err_set(e, ERR_USAGE, "--map: more than %d columns",
                       ASSIGNMENTS);
    a->target = target;
    snprintf(a->name, sizeof(a->name), "%s", target_name(target));
    if (expr_parse(&a->value, formula, t, m->name, m->n, e))
        return err_prefix(e, "--map %s: ", a->name);
    m->name[m->n] = a->name;
    m->n++;
    return 0;
}

/* One "name = formula" of the mapping, in place. */
static int parse_pair(struct mapping *m, char *pair, const struct table *t,
                      struct err *e)
{
    char *equals = strchr(pair, '='), *end;

    while (isspace((unsigned char)*pair))
        pair++;
    if (!equals || equals == pair)
        return err_set(e, ERR_USAGE, "--map: '%.60s', expected COLUMN=FORMULA",
                       pair);
    *equals = '\0';
    for (end = equals; end > pair && isspace((unsigned char)end[-1]);)
        *--end = '\0';
    int target = target_parse(pair);
    if (target < 0)
        return unknown_target(pair, e);
    return assign(m, target, equals + 1, t, e);
}

/* Split at the commas outside parentheses and quotes. */
static int parse_map(struct mapping *m, const char *map, const struct table *t,
                     struct err *e)
{
    char *copy = xstrdup(map), *start = copy, quote = 0;
    int depth = 0, rc = 0;

    for (char *c = copy; rc == 0; c++) {
        int end = *c == '\0';
        if (quote)
            quote = *c == quote ? 0 : quote;
        else if (*c == '\'' || *c == '"' || *c == '`')
            quote = *c;
        else
            depth += (*c == '(') - (*c == ')');
        if (!end && (*c != ',' || depth > 0 || quote))
            continue;
        *c = '\0';
        if (start[strspn(start, " \t\r\n")])
            rc = parse_pair(m, start, t, e);
        start = c + 1;
        if (end)
            break;
    }
    free(copy);
    return rc;
}

/* Name a column for a formula whatever is in its name. */
static int assign_column(struct mapping *m, int target, const char *column,
                         const struct table *t, struct err *e)
{
    char quoted[300];

    if (strlen(column) > 256 || strpbrk(column, "`"))
        return 0;
    snprintf(quoted, sizeof(quoted), "`%s`", column);
    return assign(m, target, quoted, t, e);
}

/* Columns by their usual names: first their own, then the others'. */
static int guess_map(struct mapping *m, const struct table *t, struct err *e)
{
    int have[TARGETS] = {0};
    struct str s;

    for (int target = 0; target < TARGETS; target++)
        for (size_t c = 0; c < t->cols; c++)
            if (same_name(target_name(target), t->name[c]) && !have[target]++ &&
                assign_column(m, target, t->name[c], t, e))
                return -1;
    for (size_t k = 0; k < ARRAY_LEN(usual); k++)
        for (size_t c = 0; c < t->cols; c++)
            if (same_name(usual[k].name, t->name[c]) &&
                !have[usual[k].target]++ &&
                assign_column(m, usual[k].target, t->name[c], t, e))
                return -1;
    if (have[POINT_LOSS] || have[POINT_BPB])
        return 0;
    str_init(&s);
    for (size_t c = 0; c < t->cols && c < 20; c++)
        str_addf(&s, "%s%s", c ? ", " : "", t->name[c]);
    err_set(e, ERR_USAGE,
            "%s: no column is called loss or bpb; say which is with "
            "--map loss=COLUMN,n=...,d=... (columns: %.300s)",
            t->path, s.text);
    str_release(&s);
    return -1;
}

static int fill_row(struct point *r, const struct mapping *m, size_t row,
                    struct err *e)
{
    double named[EXPR_NAMES] = {0}, v;

    for (int i = 0; i < m->n; i++) {
        const struct assignment *a = &m->a[i];
        if (a->target == TO_GROUP || a->target == TO_STAGE) {
            char *to = a->target == TO_GROUP ? r->group : r->stage;
            if (expr_text(to, POINT_TEXT, a->value, row, named, e))
                return -1;
            continue;
        }
        if (expr_eval(&v, a->value, row, named, e))
            return -1; /* which begins with file:line */
        named[i] = v;
        if (a->target < POINT_COLS) {
            r->col[a->target] = isfinite(v) ? v : NAN;
        } else if (!(v != 0)) {
            r->used = 0;
            snprintf(r->why, POINT_TEXT, "not used by the file");
        }
    }
    if (r->used && isnan(r->col[POINT_LOSS]) && isnan(r->col[POINT_BPB])) {
        r->used = 0;
        snprintf(r->why, POINT_TEXT, "no loss");
    }
    return 0;
}

static int fill(struct points *p, const struct table *t,
                const struct mapping *m, const struct expr *where,
                struct err *e)
{
    struct point r;
    double keep;

    for (size_t row = 0; row < t->rows; row++) {
        if (where) {
            if (expr_eval(&keep, where, row, NULL, e))
                return -1;
            if (!(keep != 0) || isnan(keep))
                continue;
        }
        point_init(&r);
        r.run = t->line[row];
        if (fill_row(&r, m, row, e))
            return -1;
        points_add(p, &r);
    }
    return 0;
}

int points_import(struct points *p, const char *path, const char *map,
                  const char *where, struct err *e)
{
    struct points fresh;
    struct mapping m = {.n = 0};
    struct expr *condition = NULL;
    struct table t;
    struct point r;
    int rc = -1;

    memset(&t, 0, sizeof(t));
    points_init(&fresh);
    if (table_read(&t, path, e))
        goto out;
    if (map ? parse_map(&m, map, &t, e) : guess_map(&m, &t, e))
        goto out;
    if (where && expr_parse(&condition, where, &t, NULL, 0, e)) {
        err_prefix(e, "--where: ");
        goto out;
    }
    if (fill(&fresh, &t, &m, condition, e))
        goto out;
    points_derive(&fresh);
    snprintf(p->file, sizeof(p->file), "%s", path);
    for (size_t i = 0; i < fresh.n; i++) {
        points_row(&r, &fresh, i);
        points_add(p, &r);
    }
    rc = 0;
out:
    for (char *c = e ? e->text : NULL; rc && c && *c;
         c++) /* a cell may hold anything */
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = ' ';
    expr_free(condition);
    mapping_release(&m);
    points_release(&fresh);
    table_release(&t);
    return rc;
}
