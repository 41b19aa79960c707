/* coordinator: rank 0.  It alone writes the database, decides what runs where,
 * and supervises its own slots as well.
 *
 * Its loop sleeps until a child or a message wakes it, and then: takes in
 * reports, ends attempts, starts the next ones, looks for hung runs, writes
 * rows, asks the studies what comes next.  Nothing in it waits for anybody.
 *
 * Several studies share the slots: runs start by the priority of their study,
 * and where the stages of one leave slots idle those of the next fill them. */
#ifndef LOGLOG_RUNNER_COORDINATOR_H
#define LOGLOG_RUNNER_COORDINATOR_H

#include "base/err.h"
#include "runner/affinity.h"
#include "runner/net.h"

#include <stdint.h>

struct run_options {
    const char *const *study; /* (n_study) files, one study each */
    int n_study;
    const int *priority; /* (n_study) of each: higher goes first */
    const char *db;
    const char *checkpoints; /* directory; NULL: DB.ckpt */
    int slots;               /* children of this rank */
    double time_limit;       /* seconds from now; 0: none */
    double grace;            /* of it, kept for stopping */
    double hang;             /* least silence that is a hang, seconds */
    double disk;             /* bytes of checkpoints at once; INFINITY */
    double tail;             /* runs with more seconds left are widened onto
                                idle slots; INFINITY: none */
    double stand_in;         /* speed of the stand-in trainer; 0: train */
    int device;              /* enum device_kind; -1: as the study says */
    enum affinity bind;
    int replace; /* the study file may differ from the stored one */
    int argc;
    char **argv; /* the command line, for the record */
};

/* The whole life of rank 0: runs the studies, tells the other ranks to leave,
 * returns the exit code that all of them end with. */
int coordinator_run(struct net *net, const struct run_options *o);

#endif
