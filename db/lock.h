/* lock: private to db/.  One writer: FILE.lock is held by flock(2) for as long
 * as the writer lives, so on one host there is no stale lock, and says who it
 * is.  On network file systems the kernel passes the lock on where it can. */
#ifndef LOGLOG_DB_LOCK_H
#define LOGLOG_DB_LOCK_H

#include "base/err.h"

/* The descriptor, or -1: who has it, since when, or why it cannot be had. */
int lock_take(const char *path, struct err *e);
void lock_release(int fd);

/* Who writes a database, as its lock file says: "host X, pid N[, job J], since
 * T", or "" when nobody does.  The lock is tried for a moment to know. */
#define LOCK_TEXT 512
void lock_owner(char text[LOCK_TEXT], const char *path);

/* Is this path on a file system of several hosts?  0 when not known. */
int lock_is_network(const char *path);
/* The same of a file system's magic number (statfs f_type); its name, or NULL
 * when it is a local one. */
const char *lock_network_name(unsigned long magic);

#endif
