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

#define MAX_JOBS 64 /* at once */
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
    unsigned job[MAX_JOBS];
    int n_job;
    int removed;
};

static void note_job(void *ctx, const char *dir, const char *name)
{
    struct search *s = ctx;
    unsigned job;

    (void)dir;
    if (sscanf(name, "smdataseg-%u-", &job) == 1 && s->n_job < MAX_JOBS)
        s->job[s->n_job++] = job;
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

    for (int i = 0; i < s->n_job; i++) {
        const char *at;

        snprintf(tail, sizeof tail, ".%u.%x.", (unsigned)geteuid(), s->job[i]);
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
        (s->mpirun && pid != s->mpirun) || s->n_job == MAX_JOBS)
        return;
    if (!s->mpirun && (kill(pid, 0) == 0 || errno != ESRCH))
        return;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return;
    each_entry(path, s, look_into_store);
    if (!nftw(path, remove_one, MAX_OPEN, FTW_DEPTH | FTW_PHYS))
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

static int remove_all(struct search *s, const char *base, const char *shm)
{
    const char *tmp = getenv("TMPDIR");

    if (!base)
        base = tmp && *tmp ? tmp : "/tmp";
    each_entry(base, s, look_into_host);
    if (s->n_job)
        each_entry(shm ? shm : "/dev/shm", s, remove_segment);
    return s->removed;
}

int leftovers_remove(pid_t mpirun, const char *base, const char *shm)
{
    struct search s = {.mpirun = mpirun};

    return remove_all(&s, base, shm);
}

int leftovers_sweep(const char *base, const char *shm)
{
    struct search s = {.mpirun = 0};

    return remove_all(&s, base, shm);
}
