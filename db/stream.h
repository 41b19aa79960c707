/* stream: private to db/.  The rows of a statement, handed on by the batch.
 *
 * From the second batch on the rows are handed to another thread, so that
 * SQLite finds the next ones while those before are made into text and written.
 */
#ifndef LOGLOG_DB_STREAM_H
#define LOGLOG_DB_STREAM_H

#include "base/err.h"
#include "base/str.h"
#include "db/sql.h"

#include <stddef.h>
#include <stdint.h>

#define STREAM_ROWS 512    /* of a batch, at most ... */
#define STREAM_BYTES 65536 /* ... and no row behind so much text */

struct stream_cell {
    int type; /* SQLITE_INTEGER, ... */
    int len;  /* of a text or blob, bytes */
    union {
        int64_t whole;
        double real;
        size_t at; /* a text or blob: where in bytes; a NUL follows */
    } is;
};
struct stream_batch {
    struct stream_cell *cell; /* rows x columns */
    size_t rows;
    struct str bytes;
};

/* Call `take` for each batch, in order, one at a time, until it returns
 * non-zero; it may run in another thread, but never after the return.  0, or -1
 * when the statement fails. */
int stream_rows(struct sql *q,
                int (*take)(void *ctx, const struct stream_batch *b), void *ctx,
                struct err *e);

#endif
