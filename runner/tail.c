/* tail: see tail.h. */
#include "runner/tail.h"

#include "runner/width.h"

/* Seconds left when the work that takes `left` on g members goes on w. */
static double on_width(const struct tail_run *r, int w)
{
    double alone = r->left / width_seconds(1, r->gang);

    return width_seconds(alone, w) + TAIL_COST;
}

/* The widest gang this run can become. */
static int widest(const struct tail_run *r)
{
    int w = r->gang;

    while (2 * w <= r->most && 2 * w <= r->gang + r->room)
        w *= 2;
    return w;
}

int tail_pick(int *gang, const struct tail_run *r, int n, double least)
{
    double longest = least;
    int best = -1;

    for (int i = 0; i < n; i++) {
        int w = widest(&r[i]);

        if (!(r[i].left > longest) || r[i].per_step < TAIL_STEP)
            continue;
        if (w == r[i].gang || on_width(&r[i], w) >= r[i].left)
            continue;
        longest = r[i].left;
        best = i;
        *gang = w;
    }
    return best;
}
