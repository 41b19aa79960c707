/* attempt: one try at a run, by a gang, as the coordinator sees it. */
#ifndef LOGLOG_RUNNER_ATTEMPT_H
#define LOGLOG_RUNNER_ATTEMPT_H

#include "runner/gang.h"
#include "runner/jobs.h"
#include "runner/pulse.h"
#include "sweep/study.h"

struct attempt {
    struct attempt *next;
    struct job *job;
    struct gang gang;
    struct pulse pulse;
    double began;
    int64_t resumed;      /* step it went on from ... */
    int begun;            /* ... as it has said itself */
    int keep;             /* checkpoints of it on the disk, at most */
    int failing;          /* a member failed: the rest is being ended */
    int orderly;          /* it said so itself, as against dying */
    double failed;        /* when */
    int preempting;       /* it is to stop at a checkpoint ... */
    int widen;            /* ... to go on with so many members; 0: no */
    int cancelled;        /* ... for good, because somebody asked for it ... */
    double stop_by;       /* ... and is killed if it has not by then */
    char why[PROTO_TEXT]; /* it fails, stopped, or did not fit */
    int ended;            /* member 0 has reported `result` */
    struct train_result result;
};

/* What the database is told when the last member is through: the study says how
 * many attempts a run has and which of its steps are kept. */
void attempt_outcome(struct db_outcome *o, const struct attempt *a,
                     const struct study *s);

#endif
