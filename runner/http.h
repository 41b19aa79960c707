/* http: what a request asks and a reply says, and the plugin that carries both
 * over a socket of this machine.
 *
 * The program itself knows no HTTP library: libloglog_http.so (http/) does, and
 * is loaded by `loglog serve` alone (base/plugin.h). */
#ifndef LOGLOG_RUNNER_HTTP_H
#define LOGLOG_RUNNER_HTTP_H

#include "base/err.h"

#include <stddef.h>

struct http_request {
    const char *method, *path; /* path: unescaped, without arguments */
    const void *from;          /* the plugin's */
    /* A header, or an argument of the URL, by name; NULL: not there.  Both are
     * borrowed until the reply. */
    const char *(*header)(const struct http_request *q, const char *name);
    const char *(*argument)(const struct http_request *q, const char *name);
};

#define HTTP_HEADERS 16
struct http_reply {
    int status;
    char *body; /* of malloc; the plugin frees it */
    size_t len;
    struct {
        const char *name; /* constant */
        char value[320];
    } header[HTTP_HEADERS];
    int n_header;
};

/* Fill *r (zeroed before).  Called by several threads at once. */
typedef void http_handler(void *ctx, const struct http_request *q,
                          struct http_reply *r);

/* The plugin's table (plugin_open). */
#define HTTP_ABI 1
struct http_engine {
    size_t bytes;
    /* Listen on 127.0.0.1; port 0: any that is free, and *port says which. */
    int (*start)(void **server, int *port, http_handler *handler, void *ctx,
                 struct err *e);
    /* Answer what has begun, then end. */
    void (*stop)(void *server);
};
#endif
