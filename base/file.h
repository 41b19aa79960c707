/* file: whole files, safely.  Every file of the program is written to a
 * temporary name, synced and renamed, so a reader sees all of it or none. */
#ifndef LOGLOG_BASE_FILE_H
#define LOGLOG_BASE_FILE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Replace the file at path by these bytes: temporary file beside it, fsync,
 * rename, fsync of the directory.  On failure the old file is untouched and
 * no temporary file is left. */
int file_write(const char *path, const void *data, size_t len, struct err *e);

/* As file_write, the content in pieces: `fill` writes to fd and returns 0, or
 * -1 with *e filled. */
int file_write_with(const char *path,
                    int (*fill)(int fd, void *ctx, struct err *e), void *ctx,
                    struct err *e);
/* write(2) until all is written; for `fill`. */
int file_write_all(int fd, const void *data, size_t len, struct err *e);

/* The whole file, NUL-terminated (the NUL is not counted), the caller's to
 * free.  A file of more than max bytes is refused. */
int file_read(char **data, size_t *len, const char *path, size_t max,
              struct err *e);

/* A file mapped read-only; an empty file has data = "" and len = 0. */
struct file_map {
    const uint8_t *data;
    size_t len;
};
int file_map(struct file_map *m, const char *path, struct err *e);
void file_unmap(struct file_map *m);

/* mkdir -p. */
int file_mkdirs(const char *path, struct err *e);
int file_exists(const char *path);

/* Take an exclusive lock on `path` (created if need be) for as long as this
 * process lives or until file_unlock; the kernel releases it however the
 * process ends.  Returns the descriptor; -1 with *e; -2 when another process
 * holds it. */
int file_lock(const char *path, struct err *e);
void file_unlock(int fd);

#endif
