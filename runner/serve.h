/* serve: a study's database as pages and JSON for one browser on this machine.
 *
 * serve_answer takes a request from the HTTP plugin and knows nothing of
 * sockets.  It opens the database for reading for each answer and closes it
 * again, with a limit on the time, so a reader never stands in the writer's
 * way; an answer that has not changed since the client's last one is not made
 * again (ETag).  No path is ever looked up in the file system: what is not in
 * the table of routes is not there. */
#ifndef LOGLOG_RUNNER_SERVE_H
#define LOGLOG_RUNNER_SERVE_H

#include "base/err.h"
#include "base/str.h"
#include "db/store.h"
#include "runner/door.h"
#include "runner/http.h"
#include "runner/serve_fit.h"

#include <stdint.h>

#define SERVE_SECONDS 5.0 /* most time of a query */

struct serve {
    const char *path;  /* of the database; borrowed */
    const char *study; /* by default; NULL: the only one.  Borrowed */
    struct door door;
    struct serve_fit *fit;
};

void serve_init(struct serve *s, const char *path, const char *study);
void serve_release(struct serve *s);

/* A http_handler; ctx is the struct serve. */
void serve_answer(void *ctx, const struct http_request *q,
                  struct http_reply *r);

/* --- private to serve*.c --- */

/* Append the answer; db is open and time is limited.  1: a provisional one,
 * which a client must not keep. */
typedef int serve_maker(struct serve *s, struct store *db,
                        const struct http_request *q, struct str *out,
                        struct err *e);

/* serve_data.c: rows as they are */
serve_maker serve_status, serve_studies, serve_runs, serve_run, serve_curves,
    serve_lanes, serve_query;
/* serve_laws.c: what is fitted from them */
serve_maker serve_figures, serve_laws, serve_report;

/* The study that is asked for. */
int serve_study_id(int64_t *id, const struct serve *s, struct store *db,
                   const struct http_request *q, struct err *e);

#endif
