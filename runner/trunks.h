/* trunks: a branch waits for its trunk's checkpoint, and trunks go when nobody
 * needs them any more (sweep/trunk.h says which runs these are).
 *
 * What is there is what lies on the disk, so it is the same after any
 * interruption: a branch may start when the file that it begins with exists,
 * when it has a checkpoint of its own, or when its trunk is through or not of
 * this launch; without the file it trains from its first step. */
#ifndef LOGLOG_RUNNER_TRUNKS_H
#define LOGLOG_RUNNER_TRUNKS_H

#include "runner/jobs.h"

/* Is there no trunk to begin with yet, though there will be? */
int trunks_must_wait(const struct jobs *j, const struct job *job,
                     const char *root);
/* Queued jobs that must wait are held.  root: the directory of checkpoints. */
void trunks_hold(struct jobs *j, const char *root);
/* A checkpoint of this run after this step is on disk: queue who waited. */
void trunks_saved(struct jobs *j, struct scheduler *s, const char *root,
                  int64_t run, int64_t step);
/* This run is through: nobody waits for it any longer. */
void trunks_final(struct jobs *j, struct scheduler *s, int64_t run);

/* Bytes of the trunks that were promised and are still needed. */
double trunks_promised(const struct jobs *j);

/* Tell a child which trunk to begin with, if there is one, and which to leave:
 * as many as fit into `room` bytes with those that others were told of and
 * still need.  Branches whose trunk does not fit train from their first step.
 */
void trunks_assign(struct msg_assign *m, const struct jobs *j,
                   const struct job *job, const char *root, double room);

/* A launch that was killed may have left the files of this run, whose result
 * is in the database: remove what nobody needs. */
void trunks_sweep(const struct jobs *j, int64_t run, const char *root);

/* The result of this job is in the database: remove its checkpoints, but for
 * the trunks that others need, and the trunk that it was the last to need. */
void trunks_tidy(const struct jobs *j, const struct job *job, const char *root);

#endif
