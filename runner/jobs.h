/* jobs: the runs that are not final, as the coordinator knows them: what to
 * train, how wide, and where they stand. */
#ifndef LOGLOG_RUNNER_JOBS_H
#define LOGLOG_RUNNER_JOBS_H

#include "db/runs.h"
#include "runner/scheduler.h"
#include "runner/width.h"

/* Held: it waits for the checkpoint of its trunk (trunks.h), or for its
 * neighbours to be compared with them (rungs.c). */
enum job_now { JOB_QUEUED, JOB_HELD, JOB_ACTIVE, JOB_FINAL };

struct job {
    struct db_run run; /* as of the last change */
    enum job_now now;
    double seconds; /* predicted, with its gang */
    int gang;
    int64_t number; /* its id for the scheduler */
    int study;      /* that asked for it first: a number of the coordinator */
    int asked;      /* processes that this study asks for; 0: by the packer */
    int priority;   /* of this study: higher goes first */
    int promised;   /* its trunk was told to leave what it begins with */
    int64_t rung;   /* step at which it pauses to be judged; 0: none, or it
                       was (rungs.c) */
};

struct jobs {
    struct job **job; /* by number */
    size_t n, cap;
    int64_t *slot; /* hash of run ids to numbers + 1 */
    size_t n_slot;
};

/* Share of what the run trains itself that lies behind this step. */
double job_share(const struct job *job, int64_t step);

void jobs_init(struct jobs *j);
void jobs_release(struct jobs *j);

/* The job of a run; NULL: none. */
struct job *jobs_find(const struct jobs *j, int64_t run);
/* Add the run unless it is there; the job, whose study, asked and priority are
 * the caller's to set when it is new (jobs.n grew). */
struct job *jobs_add(struct jobs *j, const struct db_run *run);

/* Choose the widths of all queued jobs anew and queue them in `s`, whose
 * queue is emptied first. */
void jobs_queue(struct jobs *j, struct scheduler *s,
                const struct width_slots *on);
/* Seconds that a plan takes on so many slots of one node, with runs as wide as
 * jobs_queue makes those of a study that asks for gangs of `asked`. */
double jobs_makespan(const struct plan *p, int asked, int n_slots);
/* Hold a queued one: out of the queue when jobs_queue is called next. */
void jobs_hold(struct job *job);
/* Queue one that was active, as wide as it was; last: behind all others of its
 * priority. */
void jobs_requeue(struct job *job, struct scheduler *s, int last);

#endif
