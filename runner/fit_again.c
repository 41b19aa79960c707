/* fit_again: see fit_again.h. */
#include "runner/fit_again.h"

#include "db/query.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct read {
    struct fit_again *a;
    int found, rc;
    struct err *e;
};

static int take(void *ctx, int n, const char *const *value)
{
    struct read *r = ctx;

    if (n < 2 || !value[0] || !value[1])
        return 1;
    snprintf(r->a->study, sizeof r->a->study, "%s", value[1]);
    r->rc = fit_result_from_json(&r->a->stored, value[0], r->e);
    r->found = r->rc == 0;
    if (r->found && !r->a->stored.input[0] && n > 2 && value[2])
        snprintf(r->a->stored.input, sizeof r->a->stored.input, "%s", value[2]);
    return 1;
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

int fit_again_read(struct fit_again *a, struct fit_ask *ask,
                   struct fit_source *s, int64_t id, struct err *e)
{
    struct read r = {.a = a, .e = e};
    struct store *db;
    char sql[96];
    int rc;

    memset(a, 0, sizeof *a);
    snprintf(sql, sizeof sql,
             "SELECT json, study, input FROM fits WHERE fit = %" PRId64, id);
    if (store_open(&db, s->db, STORE_READ, e))
        return -1;
    rc = db_each(db, sql, take, &r, e);
    store_close(db);
    if (rc || r.rc)
        return -1;
    if (!r.found)
        return err_set(e, ERR_USAGE,
                       "--again %" PRId64 ": no such fit in %.100s (loglog "
                       "query F \"SELECT fit, law, at FROM fits\" lists them)",
                       id, s->db);
    fit_ask_load(ask, a->stored.options);
    if (isnan(ask->level))
        ask->level = a->stored.level;
    s->study = a->study;
    s->stage = text(a->stored.options, "stage");
    s->where = text(a->stored.options, "where");
    return 0;
}

void fit_again_release(struct fit_again *a)
{
    if (a->stored.options)
        fit_result_release(&a->stored);
}

static int equal(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static int differ(const char *what, double stored, double now)
{
    if (equal(stored, now))
        return 0;
    printf("  %s: stored %.17g, now %.17g\n", what, stored, now);
    return 1;
}

int fit_again_compare(const struct fit_again *a, const struct fit_result *r,
                      int64_t id)
{
    const struct fit_result *s = &a->stored;
    int changed = 0;

    if (strcmp(s->input, r->input) != 0) {
        printf("again: the points are not those of fit %" PRId64
               " (%.12s then, %.12s now)\n",
               id, s->input, r->input);
        changed = 1;
    }
    changed |= differ("objective", s->objective, r->objective);
    for (size_t i = 0; i < s->n_params; i++) {
        const struct fit_param *p = &s->param[i];
        const struct fit_param *q = fit_result_find(r, p->name);
        char name[64];
        if (!q) {
            printf("  %s: not there now\n", p->name);
            changed = 1;
            continue;
        }
        changed |= differ(p->name, p->value, q->value);
        snprintf(name, sizeof name, "%s, low", p->name);
        changed |= differ(name, p->lo, q->lo);
        snprintf(name, sizeof name, "%s, high", p->name);
        changed |= differ(name, p->hi, q->hi);
    }
    printf("again: fit %" PRId64 " of %.19s %s\n", id,
           s->version[0] ? s->version : "?",
           changed ? "differs" : "is the same to the last digit");
    return changed;
}
