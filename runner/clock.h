/* clock: the one place that asks what time it is. */
#ifndef LOGLOG_RUNNER_CLOCK_H
#define LOGLOG_RUNNER_CLOCK_H

/* Seconds on a clock that never jumps: for durations and deadlines. */
double clock_now(void);
/* Seconds since 1970: for what a scheduler of jobs announces. */
double clock_wall(void);
/* Sleep; a signal ends it early. */
void clock_sleep(double seconds);

#endif
