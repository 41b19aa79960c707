/* pack_stage: a directory is made under another name and put in place whole.
 *
 * Content is written to OUT.packing, which is locked; install() renames it to
 * OUT, or exchanges the two in one step where OUT is there.  What an earlier
 * attempt left behind is removed at the next one.  Only directories that hold
 * packed sets and nothing else are ever removed or replaced. */
#ifndef LOGLOG_TRAINER_PACK_STAGE_H
#define LOGLOG_TRAINER_PACK_STAGE_H

#include "base/err.h"

#include <limits.h>

#define PACK_NOTES "notes.tsv"

struct pack_stage {
    char out[PATH_MAX];
    char dir[PATH_MAX]; /* OUT.packing: write here */
    int fd;             /* its lock; -1: none */
};

int pack_stage_begin(struct pack_stage *s, const char *out, struct err *e);
/* Put in place.  *unchanged is set when OUT holds the same sets already (then
 * it is left as it is).  Other content there: ERR_USAGE unless `force`. */
int pack_stage_install(struct pack_stage *s, int force, int *unchanged,
                       struct err *e);
/* Remove one set of those staged. */
int pack_stage_remove_set(const char *dir, struct err *e);
/* Remove what was staged (nothing after a successful install). */
void pack_stage_end(struct pack_stage *s);

#endif
