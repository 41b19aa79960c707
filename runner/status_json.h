/* status_json: how a study stands as the object that `status --json` prints and
 * `serve` sends. */
#ifndef LOGLOG_RUNNER_STATUS_JSON_H
#define LOGLOG_RUNNER_STATUS_JSON_H

#include "db/status.h"

#include <jansson.h>

/* A new reference. */
json_t *status_json(const struct status *s);

#endif
