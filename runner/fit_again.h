/* fit_again: a stored fit, to be made again from its own row. */
#ifndef LOGLOG_RUNNER_FIT_AGAIN_H
#define LOGLOG_RUNNER_FIT_AGAIN_H

#include "analysis/fit_json.h"
#include "base/err.h"
#include "runner/fit_ask.h"
#include "runner/fit_input.h"

struct fit_again {
    struct fit_result stored;
    char study[64];
};

/* Read fit `id` of the database in s->db; what it was asked for goes into
 * *ask and *s (strings borrowed from *a). */
int fit_again_read(struct fit_again *a, struct fit_ask *ask,
                   struct fit_source *s, int64_t id, struct err *e);
void fit_again_release(struct fit_again *a);

/* One line on stdout: whether r is the stored fit to the last digit, else what
 * differs.  Returns 0 when it is, 1 when not. */
int fit_again_compare(const struct fit_again *a, const struct fit_result *r,
                      int64_t id);

#endif
