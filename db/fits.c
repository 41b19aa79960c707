/* fits: see fits.h. */
#include "db/fits.h"

#include "base/hash.h"
#include "base/mem.h"
#include "db/journal.h"
#include "db/sql.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sql_add_fit[] =
    "INSERT INTO fit(study, at, law, method, n, identified, refused, input, "
    "json) VALUES(:study, :now, :law, :method, :n, :identified, :refused, "
    ":input, :json) RETURNING id";
static const char sql_add[] =
    "INSERT INTO prediction(study, stage, flops, model, d_model, n_layer, lr, "
    "batch_tokens, M, N, D, bpb, bpb_lo, bpb_hi, level, decades, sha256, made, "
    "json) VALUES(:study, :stage, :flops, :model, :d_model, :n_layer, :lr, "
    ":batch_tokens, :M, :N, :D, :bpb, :bpb_lo, :bpb_hi, :level, :decades, "
    ":sha256, :made, :json) RETURNING id";
#define PREDICTION_COLUMNS                                                     \
    "SELECT id, flops, model, lr, batch_tokens, M, N, D, bpb, bpb_lo, "        \
    "bpb_hi, level, decades, sha256, made, json FROM prediction "
static const char sql_one[] = PREDICTION_COLUMNS
    "WHERE study = :study AND stage = :stage AND flops = :flops";
static const char sql_all[] =
    PREDICTION_COLUMNS "WHERE study = :study ORDER BY flops, stage";

/* --- fits --- */

static int put_fit(int64_t *id, struct store *db, int64_t study,
                   const struct db_fit *f, struct err *e)
{
    char now[SQL_TIME];
    struct sql q;

    if (sql_open(&q, db, sql_add_fit, e))
        return -1;
    sql_int(&q, ":study", study);
    sql_text(&q, ":now", sql_now(now, db));
    sql_text(&q, ":law", f->law);
    sql_text(&q, ":method", f->method);
    sql_int(&q, ":n", f->n);
    sql_int(&q, ":identified", f->identified != 0);
    sql_text(&q, ":refused", f->refused);
    sql_text(&q, ":input", f->input);
    sql_text(&q, ":json", f->json);
    if (sql_run_id(id, &q, e))
        return -1;
    journal_op(
        db, "fit",
        json_pack("{s:I, s:I, s:o, s:o, s:I, s:i, s:o, s:o, s:o}", "id",
                  (json_int_t)*id, "study", (json_int_t)study, "law",
                  journal_text(f->law), "method", journal_text(f->method), "n",
                  (json_int_t)f->n, "identified", f->identified != 0, "refused",
                  journal_text(f->refused), "input", journal_text(f->input),
                  "json", journal_text(f->json)));
    return 0;
}

int db_fit_put(int64_t *id, struct store *db, int64_t study,
               const struct db_fit *f, struct err *e)
{
    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    return sql_end(db, put_fit(id, db, study, f, e), e);
}

/* --- predictions --- */

/* The lines of a spec that describe the model, and back. */
static void print_model(struct str *out, const struct model_spec *m)
{
    struct run_spec s;
    struct str all;
    char *save = NULL;

    spec_defaults(&s);
    s.model = *m;
    str_init(&all);
    spec_print(&all, &s);
    for (char *line = strtok_r(all.text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        if (!strncmp(line, "model.", 6))
            str_addf(out, "%s\n", line);
    str_release(&all);
}

static int read_prediction(struct db_prediction *p, struct sql *q,
                           struct err *e)
{
    struct run_spec s;

    spec_defaults(&s);
    if (spec_parse(&s, sql_get_text(q, 2), e)) {
        if (e)
            e->cls = ERR_DB;
        return err_prefix(e, "%s: prediction %lld: ", q->db->path,
                          (long long)sql_get_int(q, 0));
    }
    *p = (struct db_prediction){
        .id = sql_get_int(q, 0),
        .choice = {.flops = sql_get_real(q, 1),
                   .model = s.model,
                   .lr = sql_get_real(q, 3),
                   .batch_tokens = sql_get_int(q, 4)},
        .M = sql_get_real(q, 5),
        .N = sql_get_real(q, 6),
        .D = sql_get_real(q, 7),
        .bpb = sql_get_real(q, 8),
        .bpb_lo = sql_get_real(q, 9),
        .bpb_hi = sql_get_real(q, 10),
        .level = sql_get_real(q, 11),
        .decades = sql_get_real(q, 12),
        .json = xstrdup(sql_get_text(q, 15)),
    };
    snprintf(p->sha256, sizeof p->sha256, "%s", sql_get_text(q, 13));
    snprintf(p->made, sizeof p->made, "%s", sql_get_text(q, 14));
    return 0;
}

/* 1: *p is the stored one; 0: there is none. */
static int find_prediction(struct db_prediction *p, struct store *db,
                           int64_t study, int stage, struct err *e)
{
    char *json = p->json;
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_one, e))
        return -1;
    sql_int(&q, ":study", study);
    sql_int(&q, ":stage", stage);
    sql_real(&q, ":flops", p->choice.flops);
    rc = sql_step(&q, e);
    if (rc == 1 && read_prediction(p, &q, e))
        rc = -1;
    sql_close(&q);
    if (rc == 1)
        free(json);
    return rc;
}

static void log_prediction(struct store *db, int64_t study, int stage,
                           const struct db_prediction *p, const char *model)
{
    journal_op(
        db, "prediction",
        json_pack("{s:I, s:I, s:i, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, "
                  "s:o, s:o, s:o, s:o, s:o}",
                  "id", (json_int_t)p->id, "study", (json_int_t)study, "stage",
                  stage, "flops", journal_real(p->choice.flops), "model",
                  journal_text(model), "lr", journal_real(p->choice.lr),
                  "batch_tokens", (json_int_t)p->choice.batch_tokens, "M",
                  journal_real(p->M), "N", journal_real(p->N), "D",
                  journal_real(p->D), "bpb", journal_real(p->bpb), "bpb_lo",
                  journal_real(p->bpb_lo), "bpb_hi", journal_real(p->bpb_hi),
                  "level", journal_real(p->level), "decades",
                  journal_real(p->decades), "json", journal_text(p->json)));
}

static int add_prediction(struct store *db, int64_t study, int stage,
                          struct db_prediction *p, struct err *e)
{
    char now[SQL_TIME];
    struct str model;
    struct sql q;
    int rc;

    hash_sha256(p->sha256, p->json, strlen(p->json));
    snprintf(p->made, sizeof p->made, "%s", sql_now(now, db));
    if (sql_open(&q, db, sql_add, e))
        return -1;
    str_init(&model);
    print_model(&model, &p->choice.model);
    sql_int(&q, ":study", study);
    sql_int(&q, ":stage", stage);
    sql_real(&q, ":flops", p->choice.flops);
    sql_text(&q, ":model", model.text);
    sql_int(&q, ":d_model", p->choice.model.d_model);
    sql_int(&q, ":n_layer", p->choice.model.n_layer);
    sql_real(&q, ":lr", p->choice.lr);
    sql_int(&q, ":batch_tokens", p->choice.batch_tokens);
    sql_real(&q, ":M", p->M);
    sql_real(&q, ":N", p->N);
    sql_real(&q, ":D", p->D);
    sql_real(&q, ":bpb", p->bpb);
    sql_real(&q, ":bpb_lo", p->bpb_lo);
    sql_real(&q, ":bpb_hi", p->bpb_hi);
    sql_real(&q, ":level", p->level);
    sql_real(&q, ":decades", p->decades);
    sql_text(&q, ":sha256", p->sha256);
    sql_text(&q, ":made", p->made);
    sql_text(&q, ":json", p->json);
    rc = sql_run_id(&p->id, &q, e);
    if (rc == 0)
        log_prediction(db, study, stage, p, model.text);
    str_release(&model);
    return rc;
}

static int put_prediction(struct store *db, int64_t study, int stage,
                          struct db_prediction *p, struct err *e)
{
    int rc = find_prediction(p, db, study, stage, e);

    if (rc == 0)
        rc = add_prediction(db, study, stage, p, e);
    return rc < 0 ? -1 : 0;
}

int db_prediction_put(struct store *db, int64_t study, int stage,
                      struct db_prediction *p, struct err *e)
{
    BUG_ON(!p->json);
    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    return sql_end(db, put_prediction(db, study, stage, p, e), e);
}

int db_predictions(struct db_prediction **p, size_t *n, struct store *db,
                   int64_t study, struct err *e)
{
    struct db_prediction *list = NULL;
    size_t count = 0, cap = 0;
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_all, e))
        return -1;
    sql_int(&q, ":study", study);
    while ((rc = sql_step(&q, e)) == 1) {
        list = mem_grow(list, &cap, count + 1, sizeof *list);
        if (read_prediction(&list[count], &q, e)) {
            rc = -1;
            break;
        }
        count++;
    }
    sql_close(&q);
    if (rc < 0) {
        while (count)
            free(list[--count].json);
        free(list);
        return -1;
    }
    *p = list ? list : xmalloc(1);
    *n = count;
    return 0;
}
