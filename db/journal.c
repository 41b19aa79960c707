/* journal: see journal.h. */
#include "db/journal.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/dump.h"
#include "db/sql.h"
#include "db/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Length of ,"xxh3":"0123456789abcdef"} */
#define SEAL 27

static const char sql_get[] = "SELECT value FROM meta WHERE key = 'journal'";
static const char sql_set[] =
    "INSERT INTO meta(key, value) VALUES('journal', :value) "
    "ON CONFLICT(key) DO UPDATE SET value = excluded.value";

void journal_path(char path[PATH_MAX + 16], const char *database)
{
    snprintf(path, PATH_MAX + 16, "%s.journal.jsonl", database);
}

/* --- lines --- */

void journal_seal(struct str *out, size_t from)
{
    uint64_t h;

    BUG_ON(out->len <= from || out->text[out->len - 1] != '}');
    out->len--; /* the hash goes inside the last brace */
    h = hash_xxh3(out->text + from, out->len - from);
    str_addf(out, ",\"xxh3\":\"%016llx\"}\n", (unsigned long long)h);
}

int journal_sealed(const char *line, size_t n)
{
    char want[SEAL + 8];

    if (n <= SEAL)
        return -1;
    snprintf(want, sizeof want, ",\"xxh3\":\"%016llx\"}",
             (unsigned long long)hash_xxh3(line, n - SEAL));
    return memcmp(line + n - SEAL, want, SEAL) ? -1 : 0;
}

json_t *journal_real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *journal_text(const char *text)
{
    char *repaired;
    json_t *j;

    if (!text)
        return json_null();
    repaired = utf8_repair(text);
    j = json_string(repaired);
    free(repaired);
    BUG_ON(!j);
    return j;
}

/* --- what is committed --- */

static int put_meta(struct store *db, struct err *e)
{
    const struct journal *j = db->journal;
    char value[96];
    struct sql q;

    snprintf(value, sizeof value, "%s %lld %lld", j->id,
             (long long)j->new_lines, (long long)j->new_bytes);
    if (sql_open(&q, db, sql_set, e))
        return -1;
    sql_text(&q, ":value", value);
    return sql_run(&q, e);
}

/* 1: *value is set; 0: this database keeps no journal. */
static int get_meta(char value[96], struct store *db, struct err *e)
{
    struct sql q;
    int rc;

    if (sql_open(&q, db, sql_get, e))
        return -1;
    rc = sql_step(&q, e);
    if (rc == 1)
        snprintf(value, 96, "%s", sql_get_text(&q, 0));
    sql_close(&q);
    return rc;
}

/* --- opening --- */

/* The id in the first line of the file, "" when there is none. */
static void read_id(char id[17], int fd)
{
    char head[64] = "";

    id[0] = '\0';
    if (pread(fd, head, sizeof head - 1, 0) > 0 &&
        sscanf(head, "{\"loglog_journal\":1,\"id\":\"%16[0-9a-f]\"", id) != 1)
        id[0] = '\0';
}

/* Is the file what meta says it is?  A tail that was never committed is cut
 * off. */
static int matches(struct journal *j, const char *meta)
{
    long long lines, bytes;
    struct stat st;
    char id[17], was[17];

    j->fd = open(j->path, O_RDWR | O_CLOEXEC);
    if (j->fd < 0 || fstat(j->fd, &st) ||
        sscanf(meta, "%16[0-9a-f] %lld %lld", was, &lines, &bytes) != 3)
        return 0;
    read_id(id, j->fd);
    if (strcmp(id, was) || st.st_size < bytes)
        return 0;
    if (st.st_size > bytes && ftruncate(j->fd, bytes))
        return 0;
    snprintf(j->id, sizeof j->id, "%s", id);
    j->lines = lines;
    j->bytes = bytes;
    return 1;
}

static struct journal *create(const struct store *db)
{
    struct journal *j = xcalloc(1, sizeof *j);

    j->fd = -1;
    journal_path(j->path, db->path);
    str_init(&j->ops);
    return j;
}

int journal_open(struct store *db, struct err *e)
{
    char meta[96];
    int rc = get_meta(meta, db, e);

    if (rc <= 0)
        return rc;
    db->journal = create(db);
    if (matches(db->journal, meta))
        return 0;
    if (strcmp(meta, "on"))
        log_warn("%s does not go with the database; it is made anew from it",
                 db->journal->path);
    return journal_restart(db, e);
}

void journal_close(struct store *db)
{
    struct journal *j = db->journal;

    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    str_release(&j->ops);
    free(j);
    db->journal = NULL;
}

/* --- made anew --- */

static void random_id(char id[17], struct store *db)
{
    char seed[PATH_MAX + 96], now[SQL_TIME];
    unsigned char bytes[16] = {0};
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (read(fd, bytes, sizeof bytes) < 0)
            bytes[0] = 1; /* the rest of the seed will do */
        close(fd);
    }
    snprintf(seed, sizeof seed, "%s %s %ld", db->path, sql_now(now, db),
             (long)getpid());
    snprintf(id, 17, "%016llx",
             (unsigned long long)(hash_xxh3(seed, strlen(seed)) ^
                                  hash_xxh3(bytes, sizeof bytes)));
}

static int fill(int fd, void *ctx, struct err *e)
{
    struct store *db = ctx;
    struct journal *j = db->journal;
    char now[SQL_TIME];
    struct str head;
    int rc;

    random_id(j->id, db);
    str_init(&head);
    str_addf(&head, "{\"loglog_journal\":1,\"id\":\"%s\",\"made\":\"%s\"}",
             j->id, sql_now(now, db));
    journal_seal(&head, 0);
    rc = file_write_all(fd, head.text, head.len, e);
    j->new_lines = 1;
    j->new_bytes = (int64_t)head.len;
    str_release(&head);
    return rc ? rc : dump_all(fd, &j->new_lines, &j->new_bytes, db, e);
}

int journal_restart(struct store *db, struct err *e)
{
    struct journal *j = db->journal;
    int rc;

    BUG_ON(!j || db->depth);
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
    if (file_write_with(j->path, fill, db, e)) {
        if (e)
            e->cls = ERR_DB;
        return -1;
    }
    j->fd = open(j->path, O_RDWR | O_CLOEXEC);
    if (j->fd < 0)
        return err_set(e, ERR_DB, "%s: %s", j->path, strerror(errno));
    rc = put_meta(db, e);
    j->lines = j->new_lines;
    j->bytes = j->new_bytes;
    return rc;
}

int journal_switch(struct store *db, int on, struct err *e)
{
    char path[PATH_MAX + 16];

    if (on) {
        if (!db->journal)
            db->journal = create(db);
        return journal_restart(db, e);
    }
    journal_close(db);
    journal_path(path, db->path);
    if (sql_exec(db, "DELETE FROM meta WHERE key = 'journal'", e))
        return -1;
    if (unlink(path) && errno != ENOENT)
        return err_set(e, ERR_DB, "%s: %s", path, strerror(errno));
    return 0;
}

/* --- transactions --- */

void journal_begin(struct store *db)
{
    if (!db->journal)
        return;
    BUG_ON(db->depth >= JOURNAL_DEPTH);
    if (db->depth == 0)
        str_clear(&db->journal->ops);
    db->journal->mark[db->depth] = db->journal->ops.len;
}

void journal_drop(struct store *db)
{
    struct journal *j = db->journal;

    if (!j)
        return;
    j->ops.len = j->mark[db->depth - 1];
    j->ops.text[j->ops.len] = '\0';
}

int journal_write(struct store *db, struct err *e)
{
    struct journal *j = db->journal;
    struct str line;
    int rc;

    if (!j)
        return 0;
    j->new_lines = j->lines;
    j->new_bytes = j->bytes;
    if (j->ops.len == 0)
        return 0;
    str_init(&line);
    str_addf(&line, "{\"n\":%lld,\"ops\":[", (long long)j->lines);
    str_add_n(&line, j->ops.text, j->ops.len);
    str_add(&line, "]}");
    journal_seal(&line, 0);
    rc = lseek(j->fd, j->bytes, SEEK_SET) < 0
             ? err_errno(e, "seek")
             : file_write_all(j->fd, line.text, line.len, e);
    if (!rc && db->durable && fdatasync(j->fd))
        rc = err_errno(e, "sync");
    if (rc) {
        db->full |= errno == ENOSPC;
        err_prefix(e, "%s: ", j->path);
        if (e)
            e->cls = ERR_DB;
    }
    j->new_lines++;
    j->new_bytes += (int64_t)line.len;
    str_release(&line);
    return rc ? rc : put_meta(db, e);
}

void journal_done(struct store *db, int committed)
{
    struct journal *j = db->journal;

    if (!j)
        return;
    str_clear(&j->ops);
    if (committed) {
        j->lines = j->new_lines;
        j->bytes = j->new_bytes;
    } else if (j->fd >= 0 && ftruncate(j->fd, j->bytes)) {
        log_warn("%s: %s; its end will be cut off later", j->path,
                 strerror(errno));
    }
}

/* --- operations --- */

struct str *journal_raw(struct store *db)
{
    struct journal *j = db->journal;

    if (!j)
        return NULL;
    BUG_ON(db->depth == 0);
    if (j->ops.len)
        str_add(&j->ops, ",");
    return &j->ops;
}

void journal_op(struct store *db, const char *op, json_t *args)
{
    struct str *out = journal_raw(db);

    BUG_ON(!args);
    if (out) {
        char *text = json_dumps(args, JSON_COMPACT);
        BUG_ON(!text || text[0] != '{');
        str_addf(out, "{\"op\":\"%s\",\"at\":\"%s\",%s", op, db->moment,
                 text + 1);
        free(text);
    }
    json_decref(args);
}
