/* net: how the processes of one job talk.  The control plane only.
 *
 * Messages are small and fixed (proto.h).  Nothing here blocks: a send copies
 * its message and returns, a receive takes what has arrived.  So a process
 * that waits does it in its own sleeping poll and burns no core, and a dead
 * peer cannot hang a living one.  A message to oneself is queued in memory.
 *
 * Under mpirun or srun the wire is MPI (net_mpi.c); in a build without MPI, or
 * in a process that no launcher started, the job is this one process and MPI
 * is never initialised. */
#ifndef LOGLOG_RUNNER_NET_H
#define LOGLOG_RUNNER_NET_H

#include "base/err.h"

#include <stddef.h>

#define NET_MAX 16384     /* longest message, bytes */
#define NET_COORDINATOR 0 /* its rank */

struct net;

/* Join the job.  Collective. */
int net_open(struct net **net, struct err *e);
int net_rank(const struct net *net);
int net_size(const struct net *net);

/* Send a copy of msg.  Not collective, never blocks. */
void net_send(struct net *net, int to, int tag, const void *msg, size_t len);
/* Take one message: 1, with *from, *tag and *len bytes in msg (room for
 * NET_MAX); 0 when there is none.  Messages of one sender keep their order.
 * Also moves pending sends on.  Not collective. */
int net_recv(struct net *net, int *from, int *tag, void *msg, size_t *len);

/* The wire this build has: "Open MPI 4.1.4, without ULFM", "no MPI". */
const char *net_library(void);

/* Leave the job when every pending send is out.  Collective.  NULL is fine. */
void net_close(struct net *net);

/* End every process of the job at once with this exit code. */
void net_abort(struct net *net, int code) __attribute__((noreturn));

#endif
