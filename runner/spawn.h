/* spawn: start this program again as a child with two pipes.
 *
 * posix_spawn, which like vfork copies no page tables (0.2 ms where fork takes
 * 46 ms with 2 GB mapped), in a process group of its own, with default
 * signals, and without the launcher's variables: a child that asked MPI for
 * anything would otherwise take its parent's place in the job. */
#ifndef LOGLOG_RUNNER_SPAWN_H
#define LOGLOG_RUNNER_SPAWN_H

#include "base/err.h"

#include <sys/types.h>

struct spawned {
    pid_t pid;
    int to, from; /* our ends of its CHILD_IN and CHILD_OUT; `from` does not
                     block */
};
/* exe NULL: /proc/self/exe. */
int spawn_child(struct spawned *c, const char *exe, struct err *e);

/* The environment without what launchers put into it, and with one thread a
 * child where the user said nothing else.  The array and its strings are
 * one block to free. */
char **spawn_environ(void);

/* How it ended, in words: "exit code 7", "killed by signal 11 (Segmentation
 * fault)"; for SIGKILL with what may be behind it.  oom: the kernel has killed
 * for want of memory on this machine meanwhile (spawn_oom_kills grew). */
void spawn_verdict(char *text, size_t room, int status, int oom);
/* Kills for want of memory since boot; -1 when the kernel does not say. */
long long spawn_oom_kills(void);

#endif
