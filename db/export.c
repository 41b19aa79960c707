/* export: see export.h. */
#include "db/export.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* clang-format off */
const struct export_what export_what[] = {
    {"runs",        "runs ORDER BY study_id, ord",  "every run, in any state"},
    {"points",      "points ORDER BY study_id, ord", "finished runs, as fits see them"},
    {"steps",       "curves",                       "every training step"},
    {"evaluations", "evaluations",                  "every evaluation"},
    {"attempts",    "attempts",                     "every attempt, with its provenance"},
    {"optima",      "optima ORDER BY study_id, stage_id, budget", "the best of each stage and budget"},
    {"fits",        "fits ORDER BY fit",            "every fit"},
    {"predictions", "predictions ORDER BY prediction", "predictions and what was measured"},
    {"cost",        "cost ORDER BY study_id, stage_id", "compute and time by stage"},
    {"events",      "events ORDER BY event",        "what happened"},
    {NULL, NULL, NULL},
};
/* clang-format on */

static const struct export_what *find(const char *what)
{
    for (const struct export_what *w = export_what; w->name; w++)
        if (!strcmp(w->name, what))
            return w;
    return NULL;
}

int db_export(FILE *out, struct store *db, const char *what, const char *where,
              enum query_format format, struct err *e)
{
    const struct export_what *w = find(what);
    struct str sql;
    size_t view;
    int rc;

    if (!w) {
        str_init(&sql);
        for (w = export_what; w->name; w++)
            str_addf(&sql, "%s%s", w == export_what ? "" : ", ", w->name);
        err_set(e, ERR_USAGE, "nothing to export called '%s'; one of: %s", what,
                sql.text);
        str_release(&sql);
        return -1;
    }
    view = strcspn(w->view, " ");
    str_init(&sql);
    str_addf(&sql, "SELECT * FROM %.*s", (int)view, w->view);
    if (where)
        str_addf(&sql, " WHERE (\n%s\n)", where);
    str_add(&sql, w->view + view);
    rc = db_query(out, db, sql.text, format, e);
    str_release(&sql);
    return rc;
}
