/* pack_table: an array that may be larger than memory.
 *
 * It is a file without a name in the directory that is being made, mapped: the
 * system keeps of it what there is room for.  Its blocks are reserved before
 * they are mapped, so a full disk is an error and not a signal. */
#ifndef LOGLOG_TRAINER_PACK_TABLE_H
#define LOGLOG_TRAINER_PACK_TABLE_H

#include "base/err.h"

#include <stddef.h>

struct pack_table {
    void *at; /* moves when it grows; NULL: empty */
    size_t bytes;
    int fd; /* valid while `open` */
    int open;
    char dir[256]; /* its beginning, for messages */
};

/* -1 with ERR_ENV when no file can be made in `dir`. */
int pack_table_open(struct pack_table *t, const char *dir, struct err *e);
/* Room for n elements of `size` bytes; what is new is zero. */
int pack_table_room(struct pack_table *t, size_t n, size_t size, struct err *e);
/* Harmless when it is not open. */
void pack_table_close(struct pack_table *t);

#endif
