/* disk: the budget for checkpoints (`loglog run --disk BYTES`).
 *
 * Counted is all that may lie there at once, in this order:
 *   1. of each run at work its newest checkpoint and the one being written, and
 *      as much for those that may begin on the free slots;
 *   2. what runs that wait, failed or were stopped have left (the files of
 *      finished runs are dropped with their result);
 *   3. trunks, for which branches train from their first step where there is no
 *      room;
 *   4. a second checkpoint of a run at work, against a damaged newest.
 * The first are written in any case: without them an interruption would cost
 * whole runs. */
#ifndef LOGLOG_RUNNER_DISK_H
#define LOGLOG_RUNNER_DISK_H

#include <stdint.h>

#define DISK_KEEP 2 /* checkpoints of a run, where there is room */

/* Bytes. */
struct disk {
    double budget;         /* INFINITY: none */
    double needed;         /* 1, with the run that begins */
    double left_by_others; /* 2 */
    double trunks;         /* 3, that were promised */
};

/* What is over for trunks; negative: not even the rest fits. */
double disk_room(const struct disk *d);
/* Checkpoints that a run of so many bytes each may keep: 1 or DISK_KEEP. */
int disk_keep(const struct disk *d, double bytes);

/* Bytes of the files under root/RUN that are no trunks, of the runs that are
 * not at work. */
double disk_left(const char *root, void *ctx,
                 int (*at_work)(void *ctx, int64_t run));

#endif
