/* cmd_requests: cancel, retry and skip, of single runs. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/query.h"
#include "db/runs.h"
#include "runner/cmd.h"
#include "runner/requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_SECONDS 20.0
#define LOOK_SECONDS 0.05

struct wish {
    struct request r;
    int posted, over;
    char name[REQUEST_NAME];
};

struct wishes {
    struct wish *wish;
    size_t n, cap, left;
    const char *db;
    int refused;
};

static void add(struct wishes *w, enum request_verb verb, int64_t run)
{
    w->wish = mem_grow(w->wish, &w->cap, w->n + 1, sizeof *w->wish);
    memset(&w->wish[w->n], 0, sizeof *w->wish);
    w->wish[w->n++].r = (struct request){verb, run};
    w->left++;
}

static int add_failed(void *ctx, int n, const char *const *v)
{
    int64_t run;

    if (n > 0 && v[0] && !str_to_i64(v[0], &run))
        add(ctx, REQUEST_RETRY, run);
    return 0;
}

/* Every run is looked at before anything is done to any. */
static int collect(struct wishes *w, enum request_verb verb, const char **args,
                   int n_args, int failed, struct err *e)
{
    struct store *db;
    int rc = 0;

    if (store_open(&db, w->db, STORE_READ, e))
        return -1;
    for (int i = 0; i < n_args && !rc; i++) {
        int64_t run;

        if (str_to_i64(args[i], &run))
            rc = err_set(e, ERR_USAGE,
                         "%s: '%s' is no run: a number as in the view runs "
                         "expected",
                         request_name(verb), args[i]);
        else
            add(w, verb, run);
    }
    if (!rc && failed)
        rc = db_each(db,
                     "SELECT DISTINCT run FROM runs WHERE state = 'failed' "
                     "ORDER BY run",
                     add_failed, w, e);
    for (size_t i = 0; i < w->n && !rc; i++) {
        enum run_state state;
        int64_t study;

        rc = db_run_state(&state, &study, db, w->wish[i].r.run, e) ||
                     request_judge(&w->wish[i].r, state, e)
                 ? -1
                 : 0;
    }
    store_close(db);
    return rc;
}

static void settle(struct wishes *w, struct wish *wish, int refused,
                   const char *text)
{
    wish->over = 1;
    w->left--;
    w->refused |= refused;
    if (refused)
        fprintf(stderr, "loglog: %s\n", text);
    else
        puts(text);
}

/* Nobody writes the database: do it here. */
static void do_all(struct wishes *w, struct store *db)
{
    for (size_t i = 0; i < w->n; i++) {
        struct wish *wish = &w->wish[i];
        enum run_state state;
        int64_t study;
        char text[REQUEST_TEXT];
        struct err e;
        int rc;

        if (wish->over ||
            (wish->posted && !request_withdraw(wish->name, w->db)))
            continue;
        wish->posted = 0;
        rc = db_run_state(&state, &study, db, wish->r.run, &e) ||
             request_judge(&wish->r, state, &e) ||
             request_apply(&state, &wish->r, db, &e);
        snprintf(text, sizeof text, "run %" PRId64 ": %s", wish->r.run,
                 run_state_name(state));
        settle(w, wish, rc, rc ? e.text : text);
    }
}

/* Somebody does: ask, and look for the answers. */
static int ask_all(struct wishes *w, struct err *e)
{
    for (size_t i = 0; i < w->n; i++) {
        struct wish *wish = &w->wish[i];
        char text[REQUEST_TEXT];
        int refused;

        if (wish->over)
            continue;
        if (!wish->posted) {
            if (request_post(wish->name, &wish->r, w->db, e))
                return -1;
            wish->posted = 1;
        }
        if (request_answered(&refused, text, wish->name, w->db))
            settle(w, wish, refused, text);
    }
    return 0;
}

static int carry_out(struct wishes *w, struct err *e)
{
    double until = clock_now() + WAIT_SECONDS;
    char who[STORE_WRITER];

    while (w->left && clock_now() < until) {
        struct store *db;

        store_writer(who, w->db);
        if (!who[0] && !store_open(&db, w->db, STORE_WRITE, e)) {
            do_all(w, db);
            store_close(db);
        }
        if (ask_all(w, e))
            return -1;
        if (w->left)
            clock_sleep(LOOK_SECONDS);
    }
    if (!w->left)
        return 0;
    for (size_t i = 0; i < w->n; i++)
        if (!w->wish[i].over)
            request_withdraw(w->wish[i].name, w->db);
    return err_set(e, ERR_DB,
                   "%s: who writes it (%s) does not answer; nothing was "
                   "changed: try again",
                   w->db, who[0] ? who : "not known");
}

static int request_main(const struct command *self, enum request_verb verb,
                        int argc, char **argv)
{
    struct wishes w = {0};
    const char **args;
    int n_args, failed = 0, rc;
    struct err e;
    const struct opt with_failed[] = {
        {"failed", 0, OPT_FLAG, &failed, NULL, "every run that failed"},
        OPT_END,
    };
    const struct opt none[] = {OPT_END};

    rc = opts_parse(self, verb == REQUEST_RETRY ? with_failed : none, argc,
                    argv, &args, &n_args, 1, -1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    w.db = args[0];
    if (n_args < 2 && !failed)
        rc = err_set(&e, ERR_USAGE, "%s: which run? usage: loglog %s",
                     self->name, self->synopsis);
    if (rc || collect(&w, verb, args + 1, n_args - 1, failed, &e) ||
        carry_out(&w, &e))
        rc = opts_fail(&e);
    else
        rc = w.refused ? ERR_FAILED : 0;
    free(w.wish);
    return rc;
}

static int cancel_main(const struct command *self, int argc, char **argv)
{
    return request_main(self, REQUEST_CANCEL, argc, argv);
}

static int retry_main(const struct command *self, int argc, char **argv)
{
    return request_main(self, REQUEST_RETRY, argc, argv);
}

static int skip_main(const struct command *self, int argc, char **argv)
{
    return request_main(self, REQUEST_SKIP, argc, argv);
}

#define LIVE                                                                   \
    "\n"                                                                       \
    "Works while the study runs (its process carries it out within a second\n" \
    "or so) and when it does not.  Every run is looked at first: where one\n"  \
    "request makes no sense nothing is done, and the exit status is 2.\n"

const struct command cmd_cancel = {
    .name = "cancel",
    .synopsis = "cancel F RUN...",
    .summary = "give up runs that run or wait",
    .help = "A run that is being trained stops at a checkpoint, from which "
            "`loglog retry`\n"
            "would go on.  Cancelled runs are `stopped`: final, and never "
            "fitted.\n" LIVE,
    .main = cancel_main,
};

const struct command cmd_retry = {
    .name = "retry",
    .synopsis = "retry F RUN... | --failed",
    .summary = "try runs again that failed or were given up",
    .help = "They wait for their turn again, with no failures counted, and go "
            "on from their\n"
            "last checkpoints.  A study that has ended goes on with the same "
            "`loglog run`.\n"
            "A run that is done or diverged has its result and is not "
            "repeated.\n" LIVE,
    .main = retry_main,
};

const struct command cmd_skip = {
    .name = "skip",
    .synopsis = "skip F RUN...",
    .summary = "leave out runs that wait or failed",
    .help = "They become `stopped`: final, never fitted, and no failure of the "
            "study, which\n"
            "goes on without them.\n" LIVE,
    .main = skip_main,
};
