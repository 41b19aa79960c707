/* boot_draws: the draws of a bootstrap that somebody else made, so that it can
 * be repeated exactly; the format is that of bootstrap.h. */
#ifndef LOGLOG_ANALYSIS_BOOT_DRAWS_H
#define LOGLOG_ANALYSIS_BOOT_DRAWS_H

#include "base/err.h"

#include <stddef.h>

/* Read (resamples, per) group numbers, each below n_groups; *draw is the
 * caller's to free. */
int boot_draws_read(size_t **draw, size_t *resamples, size_t *per,
                    const char *path, size_t n_groups, struct err *e);

#endif
