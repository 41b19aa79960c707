/* check: is a database sound?  See upkeep.h. */
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "db/dump.h"
#include "db/journal.h"
#include "db/rebuild.h"
#include "db/sql.h"
#include "db/upkeep.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct check {
    FILE *out;
    struct store *db;
    int64_t found;
};

__attribute__((format(printf, 2, 3))) static void found(struct check *c,
                                                        const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(c->out, fmt, ap);
    va_end(ap);
    fputc('\n', c->out);
    c->found++;
}

/* --- statements that yield a row for each thing wrong --- */

static const struct {
    const char *sql;  /* one column of text */
    const char *fine; /* a row that says this is no finding */
} statements[] = {
    {"PRAGMA integrity_check(20)", "ok"},
    {"SELECT 'a row of ' || \"table\" || ' refers to no row of ' || parent "
     "FROM pragma_foreign_key_check",
     NULL},
    {"SELECT 'run ' || id || ' counts ' || attempts || ' attempts and ' || "
     "failures || ' failures, its attempts are others' FROM run r WHERE "
     "attempts <> (SELECT count(*) FROM attempt a WHERE a.run = r.id) OR "
     "failures > (SELECT count(*) FROM attempt a WHERE a.run = r.id "
     "AND a.state = 'failed')",
     NULL},
    {"SELECT 'run ' || id || ' is ' || state || ', its last attempt ' || "
     "coalesce((SELECT a.state FROM attempt a WHERE a.run = r.id AND "
     "a.attempt = r.attempts), 'is not there') FROM run r "
     "WHERE (state = 'running') <> EXISTS (SELECT 1 FROM attempt a WHERE "
     "a.run = r.id AND a.attempt = r.attempts AND a.state = 'running')",
     NULL},
    /* from run to run, not from row to row: there may be millions */
    {"WITH RECURSIVE r(n) AS (SELECT min(run) FROM step UNION ALL "
     "SELECT (SELECT min(run) FROM step WHERE run > n) FROM r "
     "WHERE n IS NOT NULL) SELECT 'steps of no run, number ' || n FROM r "
     "WHERE n IS NOT NULL AND n NOT IN (SELECT num FROM run)",
     NULL},
};

static int check_statements(struct check *c, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        struct sql q;
        int rc;
        if (sql_prepare(&q, c->db, statements[i].sql, e))
            return -1;
        while ((rc = sql_step(&q, e)) == 1) {
            const char *row = sql_get_text(&q, 0);
            if (!statements[i].fine || strcmp(row, statements[i].fine))
                found(c, "%s", row);
        }
        sql_close(&q);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* --- hashes --- */

static const char sql_specs[] = "SELECT id, spec FROM run";
static const char sql_hashed[] =
    "SELECT 'study ' || name, resolved, sha256 FROM study UNION ALL "
    "SELECT 'prediction ' || id, json, sha256 FROM prediction";

static int check_hashes(struct check *c, struct err *e)
{
    char hash[HASH_HEX];
    struct sql q;
    int rc;

    if (sql_open(&q, c->db, sql_specs, e))
        return -1;
    while ((rc = sql_step(&q, e)) == 1)
        if (hash_id(sql_get_text(&q, 1)) != sql_get_int(&q, 0))
            found(c, "run %lld: its spec has another id",
                  (long long)sql_get_int(&q, 0));
    sql_close(&q);
    if (rc < 0 || sql_open(&q, c->db, sql_hashed, e))
        return -1;
    while ((rc = sql_step(&q, e)) == 1) {
        const char *text = sql_get_text(&q, 1);
        hash_sha256(hash, text, strlen(text));
        if (strcmp(hash, sql_get_text(&q, 2)))
            found(c, "%s: its text has another SHA-256", sql_get_text(&q, 0));
    }
    sql_close(&q);
    return rc;
}

/* --- the journal --- */

/* The lines that are committed; a writer may be adding more. */
static void check_lines(struct check *c, const struct file_map *m,
                        int64_t lines, int64_t bytes)
{
    const char *p = (const char *)m->data, *end;
    int64_t n = 0;

    if ((int64_t)m->len < bytes) {
        found(c, "journal: %zu bytes, %lld are committed", m->len,
              (long long)bytes);
        return;
    }
    end = p + bytes;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        n++;
        if (!nl || journal_sealed(p, (size_t)(nl - p))) {
            found(c, "journal: line %lld is damaged", (long long)n);
            return;
        }
        p = nl + 1;
    }
    if (n != lines)
        found(c, "journal: %lld lines, %lld are committed", (long long)n,
              (long long)lines);
}

static const char sql_meta[] = "SELECT value FROM meta WHERE key = 'journal'";

/* *has is 0 when no journal is kept. */
static int check_journal(int *has, struct check *c, struct err *e)
{
    char path[PATH_MAX + 16], meta[96] = "", id[17];
    long long lines, bytes;
    struct err ignored;
    struct file_map m;
    struct sql q;
    int rc;

    *has = 0;
    if (sql_open(&q, c->db, sql_meta, e))
        return -1;
    rc = sql_step(&q, e);
    if (rc == 1)
        snprintf(meta, sizeof meta, "%s", sql_get_text(&q, 0));
    sql_close(&q);
    if (rc <= 0 || !strcmp(meta, "on"))
        return rc < 0 ? -1 : 0;
    journal_path(path, c->db->path);
    if (sscanf(meta, "%16[0-9a-f] %lld %lld", id, &lines, &bytes) != 3) {
        found(c, "meta: no sense in '%s'", meta);
    } else if (file_map(&m, path, &ignored)) {
        found(c, "journal: %s", ignored.text);
    } else {
        check_lines(c, &m, lines, bytes);
        file_unmap(&m);
        *has = 1;
    }
    return 0;
}

/* --- the journal replayed --- */

static int compare_table(struct check *c, const char *table, struct err *e)
{
    static const char *const sides[][2] = {{"main", "replayed"},
                                           {"replayed", "main"}};
    struct str text;
    char *cols;
    int64_t n;
    int rc = 0;

    if (dump_columns(&cols, c->db, "main", table, e))
        return -1;
    str_init(&text);
    for (int i = 0; i < 2 && !rc; i++) {
        str_clear(&text);
        str_addf(&text,
                 "SELECT count(*) FROM (SELECT %s FROM %s.%s EXCEPT "
                 "SELECT %s FROM %s.%s)",
                 cols, sides[i][0], table, cols, sides[i][1], table);
        rc = sql_number(&n, c->db, text.text, e);
        if (!rc && n)
            found(c, "%lld rows of %s are only in the %s", (long long)n, table,
                  i ? "journal" : "database");
    }
    str_release(&text);
    free(cols);
    return rc;
}

static int compare(struct check *c, const char *replayed, struct err *e)
{
    struct sql q;
    int rc = 0;

    if (sql_prepare(&q, c->db, "ATTACH :path AS replayed", e))
        return -1;
    sql_text(&q, ":path", replayed);
    if (sql_run(&q, e))
        return -1;
    for (int i = 0; dump_tables[i] && !rc; i++)
        rc = compare_table(c, dump_tables[i], e);
    sql_exec(c->db, "DETACH replayed", NULL);
    return rc;
}

static void remove_database(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock",
                                       ".journal.jsonl"};
    char name[PATH_MAX + 16];

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static int check_replay(struct check *c, struct err *e)
{
    char tmp[PATH_MAX], *journal = db_journal_path(c->db->path);
    struct rebuild r;
    int rc;

    snprintf(tmp, sizeof tmp, "%.4000s.check%ld", c->db->path, (long)getpid());
    remove_database(tmp);
    rc = db_rebuild(&r, journal, tmp, e);
    if (!rc && r.bad && !r.torn)
        found(c, "journal: line %lld: %s", (long long)r.bad, r.why);
    if (!rc)
        rc = compare(c, tmp, e);
    remove_database(tmp);
    free(journal);
    return rc;
}

int db_check(int64_t *n, FILE *out, struct store *db, int deep, struct err *e)
{
    struct check c = {.out = out, .db = db};
    int journal;

    if (check_statements(&c, e) || check_hashes(&c, e) ||
        check_journal(&journal, &c, e) ||
        (deep && journal && check_replay(&c, e)))
        return -1;
    *n = c.found;
    return 0;
}
