/* loader: the tokens of the next steps are read while this one is computed.
 *
 * A thread reads a member's rows of the steps to come into a ring, so that a
 * disk may be slow now and then without training waiting for it.  It sleeps
 * until half of the ring is used up, which costs a wake-up in many steps.  A
 * disk that is slow in answering is asked several things at a time: the ring is
 * first filled by READERS threads, and one more goes on reading each time that
 * training had to wait.  What is read does not depend on it. */
#ifndef LOGLOG_TRAINER_LOADER_H
#define LOGLOG_TRAINER_LOADER_H

#include "trainer/batches.h"

#include <stdint.h>

struct loader;

/* Of rows [from, from + rows) of each step up to `last`; b is borrowed.  NULL:
 * no memory. */
struct loader *loader_create(const struct batches *b, int64_t from,
                             int64_t rows, int64_t last);
/* NULL is allowed. */
void loader_destroy(struct loader *l);

/* Begin to read with step t, if that is known before it is needed. */
void loader_begin(struct loader *l, int64_t t);

/* The rows of step t, rows x (T + 1) tokens, valid until the next call.  The
 * first t is that of loader_begin or may be any, each further one is the next.
 * Where no thread can be started they are read here. */
const int32_t *loader_take(struct loader *l, int64_t t);

/* Seconds that loader_take has waited. */
double loader_waited(const struct loader *l);

/* Fault point: slow-read, 5 ms for each step that is read. */

#endif
