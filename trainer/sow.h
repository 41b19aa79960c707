/* sow: a model's initial weights, by the cores that are there. */
#ifndef LOGLOG_TRAINER_SOW_H
#define LOGLOG_TRAINER_SOW_H

#include "trainer/model.h"

/* model_init by up to `threads` threads (0: one for each core that this process
 * may use, a few at most).  A child of a study that is bound to a core does it
 * alone.  The same bits whoever does it. */
void sow(struct model *m, int64_t seed, int threads);

#endif
