/* clock: what time it is, and how long it takes. */
#ifndef LOGLOG_BASE_CLOCK_H
#define LOGLOG_BASE_CLOCK_H

/* Seconds on a clock that never jumps: for durations and deadlines. */
double clock_now(void);
/* Seconds since 1970: for what a scheduler of jobs announces. */
double clock_wall(void);
/* Seconds of processor time of this thread, of the whole process. */
double clock_thread(void);
double clock_process(void);
/* Sleep; a signal ends it early. */
void clock_sleep(double seconds);

#endif
