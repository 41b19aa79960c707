/* runs: what is planned, in planned order; see runs.h. */
#include "db/runs.h"

#include "base/mem.h"
#include "db/journal.h"
#include "db/sql.h"
#include "sweep/flops.h"

#include <stdlib.h>
#include <string.h>

static const char sql_spec[] = "SELECT spec FROM run WHERE id = :id";
static const char sql_add_run[] =
    "INSERT INTO run(id, spec, family, d_model, n_layer, n_head, n_kv_head, "
    "d_ff, vocab, seq_len, M, N1, N2, params, D, flops, flops_exact, lr, "
    "batch_tokens, steps, schedule, dtype, seed, data, added) "
    "VALUES(:id, :spec, :family, :d_model, :n_layer, :n_head, :n_kv_head, "
    ":d_ff, :vocab, :seq_len, :M, :N1, :N2, :params, :D, :flops, :flops_exact, "
    ":lr, :batch_tokens, :steps, :schedule, :dtype, :seed, :data, :now)";
static const char sql_add_stage[] =
    "INSERT INTO stage(study, idx, name, state, changed) "
    "VALUES(:study, :idx, :name, 'open', :now) "
    "ON CONFLICT(study, idx) DO NOTHING";
static const char sql_next_ord[] =
    "SELECT coalesce(max(ord), -1) + 1 FROM study_run WHERE study = :study";
static const char sql_add_study_run[] =
    "INSERT INTO study_run(study, stage, run, ord, budget, extension, flags, "
    "epochs, seconds) VALUES(:study, :stage, :run, :ord, :budget, :extension, "
    ":flags, :epochs, :seconds) ON CONFLICT(study, stage, run) DO NOTHING";
static const char sql_add_branch[] =
    "INSERT INTO branch(run, family, trunk, step) "
    "VALUES(:run, :family, nullif(:trunk, 0), :step) "
    "ON CONFLICT(run) DO NOTHING";
#define RUN_COLUMNS                                                            \
    "SELECT r.id, r.spec, r.state, r.attempts, r.failures, x.stage, "          \
    "x.budget, x.extension, x.flags, x.epochs, x.seconds, r.flops, "           \
    "r.steps_done, "
#define OF_STAGE                                                               \
    "WHERE x.study = :study AND (:stage < 0 OR x.stage = :stage) "             \
    "ORDER BY x.ord"
static const char sql_runs[] =
    RUN_COLUMNS "b.family, coalesce(b.trunk, 0), coalesce(b.step, 0) "
                "FROM study_run x JOIN run r ON r.id = x.run "
                "LEFT JOIN branch b ON b.run = r.id " OF_STAGE;
/* Of versions 1 and 2. */
static const char sql_runs_1[] =
    RUN_COLUMNS "0, 0, 0 FROM study_run x JOIN run r ON r.id = x.run " OF_STAGE;

/* --- planning --- */

static int add_run(struct store *db, const struct planned *p, const char *spec,
                   struct err *e)
{
    const struct run_spec *s = &p->spec;
    const struct model_spec *m = &s->model;
    struct model_count c;
    char now[SQL_TIME];
    struct sql q;

    model_count(&c, m);
    if (sql_open(&q, db, sql_add_run, e))
        return -1;
    sql_int(&q, ":id", p->id);
    sql_text(&q, ":spec", spec);
    sql_text(&q, ":family", family_name(m->family));
    sql_int(&q, ":d_model", m->d_model);
    sql_int(&q, ":n_layer", m->n_layer);
    sql_int(&q, ":n_head", m->n_head);
    sql_int(&q, ":n_kv_head", m->n_kv_head);
    sql_int(&q, ":d_ff", m->d_ff);
    sql_int(&q, ":vocab", m->vocab);
    sql_int(&q, ":seq_len", m->seq_len);
    sql_real(&q, ":M", c.M);
    sql_real(&q, ":N1", c.N1);
    sql_real(&q, ":N2", c.N2);
    sql_real(&q, ":params", c.params);
    sql_real(&q, ":D", (double)spec_tokens(s));
    sql_real(&q, ":flops", run_flops(s));
    sql_real(&q, ":flops_exact", run_flops_exact(s));
    sql_real(&q, ":lr", s->optim.lr);
    sql_int(&q, ":batch_tokens", s->batch_tokens);
    sql_int(&q, ":steps", s->steps);
    sql_text(&q, ":schedule", schedule_name(s->schedule.name));
    sql_text(&q, ":dtype", dtype_name(s->dtype));
    sql_int(&q, ":seed", s->seed);
    sql_text(&q, ":data", s->data);
    sql_text(&q, ":now", sql_now(now, db));
    return sql_run(&q, e);
}

/* The run itself, unless it is there; an id stands for one text only. */
static int put_run(struct store *db, const struct planned *p, struct err *e)
{
    struct str spec;
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_spec, e))
        return -1;
    str_init(&spec);
    spec_print(&spec, &p->spec);
    sql_int(&q, ":id", p->id);
    rc = sql_step(&q, e);
    if (rc == 1 && strcmp(sql_get_text(&q, 0), spec.text))
        rc = err_set(e, ERR_DB, "%s: run %lld is there with another spec",
                     db->path, (long long)p->id);
    sql_close(&q);
    if (rc == 0)
        rc = add_run(db, p, spec.text, e);
    str_release(&spec);
    return rc < 0 ? -1 : 0;
}

static int put_study_run(struct store *db, int64_t study, int64_t ord,
                         const struct planned *p, struct err *e)
{
    struct sql q;

    if (sql_open(&q, db, sql_add_study_run, e))
        return -1;
    sql_int(&q, ":study", study);
    sql_int(&q, ":stage", p->stage);
    sql_int(&q, ":run", p->id);
    sql_int(&q, ":ord", ord);
    sql_real(&q, ":budget", p->budget);
    sql_int(&q, ":extension", p->extension);
    sql_int(&q, ":flags", p->flags);
    sql_real(&q, ":epochs", p->epochs);
    sql_real(&q, ":seconds", p->seconds);
    return sql_run(&q, e);
}

/* What it shares with others, if that was looked at. */
static int put_branch(struct store *db, const struct planned *p, struct err *e)
{
    struct sql q;

    if (!p->family)
        return 0;
    if (sql_open(&q, db, sql_add_branch, e))
        return -1;
    sql_int(&q, ":run", p->id);
    sql_int(&q, ":family", p->family);
    sql_int(&q, ":trunk", p->trunk);
    sql_int(&q, ":step", p->trunk_step);
    return sql_run(&q, e);
}

static void log_plan(struct store *db, int64_t study, const char *stage_name,
                     const struct planned *run, size_t n)
{
    json_t *list = json_array();
    struct str spec;

    str_init(&spec);
    for (size_t i = 0; i < n; i++) {
        str_clear(&spec);
        spec_print(&spec, &run[i].spec);
        json_array_append_new(
            list,
            json_pack(
                "{s:I, s:o, s:o, s:i, s:I, s:o, s:o, s:I, s:I, s:I}", "id",
                (json_int_t)run[i].id, "spec", journal_text(spec.text),
                "budget", journal_real(run[i].budget), "extension",
                run[i].extension, "flags", (json_int_t)run[i].flags, "epochs",
                journal_real(run[i].epochs), "seconds",
                journal_real(run[i].seconds), "family",
                (json_int_t)run[i].family, "trunk", (json_int_t)run[i].trunk,
                "trunk_step", (json_int_t)run[i].trunk_step));
    }
    str_release(&spec);
    journal_op(db, "plan",
               json_pack("{s:I, s:o, s:i, s:o}", "study", (json_int_t)study,
                         "stage", journal_text(stage_name), "idx", run[0].stage,
                         "runs", list));
}

static int put_plan(struct store *db, int64_t study, const char *stage_name,
                    const struct planned *run, size_t n, struct err *e)
{
    char now[SQL_TIME];
    int64_t ord;
    struct sql q;

    if (sql_open(&q, db, sql_add_stage, e))
        return -1;
    sql_int(&q, ":study", study);
    sql_int(&q, ":idx", run[0].stage);
    sql_text(&q, ":name", stage_name);
    sql_text(&q, ":now", sql_now(now, db));
    if (sql_run(&q, e) || sql_open(&q, db, sql_next_ord, e))
        return -1;
    sql_int(&q, ":study", study);
    if (sql_run_id(&ord, &q, e))
        return -1;
    for (size_t i = 0; i < n; i++) {
        BUG_ON(run[i].stage != run[0].stage);
        if (put_run(db, &run[i], e) ||
            put_study_run(db, study, ord + (int64_t)i, &run[i], e) ||
            put_branch(db, &run[i], e))
            return -1;
    }
    if (db->journal)
        log_plan(db, study, stage_name, run, n);
    return 0;
}

int db_plan_put(struct store *db, int64_t study, const char *stage_name,
                const struct planned *run, size_t n, struct err *e)
{
    if (n == 0)
        return 0;
    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    return sql_end(db, put_plan(db, study, stage_name, run, n, e), e);
}

/* --- reading back --- */

static int read_run(struct db_run *r, struct sql *q, struct err *e)
{
    int state = run_state_parse(sql_get_text(q, 2));
    struct planned *p = &r->plan;

    *r = (struct db_run){.id = sql_get_int(q, 0),
                         .attempts = (int)sql_get_int(q, 3),
                         .failures = (int)sql_get_int(q, 4)};
    if (state < 0)
        return err_set(e, ERR_DB, "%s: run %lld: unknown state", q->db->path,
                       (long long)r->id);
    r->state = (enum run_state)state;
    spec_defaults(&p->spec);
    if (spec_parse(&p->spec, sql_get_text(q, 1), e)) {
        if (e)
            e->cls = ERR_DB;
        return err_prefix(e, "%s: run %lld: ", q->db->path, (long long)r->id);
    }
    p->id = r->id;
    p->stage = (int)sql_get_int(q, 5);
    p->budget = sql_get_real(q, 6);
    p->extension = (int)sql_get_int(q, 7);
    p->flags = (unsigned)sql_get_int(q, 8);
    p->epochs = sql_get_real(q, 9);
    p->seconds = sql_get_real(q, 10);
    p->flops = sql_get_real(q, 11);
    r->steps_done = sql_get_int(q, 12);
    p->family = sql_get_int(q, 13);
    p->trunk = sql_get_int(q, 14);
    p->trunk_step = sql_get_int(q, 15);
    return 0;
}

/* The query for a file of this version, or of an older one that is only
 * read. */
static int runs_query(struct sql *q, struct store *db, struct err *e)
{
    int64_t branches;

    if (sql_number(&branches, db,
                   "SELECT count(*) FROM sqlite_schema WHERE name = 'branch'",
                   e))
        return -1;
    return sql_open(q, db, branches ? sql_runs : sql_runs_1, e);
}

int db_runs(struct db_run **runs, size_t *n, struct store *db, int64_t study,
            int stage, struct err *e)
{
    struct db_run *list = NULL;
    size_t count = 0, cap = 0;
    struct sql q;
    int rc;

    if (runs_query(&q, db, e))
        return -1;
    sql_int(&q, ":study", study);
    sql_int(&q, ":stage", stage);
    while ((rc = sql_step(&q, e)) == 1) {
        list = mem_grow(list, &cap, count + 1, sizeof *list);
        if (read_run(&list[count], &q, e)) {
            rc = -1;
            break;
        }
        count++;
    }
    sql_close(&q);
    if (rc < 0) {
        free(list);
        return -1;
    }
    *runs = list ? list : xmalloc(1);
    *n = count;
    return 0;
}
