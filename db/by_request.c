/* by_request: what happens to a run because somebody asked for it; see
 * runs.h.  Everything else that changes a run is in attempts.c. */
#include "db/journal.h"
#include "db/runs.h"
#include "db/sql.h"

static const char sql_retry_all[] =
    "UPDATE run SET state = 'pending', failures = 0, finished = NULL "
    "WHERE state IN ('failed', 'stopped') AND id IN "
    "(SELECT run FROM study_run WHERE study = :study)";
static const char sql_retry[] =
    "UPDATE run SET state = 'pending', failures = 0, finished = NULL "
    "WHERE state IN ('failed', 'stopped') AND id = :run";
static const char sql_stop[] =
    "UPDATE run SET state = 'stopped', reason = :reason, finished = :now "
    "WHERE id = :run AND state IN ('pending', 'failed')";
static const char sql_state[] =
    "SELECT r.state, x.study FROM run r JOIN study_run x ON x.run = r.id "
    "WHERE r.id = :run ORDER BY x.study LIMIT 1";

static int retry_all(int *n, struct store *db, int64_t study, struct err *e)
{
    struct sql q;

    if (sql_open(&q, db, sql_retry_all, e))
        return -1;
    sql_int(&q, ":study", study);
    if (sql_run(&q, e))
        return -1;
    *n = sqlite3_changes(db->h);
    journal_op(db, "retry", json_pack("{s:I}", "study", (json_int_t)study));
    return 0;
}

int db_runs_retry(int *n, struct store *db, int64_t study, struct err *e)
{
    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    return sql_end(db, retry_all(n, db, study, e), e);
}

static int retry(struct store *db, int64_t run, struct err *e)
{
    struct sql q;

    if (sql_open(&q, db, sql_retry, e))
        return -1;
    sql_int(&q, ":run", run);
    if (sql_run(&q, e))
        return -1;
    if (sqlite3_changes(db->h) == 0)
        return 1;
    journal_op(db, "retry", json_pack("{s:I}", "run", (json_int_t)run));
    return 0;
}

int db_run_retry(struct store *db, int64_t run, struct err *e)
{
    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    return sql_end(db, retry(db, run, e), e);
}

static int stop(struct store *db, int64_t run, const char *reason,
                struct err *e)
{
    char now[SQL_TIME];
    struct sql q;

    if (sql_open(&q, db, sql_stop, e))
        return -1;
    sql_text(&q, ":reason", reason);
    sql_text(&q, ":now", sql_now(now, db));
    sql_int(&q, ":run", run);
    if (sql_run(&q, e))
        return -1;
    if (sqlite3_changes(db->h) == 0)
        return 1;
    journal_op(db, "stop",
               json_pack("{s:I, s:o}", "run", (json_int_t)run, "reason",
                         journal_text(reason)));
    return 0;
}

int db_run_stop(struct store *db, int64_t run, const char *reason,
                struct err *e)
{
    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    return sql_end(db, stop(db, run, reason, e), e);
}

int db_run_state(enum run_state *state, int64_t *study, struct store *db,
                 int64_t run, struct err *e)
{
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_state, e))
        return -1;
    sql_int(&q, ":run", run);
    rc = sql_step(&q, e);
    if (rc == 1) {
        *state = (enum run_state)run_state_parse(sql_get_text(&q, 0));
        *study = sql_get_int(&q, 1);
    }
    sql_close(&q);
    if (rc == 0)
        return err_set(e, ERR_USAGE, "%s: no run %lld", db->path,
                       (long long)run);
    return rc == 1 ? 0 : -1;
}
