/* child: the process that trains, one member of a run at a time.
 *
 * Started by a supervisor as `loglog child`, a command that is not in the
 * help.  It reads MSG_SETUP once and then assignments from descriptor 3,
 * writes reports to descriptor 4, and ends when its assignments do, when its
 * supervisor dies, or after a failure (a process that failed is not trusted
 * with another run).  SIGTERM: checkpoint, report, end.
 *
 * Member 0 also keeps every report of a run in `reports` beside the
 * checkpoints.  A checkpoint may be older than what the database had
 * committed, or newer: when the coordinator is killed, reports that were under
 * way die with it.  So a run that goes on from a checkpoint first repeats the
 * reports up to it, and its curve has no hole. */
#ifndef LOGLOG_RUNNER_CHILD_H
#define LOGLOG_RUNNER_CHILD_H

#define CHILD_COMMAND "child"
#define CHILD_IN 3  /* assignments */
#define CHILD_OUT 4 /* reports */

/* argv: "child", the supervisor's process id.  Returns the exit code. */
int child_main(int argc, char **argv);

#endif
