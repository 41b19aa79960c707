/* live: looks at a database that others may be writing.  Each look opens the
 * file read-only, reads for some milliseconds and closes it, so that nobody
 * ever waits for who only watches. */
#ifndef LOGLOG_RUNNER_LIVE_H
#define LOGLOG_RUNNER_LIVE_H

#include "runner/top.h"

struct live {
    const char *path, *study; /* study: NULL when there is only one */
    int n_events;
    /* since when each running run has been at its step */
    struct live_still {
        int64_t run, step;
        double since;
    } * still;
    size_t n_still;
};

void live_init(struct live *l, const char *path, const char *study,
               int n_events);
void live_release(struct live *l);
/* Read what the state t shows into *d, releasing what was there.  When the file
 * cannot be read *d keeps what it has. */
int live_read(struct top_data *d, struct live *l, const struct top *t,
              struct err *e);
void live_data_release(struct top_data *d);

/* For logs: a line every `seconds` on stdout until the study is over. */
int live_lines(struct live *l, double seconds, struct err *e);

#endif
