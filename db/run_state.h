/* run_state: one table of the states of a run and the moves between them.
 *
 *   pending -> running -> done | diverged | failed | stopped
 *      ^          |
 *      +----------+  preempted: the attempt ended, the run is to go on
 *
 * done and diverged are results.  failed: every allowed attempt ended badly.
 * stopped: given up on purpose (early stop, cancel, skip); never fitted.  A
 * pending or failed run may be stopped too.  Only when somebody asks for it
 * (db_run_retry) do failed and stopped runs become pending again. */
#ifndef LOGLOG_DB_RUN_STATE_H
#define LOGLOG_DB_RUN_STATE_H

enum run_state {
    RUN_PENDING,
    RUN_RUNNING,
    RUN_DONE,
    RUN_DIVERGED,
    RUN_FAILED,
    RUN_STOPPED,
    RUN_STATES
};

const char *run_state_name(enum run_state s);
int run_state_parse(const char *name); /* -1 if unknown */
int run_state_may(enum run_state from, enum run_state to);
int run_state_final(enum run_state s); /* nothing happens by itself */

#endif
