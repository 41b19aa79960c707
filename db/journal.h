/* journal: private to db/.  FILE.journal.jsonl, from which the database can be
 * made again.
 *
 * A line is a committed transaction: what was asked of the functions of this
 * folder, as JSON, with the XXH3 of the line.  It is written before SQLite
 * commits; how much of the file belongs to what is committed stands in the
 * table meta, so a line whose commit never happened is cut off at the next
 * opening.  The first line carries a random id, also in meta: a journal that
 * is missing, too short or of another file is noticed and made anew from the
 * database, never silently. */
#ifndef LOGLOG_DB_JOURNAL_H
#define LOGLOG_DB_JOURNAL_H

#include "base/err.h"
#include "base/str.h"
#include "db/store.h"

#include <jansson.h>
#include <limits.h>
#include <stdint.h>

/* Nested transactions that can be told apart. */
#define JOURNAL_DEPTH 16

struct journal {
    int fd;
    char path[PATH_MAX + 16];
    char id[17];
    int64_t lines, bytes;         /* that belong to what is committed */
    int64_t new_lines, new_bytes; /* ... once the open transaction is */
    struct str ops;               /* of the open transaction, comma between */
    size_t mark[JOURNAL_DEPTH];   /* ops.len where each level began */
};

/* Where the journal of a database is. */
void journal_path(char path[PATH_MAX + 16], const char *database);

/* Open or make the journal, if this database keeps one. */
int journal_open(struct store *db, struct err *e);
void journal_close(struct store *db);
/* Keep one from now on, made from what is in the database, or (on = 0) keep
 * none and remove it. */
int journal_switch(struct store *db, int on, struct err *e);
/* Write it again from what is in the database. */
int journal_restart(struct store *db, struct err *e);

/* For transactions (store.c): a level begins; its ops are dropped; all ops are
 * written, before the commit; the commit happened, or did not. */
void journal_begin(struct store *db);
void journal_drop(struct store *db);
int journal_write(struct store *db, struct err *e);
void journal_done(struct store *db, int committed);

/* One operation of the open transaction and its time: a JSON object, which is
 * taken over.  Nothing happens when no journal is kept. */
void journal_op(struct store *db, const char *op, json_t *args);
/* The same, already as text: room to write an object into, or NULL. */
struct str *journal_raw(struct store *db);

/* Values: not finite is null; NULL is null; what is not UTF-8 is made so. */
json_t *journal_real(double v);
json_t *journal_text(const char *text);

/* End a line that begins at out->text[from]: adds the hash and a newline. */
void journal_seal(struct str *out, size_t from);
/* 0 when the line (without its newline) is whole. */
int journal_sealed(const char *line, size_t n);

#endif
