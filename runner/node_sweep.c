/* node_sweep: see node_sweep.h.
 *
 * Open MPI 4: /dev/shm/vader_segment.HOST.UID.JOBHEX.RANK of each rank (Open
 * MPI 5: sm_segment...), whose environment has PMIX_NAMESPACE=JOB in decimal;
 * under BASE/ompi.HOST.UID/ pid.PID of an mpirun, and jf.FAMILY of a daemon,
 * whose command line has "ess_base_jobid" and FAMILY << 16.  Slurm's
 * PMIX_NAMESPACE is no number. */
#include "runner/node_sweep.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_OPEN 16
#define FOUND_MOST 4096
#define NAMESPACE "PMIX_NAMESPACE="

/* Something that may be left, and whether a process uses it. */
struct found {
    char name[256];
    unsigned job; /* of a segment; of a daemon's directory: its own */
    int young, used;
};

struct list {
    struct found *at;
    int n;
    int foreign; /* a process is of a job without a number */
};

static const char *const segments[] = {"vader_segment.", "sm_segment."};

/* Is it of this user?  *young: it was changed in the last `age` seconds. */
static int is_own(int *young, int dir, const char *name, double age)
{
    struct timespec now;
    struct stat st;

    clock_gettime(CLOCK_REALTIME, &now);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return 0;
    *young = difftime(now.tv_sec, st.st_mtim.tv_sec) < age;
    return st.st_uid == geteuid();
}

int node_sweep_host(const char *text, const char *rest)
{
    char host[256];
    size_t len[2];

    if (gethostname(host, sizeof host - 1))
        return 0;
    host[sizeof host - 1] = '\0';
    len[0] = strlen(host);
    len[1] = strcspn(host, ".");
    for (int i = 0; i < 2; i++)
        if (len[i] && !strncmp(text, host, len[i]) &&
            !strncmp(text + len[i], rest, strlen(rest)))
            return 1;
    return 0;
}

/* Entries of `dir` for which `wanted` says so, that may be stale. */
static void collect(struct list *l, const char *dir, double age,
                    int (*wanted)(struct found *f))
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    if (!d)
        return;
    while ((entry = readdir(d)) && l->n < FOUND_MOST) {
        struct found f = {.used = 0};

        snprintf(f.name, sizeof f.name, "%s", entry->d_name);
        if (!wanted(&f) || !is_own(&f.young, dirfd(d), f.name, age))
            continue;
        l->at = xrealloc(l->at, (size_t)(l->n + 1) * sizeof *l->at);
        l->at[l->n++] = f;
    }
    closedir(d);
}

/* "<kind>HOST.UID.JOB.RANK" */
static int is_segment(struct found *f)
{
    char uid[32];

    snprintf(uid, sizeof uid, ".%u.", (unsigned)geteuid());
    for (size_t k = 0; k < ARRAY_LEN(segments); k++)
        if (!strncmp(f->name, segments[k], strlen(segments[k])) &&
            node_sweep_host(f->name + strlen(segments[k]), uid)) {
            const char *job = strstr(f->name, uid) + strlen(uid);

            f->job = (unsigned)strtoul(job, NULL, 16);
            return 1;
        }
    return 0;
}

/* "jf.FAMILY" of a daemon, "pid.PID" of an mpirun. */
static int is_session(struct found *f)
{
    unsigned family;
    int used = 0, pid;

    if (sscanf(f->name, "jf.%u%n", &family, &used) == 1 && !f->name[used]) {
        f->job = family << 16;
        return 1;
    }
    if (sscanf(f->name, "pid.%d%n", &pid, &used) != 1 || f->name[used] ||
        pid <= 0)
        return 0;
    return kill(pid, 0) && errno == ESRCH;
}

/* --- who uses them --- */

/* At most `room` - 1 bytes of /proc/PROCESS/WHAT. */
static size_t read_of(char *text, size_t room, const char *process,
                      const char *what)
{
    char path[64];
    size_t len = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%.16s/%s", process, what);
    f = fopen(path, "re");
    if (f) {
        len = fread(text, 1, room - 1, f);
        fclose(f);
    }
    text[len] = '\0';
    return len;
}

static void job_lives(struct list *l, unsigned job)
{
    for (int i = 0; i < l->n; i++)
        l->at[i].used |= l->at[i].job == job;
}

/* A rank's job lives, and so does what anybody has mapped. */
static void look_for_ranks(struct list *l, const char *process)
{
    static const size_t room = 1 << 20;
    char *text = xmalloc(room), *rest;
    size_t len = read_of(text, room, process, "environ");

    for (size_t at = 0; at < len; at += strlen(text + at) + 1)
        if (!strncmp(text + at, NAMESPACE, strlen(NAMESPACE))) {
            unsigned job =
                (unsigned)strtoul(text + at + strlen(NAMESPACE), &rest, 10);

            if (*rest)
                l->foreign = 1;
            else
                job_lives(l, job);
        }
    if (read_of(text, room, process, "maps"))
        for (int i = 0; i < l->n; i++)
            l->at[i].used |= strstr(text, l->at[i].name) != NULL;
    free(text);
}

/* "orted\0-mca\0ess_base_jobid\0001260388352\0..." */
static void look_for_daemons(struct list *l, const char *process)
{
    char text[8192];
    size_t len = read_of(text, sizeof text, process, "cmdline"), n;

    for (size_t at = 0; at < len; at += n + 1) {
        n = strlen(text + at);
        if (!strcmp(text + at, "ess_base_jobid") && at + n + 1 < len)
            job_lives(l, (unsigned)strtoul(text + at + n + 1, NULL, 10));
    }
}

static void each_process(struct list *l,
                         void (*look)(struct list *l, const char *process))
{
    DIR *d = opendir("/proc");
    struct dirent *entry;
    struct stat st;

    while (d && (entry = readdir(d)))
        if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name) &&
            !fstatat(dirfd(d), entry->d_name, &st, 0) && st.st_uid == geteuid())
            look(l, entry->d_name);
    if (d)
        closedir(d);
}

/* --- removal --- */

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path) ? 0 : 0;
}

/* Nothing is looked for among the processes when nothing was found. */
static int sweep(const char *dir, double age, int (*wanted)(struct found *f),
                 void (*look)(struct list *l, const char *process))
{
    struct list l = {0};
    int n = 0;

    collect(&l, dir, age, wanted);
    if (l.n)
        each_process(&l, look);
    for (int i = 0; i < l.n; i++) {
        char path[PATH_MAX];

        if (l.at[i].used || (l.foreign && l.at[i].young) ||
            snprintf(path, sizeof path, "%s/%s", dir, l.at[i].name) >=
                (int)sizeof path)
            continue;
        nftw(path, remove_one, MAX_OPEN, FTW_DEPTH | FTW_PHYS);
        n += access(path, F_OK) != 0;
    }
    free(l.at);
    return n;
}

int node_sweep(const char *base, const char *shm, double age)
{
    const char *tmp = getenv("TMPDIR");
    struct dirent *entry;
    char path[PATH_MAX], uid[32];
    int n = sweep(shm ? shm : "/dev/shm", age, is_segment, look_for_ranks);
    DIR *d;

    if (!base)
        base = tmp && *tmp ? tmp : "/tmp";
    snprintf(uid, sizeof uid, ".%u", (unsigned)geteuid());
    d = opendir(base);
    while (d && (entry = readdir(d)))
        if (!strncmp(entry->d_name, "ompi.", strlen("ompi.")) &&
            node_sweep_host(entry->d_name + strlen("ompi."), uid) &&
            snprintf(path, sizeof path, "%s/%s", base, entry->d_name) <
                (int)sizeof path)
            n += sweep(path, age, is_session, look_for_daemons);
    if (d)
        closedir(d);
    return n;
}

int node_sweep_is_ours(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_LOCAL_RANK",
                                        "SLURM_LOCALID", "MPI_LOCALRANKID",
                                        "FLUX_TASK_LOCAL_ID"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *text = getenv(names[i]);

        if (text)
            return !strcmp(text, "0");
    }
    return 1;
}
