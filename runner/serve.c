/* serve: requests to answers; see serve.h. */
#include "runner/serve.h"

#include "analysis/svg.h"
#include "base/mem.h"
#include "runner/web/pages.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define JSON "application/json"

static const struct route {
    const char *path, *type;
    const char *text;  /* always the same ... */
    serve_maker *make; /* ... or made from the database */
} routes[] = {
    /* clang-format off */
    {"/",            "text/html; charset=utf-8",       index_html, NULL},
    {"/app.css",     "text/css; charset=utf-8",        app_css,    NULL},
    {"/plot.css",    "text/css; charset=utf-8",        svg_style,  NULL},
    {"/app.js",      "text/javascript; charset=utf-8", app_js,     NULL},
    {"/chart.js",    "text/javascript; charset=utf-8", chart_js,   NULL},
    {"/dom.js",      "text/javascript; charset=utf-8", dom_js,     NULL},
    {"/laws.js",     "text/javascript; charset=utf-8", laws_js,    NULL},
    {"/overview.js", "text/javascript; charset=utf-8", overview_js, NULL},
    {"/runs.js",     "text/javascript; charset=utf-8", runs_js,    NULL},
    {"/icon.svg",    "image/svg+xml",                  icon_svg,   NULL},
    {"/api/studies", JSON,                             NULL, serve_studies},
    {"/api/status",  JSON,                             NULL, serve_status},
    {"/api/runs",    JSON,                             NULL, serve_runs},
    {"/api/run",     JSON,                             NULL, serve_run},
    {"/api/curves",  JSON,                             NULL, serve_curves},
    {"/api/lanes",   JSON,                             NULL, serve_lanes},
    {"/api/query",   JSON,                             NULL, serve_query},
    {"/api/laws",    JSON,                             NULL, serve_laws},
    {"/api/figures", JSON,                             NULL, serve_figures},
    {"/report",      "text/html; charset=utf-8",       NULL, serve_report},
    /* clang-format on */
};

void serve_init(struct serve *s, const char *path, const char *study)
{
    memset(s, 0, sizeof *s);
    s->path = path;
    s->study = study;
    s->fit = serve_fit_new(path);
}

void serve_release(struct serve *s)
{
    serve_fit_free(s->fit);
}

/* --- replies --- */

static void add_header(struct http_reply *r, const char *name,
                       const char *value)
{
    BUG_ON(r->n_header == HTTP_HEADERS);
    r->header[r->n_header].name = name;
    snprintf(r->header[r->n_header].value, sizeof r->header[0].value, "%s",
             value);
    r->n_header++;
}

static void put_body(struct http_reply *r, int status, struct str *body)
{
    r->status = status;
    r->len = body->len;
    r->body = str_take(body);
    str_release(body);
}

static void say(struct http_reply *r, int status, const char *text)
{
    struct str s;

    str_init(&s);
    str_add(&s, text);
    str_add(&s, "\n");
    put_body(r, status, &s);
}

/* What every reply carries.  Scripts and styles are our own files only; the
 * report is one file with its style sheet inside and no script at all. */
static void harden(struct http_reply *r, const char *type, int report)
{
    add_header(r, "Content-Type", type);
    add_header(r, "Content-Security-Policy",
               report ? "default-src 'none'; style-src 'unsafe-inline'; "
                        "base-uri 'none'; form-action 'none'; "
                        "frame-ancestors 'none'"
                      : "default-src 'none'; script-src 'self'; style-src "
                        "'self'; img-src 'self'; connect-src 'self'; base-uri "
                        "'none'; form-action 'none'; frame-ancestors 'none'");
    add_header(r, "X-Content-Type-Options", "nosniff");
    add_header(r, "X-Frame-Options", "DENY");
    add_header(r, "Referrer-Policy", "no-referrer");
    add_header(r, "Cross-Origin-Opener-Policy", "same-origin");
    add_header(r, "Cross-Origin-Resource-Policy", "same-origin");
    add_header(r, "Permissions-Policy",
               "camera=(), geolocation=(), microphone=()");
}

static void refuse(struct http_reply *r, int status, const char *text)
{
    harden(r, "text/plain; charset=utf-8", 0);
    add_header(r, "Cache-Control", "no-store");
    say(r, status, text);
}

/* --- the state of the file --- */

static int64_t nanoseconds(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* Names what the file and its log hold, or "" while a change may still share
 * its time stamp with what was just read. */
static void make_tag(char tag[96], const char *path)
{
    static const char *const beside[] = {"", "-wal", "-journal"};
    int64_t size = 0, newest = 0, now;
    struct timespec t;
    struct stat st;
    struct str name;

    clock_gettime(CLOCK_REALTIME, &t);
    now = nanoseconds(&t);
    str_init(&name);
    for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
        str_clear(&name);
        str_addf(&name, "%s%s", path, beside[i]);
        if (stat(name.text, &st))
            continue;
        size = size * 31 + st.st_size;
        if (nanoseconds(&st.st_mtim) > newest)
            newest = nanoseconds(&st.st_mtim);
    }
    str_release(&name);
    tag[0] = 0;
    if (now - newest > 50 * 1000 * 1000)
        snprintf(tag, 96, "\"%llx-%llx\"", (unsigned long long)size,
                 (unsigned long long)newest);
}

/* --- answers --- */

static void answer_text(struct http_reply *r, const struct route *route)
{
    struct str s;

    harden(r, route->type, 0);
    add_header(r, "Cache-Control", "no-store");
    str_init(&s);
    str_add(&s, route->text);
    put_body(r, 200, &s);
}

static void answer_error(struct http_reply *r, const struct err *e)
{
    json_t *o = json_pack("{s:s}", "error", e->text);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

    json_decref(o);
    harden(r, JSON, 0);
    add_header(r, "Cache-Control", "no-store");
    say(r, e->cls == ERR_USAGE ? 400 : 503,
        text ? text : "{\"error\":\"unknown\"}");
    free(text);
}

static void answer_made(struct http_reply *r, struct serve *s,
                        const struct route *route, const struct http_request *q)
{
    const char *have = q->header(q, "If-None-Match");
    struct store *db;
    struct str body;
    struct err e;
    char tag[96];
    int rc;

    make_tag(tag, s->path);
    if (have && tag[0] && !strcmp(have, tag)) {
        harden(r, route->type, route->make == serve_report);
        add_header(r, "ETag", tag);
        r->status = 304;
        return;
    }
    if (store_open(&db, s->path, STORE_READ, &e)) {
        answer_error(r, &e);
        return;
    }
    store_time_limit(db, SERVE_SECONDS);
    str_init(&body);
    rc = route->make(s, db, q, &body, &e);
    store_close(db);
    if (rc < 0) {
        str_release(&body);
        answer_error(r, &e);
        return;
    }
    harden(r, route->type, route->make == serve_report);
    add_header(r, "Cache-Control", rc ? "no-store" : "no-cache");
    if (!rc && tag[0])
        add_header(r, "ETag", tag);
    put_body(r, 200, &body);
}

/* The secret of the URL becomes a cookie, and the URL loses it.  A page that
 * moves on by itself and not a redirect: the cookie is not sent along one that
 * began on another site. */
static void let_in(struct http_reply *r, const struct serve *s)
{
    char cookie[128];

    door_cookie(cookie, sizeof cookie, &s->door);
    harden(r, "text/html; charset=utf-8", 0);
    add_header(r, "Cache-Control", "no-store");
    add_header(r, "Set-Cookie", cookie);
    add_header(r, "Refresh", "0; url=/");
    say(r, 200, "<!DOCTYPE html><title>loglog</title><a href=\"/\">On</a>");
}

void serve_answer(void *ctx, const struct http_request *q, struct http_reply *r)
{
    struct serve *s = ctx;
    const char *token = q->argument(q, "token");

    if (strcmp(q->method, "GET") && strcmp(q->method, "HEAD")) {
        add_header(r, "Allow", "GET, HEAD");
        refuse(r, 405, "only GET and HEAD");
    } else if (!door_host(q->header(q, "Host"))) {
        refuse(r, 421, "this server is localhost only");
    } else if (!door_origin(q)) {
        refuse(r, 403, "not for other sites");
    } else if (token && !strcmp(q->path, "/")) {
        if (door_token(&s->door, token))
            let_in(r, s);
        else
            refuse(r, 403, "not the token that loglog serve printed");
    } else if (!door_known(&s->door, q)) {
        refuse(r, 403, "open the URL that loglog serve printed");
    } else {
        for (size_t i = 0; i < ARRAY_LEN(routes); i++)
            if (!strcmp(q->path, routes[i].path)) {
                if (routes[i].text)
                    answer_text(r, &routes[i]);
                else
                    answer_made(r, s, &routes[i], q);
                return;
            }
        refuse(r, 404, "no such page");
    }
}
