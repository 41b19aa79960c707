/* workers: the coordinator's table of ranks, nodes and slots, from their
 * MSG_HELLO.  Slot numbers of the job run over the ranks in order; nodes are
 * numbered in order of their first rank. */
#ifndef LOGLOG_RUNNER_WORKERS_H
#define LOGLOG_RUNNER_WORKERS_H

#include "base/err.h"
#include "runner/proto.h"

struct worker {
    int there; /* has said hello */
    int first; /* its first slot of the job */
    int node;
    struct msg_hello hello;
    int told; /* what it has found to train on */
    struct msg_device device;
};

struct workers {
    int n; /* ranks */
    struct worker *rank;
    int n_slots, n_nodes;
    int *slot_rank, *slot_node; /* (n_slots), once complete */
    int *slot_place;            /* among the slots of its node */
};

void workers_init(struct workers *w, int ranks);
void workers_release(struct workers *w);

/* Note a hello.  Refused when that rank runs another build of the program.
 * Returns 1 when all ranks are there and the tables are filled. */
int workers_hello(struct workers *w, int rank, const struct msg_hello *m,
                  struct err *e);
/* The first rank that has not said hello; -1: none. */
int workers_missing(const struct workers *w);

/* Slot of the job from a rank and its own number; -1: no such slot. */
int workers_slot(const struct workers *w, int rank, int local);
int workers_local(const struct workers *w, int slot);
/* Slots of the node that this one is on. */
int workers_places(const struct workers *w, int slot);
/* Note what a rank has found; 1 when all have told. */
int workers_device(struct workers *w, int rank, const struct msg_device *m);
/* Has every slot a device of its own?  -1 with the cause and what to do. */
int workers_devices_check(const struct workers *w, struct err *e);
/* More slots than cores somewhere, or ranks bound to fewer cores than they
 * have slots: say so in one line; returns 0 when all is well. */
int workers_crowded(const struct workers *w, char *text, size_t room);

#endif
