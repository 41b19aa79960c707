/* fault: injected failures, for tests.
 *
 * LOGLOG_FAULT holds a comma-separated list of faults, each
 *     name[:key=value[:key=value...]]
 * A point in the code asks fault_at("name"): 1 when the fault should happen
 * now.  Keys: n=K (only at the K-th time this point is passed in this
 * process; default 1), every (each time), run=ID, step=S, attempt=A (only
 * when the point's context says so; see fault_here).  Without the variable
 * every point costs one test of a number. */
#ifndef LOGLOG_BASE_FAULT_H
#define LOGLOG_BASE_FAULT_H

#include <stdint.h>

/* What a point knows about where it is; -1 for what it does not know. */
struct fault_here {
    int64_t run, step, attempt, rank;
};

int fault_at(const char *name);
int fault_at_here(const char *name, const struct fault_here *here);
/* Kill this process (SIGKILL), with a line, when the fault should happen. */
void fault_kill(const char *name);

#endif
