/* scheduler: which run starts next, and on which slots.  Pure: no clock, no
 * processes, no MPI; time is an argument, so a whole study can be simulated.
 *
 * Slots belong to nodes; a gang of g members takes g free slots of one node, or
 * where gangs may span nodes and no node has so many, of several.
 * Runs start longest first (longest processing time: the classic bound on the
 * makespan is 4/3, and small runs fill the end).  When the next run's gang
 * finds no room, the node that will have room first is reserved for it, and
 * shorter runs may start meanwhile wherever they do not delay it (EASY
 * backfill): wide gangs do not starve, and slots do not wait. */
#ifndef LOGLOG_RUNNER_SCHEDULER_H
#define LOGLOG_RUNNER_SCHEDULER_H

#include "runner/proto.h"

#include <stddef.h>
#include <stdint.h>

struct sched_job {
    int64_t id;
    double seconds; /* predicted, with its gang */
    int gang;       /* slots it takes */
    int priority;   /* higher goes first */
};

struct sched_start {
    struct sched_job job;
    int slot[GANG_MAX]; /* job.gang slots, increasing on a node */
};

struct scheduler;

/* n_slots slots; node[i] in [0, n_nodes) is the node of slot i. */
struct scheduler *sched_create(int n_slots, const int *node, int n_nodes);
void sched_destroy(struct scheduler *s);

/* From now on gangs wider than the widest node may span nodes. */
void sched_span(struct scheduler *s);
/* Queue a job.  A gang wider than sched_widest is narrowed to it. */
void sched_add(struct scheduler *s, const struct sched_job *job);
/* Empty the queue. */
void sched_clear(struct scheduler *s);
/* Take a job out of the queue: 1, or 0 if it is not there. */
int sched_remove(struct scheduler *s, int64_t id);

/* The next job to start at time now, if any: 1, with *out filled and its slots
 * taken until about now + seconds; 0 when nothing can start. */
int sched_next(struct scheduler *s, double now, struct sched_start *out);
/* The slot is free again. */
void sched_release(struct scheduler *s, int slot);

size_t sched_queued(const struct scheduler *s);
int sched_free_slots(const struct scheduler *s);
int sched_room(const struct scheduler *s, int node); /* free slots of it */
/* Slots of the widest node, or where gangs may span nodes all. */
int sched_widest(const struct scheduler *s);

#endif
