/* attempts: tries at a run and what came of them; see runs.h.
 *
 * The fence: an attempt may write only while it is its run's last one and the
 * run is running.  The run's row carries the sums (attempts, failures, what
 * was reached), so nobody has to look at all attempts to know where it is. */
#include "base/mem.h"
#include "db/journal.h"
#include "db/runs.h"
#include "db/sql.h"
#include "db/thin.h"

#include <math.h>
#include <stdlib.h>

static const char sql_state[] =
    "SELECT state, attempts, num, steps FROM run WHERE id = :run";
static const char sql_run_begin[] =
    "UPDATE run SET state = 'running', attempts = attempts + 1, reason = NULL "
    "WHERE id = :run RETURNING attempts";
static const char sql_attempt_begin[] =
    "INSERT INTO attempt(run, attempt, state, gang, resumed_step, started, "
    "host, pid, ranks, device, build, commit_id, argv, peak_flops) "
    "VALUES(:run, :attempt, 'running', :gang, :resumed_step, :now, :host, "
    "nullif(:pid, 0), :ranks, :device, :build, :commit_id, :argv, "
    ":peak)";
static const char sql_attempt_end[] =
    "UPDATE attempt SET state = :state, reason = :reason, steps = :steps, "
    "tokens = :tokens, loss = :loss, bpb = :bpb, epochs = :epochs, "
    "train_seconds = :train, eval_seconds = :eval, "
    "checkpoint_seconds = :checkpoint, data_seconds = :data, ended = :now, "
    "resumed_step = iif(:begun, :resumed, resumed_step) "
    "WHERE run = :run AND attempt = :attempt";
static const char sql_run_end[] =
    "UPDATE run SET state = :state, reason = :reason, "
    "failures = failures + :bad, steps_done = :steps, tokens_done = :tokens, "
    "loss = iif(:result, :loss, NULL), bpb = iif(:result, :bpb, NULL), "
    "finished = iif(:final, :now, NULL) WHERE id = :run";
/* Rows beyond the end, left by an attempt that had been further. */
static const char sql_trim_steps[] =
    "DELETE FROM step WHERE run = :num AND step > :steps";
static const char sql_trim_evals[] =
    "DELETE FROM evaluation WHERE run = :run AND step > :steps";
static const char sql_trim_positions[] =
    "DELETE FROM position WHERE run = :run AND step > :steps";
static const char sql_open_attempts[] =
    "SELECT DISTINCT r.id, r.attempts, coalesce("
    " (SELECT max(t.step) FROM step t WHERE t.run = r.num), 0), r.batch_tokens "
    "FROM study_run x JOIN run r ON r.id = x.run "
    "WHERE x.study = :study AND r.state = 'running' ORDER BY r.id";

struct now {
    int64_t attempts, num, steps;
    enum run_state state;
};

static int run_now(struct now *r, struct store *db, int64_t run, struct err *e)
{
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_state, e))
        return -1;
    sql_int(&q, ":run", run);
    rc = sql_step(&q, e);
    if (rc == 1) {
        r->state = (enum run_state)run_state_parse(sql_get_text(&q, 0));
        r->attempts = sql_get_int(&q, 1);
        r->num = sql_get_int(&q, 2);
        r->steps = sql_get_int(&q, 3);
    }
    sql_close(&q);
    if (rc == 0)
        return err_set(e, ERR_DB, "%s: no run %lld", db->path, (long long)run);
    return rc == 1 ? 0 : -1;
}

/* --- begin --- */

static void log_begin(struct store *db, const struct db_attempt *a,
                      int64_t attempt)
{
    journal_op(
        db, "begin",
        json_pack(
            "{s:I, s:I, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}",
            "run", (json_int_t)a->run, "attempt", (json_int_t)attempt, "gang",
            a->gang, "resumed_step", (json_int_t)a->resumed_step, "host",
            journal_text(a->host), "build", journal_text(a->build), "commit",
            journal_text(a->commit), "argv", journal_text(a->argv), "device",
            journal_text(a->device), "ranks", journal_text(a->ranks), "pid",
            (json_int_t)a->pid, "peak",
            journal_real(a->peak_flops > 0 ? a->peak_flops : NAN)));
}

static int begin(int64_t *attempt, struct store *db, const struct db_attempt *a,
                 struct err *e)
{
    char now[SQL_TIME];
    struct now r;
    struct sql q;

    if (run_now(&r, db, a->run, e))
        return -1;
    if (!run_state_may(r.state, RUN_RUNNING))
        return err_set(e, ERR_DB, "%s: run %lld is %s; no attempt may begin",
                       db->path, (long long)a->run, run_state_name(r.state));
    if (sql_open(&q, db, sql_run_begin, e))
        return -1;
    sql_int(&q, ":run", a->run);
    if (sql_run_id(attempt, &q, e) || sql_open(&q, db, sql_attempt_begin, e))
        return -1;
    sql_int(&q, ":run", a->run);
    sql_int(&q, ":attempt", *attempt);
    sql_int(&q, ":gang", a->gang);
    sql_int(&q, ":resumed_step", a->resumed_step);
    sql_text(&q, ":now", sql_now(now, db));
    sql_text(&q, ":host", a->host);
    sql_int(&q, ":pid", a->pid);
    sql_text(&q, ":ranks", a->ranks);
    sql_text(&q, ":device", a->device);
    sql_text(&q, ":build", a->build);
    sql_text(&q, ":commit_id", a->commit);
    sql_text(&q, ":argv", a->argv);
    sql_real(&q, ":peak", a->peak_flops > 0 ? a->peak_flops : NAN);
    if (sql_run(&q, e))
        return -1;
    log_begin(db, a, *attempt);
    return 0;
}

int db_attempt_begin(int64_t *attempt, struct store *db,
                     const struct db_attempt *a, struct err *e)
{
    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    return sql_end(db, begin(attempt, db, a, e), e);
}

/* --- end --- */

/* How an attempt that left its run in this state is called itself. */
static const char *attempt_state(const struct db_outcome *o)
{
    if (o->state == RUN_PENDING)
        return o->preempted ? "preempted" : "failed";
    return run_state_name(o->state);
}

static int end_attempt(struct store *db, int64_t run, int64_t attempt,
                       const struct db_outcome *o, const char *now,
                       struct err *e)
{
    struct sql q;

    if (sql_open(&q, db, sql_attempt_end, e))
        return -1;
    sql_text(&q, ":state", attempt_state(o));
    sql_text(&q, ":reason", o->reason);
    sql_int(&q, ":begun", o->begun);
    sql_int(&q, ":resumed", o->resumed);
    sql_int(&q, ":steps", o->steps);
    sql_int(&q, ":tokens", o->tokens);
    sql_real(&q, ":loss", o->loss);
    sql_real(&q, ":bpb", o->bpb);
    sql_real(&q, ":epochs", o->epochs);
    sql_real(&q, ":train", o->train_seconds);
    sql_real(&q, ":eval", o->eval_seconds);
    sql_real(&q, ":checkpoint", o->checkpoint_seconds);
    sql_real(&q, ":data", o->data_seconds);
    sql_text(&q, ":now", now);
    sql_int(&q, ":run", run);
    sql_int(&q, ":attempt", attempt);
    return sql_run(&q, e);
}

static int end_run(struct store *db, int64_t run, const struct db_outcome *o,
                   const char *now, struct err *e)
{
    int bad =
        o->state == RUN_FAILED || (o->state == RUN_PENDING && !o->preempted);
    struct sql q;

    if (sql_open(&q, db, sql_run_end, e))
        return -1;
    sql_text(&q, ":state", run_state_name(o->state));
    sql_text(&q, ":reason", o->reason);
    sql_int(&q, ":bad", bad);
    sql_int(&q, ":steps", o->steps);
    sql_int(&q, ":tokens", o->tokens);
    sql_int(&q, ":result", run_state_final(o->state));
    sql_real(&q, ":loss", o->loss);
    sql_real(&q, ":bpb", o->bpb);
    sql_int(&q, ":final", run_state_final(o->state));
    sql_text(&q, ":now", now);
    sql_int(&q, ":run", run);
    return sql_run(&q, e);
}

static int trim(struct store *db, const char *text, const char *key,
                int64_t value, int64_t steps, struct err *e)
{
    struct sql q;

    if (sql_open(&q, db, text, e))
        return -1;
    sql_int(&q, key, value);
    sql_int(&q, ":steps", steps);
    return sql_run(&q, e);
}

static void log_end(struct store *db, int64_t run, int64_t attempt,
                    const struct db_outcome *o)
{
    json_t *op = json_pack(
        "{s:I, s:I, s:s, s:o, s:i, s:I, s:I, s:o, s:o, s:o, s:o, "
        "s:o, s:o, s:o, s:o}",
        "run", (json_int_t)run, "attempt", (json_int_t)attempt, "state",
        run_state_name(o->state), "reason", journal_text(o->reason),
        "preempted", o->preempted, "steps", (json_int_t)o->steps, "tokens",
        (json_int_t)o->tokens, "loss", journal_real(o->loss), "bpb",
        journal_real(o->bpb), "epochs", journal_real(o->epochs),
        "train_seconds", journal_real(o->train_seconds), "eval_seconds",
        journal_real(o->eval_seconds), "checkpoint_seconds",
        journal_real(o->checkpoint_seconds), "data_seconds",
        journal_real(o->data_seconds), "resumed",
        o->begun ? json_integer(o->resumed) : json_null());

    if (retain_some(&o->keep)) {
        json_object_set_new(op, "every", json_integer(o->keep.every));
        json_object_set_new(op, "per_decade", json_integer(o->keep.per_decade));
    }
    journal_op(db, "end", op);
}

static int end(struct store *db, int64_t run, int64_t attempt,
               const struct db_outcome *o, struct err *e)
{
    char now[SQL_TIME];
    struct now r;

    if (run_now(&r, db, run, e))
        return -1;
    if (r.state != RUN_RUNNING || r.attempts != attempt)
        return 1;
    if (!run_state_may(RUN_RUNNING, o->state))
        return err_set(e, ERR_DB, "%s: run %lld cannot go from running to %s",
                       db->path, (long long)run, run_state_name(o->state));
    sql_now(now, db);
    if (end_attempt(db, run, attempt, o, now, e) || end_run(db, run, o, now, e))
        return -1;
    if (run_state_final(o->state) &&
        (trim(db, sql_trim_steps, ":num", r.num, o->steps, e) ||
         trim(db, sql_trim_evals, ":run", run, o->steps, e) ||
         trim(db, sql_trim_positions, ":run", run, o->steps, e) ||
         thin_run(NULL, db, r.num, &o->keep, e)))
        return -1;
    log_end(db, run, attempt, o);
    return 0;
}

int db_attempt_end(struct store *db, int64_t run, int64_t attempt,
                   const struct db_outcome *o, struct err *e)
{
    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    return sql_end(db, end(db, run, attempt, o, e), e);
}

/* --- after a crash --- */

struct orphan {
    int64_t run, attempt, steps, batch;
};

static int orphans(struct orphan **list, size_t *n, struct store *db,
                   int64_t study, struct err *e)
{
    size_t cap = 0;
    struct sql q;
    int rc;

    *list = NULL;
    *n = 0;
    if (sql_open(&q, db, sql_open_attempts, e))
        return -1;
    sql_int(&q, ":study", study);
    while ((rc = sql_step(&q, e)) == 1) {
        *list = mem_grow(*list, &cap, *n + 1, sizeof **list);
        (*list)[(*n)++] =
            (struct orphan){sql_get_int(&q, 0), sql_get_int(&q, 1),
                            sql_get_int(&q, 2), sql_get_int(&q, 3)};
    }
    sql_close(&q);
    return rc;
}

static int recover(int *n, struct store *db, int64_t study, struct err *e)
{
    struct orphan *list;
    size_t count;
    int rc = orphans(&list, &count, db, study, e);

    for (size_t i = 0; i < count && !rc; i++) {
        const struct orphan *o = &list[i];
        struct db_outcome out = {
            .state = RUN_PENDING,
            .preempted = 1,
            .reason = "the coordinator went away",
            .steps = o->steps,
            .tokens = o->steps * o->batch,
            .loss = NAN,
            .bpb = NAN,
            .epochs = NAN,
            .train_seconds = NAN,
            .eval_seconds = NAN,
            .checkpoint_seconds = NAN,
            .data_seconds = NAN,
        };
        rc = db_attempt_end(db, o->run, o->attempt, &out, e);
    }
    free(list);
    if (rc == 0)
        *n = (int)count;
    return rc;
}

int db_recover(int *n, struct store *db, int64_t study, struct err *e)
{
    if (store_begin(db, e))
        return -1;
    return sql_end(db, recover(n, db, study, e), e);
}
