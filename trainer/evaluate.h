/* evaluate: the loss on a validation set.
 *
 * The set is cut into windows as the training data are (batches.h), from its
 * start and without a remainder: all of it, or as many whole windows as fit
 * in eval_tokens.  Which tokens are targets depends on seq_len and
 * eval_tokens alone, so all runs of a study are judged on the same bytes.
 * Document marks are targets and count as a byte each (shard.h).
 *
 * A window's nats are computed by themselves and all are added in the order
 * of the set, so the result does not depend on who computed which.  By
 * position they are sums too, in parts that double: what has little before it
 * in its window is told from the rest. */
#ifndef LOGLOG_TRAINER_EVALUATE_H
#define LOGLOG_TRAINER_EVALUATE_H

#include "base/err.h"
#include "sweep/spec.h"
#include "trainer/comm.h"
#include "trainer/model.h"
#include "trainer/shard.h"

#include <signal.h>
#include <stdint.h>

#define EVAL_PARTS 24 /* of positions, at most */

struct eval_set {
    const struct shard_set *set; /* borrowed */
    int64_t seq_len, windows;
    int64_t at_once;         /* windows computed at a time; may be changed */
    int64_t tokens, bytes;   /* of the targets */
    int parts;               /* of the positions 1 .. seq_len; 1: all */
    int64_t end[EVAL_PARTS]; /* last position of each: 1, 2, 4, ... */
    struct comm_array nats;  /* a window: for each part the sum up to its end */
};

/* Computes the losses of some windows of T + 1 tokens, as nats of the set: a
 * model of the CPU (eval_by_model, ctx a struct model), or a device. */
typedef int eval_losses(void *ctx, double *nats, const int32_t *tokens,
                        int64_t windows, const struct eval_set *s,
                        struct err *e);
int eval_by_model(void *ctx, double *nats, const int32_t *tokens,
                  int64_t windows, const struct eval_set *s, struct err *e);

/* Prepare a set, in parts of positions if `by_position`; it lives as long as
 * *c.  -1 with ERR_USAGE when the set is
 * too short or its vocabulary larger than the model's, ERR_ENV when there is
 * no memory.  Collective. */
int eval_init(struct eval_set *s, const struct shard_set *set,
              const struct run_spec *spec, int by_position, struct comm *c,
              struct err *e);

/* *nats is the sum over all targets.  1 when *stop (may be NULL) became
 * nonzero on any member meanwhile: *nats is then not to be used.  Between two
 * evaluations of the same set the members must have met.  Collective. */
int evaluate(double *nats, struct eval_set *s, eval_losses *losses, void *ctx,
             struct comm *c, const volatile sig_atomic_t *stop, struct err *e);

/* Of the last evaluation: nats and bytes of the targets of a part. */
void eval_part(double *nats, int64_t *bytes, const struct eval_set *s, int p);

/* Bits per byte of the text from nats. */
double bits_per_byte(double nats, int64_t bytes);

#endif
