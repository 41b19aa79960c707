/* net_wire: what net.c needs from a transport; private to net*.c.  The build
 * links one of net_mpi.c and net_self.c. */
#ifndef LOGLOG_RUNNER_NET_WIRE_H
#define LOGLOG_RUNNER_NET_WIRE_H

#include "base/err.h"

#include <stddef.h>

struct wire;

/* Join the job that a launcher made of `size` processes.  Collective. */
int wire_open(struct wire **w, int *rank, int *size, struct err *e);
/* As net_send and net_recv, to and from other ranks. */
void wire_send(struct wire *w, int to, int tag, const void *msg, size_t len);
int wire_recv(struct wire *w, int *from, int *tag, void *msg, size_t *len);
/* Flush and leave.  Collective. */
void wire_close(struct wire *w);
void wire_abort(struct wire *w, int code) __attribute__((noreturn));
const char *wire_library(void);

#endif
