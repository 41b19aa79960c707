/* pulse: see pulse.h. */
#include "runner/pulse.h"

#include <stdlib.h>
#include <string.h>

void pulse_start(struct pulse *p, double now, double floor, double expect_eval)
{
    memset(p, 0, sizeof *p);
    p->seen = now;
    p->floor = floor;
    p->expect_eval = expect_eval;
    p->eval_due = 1; /* a run may resume right before an evaluation */
}

void pulse_news(struct pulse *p, double now)
{
    p->seen = now;
}

void pulse_step(struct pulse *p, double now, const struct step_report *r,
                int eval_due)
{
    p->seen = now;
    p->step = r->step;
    p->eval_due = eval_due;
    p->recent[p->at] = r->seconds;
    p->at = (p->at + 1) % PULSE_STEPS;
    if (p->n < PULSE_STEPS)
        p->n++;
}

void pulse_eval(struct pulse *p, double now, double seconds)
{
    p->seen = now;
    p->expect_eval = seconds;
}

static int by_value(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;

    return *a < *b ? -1 : *a > *b;
}

double pulse_median(const struct pulse *p)
{
    double sorted[PULSE_STEPS];

    if (!p->n)
        return 0;
    memcpy(sorted, p->recent, (size_t)p->n * sizeof *sorted);
    qsort(sorted, (size_t)p->n, sizeof *sorted, by_value);
    return sorted[p->n / 2];
}

double pulse_patience(const struct pulse *p)
{
    double s = p->floor + PULSE_FACTOR * pulse_median(p);

    return p->eval_due ? s + PULSE_EVAL * p->expect_eval : s;
}

int pulse_hung(const struct pulse *p, double now)
{
    return now - p->seen > pulse_patience(p);
}
