/* requests: what a person wants done with a run: cancel, retry, skip.
 *
 * Only the process that has the database may write it.  While a study runs
 * that is rank 0, so a request is a small file in the directory FILE.requests
 * beside the database; rank 0 looks there twice a second, carries it out, and
 * puts an answer beside it.  When nobody writes the database whoever asks does
 * it.  Requests that nobody took up are carried out at the next launch. */
#ifndef LOGLOG_RUNNER_REQUESTS_H
#define LOGLOG_RUNNER_REQUESTS_H

#include "base/err.h"
#include "db/run_state.h"
#include "db/store.h"

#include <stdint.h>

enum request_verb {
    REQUEST_CANCEL, /* give up a run that runs or waits */
    REQUEST_RETRY,  /* try again what failed or was given up */
    REQUEST_SKIP,   /* leave out a run that waits or failed */
    REQUEST_VERBS
};

struct request {
    enum request_verb verb;
    int64_t run;
};

const char *request_name(enum request_verb verb); /* "cancel" */
/* "tried again by request": how its event ends, after "run N: ". */
const char *request_past(enum request_verb verb);

/* May this be done to a run in this state?  *e (ERR_USAGE): why not. */
int request_judge(const struct request *r, enum run_state state, struct err *e);

/* Do it to a run that no process works on: state and event.  A run that a
 * killed launch left running is taken as pending.  The caller has judged it.
 * *state: what the run becomes. */
int request_apply(enum run_state *state, const struct request *r,
                  struct store *db, struct err *e);

/* --- files --- */

#define REQUEST_TEXT 256
#define REQUEST_NAME 64

/* Leave a request for who writes db; its name. */
int request_post(char name[REQUEST_NAME], const struct request *r,
                 const char *db, struct err *e);
/* The answer to it, if there is one: 1, with *refused and the text; it is then
 * removed. */
int request_answered(int *refused, char text[REQUEST_TEXT], const char *name,
                     const char *db);
/* Take it back: 1, or 0 when it was taken up already. */
int request_withdraw(const char *name, const char *db);

/* For who writes db: carry out every request, oldest first.  `answer` fills
 * the text and returns 1 when it is refused.  Answers nobody came for are
 * removed, and the directory when nothing is in it.  Returns how many. */
int requests_serve(const char *db,
                   int (*answer)(void *ctx, const struct request *r,
                                 char text[REQUEST_TEXT]),
                   void *ctx);

#endif
