/* signals: asked to stop.
 *
 * SIGINT, SIGTERM, SIGUSR1 and SIGUSR2 ask for an orderly end: checkpoint,
 * commit, exit 75.  A second SIGINT ends the process at once with the same
 * exit code; its children die with it (PR_SET_PDEATHSIG) and nothing recorded
 * is lost.  A signal's number has to live in the process: this module keeps
 * it. */
#ifndef LOGLOG_RUNNER_SIGNALS_H
#define LOGLOG_RUNNER_SIGNALS_H

#include <signal.h>

#define EXIT_RESUMABLE 75 /* EX_TEMPFAIL: run the same command again */

/* For supervisors: as above.  SIGPIPE is ignored. */
void signals_install(void);
/* For children: SIGTERM and SIGUSR1 ask to stop; SIGINT is the supervisor's
 * business and ignored, as SIGPIPE is. */
void signals_install_child(void);

/* The first signal that asked to stop, 0: none. */
int signals_stop(void);
/* The same as a flag to hand to train(). */
const volatile sig_atomic_t *signals_flag(void);

/* "SIGTERM"; "signal 40" for what has no name. */
const char *signals_name(char buf[24], int signo);

#endif
