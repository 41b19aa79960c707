/* requests: see requests.h.
 *
 * FILE.requests/<time>-<pid>-<n>.ask holds "cancel 123"; the answer is the
 * same name with .said and holds "0 text" or "1 text" (refused).  Both appear
 * by rename, whole. */
#include "runner/requests.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/runs.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ASK ".ask"
#define SAID ".said"
#define ANSWER_SECONDS 60 /* that an answer is kept */
#define MOST 1024         /* requests at once */

/* What may be asked of a run in which state: NULL yes, else why not. */
/* clang-format off */
static const struct {
    const char *name, *past;
    const char *why_not[RUN_STATES];
} verbs[REQUEST_VERBS] = {
    [REQUEST_CANCEL] = {"cancel", "cancelled by request", {
        [RUN_DONE]     = "it has its result",
        [RUN_DIVERGED] = "that is its result",
        [RUN_FAILED]   = "skip it, if the study is to go on without it",
        [RUN_STOPPED]  = "it is given up already"}},
    [REQUEST_RETRY] = {"retry", "tried again by request", {
        [RUN_PENDING]  = "it waits for its turn already",
        [RUN_RUNNING]  = "cancel it first",
        [RUN_DONE]     = "it has its result",
        [RUN_DIVERGED] = "that is its result, and would be it again"}},
    [REQUEST_SKIP] = {"skip", "skipped by request", {
        [RUN_RUNNING]  = "cancel it",
        [RUN_DONE]     = "it has its result",
        [RUN_DIVERGED] = "that is its result",
        [RUN_STOPPED]  = "it is given up already"}},
};
/* clang-format on */

const char *request_name(enum request_verb verb)
{
    return verbs[verb].name;
}

const char *request_past(enum request_verb verb)
{
    return verbs[verb].past;
}

int request_judge(const struct request *r, enum run_state state, struct err *e)
{
    const char *why = verbs[r->verb].why_not[state];

    if (!why)
        return 0;
    return err_set(e, ERR_USAGE, "%s: run %" PRId64 " is %s: %s",
                   verbs[r->verb].name, r->run, run_state_name(state), why);
}

static int apply(enum run_state *state, const struct request *r,
                 struct store *db, struct err *e)
{
    char text[REQUEST_TEXT];
    int64_t study;
    int rc, n;

    if (db_run_state(state, &study, db, r->run, e))
        return -1;
    if (*state == RUN_RUNNING && db_recover(&n, db, study, e))
        return -1;
    if (r->verb == REQUEST_RETRY)
        rc = db_run_retry(db, r->run, e);
    else
        rc = db_run_stop(db, r->run, verbs[r->verb].past, e);
    if (rc)
        return rc < 0 ? -1
                      : err_set(e, ERR_USAGE,
                                "%s: run %" PRId64 " has just changed",
                                verbs[r->verb].name, r->run);
    *state = r->verb == REQUEST_RETRY ? RUN_PENDING : RUN_STOPPED;
    snprintf(text, sizeof text, "run %" PRId64 ": %s", r->run,
             verbs[r->verb].past);
    return db_event(db, study, r->run, "note", text, e);
}

int request_apply(enum run_state *state, const struct request *r,
                  struct store *db, struct err *e)
{
    if (store_begin(db, e))
        return -1;
    if (apply(state, r, db, e)) {
        store_rollback(db);
        return -1;
    }
    return store_commit(db, e);
}

/* --- files --- */

static int path_of(char path[PATH_MAX], const char *db, const char *name,
                   const char *end)
{
    return snprintf(path, PATH_MAX, "%s.requests/%s%s", db, name, end) <
                   PATH_MAX
               ? 0
               : -1;
}

int request_post(char name[REQUEST_NAME], const struct request *r,
                 const char *db, struct err *e)
{
    char path[PATH_MAX], text[REQUEST_TEXT];
    static int n; /* within this process */

    if (path_of(path, db, "", "") || file_mkdirs(path, e))
        return -1;
    snprintf(name, REQUEST_NAME, "%014.3f-%d-%d", clock_wall(), (int)getpid(),
             n++);
    snprintf(text, sizeof text, "%s %" PRId64 "\n", verbs[r->verb].name,
             r->run);
    if (path_of(path, db, name, ASK))
        return err_set(e, ERR_USAGE, "%s: path too long", db);
    return file_write(path, text, strlen(text), e);
}

int request_answered(int *refused, char text[REQUEST_TEXT], const char *name,
                     const char *db)
{
    char path[PATH_MAX], *data;
    size_t len;

    if (path_of(path, db, name, SAID) ||
        file_read(&data, &len, path, REQUEST_TEXT + 2, NULL))
        return 0;
    unlink(path);
    *refused = data[0] != '0';
    snprintf(text, REQUEST_TEXT, "%s", len > 2 ? data + 2 : "");
    free(data);
    path_of(path, db, "", "");
    rmdir(path); /* the last one */
    return 1;
}

int request_withdraw(const char *name, const char *db)
{
    char path[PATH_MAX];

    return !path_of(path, db, name, ASK) && !unlink(path);
}

/* "cancel 123" */
static int parse(struct request *r, const char *path)
{
    char *text, *space;
    size_t len;
    int rc = -1;

    if (file_read(&text, &len, path, REQUEST_TEXT, NULL))
        return -1;
    text[strcspn(text, "\r\n")] = '\0';
    space = strchr(text, ' ');
    if (space && !str_to_i64(space + 1, &r->run)) {
        *space = '\0';
        for (int i = 0; i < REQUEST_VERBS && rc; i++)
            if (!strcmp(text, verbs[i].name)) {
                r->verb = (enum request_verb)i;
                rc = 0;
            }
    }
    free(text);
    return rc;
}

static void serve_one(const char *db, const char *name,
                      int (*answer)(void *ctx, const struct request *r,
                                    char text[REQUEST_TEXT]),
                      void *ctx)
{
    char ask[PATH_MAX], said[PATH_MAX], text[REQUEST_TEXT], out[300];
    struct request r;
    int refused = 1;

    if (path_of(ask, db, name, ASK) || path_of(said, db, name, SAID))
        return;
    snprintf(text, sizeof text, "not a request");
    if (!parse(&r, ask))
        refused = answer(ctx, &r, text);
    snprintf(out, sizeof out, "%d %s", refused, text);
    file_write(said, out, strlen(out), NULL);
    unlink(ask);
}

static int ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);

    return n > k && !strcmp(name + n - k, end);
}

static void forget_old(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    if (snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path &&
        !stat(path, &st) && llabs(time(NULL) - st.st_mtime) > ANSWER_SECONDS)
        unlink(path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int requests_serve(const char *db,
                   int (*answer)(void *ctx, const struct request *r,
                                 char text[REQUEST_TEXT]),
                   void *ctx)
{
    char dir[PATH_MAX], (*name)[REQUEST_NAME] = NULL;
    struct dirent *entry;
    size_t n = 0, cap = 0;
    DIR *d = path_of(dir, db, "", "") ? NULL : opendir(dir);

    if (!d)
        return 0;
    while ((entry = readdir(d)) && n < MOST) {
        size_t len = strlen(entry->d_name);

        if (ends_with(entry->d_name, SAID))
            forget_old(dir, entry->d_name);
        if (!ends_with(entry->d_name, ASK) || len >= REQUEST_NAME)
            continue;
        name = mem_grow(name, &cap, n + 1, sizeof *name);
        snprintf(name[n++], REQUEST_NAME, "%.*s", (int)(len - strlen(ASK)),
                 entry->d_name);
    }
    closedir(d);
    if (n)
        qsort(name, n, sizeof *name, by_name);
    for (size_t i = 0; i < n; i++)
        serve_one(db, name[i], answer, ctx);
    free(name);
    rmdir(dir);
    return (int)n;
}
