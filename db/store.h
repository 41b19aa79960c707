/* store: the results database; this folder is its only owner.
 *
 * One SQLite file.  One process writes (rank 0); anybody may read at any time.
 * Writers hold a lock beside the file (FILE.lock: host, pid, job) for as long
 * as they have it open; a second writer is refused with those facts.  WAL on
 * local disks while it is written, rollback journal on network file systems.
 * The schema is schema.sql, its version is user_version, migrations run at
 * open.  A store is used by one thread at a time. */
#ifndef LOGLOG_DB_STORE_H
#define LOGLOG_DB_STORE_H

#include "base/err.h"

#include <stdint.h>

struct store;

enum store_mode { STORE_READ, STORE_WRITE };

/* Open (STORE_WRITE: create if it is not there, migrate, lock).  A file that
 * is no loglog database, is corrupt, or is from a newer version is refused. */
int store_open(struct store **db, const char *path, enum store_mode mode,
               struct err *e);
void store_close(struct store *db);
const char *store_path(const struct store *db);
/* The writer says how many slots its study runs on (view sessions). */
int store_slots(struct store *db, int slots, struct err *e);

/* From now on a statement that is still at work when these seconds are over
 * ends with an error, so that no reader keeps a lock for long. */
void store_time_limit(struct store *db, double seconds);

/* Who has the file open for writing: "host X, pid N[, job J], since T", or ""
 * when nobody does. */
#define STORE_WRITER 512
void store_writer(char text[STORE_WRITER], const char *path);

/* 1 when the last failure was that the disk is full. */
int store_full(const struct store *db);

/* Transactions nest; the outermost commits.  Everything below that writes
 * opens one by itself when none is open. */
int store_begin(struct store *db, struct err *e);
int store_commit(struct store *db, struct err *e);
void store_rollback(struct store *db);

#endif
