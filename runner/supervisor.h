/* supervisor: every rank's part.  It keeps one child process a slot, hands it
 * assignments, passes its reports to the coordinator and sees its death at
 * once (the end of its pipe).  Whatever a child does, its supervisor and so the
 * job go on.  It never blocks but in its own short, sleeping wait. */
#ifndef LOGLOG_RUNNER_SUPERVISOR_H
#define LOGLOG_RUNNER_SUPERVISOR_H

#include "runner/net.h"
#include "runner/proto.h"

struct supervisor;

/* slots children at most; exe: the program to start as a child, NULL: this
 * one.  Sends MSG_HELLO to the coordinator. */
struct supervisor *supervisor_create(struct net *net, int slots,
                                     const char *exe);
/* Ends every child: asks by closing its pipe, waits `grace` seconds, kills. */
void supervisor_destroy(struct supervisor *s, double grace);

/* Act on a message of the coordinator.  Returns 1 for MSG_BYE with its exit
 * code in *code, else 0. */
int supervisor_handle(struct supervisor *s, int tag, const union proto_any *m,
                      int *code);

/* Sleep until a child reports, at most ms milliseconds; then pass on all
 * reports and deaths. */
void supervisor_wait(struct supervisor *s, int ms);

/* The whole life of a rank that is not the coordinator: until MSG_BYE.
 * Returns the exit code. */
int supervisor_run(struct net *net, int slots);

#endif
