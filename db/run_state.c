/* run_state: see run_state.h. */
#include "db/run_state.h"

#include "base/mem.h"

#include <string.h>

#define TO(s) (1u << (s))

/* clang-format off */
static const struct {
    const char *name;
    unsigned may; /* states it may become */
} states[RUN_STATES] = {
    [RUN_PENDING]  = {"pending",  TO(RUN_RUNNING) | TO(RUN_STOPPED)},
    [RUN_RUNNING]  = {"running",  TO(RUN_DONE) | TO(RUN_DIVERGED) |
                                  TO(RUN_FAILED) | TO(RUN_STOPPED) |
                                  TO(RUN_PENDING)},
    [RUN_DONE]     = {"done",     0},
    [RUN_DIVERGED] = {"diverged", 0},
    [RUN_FAILED]   = {"failed",   TO(RUN_PENDING) | TO(RUN_STOPPED)},
    [RUN_STOPPED]  = {"stopped",  TO(RUN_PENDING)},
};
/* clang-format on */

const char *run_state_name(enum run_state s)
{
    BUG_ON((unsigned)s >= RUN_STATES);
    return states[s].name;
}

int run_state_parse(const char *name)
{
    for (int i = 0; i < RUN_STATES; i++)
        if (!strcmp(states[i].name, name))
            return i;
    return -1;
}

int run_state_may(enum run_state from, enum run_state to)
{
    BUG_ON((unsigned)from >= RUN_STATES || (unsigned)to >= RUN_STATES);
    return (states[from].may & TO(to)) != 0;
}

int run_state_final(enum run_state s)
{
    return s == RUN_DONE || s == RUN_DIVERGED || s == RUN_FAILED ||
           s == RUN_STOPPED;
}
