/* writer: checkpoints written in the background, from a copy.
 *
 * Training stands still while the blocks are copied (from a device: while they
 * come from there); a thread of its own then
 * computes checksums, writes, syncs and renames.  One checkpoint is written at
 * a time. */
#ifndef LOGLOG_TRAINER_WRITER_H
#define LOGLOG_TRAINER_WRITER_H

#include "trainer/checkpoint.h"

struct writer;

/* For blocks of n floats of this run, or with `share` for that share of them,
 * n being share->n; what is pointed to must outlive the writer.  The copy (3 n
 * floats) is made at the first start. */
struct writer *writer_create(const struct run_spec *spec,
                             const struct checkpoint_share *share, size_t n);
/* Waits for what is being written.  NULL is allowed. */
void writer_destroy(struct writer *w);

/* Is a checkpoint being written, or finished but not yet taken? */
int writer_busy(const struct writer *w);

/* Begin to write; BUG if busy.  With `stays` the blocks are a copy already,
 * which will not change before writer_done said 1.  When there is no memory
 * for a copy the blocks themselves are written: returns 1, and they must not
 * change either; 0 otherwise. */
int writer_start(struct writer *w, const char *path,
                 const struct checkpoint_state *state,
                 const float *const block[CHECKPOINT_BLOCKS], int stays);

/* What became of it. */
struct written {
    int64_t step;
    double seconds; /* from start to done */
    uint64_t seal;  /* of a share, for the index */
    int failed;
    struct err err; /* if failed */
};

/* 1 when what was started is finished, with *r filled, else 0 after waiting
 * for at most wait_ms.  0 at once when nothing was started. */
int writer_done(struct written *r, struct writer *w, int wait_ms);

#endif
