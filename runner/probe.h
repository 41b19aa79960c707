/* probe: which machines still answer.  Each is asked the way mpirun would: by
 * an mpirun of one process on it alone, so whatever it starts processes with
 * (ssh, Slurm, PBS) is what is tried. */
#ifndef LOGLOG_RUNNER_PROBE_H
#define LOGLOG_RUNNER_PROBE_H

#include "runner/hosts.h"

/* Set `dead` of every host: all asked at once, `seconds` at most, those that do
 * not answer once more.  A warning for each that newly does not, a line for
 * each that does again.  When none answers it is the asking that does not work,
 * and all are taken as alive. */
void probe_hosts(struct hosts *h, const char *mpirun, char *const *opt,
                 int n_opt, double seconds);

#endif
