/* pack_notes: what data pack left out, and the record of how a set was made.
 *
 * notes.tsv has a line for each: kind (copy, near-copy, overlap, invalid-utf8),
 * file, offset of the document in it, its bytes, and a remark. */
#ifndef LOGLOG_TRAINER_PACK_NOTES_H
#define LOGLOG_TRAINER_PACK_NOTES_H

#include "base/err.h"
#include "base/str.h"
#include "trainer/pack.h"
#include "trainer/pack_docs.h"

#include <limits.h>

struct pack_notes {
    int fd; /* -1: closed */
    char path[PATH_MAX];
    struct str text; /* not yet written */
};

/* Begin DIR/notes.tsv. */
int pack_notes_open(struct pack_notes *n, const char *dir, struct err *e);
int pack_notes_close(struct pack_notes *n, struct err *e);
/* Closes without writing what is pending; harmless after a close. */
void pack_notes_release(struct pack_notes *n);

int pack_note_invalid(struct pack_notes *n, const char *path, int64_t offset,
                      size_t bytes, size_t bad, int64_t first, struct err *e);
int pack_note_copy(struct pack_notes *n, const char *path,
                   const struct pack_doc *d, const char *first_path,
                   const struct pack_doc *first, struct err *e);
int pack_note_near(struct pack_notes *n, const char *path,
                   const struct pack_doc *d, const char *first_path,
                   const struct pack_doc *first, double similarity,
                   struct err *e);
int pack_note_overlap(struct pack_notes *n, const char *path,
                      const struct pack_doc *d, double share, struct err *e);

/* "source" of the manifest of one set, as JSON, the caller's to free. */
char *pack_source_json(const struct pack_options *o, int set,
                       const struct pack_set_report *r);

#endif
