/* tail: at the end of a study most slots are idle while the last runs go on.
 * A run that has long to go is then stopped at a checkpoint and resumed by a
 * wider gang, with the same bits.  Pure. */
#ifndef LOGLOG_RUNNER_TAIL_H
#define LOGLOG_RUNNER_TAIL_H

struct tail_run {
    int gang, most;  /* members now, and that it can use */
    int room;        /* idle slots of its node */
    double left;     /* seconds it will take as it is; NAN: not known yet */
    double per_step; /* seconds of a step */
};

#define TAIL_STEP 0.002 /* shorter steps are not worth a barrier */
#define TAIL_COST 1.0   /* seconds to stop and begin again */

/* The run to widen, -1: none, and to how many members in *gang.  least: runs
 * with less than so many seconds left stay as they are. */
int tail_pick(int *gang, const struct tail_run *r, int n, double least);

#endif
