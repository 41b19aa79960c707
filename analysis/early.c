/* early: see early.h. */
#include "analysis/early.h"

#include <math.h>

int64_t early_rung(int64_t steps, double at)
{
    int64_t rung = (int64_t)ceil(at * (double)steps - 1e-9);

    return rung > 0 && rung < steps ? rung : 0;
}

int64_t early_window(int64_t rung)
{
    int64_t first = rung - (int64_t)(EARLY_WINDOW * (double)rung) + 1;

    return first < 1 ? 1 : first > rung ? rung : first;
}

static int same_cell(const struct early_run *a, const struct early_run *b)
{
    return fabs(a->lr / b->lr - 1) < 1e-9 &&
           fabs(a->batch / b->batch - 1) < 1e-9;
}

/* Mean over the seeds of r[i]'s cell, smallest first so that the order of the
 * runs does not matter; NaN if a seed has none. */
static double cell_loss(const struct early_run *r, size_t n, size_t i)
{
    double sum = 0, last = -INFINITY;
    size_t seeds = 0, left = 0;

    for (size_t k = 0; k < n; k++)
        if (same_cell(&r[k], &r[i])) {
            if (!isfinite(r[k].loss))
                return NAN;
            left++;
        }
    while (left) {
        double next = INFINITY;
        size_t equal = 0;

        for (size_t k = 0; k < n; k++)
            if (same_cell(&r[k], &r[i]) && r[k].loss > last &&
                r[k].loss <= next) {
                equal = r[k].loss < next ? 1 : equal + 1;
                next = r[k].loss;
            }
        sum += next * (double)equal;
        seeds += equal;
        left -= equal;
        last = next;
    }
    return sum / (double)seeds;
}

size_t early_judge(struct early_run *r, size_t n, double margin)
{
    double best = INFINITY;
    size_t stopped = 0;

    for (size_t i = 0; i < n; i++) {
        r[i].behind = cell_loss(r, n, i);
        best = fmin(best, r[i].behind); /* a NaN is passed over */
    }
    for (size_t i = 0; i < n; i++) {
        r[i].behind = r[i].behind / best - 1;
        r[i].stop = r[i].behind > EARLY_BAND + margin;
        stopped += r[i].stop != 0;
    }
    return stopped;
}
