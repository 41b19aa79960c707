/* pack_source: the input files in a fixed order, and the documents in them. */
#ifndef LOGLOG_TRAINER_PACK_SOURCE_H
#define LOGLOG_TRAINER_PACK_SOURCE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct pack_file {
    char *path;
    const char *name; /* within its input, in path: "a/b.txt" */
    int set;          /* of the input */
};

struct pack_files {
    struct pack_file *file;
    size_t n, cap;
    const char *text_field; /* of JSON lines */
    int64_t other; /* neither regular file nor directory: passed over */
};

/* Append a file, or every regular file below a directory in byte order of
 * their names (the order of `LC_ALL=C sort`, component by component), which
 * does not depend on the file system.  Links to directories are not
 * followed. */
int pack_files_add(struct pack_files *files, const char *path, int set,
                   struct err *e);
void pack_files_release(struct pack_files *files);

/* Call `document` for each document of file k, in order; text is borrowed.  A
 * NUL at the end of the file ends its last document.  Compressed files are
 * unpacked and JSON lines are read by the way (pack_stream.h).  Stops at the
 * first nonzero return and returns it. */
int pack_file_each(const struct pack_files *files, size_t k,
                   int (*document)(void *ctx, const uint8_t *text, size_t n,
                                   int64_t offset, struct err *e),
                   void *ctx, struct err *e);

/* Bytes of text[0..n) that are not UTF-8 (Unicode 15, table 3-7: no overlong
 * forms, no surrogates, nothing above U+10FFFF); *first is the offset of the
 * first when there is one. */
size_t pack_invalid_utf8(const uint8_t *text, size_t n, size_t *first);

#endif
