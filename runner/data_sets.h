/* data_sets: where packed sets lie. */
#ifndef LOGLOG_RUNNER_DATA_SETS_H
#define LOGLOG_RUNNER_DATA_SETS_H

#include <stddef.h>

/* Is this directory a packed or linked set? */
int data_has_manifest(const char *dir);

/* The paths of the sets directly below a directory, sorted; the caller frees
 * each and the list. */
char **data_sets_below(const char *path, size_t *n);

#endif
