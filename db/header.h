/* header: private to db/.  What a file is, by its first bytes. */
#ifndef LOGLOG_DB_HEADER_H
#define LOGLOG_DB_HEADER_H

#include "base/err.h"
#include "db/store.h"

/* Refuse what cannot be ours, before anything is locked or written.  A file
 * that is not there or empty passes when it is to be written, and so does one
 * with a rollback journal beside it: its bytes are half written and mean
 * nothing yet. */
int header_check(const char *path, enum store_mode mode, struct err *e);

#endif
