/* gang: the members of one attempt of a run, and where they meet.
 *
 * A gang of one needs no meeting place.  Members of a wider one meet in shared
 * memory under a name that no other attempt ever has: user, a process of that
 * node, run, attempt.  The trainer removes the name once all have met; what is
 * left by members that were killed before is removed by whoever started
 * them, and at the next start by gang_sweep.  Members on several nodes meet at
 * a port of member 0's (trainer/comm_tcp.c), which reaches them by MPI as the
 * name does. */
#ifndef LOGLOG_RUNNER_GANG_H
#define LOGLOG_RUNNER_GANG_H

#include "runner/proto.h"

#include <stdint.h>

struct gang {
    int64_t run, attempt;
    int size;
    int slot[GANG_MAX]; /* of the job, one a member */
    int at_work;        /* members that have not reported their end */
    unsigned char ended[GANG_MAX];
};

/* The meeting place of this attempt; pid: the supervisor of member 0. */
void gang_name(char name[PROTO_NAME], int64_t pid, int64_t run,
               int64_t attempt);

/* As gang_name, on several nodes: host is member 0's.  The port and a token
 * that keeps others out are random. */
void gang_address(char name[PROTO_NAME], const char *host);

/* The member on this slot; -1: none. */
int gang_member(const struct gang *g, int slot);
/* That member is through: 1 if it was the last, -1 if it had ended already. */
int gang_end(struct gang *g, int member);

/* Remove meeting places of this user on this machine whose process is gone.
 * Returns how many. */
int gang_sweep(void);

#endif
