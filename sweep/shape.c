/* shape: see shape.h. */
#include "sweep/shape.h"

#include "base/mem.h"
#include "sweep/flops.h"

#include <math.h>

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

int64_t shape_unit(const struct shape_rule *r)
{
    int64_t heads = r->head_dim * r->kv_group;

    return heads / gcd(heads, 8) * 8;
}

void shape_for_width(struct model_spec *m, const struct shape_rule *r,
                     int64_t d_model)
{
    double layers = round((double)d_model / r->aspect);
    int64_t ff = (8 * d_model + 2) / 3; /* 8/3 d_model, rounded up */

    BUG_ON(d_model <= 0 || d_model % shape_unit(r));
    m->d_model = d_model;
    m->n_layer = layers > 1 ? (int64_t)layers : 1;
    m->n_head = d_model / r->head_dim;
    m->n_kv_head = m->n_head / r->kv_group;
    m->d_ff = (ff + r->ff_multiple - 1) / r->ff_multiple * r->ff_multiple;
}

static double M_at(const struct model_spec *m, const struct shape_rule *r,
                   int64_t d_model)
{
    struct model_spec t = *m;
    struct model_count c;

    shape_for_width(&t, r, d_model);
    model_count(&c, &t);
    return c.M;
}

void shape_for_M(struct model_spec *m, const struct shape_rule *r, double M)
{
    int64_t unit = shape_unit(r);
    /* M grows with the width: find the first width that reaches it. */
    int64_t lo = 1, hi = r->max_d_model / unit;

    BUG_ON(hi < 1);
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (M_at(m, r, mid * unit) < M)
            lo = mid + 1;
        else
            hi = mid;
    }
    /* ... and see whether the one before it is nearer, by ratio. */
    if (lo > 1 && M / M_at(m, r, (lo - 1) * unit) < M_at(m, r, lo * unit) / M)
        lo--;
    shape_for_width(m, r, lo * unit);
}

int64_t shape_next(const struct shape_rule *r, int64_t d_model, int dir)
{
    int64_t next = d_model + (dir > 0 ? shape_unit(r) : -shape_unit(r));

    return next > 0 && next <= r->max_d_model ? next : 0;
}
