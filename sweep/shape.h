/* shape: a smooth rule from size to shape, so that no wiggle of the rule looks
 * like a minimum of an IsoFLOP profile.
 *
 * head_dim and the aspect ratio d_model / n_layer are held; d_model is a
 * multiple of head_dim (of kv_group heads, so that groups are whole) and of 8;
 * n_layer = max(1, round(d_model / aspect)); d_ff = 8/3 d_model rounded up to a
 * multiple of ff_multiple. */
#ifndef LOGLOG_SWEEP_SHAPE_H
#define LOGLOG_SWEEP_SHAPE_H

#include "sweep/spec.h"

struct shape_rule {
    int64_t head_dim;    /* of a query head */
    double aspect;       /* d_model / n_layer */
    int64_t ff_multiple; /* d_ff is a multiple of this */
    int64_t kv_group;    /* query heads per key/value head; 1: MHA */
    int64_t max_d_model; /* largest width the rule offers */
};

/* The step between the rule's widths; every width is a multiple of it. */
int64_t shape_unit(const struct shape_rule *r);
/* Fill the size fields of *m for this width.  BUG unless it is one of the
 * rule's (a positive multiple of shape_unit). */
void shape_for_width(struct model_spec *m, const struct shape_rule *r,
                     int64_t d_model);
/* The member of the rule whose M (flops.h) is nearest to M in log.  vocab and
 * seq_len of *m must be set. */
void shape_for_M(struct model_spec *m, const struct shape_rule *r, double M);
/* The next width the rule can make above (dir > 0) or below d_model; 0 when
 * there is none. */
int64_t shape_next(const struct shape_rule *r, int64_t d_model, int dir);

#endif
