/* leftovers: what a killed mpirun leaves on this machine: its session
 * directory (tens of megabytes) and the shared-memory segments of its ranks.
 * Only those of dead mpiruns are touched: their directories carry the process
 * id. */
#ifndef LOGLOG_RUNNER_LEFTOVERS_H
#define LOGLOG_RUNNER_LEFTOVERS_H

#include <sys/types.h>

/* The jobs of one mpirun, as far as they were seen: zeroed at first. */
#define LEFTOVERS_JOBS 64
struct leftovers {
    unsigned job[LEFTOVERS_JOBS];
    int n;
};
/* Note the jobs of an mpirun that runs: it may remove its directory, which
 * tells them, and yet be killed before its ranks' segments are gone.
 * base: where session directories are, NULL: $TMPDIR or /tmp. */
void leftovers_note(struct leftovers *l, pid_t mpirun, const char *base);

/* Remove what the mpirun of this process id left; returns the number of
 * directories and segments.  The process must have been waited for.  l: the
 * jobs that were noted, may be NULL; shm: NULL: /dev/shm. */
int leftovers_remove(const struct leftovers *l, pid_t mpirun, const char *base,
                     const char *shm);

/* The same of every mpirun of this user whose process is gone. */
int leftovers_sweep(const char *base, const char *shm);

#endif
