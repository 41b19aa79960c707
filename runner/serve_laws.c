/* serve_laws: the laws and figures of a study, fitted again when a run has
 * ended. */
#include "runner/serve.h"

#include "db/query.h"

#include <stdio.h>
#include <string.h>

#define WAIT 1.0 /* seconds; a small study is fitted by then */

/* --- when to make them again --- */

static int keep_mark(void *ctx, int n, const char *const *value)
{
    struct str *mark = ctx;

    for (int i = 0; i < n; i++)
        str_addf(mark, " %s", value[i] ? value[i] : "");
    return 0;
}

/* What the laws were made from, in a word: runs that have ended, stages and
 * predictions. */
static int make_mark(struct str *mark, struct store *db, int64_t study,
                     struct err *e)
{
    char sql[512];

    str_addf(mark, "%lld", (long long)study);
    snprintf(sql, sizeof sql,
             "SELECT count(*), sum(state IN ('done', 'diverged', 'failed', "
             "'stopped')), max(finished), (SELECT group_concat(state) FROM "
             "stages WHERE study_id = %lld), (SELECT count(*) FROM predictions "
             "WHERE study_id = %lld), (SELECT count(*) FROM fits WHERE "
             "study_id = %lld) FROM runs WHERE study_id = %lld",
             (long long)study, (long long)study, (long long)study,
             (long long)study);
    return db_each(db, sql, keep_mark, mark, e);
}

/* --- answers --- */

/* 1 and what there is while another fit is being made. */
static int answer(struct str *out, double *seconds, struct serve *s,
                  struct store *db, const struct http_request *q,
                  enum serve_part part, struct err *e)
{
    const char *name = q->argument(q, "study");
    struct serve_want want = {.name = name && *name ? name : s->study,
                              .wait = WAIT};
    struct str mark;
    int rc;

    str_init(&mark);
    rc = serve_study_id(&want.study, s, db, q, e) ||
         make_mark(&mark, db, want.study, e);
    want.mark = mark.text;
    rc = rc ? -1 : serve_fit_get(out, seconds, s->fit, &want, part, e);
    str_release(&mark);
    return rc;
}

int serve_laws(struct serve *s, struct store *db, const struct http_request *q,
               struct str *out, struct err *e)
{
    struct str have;
    double seconds;
    int rc;

    str_init(&have);
    rc = answer(&have, &seconds, s, db, q, SERVE_LAWS, e);
    if (rc == 1)
        str_addf(out, "{\"fitting\":%.1f,%s", seconds,
                 have.len ? have.text + 1
                          : "\"refused\":null,\"fits\":[],"
                            "\"hyper_in_use\":null}");
    else if (!rc)
        str_add_n(out, have.text, have.len);
    str_release(&have);
    return rc;
}

int serve_figures(struct serve *s, struct store *db,
                  const struct http_request *q, struct str *out, struct err *e)
{
    double seconds;
    int rc = answer(out, &seconds, s, db, q, SERVE_FIGURES, e);

    if (rc == 1 && !out->len)
        str_add(out, "[]");
    return rc;
}

/* The report of before with a word about it, or only that. */
static void put_report(struct str *out, const struct str *have, double seconds)
{
    static const char begin[] = "<main>\n";
    const char *at = have->len ? strstr(have->text, begin) : NULL;

    if (!at) {
        str_addf(out,
                 "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset="
                 "\"utf-8\"><meta http-equiv=\"refresh\" content=\"2\"><title>"
                 "loglog</title></head><body><p>The report is being made: "
                 "fitting for %.0f s so far.</p></body></html>\n",
                 seconds);
        return;
    }
    at += strlen(begin);
    str_add_n(out, have->text, (size_t)(at - have->text));
    str_addf(
        out,
        "<p role=\"status\"><em>Runs have ended since this was made; it is "
        "being made again, for %.0f s so far.</em></p>\n",
        seconds);
    str_add(out, at);
}

int serve_report(struct serve *s, struct store *db,
                 const struct http_request *q, struct str *out, struct err *e)
{
    struct str have;
    double seconds;
    int rc;

    str_init(&have);
    rc = answer(&have, &seconds, s, db, q, SERVE_REPORT, e);
    if (rc == 1)
        put_report(out, &have, seconds);
    else if (!rc)
        str_add_n(out, have.text, have.len);
    str_release(&have);
    return rc;
}
