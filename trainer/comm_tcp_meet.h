/* comm_tcp_meet: private to comm_tcp.c.  How the members of a gang on several
 * machines find each other: member 0 listens at the place that the name of the
 * gang says, the others call there and show its token. */
#ifndef LOGLOG_TRAINER_COMM_TCP_MEET_H
#define LOGLOG_TRAINER_COMM_TCP_MEET_H

#include "trainer/comm.h"

/* Sockets, the caller's to close also after a failure: of member 0 one to each,
 * of another one to member 0 at fd[0]; -1: none.  -1 when the name is none or
 * somebody is not there after so many seconds.  Collective. */
int comm_tcp_meet(int fd[COMM_MAX], int member, int size, const char *name,
                  double seconds, struct err *e);

#endif
