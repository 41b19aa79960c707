/* room: a full disk under the database is waited out.
 *
 * What did not fit was undone as a whole, so it is tried again, once a second,
 * until it fits or somebody asks this job to stop.  Meanwhile the coordinator
 * takes in nothing: reports stay in the pipes, children wait for their pipes,
 * and nothing is lost. */
#ifndef LOGLOG_RUNNER_ROOM_H
#define LOGLOG_RUNNER_ROOM_H

#include "runner/coordinator_impl.h"

/* After a failure of the database: 1 when the same is to be tried again, 0 when
 * it is to be taken as the end (another trouble, or a signal). */
int room_wait(struct coordinator *c);
/* After a success: say that it goes on, if it had stopped. */
void room_back(struct coordinator *c);
/* A child could not write: no attempt begins for a moment. */
void room_short(struct coordinator *c, const char *why);

/* RC = CALL, again and again while the disk is full. */
#define WITH_ROOM(c, rc, call)                                                 \
    do {                                                                       \
        while (((rc) = (call)) && room_wait(c))                                \
            continue;                                                          \
        if (!(rc))                                                             \
            room_back(c);                                                      \
    } while (0)

#endif
