/* tape: the reports of one run, kept beside its checkpoints.
 *
 * When a coordinator is killed, reports that were on their way to the database
 * die with it, while the checkpoint that follows them may be on disk.  The run
 * that goes on from there plays them again.  One writer: member 0 of the run.
 * A torn record at the end (the writer was killed) is cut off. */
#ifndef LOGLOG_RUNNER_TAPE_H
#define LOGLOG_RUNNER_TAPE_H

#include "base/err.h"
#include "trainer/train.h"

#define TAPE_NAME "reports"

struct tape;

/* The tape in directory dir, which must be there. */
int tape_open(struct tape **t, const char *dir, struct err *e);
void tape_close(struct tape *t);

/* Play what was recorded up to and including `step` through on_step,
 * on_eval and on_position of obs, oldest first, and forget what lies beyond it.
 * Step 0: the tape is empty afterwards. */
int tape_play(struct tape *t, int64_t step, const struct observer *obs,
              struct err *e);

int tape_step(struct tape *t, const struct step_report *r, struct err *e);
int tape_eval(struct tape *t, const struct eval_report *r, struct err *e);
int tape_position(struct tape *t, const struct position_report *r,
                  struct err *e);

#endif
