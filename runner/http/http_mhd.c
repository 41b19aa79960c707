/* http_mhd: the HTTP plugin, GNU libmicrohttpd behind runner/http.h.  Four
 * threads answer; a request may not have a body. */
#include "base/plugin.h"
#include "runner/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define CONNECTIONS 64
#define IDLE_SECONDS 30

struct server {
    struct MHD_Daemon *daemon;
    http_handler *handler;
    void *ctx;
};

static const char *lookup(const struct http_request *q, enum MHD_ValueKind kind,
                          const char *name)
{
    /* the library's lookup changes nothing, but asks for a pointer that may */
    union {
        const void *in;
        void *out;
    } from = {.in = q->from};

    return MHD_lookup_connection_value(from.out, kind, name);
}

static const char *header(const struct http_request *q, const char *name)
{
    return lookup(q, MHD_HEADER_KIND, name);
}

static const char *argument(const struct http_request *q, const char *name)
{
    return lookup(q, MHD_GET_ARGUMENT_KIND, name);
}

/* Called once when the headers are there, again for a body and at the end. */
static enum MHD_Result answer(void *ctx, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *upload,
                              size_t *upload_size, void **seen)
{
    struct server *s = ctx;
    struct http_request q = {method, url, c, header, argument};
    struct http_reply r = {0};
    struct MHD_Response *out;
    enum MHD_Result rc;

    (void)version, (void)upload;
    if (!*seen) {
        *seen = s;
        return MHD_YES;
    }
    if (*upload_size) {
        *upload_size = 0; /* dropped; the method is refused below */
        return MHD_YES;
    }
    s->handler(s->ctx, &q, &r);
    out = MHD_create_response_from_buffer(r.len, r.body, MHD_RESPMEM_MUST_FREE);
    if (!out) {
        free(r.body);
        return MHD_NO;
    }
    for (int i = 0; i < r.n_header; i++)
        MHD_add_response_header(out, r.header[i].name, r.header[i].value);
    rc = MHD_queue_response(c, (unsigned)r.status, out);
    MHD_destroy_response(out);
    return rc;
}

/* A text with a NUL in it would look shorter than it is. */
static size_t unescape(void *ctx, struct MHD_Connection *c, char *text)
{
    size_t n = MHD_http_unescape(text);

    (void)ctx, (void)c;
    for (size_t i = 0; i < n; i++)
        if (!text[i])
            text[i] = 1;
    return n;
}

static void quiet(void *ctx, const char *fmt, va_list ap)
{
    (void)ctx, (void)fmt, (void)ap;
}

static int start(void **server, int *port, http_handler *handler, void *ctx,
                 struct err *e)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)*port)};
    struct server *s = calloc(1, sizeof *s);
    const union MHD_DaemonInfo *info;

    if (!s)
        abort();
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->handler = handler;
    s->ctx = ctx;
    s->daemon = MHD_start_daemon(
        MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ERROR_LOG, (uint16_t)*port, NULL,
        NULL, answer, s, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&at, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    info = s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)
                     : NULL;
    if (!info) {
        e->cls = ERR_ENV;
        snprintf(e->text, sizeof e->text, "port %d of this machine: %s", *port,
                 strerror(errno));
        free(s);
        return -1;
    }
    *port = info->port;
    *server = s;
    return 0;
}

static void stop(void *server)
{
    struct server *s = server;

    MHD_stop_daemon(s->daemon);
    free(s);
}

static const struct http_engine engine = {sizeof engine, start, stop};

plugin_entry loglog_http;
__attribute__((visibility("default"))) const void *loglog_http(int abi)
{
    return abi == HTTP_ABI ? &engine : NULL;
}
