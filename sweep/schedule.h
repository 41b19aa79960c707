/* schedule: the learning rate as a function of the step, without state.
 *
 * The rate of step t (1-based) is that of the schedule after t - 1 of `steps`
 * steps, so a switch "at 0.8" of 1000 steps leaves steps 1..800 at the peak
 * and makes step 801 the first lower one; only the warm-up counts the step
 * itself, so that no step has the rate 0 and step `warmup_steps` the peak. */
#ifndef LOGLOG_SWEEP_SCHEDULE_H
#define LOGLOG_SWEEP_SCHEDULE_H

#include "sweep/spec.h"

#include <stdint.h>

/* The rate of step t of `steps`, 1 <= t <= steps:
 *
 *   warm-up       peak t / warmup_steps                  for t <= warmup_steps
 *   multi-step    peak factor[i], the last i with t - 1 >= at[i] steps
 *   cosine        peak (floor + (1 - floor) (1 + cos pi p) / 2),
 *                 p from 0 behind the warm-up to 1 at the end
 *   wsd-linear    peak, then peak (floor + (1 - floor) (1 - p)),
 *                 p from 0 to 1 over the last `decay` of the steps
 *   wsd-sqrt      the same with 1 - sqrt(p)
 *   constant      peak
 *
 * Fractions of the steps are rounded up to whole steps. */
double schedule_lr(const struct schedule_spec *s, double peak, int64_t t,
                   int64_t steps);

/* How many steps, from the first, have a rate that does not depend on
 * `steps`: warm-up and plateau.  What a trunk may be long. */
int64_t schedule_plateau(const struct schedule_spec *s, int64_t steps);

/* How many steps two runs have in common, bit for bit: 0 unless they agree in
 * everything but `steps`, what is evaluated when, and what their schedules do
 * behind the plateau. */
int64_t schedule_shared(const struct run_spec *a, const struct run_spec *b);
/* Equal on runs whose steps up to the end of the shorter plateau are the same:
 * a hash, of 63 bits and never 0. */
int64_t schedule_family(const struct run_spec *s);

#endif
