/* launch: keep a study going over the loss of ranks and nodes.
 *
 * mpirun ends a job within seconds when one of its ranks or nodes dies, which
 * is right: the survivors cannot go on without it.  launch starts it again,
 * from the database and the checkpoints, with a growing pause, as long as each
 * start gets somewhere.  Whether the study is finished is what the database
 * says, never mpirun's exit status: mpirun can hang in its own exit, or end
 * with 0 or 1 for any reason.  It is then killed, and what it left behind
 * removed.  After a loss every host is asked whether it is there, and mpirun is
 * started on those that are. */
#ifndef LOGLOG_RUNNER_LAUNCH_H
#define LOGLOG_RUNNER_LAUNCH_H

#include "base/err.h"

struct launch_options {
    const char *mpirun;
    char *const *opt; /* (n_opt) its options */
    int n_opt;
    char *const *run; /* loglog run ..., NULL-terminated */
    const char *db;
    int tries;      /* starts in a row without progress before giving up */
    double pause;   /* seconds before the first restart; doubled each time */
    double exit_by; /* seconds mpirun has to end once the job is over */
    double probe; /* seconds a host has to answer after a loss; 0: not asked */
};

/* Returns the exit code of the study. */
int launch(const struct launch_options *o);

/* What the database says of the study's last launch. */
enum launch_state {
    LAUNCH_RUNNING,  /* not told to have ended: running, or killed */
    LAUNCH_FINISHED, /* done, some runs may have failed */
    LAUNCH_STOPPED   /* stopped in order; to be continued */
};
struct launch_status {
    enum launch_state state;
    int failed;      /* finished, but runs failed or a fit was refused */
    long long event; /* number of the last event: changes with each launch */
    double progress; /* grows with every final run and every checkpoint that
                        was resumed from */
};
/* All zero while there is no database yet. */
void launch_status(struct launch_status *s, const char *db);

#endif
