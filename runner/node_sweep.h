/* node_sweep: what jobs of mpirun that are dead left on this machine: the
 * shared-memory segments of their ranks, and the session directories (tens of
 * megabytes) of mpirun and its daemons.
 *
 * launch sweeps the machine it runs on, before and after each start.  On the
 * others nobody is left when a node or its daemon is lost, so the first rank of
 * each node sweeps when the next job starts.  Touched are only things of this
 * user and host that no process uses: a segment whose job has no rank here and
 * that nobody has mapped, the directory of a process that does not run.  While
 * jobs run whose number is not known (srun) a segment must be `age` seconds
 * old as well. */
#ifndef LOGLOG_RUNNER_NODE_SWEEP_H
#define LOGLOG_RUNNER_NODE_SWEEP_H

#define NODE_SWEEP_AGE 10.0

/* Remove them; how many.  base: where session directories are, NULL: $TMPDIR
 * or /tmp; shm: NULL: /dev/shm. */
int node_sweep(const char *base, const char *shm, double age);

/* Does `text` begin with this host's name, whole or without its domain, and
 * then `rest`? */
int node_sweep_host(const char *text, const char *rest);

/* Is this process the first of its job on its node, as its launcher says? */
int node_sweep_is_ours(void);

#endif
