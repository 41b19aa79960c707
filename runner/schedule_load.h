/* schedule_load: what each lane did when, for plot_schedule. */
#ifndef LOGLOG_RUNNER_SCHEDULE_LOAD_H
#define LOGLOG_RUNNER_SCHEDULE_LOAD_H

#include "analysis/plots.h"
#include "db/store.h"

/* The attempts of a study, once for each slot they had; n = 0 when nothing was
 * trained.  What is still running lasts until the last thing that is known.
 * Release what succeeded. */
int schedule_load(struct plot_schedule *s, struct store *db, int64_t study,
                  struct err *e);
void schedule_unload(struct plot_schedule *s);

#endif
