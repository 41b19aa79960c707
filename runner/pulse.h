/* pulse: is a run still moving?
 *
 * Hung is: no news for much longer than this run's steps take, with a floor
 * that covers starting, checkpoints and other pauses, and an allowance where
 * an evaluation is due, which reports nothing while it lasts. */
#ifndef LOGLOG_RUNNER_PULSE_H
#define LOGLOG_RUNNER_PULSE_H

#include "trainer/train.h"

#define PULSE_STEPS 32    /* last steps that the median is of */
#define PULSE_FACTOR 30.0 /* times the median step */
#define PULSE_EVAL 10.0   /* times the expected evaluation */

struct pulse {
    double seen;        /* time of the last news */
    double floor;       /* seconds */
    double expect_eval; /* seconds an evaluation may take; its real time once
                           one was seen */
    double recent[PULSE_STEPS];
    int n, at;
    int eval_due;
    int64_t step;
};

void pulse_start(struct pulse *p, double now, double floor, double expect_eval);
/* Any news at all. */
void pulse_news(struct pulse *p, double now);
/* A step; eval_due: an evaluation follows it. */
void pulse_step(struct pulse *p, double now, const struct step_report *r,
                int eval_due);
void pulse_eval(struct pulse *p, double now, double seconds);

double pulse_median(const struct pulse *p); /* 0 before the first step */
/* Silence longer than this is a hang. */
double pulse_patience(const struct pulse *p);
int pulse_hung(const struct pulse *p, double now);

#endif
