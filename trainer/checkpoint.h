/* checkpoint: the state of a run on disk.
 *
 * One file a checkpoint, named by the run's id and the step, so that any
 * number of runs may share a directory:
 *
 *   <id as 16 hex digits>-<step, 12 digits>.ckpt    the two newest are kept
 *   <id as 16 hex digits>-<step, 12 digits>.trunk   kept for other runs
 *
 * Both have the same format (checkpoint.c) and either can be resumed from.  A
 * file is replaced whole (base/file.h) and checked whole, by checksums, before
 * it is believed.
 *
 * The members of a gang of devices write a set instead: each its share, a file
 * with the name above and .<member>of<members> behind it, and member 0, once
 * all are on disk, an index under the name itself, with their checksums
 * (checkpoint_set.c).  Shares without an index are none.  Whoever reads sees no
 * difference: a set and a file are resumed by any number of members. */
#ifndef LOGLOG_TRAINER_CHECKPOINT_H
#define LOGLOG_TRAINER_CHECKPOINT_H

#include "base/err.h"
#include "base/file.h"
#include "sweep/spec.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum checkpoint_kind { CHECKPOINT_LAST, CHECKPOINT_TRUNK };

/* Blocks of n floats each: parameters and AdamW's two moments. */
enum { BLOCK_PARAMS, BLOCK_M, BLOCK_V, CHECKPOINT_BLOCKS };

/* A run between two steps, beside its blocks. */
struct checkpoint_state {
    int64_t step;      /* finished */
    int64_t above;     /* steps in a row above the divergence limit */
    int64_t evaluated; /* the evaluation due at this step has been reported */
};

/* The file's name.  -1 when it is too long. */
int checkpoint_path(char path[PATH_MAX], const char *dir,
                    const struct run_spec *spec, int64_t step,
                    enum checkpoint_kind kind, struct err *e);

/* Write (fault points: checkpoint-write, checkpoint-kill).  On failure what
 * was there before is untouched. */
int checkpoint_write(const char *path, const struct run_spec *spec,
                     const struct checkpoint_state *state,
                     const float *const block[CHECKPOINT_BLOCKS], size_t n,
                     struct err *e);

/* Floats [at, at + n) of each block. */
struct checkpoint_piece {
    uint64_t at, n;
};

/* What one member of a gang writes of a set; the gang's shares together have
 * every float of the blocks once. */
struct checkpoint_share {
    int member, gang;
    struct checkpoint_piece *piece; /* increasing */
    int n_piece;
    size_t n; /* floats of all pieces */
};

/* Write the share that goes with the checkpoint `path`, blocks of share->n
 * floats, piece behind piece (fault points checkpoint-write, share-kill by
 * rank).  *seal is its checksum, for the index.  Not collective. */
int checkpoint_share_write(uint64_t *seal, const char *path,
                           const struct checkpoint_share *share,
                           const struct run_spec *spec,
                           const struct checkpoint_state *state,
                           const float *const block[CHECKPOINT_BLOCKS],
                           struct err *e);
/* Write the index (fault point: checkpoint-index): the set is a checkpoint from
 * then on.  seal[gang]. */
int checkpoint_index_write(const char *path, const struct run_spec *spec,
                           const struct checkpoint_state *state, size_t n,
                           int gang, const uint64_t *seal, struct err *e);

/* Where floats [at, at + n) of the blocks lie. */
struct checkpoint_extent {
    uint64_t at, n;
    const float *block[CHECKPOINT_BLOCKS];
};

/* A checkpoint that was opened and checked; the blocks are mapped. */
struct checkpoint {
    struct file_map map;
    struct run_spec spec; /* whose it is */
    struct checkpoint_state state;
    size_t n;
    struct checkpoint_extent *extent; /* increasing, all of [0, n) */
    int n_extent;
    struct file_map *share; /* of a set; NULL: one file */
    int n_share;
};

/* Map and check every byte.  -1 with ERR_USAGE when it is damaged or not a
 * checkpoint, ERR_ENV when it cannot be read. */
int checkpoint_open(struct checkpoint *c, const char *path, struct err *e);
void checkpoint_close(struct checkpoint *c);
/* Copy floats [from, from + n) of a block. */
void checkpoint_copy(float *to, const struct checkpoint *c, int block,
                     size_t from, size_t n);

/* The newest usable checkpoint of this run with blocks of n floats: 1 with *c
 * opened and *kind set, or 0.  A damaged one is removed and one of another run
 * is left alone, both with a warning; temporary files of attempts that were
 * killed are removed. */
int checkpoint_find(struct checkpoint *c, enum checkpoint_kind *kind,
                    const char *dir, const struct run_spec *spec, size_t n);

/* Remove this checkpoint: the file, or the index and the shares. */
void checkpoint_remove(const char *path);
/* Remove all but the `keep` newest .ckpt of this run, and shares that belong to
 * no index. */
void checkpoint_prune(const char *dir, const struct run_spec *spec, int keep);

#endif
