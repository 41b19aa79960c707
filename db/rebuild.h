/* rebuild: a database made again from its journal. */
#ifndef LOGLOG_DB_REBUILD_H
#define LOGLOG_DB_REBUILD_H

#include "base/err.h"

#include <stdint.h>

struct rebuild {
    int64_t lines; /* replayed, the first one included */
    int64_t bad;   /* the line that could not be, 1-based; 0: all could */
    int torn;      /* ... it is the last one and incomplete: a killed writer */
    char why[256]; /* ... the reason */
};

/* Replay `journal` into a new database `out`, which must not exist, up to the
 * first line that is damaged.  Returns 0 also then; look at *r. */
int db_rebuild(struct rebuild *r, const char *journal, const char *out,
               struct err *e);

/* Move the database at path, and what stands beside it, to PATH.damaged, and
 * the rebuilt one `out`, with its journal, to path.  Refused while somebody
 * writes to it, and when there is a PATH.damaged already. */
int db_put_in_place(const char *path, const char *out, struct err *e);

/* The journal of a database: "FILE.journal.jsonl", the caller's to free. */
char *db_journal_path(const char *database);

#endif
