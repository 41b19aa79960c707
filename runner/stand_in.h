/* stand_in: a trainer that does not train, for trying the machinery.
 *
 * It takes the time that the cost model predicts, divided by `speed`, reports
 * steps, checkpoints and resumes as train() does, and ends with a loss read
 * off a smooth surface of model size, data, batch and learning rate.  A
 * schedule over hundreds of slots, a signal or a lost rank can so be tried in
 * seconds on one core.  Attempts that it made are recorded with device
 * "stand-in". */
#ifndef LOGLOG_RUNNER_STAND_IN_H
#define LOGLOG_RUNNER_STAND_IN_H

#include "trainer/train.h"

/* As train(), in `seconds` / speed of real time; speed > 0.  Only member 0
 * reports. */
int stand_in_train(struct train_result *result, const struct run_spec *spec,
                   const struct train_env *env, const struct observer *obs,
                   double seconds, double speed, struct err *e);

/* The bits per byte it ends with. */
double stand_in_bpb(const struct run_spec *spec);

#endif
