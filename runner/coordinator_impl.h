/* coordinator_impl: the inside of the coordinator, shared by opening.c,
 * coordinator.c (the loop), dispatch.c (attempts), watch.c, asked.c (what
 * people want) and progress.c (what they see). */
#ifndef LOGLOG_RUNNER_COORDINATOR_IMPL_H
#define LOGLOG_RUNNER_COORDINATOR_IMPL_H

#include "db/store.h"
#include "runner/attempt.h"
#include "runner/coordinator.h"
#include "runner/jobs.h"
#include "runner/ledger.h"
#include "runner/study_run.h"
#include "runner/supervisor.h"
#include "runner/workers.h"

/* How the reason begins of a run that does not fit: state failed, but a result
 * and no fault of the launch. */
#define NO_MEMORY "no memory"

/* One of the studies that share the slots. */
struct tenant {
    int priority;
    int ready; /* study_run_advance has something to do */
    int over;  /* nothing more to do, and told */
    struct study study;
    struct study_data data;
    int64_t id; /* in the database */
    struct study_run *run;
    struct msg_setup setup;
    enum device_kind device; /* what its runs train on, as all ranks agreed */
};

struct coordinator {
    const struct run_options *o;
    struct net *net;
    struct supervisor *sup;
    struct workers workers;
    int devices_told; /* every rank has looked for one */
    char argv[1024];  /* for the record of every attempt */
    char checkpoints[PROTO_PATH];

    struct tenant *tenant; /* (n_tenant) in the order of the command line */
    int n_tenant;
    struct cost_model cost;
    struct store *db;
    struct ledger ledger;

    struct jobs jobs;
    struct scheduler *sched;
    struct width_slots on;
    struct attempt *active;
    int n_active;
    int sick;          /* runs in a row that failed by their own account ... */
    double sick_since; /* ... the first of them at this time */

    double full_since, full_said; /* the disk is full: since, told; 0: no */
    double full_until;            /* no attempt begins before */

    int stopping;
    char stop_why[64]; /* "SIGTERM", "time limit" */
    double stop_by;    /* children that are not through by then are killed */
    double deadline;   /* of the time limit; INFINITY: none */
    int broken;        /* `fatal` holds why the job cannot go on */
    struct err fatal;

    /* for the progress line */
    double began, said, asked;
    double real, predicted; /* slot-seconds of ended attempts, also of launches
                               before this one */
    int crowded;            /* said that the disk's budget is too small */
    int swept;              /* what earlier launches left is cleared away */
    int64_t stale;          /* reports of dead attempts that were refused */
};

/* The job cannot go on: stop in order, end with e's exit code. */
void coordinator_break(struct coordinator *c, const struct err *e);
/* Every child is to checkpoint and end. */
void coordinator_stop(struct coordinator *c, const char *why, int signo);

/* The study that a run is trained for. */
struct tenant *coordinator_tenant(const struct coordinator *c,
                                  const struct job *job);

/* Sleep until a child or a message comes, 2 ms at most; take in all. */
void coordinator_listen(struct coordinator *c);

/* opening.c.  Everything but the other ranks; then wait for every rank and
 * tell them what they need to know. */
int coordinator_open(struct coordinator *c, struct err *e);
int coordinator_meet(struct coordinator *c, struct err *e);

/* devices.c.  What a study is to be trained on, as far as it is known before
 * anybody has looked: `auto` is the CPU for one that no GPU can train (fp32,
 * odd widths; docs/gpu.md). */
enum device_kind devices_asked(const struct coordinator *c,
                               const struct tenant *t);
/* All ranks have a device each, or all train on the CPU: every tenant's
 * `device`.  -1 when a device was demanded that some rank has not. */
int devices_agree(struct coordinator *c, struct err *e);
/* The end of the time this job may take, on our clock; INFINITY: none. */
double coordinator_deadline(const struct run_options *o);

/* dispatch.c.  Start what can start. */
void dispatch_start(struct coordinator *c);
/* A message about an attempt, from `rank`. */
void dispatch_report(struct coordinator *c, int rank, int tag,
                     const union proto_any *m);
/* The attempt has failed: its other members are ended. */
void dispatch_fail(struct coordinator *c, struct attempt *a, const char *why);
/* MSG_KILL or MSG_PAUSE to the members that are still at it. */
void dispatch_tell(struct coordinator *c, const struct attempt *a, int tag);

/* watch.c.  End attempts that have hung. */
void watch_hung(struct coordinator *c);
/* Where slots idle and nothing waits for them: widen a long run. */
void watch_tail(struct coordinator *c);
/* Attempts that do not end although they were told to: their ranks are lost. */
int watch_lost(const struct coordinator *c);
/* End every attempt now. */
void watch_kill(struct coordinator *c, const char *why);

/* asked.c.  Carry out what people have asked for (requests.h). */
void asked_tick(struct coordinator *c);

/* rungs.c.  The step at which a planned run pauses to be judged; 0: none. */
int64_t rungs_of(const struct study *s, const struct planned *p);
/* The same; 0 for one that somebody wanted tried again (loglog retry), now or
 * in a launch before. */
int64_t rungs_of_run(const struct coordinator *c, const struct tenant *t,
                     const struct planned *p);
/* Is it there, and not judged yet? */
int rungs_reached(const struct job *job);
/* Queued jobs that are there are held. */
void rungs_hold(struct coordinator *c);
/* Judge every grid whose runs are all there: stop the hopeless, queue the
 * others. */
void rungs_look(struct coordinator *c);

/* progress.c.  A line now and then. */
void progress_tick(struct coordinator *c);
/* Before any other line: on a terminal, wipe the line in place. */
void progress_clear(const struct coordinator *c);
/* The last line of a launch. */
void progress_end(struct coordinator *c);

/* summary.c.  The laws, the prediction and what verification measured, on
 * stdout. */
int summary_print(struct store *db, int64_t study, struct err *e);

#endif
