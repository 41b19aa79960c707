/* leftovers: see leftovers.h.
 *
 * Open MPI 4: BASE/ompi.HOST.UID/pid.PID/pmix_dstor_*<etc>/smdataseg-JOB-0
 * and /dev/shm/vader_segment.HOST.UID.JOBHEX.RANK, where JOB is the number of
 * the job in decimal.  So the session directory tells whose segments are
 * whose. */
#include "runner/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_OPEN 16

/* Entries of `dir` whose names match, handed to `found` by their path. */
static void each_entry(const char *dir, void *ctx,
                       void (*found)(void *ctx, const char *dir,
                                     const char *name))
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    if (!d)
        return;
    while ((entry = readdir(d)))
        if (entry->d_name[0] != '.')
            found(ctx, dir, entry->d_name);
    closedir(d);
}

struct search {
    pid_t mpirun; /* 0: any that is gone */
    const char *shm;
    int keep; /* only note the jobs */
    struct leftovers jobs;
    int removed;
};

static void note_job(void *ctx, const char *dir, const char *name)
{
    struct search *s = ctx;
    struct leftovers *l = &s->jobs;
    unsigned job;

    (void)dir;
    if (sscanf(name, "smdataseg-%u-", &job) != 1 || l->n == LEFTOVERS_JOBS)
        return;
    for (int i = 0; i < l->n; i++)
        if (l->job[i] == job)
            return;
    l->job[l->n++] = job;
}

static void look_into_store(void *ctx, const char *dir, const char *name)
{
    char path[PATH_MAX];

    if (strncmp(name, "pmix_dstor_", strlen("pmix_dstor_")))
        return;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path)
        each_entry(path, ctx, note_job);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path) ? 0 : 0;
}

static void remove_segment(void *ctx, const char *dir, const char *name)
{
    struct search *s = ctx;
    char path[PATH_MAX], tail[64];

    for (int i = 0; i < s->jobs.n; i++) {
        const char *at;

        snprintf(tail, sizeof tail, ".%u.%x.", (unsigned)geteuid(),
                 s->jobs.job[i]);
        at = strstr(name, tail);
        if (strncmp(name, "vader_segment.", strlen("vader_segment.")) || !at)
            continue;
        if (snprintf(path, sizeof path, "%s/%s", dir, name) <
                (int)sizeof path &&
            !unlink(path))
            s->removed++;
    }
}

/* Remove pid.PID of a dead mpirun, and remember its jobs. */
static void look_into_session(void *ctx, const char *dir, const char *name)
{
    struct search *s = ctx;
    char path[PATH_MAX];
    int pid, used = 0;

    if (sscanf(name, "pid.%d%n", &pid, &used) != 1 || name[used] || pid <= 0 ||
        (s->mpirun && pid != s->mpirun) || s->jobs.n == LEFTOVERS_JOBS)
        return;
    if (!s->mpirun && (kill(pid, 0) == 0 || errno != ESRCH))
        return;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return;
    each_entry(path, s, look_into_store);
    if (!s->keep && !nftw(path, remove_one, MAX_OPEN, FTW_DEPTH | FTW_PHYS))
        s->removed++;
}

/* BASE/ompi.HOST.UID, whatever the host is called. */
static void look_into_host(void *ctx, const char *dir, const char *name)
{
    char path[PATH_MAX], tail[32];
    size_t len = strlen(name), n;

    n = (size_t)snprintf(tail, sizeof tail, ".%u", (unsigned)geteuid());
    if (strncmp(name, "ompi.", strlen("ompi.")) || len < n ||
        strcmp(name + len - n, tail))
        return;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path)
        each_entry(path, ctx, look_into_session);
}

static int search_all(struct search *s, const char *base, const char *shm)
{
    const char *tmp = getenv("TMPDIR");

    if (!base)
        base = tmp && *tmp ? tmp : "/tmp";
    each_entry(base, s, look_into_host);
    if (s->jobs.n && !s->keep)
        each_entry(shm ? shm : "/dev/shm", s, remove_segment);
    return s->removed;
}

void leftovers_note(struct leftovers *l, pid_t mpirun, const char *base)
{
    struct search s = {.mpirun = mpirun, .keep = 1, .jobs = *l};

    search_all(&s, base, NULL);
    *l = s.jobs;
}

int leftovers_remove(const struct leftovers *l, pid_t mpirun, const char *base,
                     const char *shm)
{
    struct search s = {.mpirun = mpirun};

    if (l)
        s.jobs = *l;
    return search_all(&s, base, shm);
}

int leftovers_sweep(const char *base, const char *shm)
{
    struct search s = {.mpirun = 0};

    return search_all(&s, base, shm);
}
