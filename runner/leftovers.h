/* leftovers: what a killed mpirun leaves on this machine: its session
 * directory (tens of megabytes) and the shared-memory segments of its ranks.
 * Only those of dead mpiruns are touched: their directories carry the process
 * id. */
#ifndef LOGLOG_RUNNER_LEFTOVERS_H
#define LOGLOG_RUNNER_LEFTOVERS_H

#include <sys/types.h>

/* Remove what the mpirun of this process id left; returns the number of
 * directories and segments.  The process must have been waited for.
 * base: where session directories are, NULL: $TMPDIR or /tmp; shm: NULL:
 * /dev/shm. */
int leftovers_remove(pid_t mpirun, const char *base, const char *shm);

/* The same of every mpirun of this user whose process is gone. */
int leftovers_sweep(const char *base, const char *shm);

#endif
