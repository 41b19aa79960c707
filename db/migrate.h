/* migrate: private to db/.  From whatever version a file has to this one. */
#ifndef LOGLOG_DB_MIGRATE_H
#define LOGLOG_DB_MIGRATE_H

#include "base/err.h"
#include "db/store.h"

#define STORE_APP_ID 0x4C6F674Cu /* "LogL", PRAGMA application_id */

/* The version of the tables that this program writes. */
int migrate_version(void);

/* Make the tables of a new file, or bring those of an older one up to date,
 * one IMMEDIATE transaction a step; make the views again if their text is
 * another one than it was. */
int migrate(struct store *db, struct err *e);

/* 1 when a file that is only read has tables or views of another loglog than
 * this one; 0 when not, or when that cannot be told. */
int migrate_needed(struct store *db);

#endif
