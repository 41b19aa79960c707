/* cmd_serve: a study in the browser. */
#include "base/plugin.h"
#include "db/runs.h"
#include "runner/cmd.h"
#include "runner/http.h"
#include "runner/serve.h"
#include "runner/signals.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIX                                                                    \
    "it is built where libmicrohttpd is (Debian: libmicrohttpd-dev), then "    \
    "configure again"

static void print_url(const struct serve *s)
{
    char host[256] = "HOST";
    int port = s->door.port;

    gethostname(host, sizeof host - 1);
    printf("http://localhost:%d/?token=%s\n\n", port, s->door.token);
    printf("From another machine, first:  ssh -N -L %d:localhost:%d %s\n"
           "The URL is a key to the results; Ctrl-C ends this server.\n",
           port, port, host);
    fflush(stdout);
}

static void wait_for_end(double seconds)
{
    const struct timespec pause = {0, 100 * 1000 * 1000};

    for (double past = 0; !signals_stop() && (seconds <= 0 || past < seconds);
         past += 0.1)
        nanosleep(&pause, NULL);
}

static int serve(struct serve *s, int port, double seconds, struct err *e)
{
    const struct http_engine *engine;
    const void *table;
    void *server;

    if (plugin_open(&table, "http", HTTP_ABI, sizeof *engine, FIX, e) ||
        door_init(&s->door, e))
        return -1;
    engine = table;
    signals_install();
    if (engine->start(&server, &port, serve_answer, s, e))
        return -1;
    s->door.port = port;
    print_url(s);
    wait_for_end(seconds);
    engine->stop(server);
    return 0;
}

/* That the file can be read is found out now, not by the first request. */
static int check(const char *path, const char *study, struct err *e)
{
    struct store *db;
    int64_t id;
    int rc;

    if (store_open(&db, path, STORE_READ, e))
        return -1;
    rc = study ? db_study_find(&id, db, study, e) : 0;
    store_close(db);
    return rc;
}

static int serve_main(const struct command *self, int argc, char **argv)
{
    const char *study = NULL, **args;
    int64_t port = 0;
    double seconds = 0;
    int n_args, rc;
    struct serve s;
    struct err e;
    const struct opt opts[] = {
        {"port", 'p', OPT_INT, &port, "N", "of this machine (any free one)"},
        {"study", 0, OPT_STRING, &study, "NAME",
         "shown first, when there are several"},
        {"seconds", 0, OPT_DOUBLE, &seconds, "S", "end by itself after that"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (port < 0 || port > 65535) {
        err_set(&e, ERR_USAGE, "--port %lld: 0 to 65535 expected",
                (long long)port);
        return opts_fail(&e);
    }
    if (check(args[0], study, &e))
        return opts_fail(&e);
    serve_init(&s, args[0], study);
    rc = serve(&s, (int)port, seconds, &e);
    serve_release(&s);
    return rc ? opts_fail(&e) : 0;
}

const struct command cmd_serve = {
    .name = "serve",
    .synopsis = "serve F [--port N] [--study NAME] [--seconds S]",
    .summary = "the study in a browser on this machine, live",
    .help =
        "Runs, lanes, loss curves to zoom into, grids, profiles, laws, "
        "predictions and any\nquery, updated while the study runs; the file "
        "is only read.  Listens on loopback\nand lets in who has the URL it "
        "prints; an ssh tunnel, printed too, brings it to\nyour desk.  "
        "docs/serve.md says more.\n\n"
        "  loglog serve s.db\n"
        "  loglog serve s.db --port 8080\n",
    .main = serve_main,
};
