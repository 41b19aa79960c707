/* studies: studies, their stages and events; see runs.h. */
#include "base/hash.h"
#include "base/mem.h"
#include "db/journal.h"
#include "db/runs.h"
#include "db/sql.h"

#include <stdlib.h>
#include <string.h>

static const char sql_find[] =
    "SELECT id, resolved FROM study WHERE name = :name";
static const char sql_all[] = "SELECT id, name FROM study ORDER BY id";
static const char sql_text_of[] = "SELECT resolved FROM study WHERE id = :id";
static const char sql_add[] =
    "INSERT INTO study(name, resolved, sha256, created) "
    "VALUES(:name, :resolved, :sha256, :now) RETURNING id";
static const char sql_set_text[] =
    "UPDATE study SET resolved = :resolved, sha256 = :sha256 WHERE id = :id";
static const char sql_drop_plan[] = "DELETE FROM study_run WHERE study = :id";
static const char sql_drop_stages[] = "DELETE FROM stage WHERE study = :id";
static const char sql_put_stage[] =
    "INSERT INTO stage(study, idx, name, kind, state, reason, changed) "
    "VALUES(:study, :idx, :name, :kind, :state, :reason, :now) "
    "ON CONFLICT(study, idx) DO UPDATE SET name = excluded.name, "
    "kind = coalesce(excluded.kind, kind), state = excluded.state, "
    "reason = excluded.reason, changed = excluded.changed";
static const char sql_event[] =
    "INSERT INTO event(at, study, run, kind, text) "
    "VALUES(:now, nullif(:study, 0), nullif(:run, 0), :kind, :text)";

/* --- study --- */

/* "line 12 was 'a', is now 'b'": the first difference of two texts. */
static void first_difference(struct str *out, const char *was, const char *is)
{
    for (int line = 1;; line++) {
        size_t n = strcspn(was, "\n"), m = strcspn(is, "\n");

        if (n != m || memcmp(was, is, n)) {
            str_addf(out, "line %d was '%.*s', is now '%.*s'", line,
                     (int)(n < 120 ? n : 120), was, (int)(m < 120 ? m : 120),
                     is);
            return;
        }
        was += n + (was[n] != '\0');
        is += m + (is[m] != '\0');
        if (!*was && !*is) {
            str_add(out, "only line ends differ");
            return;
        }
    }
}

static void log_study(struct store *db, int64_t id, const char *name,
                      const char *resolved, int replace)
{
    journal_op(db, "study",
               json_pack("{s:I, s:o, s:o, s:i}", "id", (json_int_t)id, "name",
                         journal_text(name), "resolved", journal_text(resolved),
                         "replace", replace));
}

static int add_study(int64_t *study, struct store *db, const char *name,
                     const char *resolved, struct err *e)
{
    char hash[HASH_HEX], now[SQL_TIME];
    struct sql q;

    hash_sha256(hash, resolved, strlen(resolved));
    if (sql_open(&q, db, sql_add, e))
        return -1;
    sql_text(&q, ":name", name);
    sql_text(&q, ":resolved", resolved);
    sql_text(&q, ":sha256", hash);
    sql_text(&q, ":now", sql_now(now, db));
    if (sql_run_id(study, &q, e))
        return -1;
    log_study(db, *study, name, resolved, 0);
    return 0;
}

static int drop(struct store *db, const char *text, int64_t study,
                struct err *e)
{
    struct sql q;

    if (sql_open(&q, db, text, e))
        return -1;
    sql_int(&q, ":id", study);
    return sql_run(&q, e);
}

static int add_event(struct store *db, int64_t study, int64_t run,
                     const char *kind, const char *text, struct err *e)
{
    char now[SQL_TIME];
    struct sql q;

    if (sql_open(&q, db, sql_event, e))
        return -1;
    sql_text(&q, ":now", sql_now(now, db));
    sql_int(&q, ":study", study);
    sql_int(&q, ":run", run);
    sql_text(&q, ":kind", kind);
    sql_text(&q, ":text", text);
    return sql_run(&q, e);
}

/* A new text for a study that was there: its plan is forgotten, its runs
 * stay; what changed is told in an event. */
static int replace_study(struct store *db, int64_t study, const char *name,
                         const char *was, const char *resolved, struct err *e)
{
    char hash[HASH_HEX];
    struct str note;
    struct sql q;
    int rc;

    hash_sha256(hash, resolved, strlen(resolved));
    str_init(&note);
    str_add(&note, "study replaced: ");
    first_difference(&note, was, resolved);
    rc = drop(db, sql_drop_plan, study, e) ||
         drop(db, sql_drop_stages, study, e) ||
         add_event(db, study, 0, "note", note.text, e) ||
         sql_open(&q, db, sql_set_text, e);
    str_release(&note);
    if (rc)
        return -1;
    sql_text(&q, ":resolved", resolved);
    sql_text(&q, ":sha256", hash);
    sql_int(&q, ":id", study);
    if (sql_run(&q, e))
        return -1;
    log_study(db, study, name, resolved, 1);
    return 0;
}

static int refuse_change(struct store *db, const char *name, const char *was,
                         const char *resolved, struct err *e)
{
    struct str diff;

    str_init(&diff);
    first_difference(&diff, was, resolved);
    err_set(e, ERR_USAGE,
            "%s: study '%s' was started with another study file: %s; give it "
            "another name or another database",
            db->path, name, diff.text);
    str_release(&diff);
    return -1;
}

static int put_study(int64_t *study, struct store *db, const char *name,
                     const char *resolved, int replace, struct err *e)
{
    char *was = NULL;
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_find, e))
        return -1;
    sql_text(&q, ":name", name);
    rc = sql_step(&q, e);
    if (rc == 1) {
        *study = sql_get_int(&q, 0);
        was = xstrdup(sql_get_text(&q, 1));
    }
    sql_close(&q);
    if (rc == 0)
        return add_study(study, db, name, resolved, e);
    if (rc == 1 && strcmp(was, resolved))
        rc = replace ? replace_study(db, *study, name, was, resolved, e)
                     : refuse_change(db, name, was, resolved, e);
    free(was);
    return rc < 0 ? -1 : 0;
}

int db_study_put(int64_t *study, struct store *db, const char *name,
                 const char *resolved, int replace, struct err *e)
{
    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    return sql_end(db, put_study(study, db, name, resolved, replace, e), e);
}

int db_study_find(int64_t *study, struct store *db, const char *name,
                  struct err *e)
{
    struct str names;
    struct sql q;
    int n = 0, hits = 0, rc;

    if (sql_open(&q, db, sql_all, e))
        return -1;
    str_init(&names);
    while ((rc = sql_step(&q, e)) == 1) {
        const char *is = sql_get_text(&q, 1);
        if (!name || !strcmp(name, is)) {
            *study = sql_get_int(&q, 0);
            hits++;
        }
        str_addf(&names, "%s%s", n++ ? ", " : "", is);
    }
    sql_close(&q);
    if (rc == 0 && hits != 1) {
        if (n == 0)
            rc = err_set(e, ERR_DB, "%s: no study in it yet", db->path);
        else if (name)
            rc = err_set(e, ERR_USAGE, "%s: no study '%s' in it, but: %.300s",
                         db->path, name, names.text);
        else
            rc = err_set(e, ERR_USAGE, "%s: which study? There are: %.300s",
                         db->path, names.text);
    }
    str_release(&names);
    return rc;
}

int db_study_text(char **resolved, struct store *db, int64_t study,
                  struct err *e)
{
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_text_of, e))
        return -1;
    sql_int(&q, ":id", study);
    rc = sql_step(&q, e);
    if (rc == 1)
        *resolved = xstrdup(sql_get_text(&q, 0));
    sql_close(&q);
    if (rc == 0)
        return err_set(e, ERR_DB, "%s: no study number %lld", db->path,
                       (long long)study);
    return rc == 1 ? 0 : -1;
}

/* --- stage and event --- */

static int put_stage(struct store *db, int64_t study, int index,
                     const char *name, const char *kind, const char *state,
                     const char *reason, struct err *e)
{
    char now[SQL_TIME];
    struct sql q;

    if (sql_open(&q, db, sql_put_stage, e))
        return -1;
    sql_int(&q, ":study", study);
    sql_int(&q, ":idx", index);
    sql_text(&q, ":name", name);
    sql_text(&q, ":kind", kind);
    sql_text(&q, ":state", state);
    sql_text(&q, ":reason", reason);
    sql_text(&q, ":now", sql_now(now, db));
    return sql_run(&q, e);
}

int db_stage_put(struct store *db, int64_t study, int index, const char *name,
                 const char *kind, const char *state, const char *reason,
                 struct err *e)
{
    int rc;

    if (store_begin(db, e))
        return -1;
    db->durable = 1;
    rc = put_stage(db, study, index, name, kind, state, reason, e);
    if (rc == 0)
        journal_op(db, "stage",
                   json_pack("{s:I, s:i, s:o, s:o, s:o, s:o}", "study",
                             (json_int_t)study, "idx", index, "name",
                             journal_text(name), "kind", journal_text(kind),
                             "state", journal_text(state), "reason",
                             journal_text(reason)));
    return sql_end(db, rc, e);
}

int db_event(struct store *db, int64_t study, int64_t run, const char *kind,
             const char *text, struct err *e)
{
    int rc;

    if (store_begin(db, e))
        return -1;
    rc = add_event(db, study, run, kind, text, e);
    if (rc == 0)
        journal_op(db, "event",
                   json_pack("{s:I, s:I, s:o, s:o}", "study", (json_int_t)study,
                             "run", (json_int_t)run, "kind", journal_text(kind),
                             "text", journal_text(text)));
    return sql_end(db, rc, e);
}
