/* launch: see launch.h. */
#include "runner/launch.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/query.h"
#include "runner/hosts.h"
#include "runner/node_sweep.h"
#include "runner/probe.h"
#include "runner/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_SECONDS 0.1
#define ORPHAN_SECONDS 3.0  /* ranks have to end after mpirun */
#define ASK_SECONDS 2.0     /* between looks into the database */
#define START_SECONDS 600.0 /* that mpirun may take to start a rank */
#define PAUSE_MOST 60.0     /* longest pause before a restart */
#define FINAL_WORTH 1e12    /* progress of a final run, in steps */

/* --- what the database says --- */

/* The stops that follow the last start: one a study, stored together. */
static int read_event(void *ctx, int n, const char *const *v)
{
    struct launch_status *s = ctx;
    int64_t id = 0;

    (void)n;
    if (!v[0] || str_to_i64(v[0], &id))
        return 0;
    s->event = id;
    if (!v[1] || strcmp(v[1], "stop") || !v[2])
        return 0;
    if (!strncmp(v[2], "finished", strlen("finished"))) {
        s->state = s->state == LAUNCH_STOPPED ? s->state : LAUNCH_FINISHED;
        s->failed |= strstr(v[2], ", 0 failed, complete") == NULL;
    } else {
        s->state = LAUNCH_STOPPED;
    }
    return 0;
}

static int read_number(void *ctx, int n, const char *const *v)
{
    (void)n;
    if (!v[0] || str_to_double(v[0], ctx))
        *(double *)ctx = 0;
    return 0;
}

void launch_status(struct launch_status *s, const char *path)
{
    double final = 0, resumed = 0;
    struct store *db;
    struct err e;

    memset(s, 0, sizeof *s);
    if (!file_exists(path) || store_open(&db, path, STORE_READ, &e))
        return;
    db_each(db,
            "SELECT event, kind, text FROM events WHERE kind IN ('start', "
            "'stop') AND event >= (SELECT max(event) FROM events WHERE kind = "
            "'start') ORDER BY event",
            read_event, s, NULL);
    db_each(db,
            "SELECT count(*) FROM runs WHERE state IN ('done', 'diverged', "
            "'failed', 'stopped')",
            read_number, &final, NULL);
    db_each(db,
            "SELECT sum(m) FROM (SELECT max(resumed_step) AS m FROM attempts "
            "GROUP BY run)",
            read_number, &resumed, NULL);
    store_close(db);
    s->progress = final * FINAL_WORTH + resumed;
}

/* --- one mpirun --- */

struct watch {
    const struct launch_options *o;
    pid_t pid;
    long long event; /* last one of the launch before */
    int told;        /* the signal was passed on */
    double over;     /* when the job was first seen to be over; 0: not yet */
    double asked;
    double began;
    int started; /* it has had a rank */
};

/* mpirun, its options without the dead hosts, loglog run ...: the array is the
 * caller's, the words are borrowed. */
static char **make_argv(const struct launch_options *o,
                        const struct hosts *hosts, char ***options)
{
    size_t n_opt = 0, n_run = 0;
    char **opt = hosts_options(hosts, o->opt, o->n_opt), **argv;

    while (opt[n_opt])
        n_opt++;
    while (o->run[n_run])
        n_run++;
    argv = xcalloc(n_opt + n_run + 2, sizeof *argv);
    argv[0] = (char *)(uintptr_t)o->mpirun;
    if (n_opt)
        memcpy(argv + 1, opt, n_opt * sizeof *argv);
    memcpy(argv + 1 + n_opt, o->run, n_run * sizeof *argv);
    *options = opt;
    return argv;
}

/* fork, not posix_spawn: this process is small, and mpirun is to be told when
 * it dies. */
static pid_t start(const struct launch_options *o, const struct hosts *hosts)
{
    char **opt, **argv = make_argv(o, hosts, &opt);
    pid_t pid = fork();

    if (pid) {
        free(argv);
        free(opt);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    if (dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO) < 0)
        _exit(ERR_ENV);
    execvp(argv[0], argv);
    log_error("%s: %s", argv[0], strerror(errno));
    _exit(127);
}

/* Does mpirun still have a child that is no zombie? */
static int has_children(pid_t pid)
{
    char path[64], state;
    FILE *list, *stat;
    int child, alive = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid,
             (int)pid);
    list = fopen(path, "re");
    if (!list)
        return 1; /* not known: believe so */
    while (!alive && fscanf(list, "%d", &child) == 1) {
        snprintf(path, sizeof path, "/proc/%d/stat", child);
        stat = fopen(path, "re");
        if (!stat)
            continue;
        alive = fscanf(stat, "%*d (%*[^)]) %c", &state) == 1 && state != 'Z';
        fclose(stat);
    }
    fclose(list);
    return alive;
}

/* The job is over when the database says so, or when no rank is left: of one
 * that has had any, for on a busy machine the first takes a while. */
static int job_is_over(struct watch *w)
{
    struct launch_status s;

    if (clock_now() - w->asked < ASK_SECONDS)
        return w->over > 0;
    w->asked = clock_now();
    if (has_children(w->pid))
        w->started = 1;
    else if (w->started || clock_now() - w->began > START_SECONDS)
        return 1;
    launch_status(&s, w->o->db);
    return s.event > w->event && s.state != LAUNCH_RUNNING;
}

static void pass_signal(struct watch *w)
{
    if (!signals_stop() || w->told)
        return;
    w->told = 1;
    kill(w->pid, SIGUSR1); /* mpirun passes this one on to its ranks */
}

/* Wait for mpirun to end, or end it.  Its wait status. */
static int watch(struct watch *w)
{
    int status;

    for (;;) {
        pid_t got = waitpid(w->pid, &status, WNOHANG);

        if (got == w->pid || (got < 0 && errno != EINTR))
            return status;
        pass_signal(w);
        if (!job_is_over(w)) {
            w->over = 0;
        } else if (w->over <= 0) {
            w->over = clock_now();
        } else if (clock_now() - w->over > w->o->exit_by) {
            log_warn("mpirun hangs in its exit: ending it");
            kill(-w->pid, SIGKILL);
            kill(w->pid, SIGKILL);
        }
        clock_sleep(POLL_SECONDS);
    }
}

/* Kill our children: all that mpirun has left. */
static void kill_children(void)
{
    char path[64];
    FILE *list;
    int child;

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    list = fopen(path, "re");
    if (!list)
        return;
    while (fscanf(list, "%d", &child) == 1)
        kill(child, SIGKILL);
    fclose(list);
}

/* Ranks outlive a killed mpirun for a moment, in which they may still make
 * segments; they are then our children (PR_SET_CHILD_SUBREAPER).  Wait until
 * they are gone, and kill those that stay. */
static void end_orphans(void)
{
    double until = clock_now() + ORPHAN_SECONDS;

    for (;;) {
        pid_t got = waitpid(-1, NULL, WNOHANG);

        if (got > 0 || (got < 0 && errno == EINTR))
            continue;
        if (got < 0)
            return;
        if (clock_now() > until)
            kill_children();
        clock_sleep(POLL_SECONDS);
    }
}

/* --- again and again --- */

/* Ended by the program's own decision that another start will not change:
 * bad usage, a machine that lacks something, a database that is not ours. */
static int is_final(int status, int starts)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    if (code == ERR_DB && starts > 1)
        return 0; /* ranks of the launch before may still hold it */
    return code == ERR_USAGE || code == ERR_ENV || code == ERR_DB ||
           code == 127;
}

static void rest(double seconds)
{
    double until = clock_now() + seconds;

    while (clock_now() < until && !signals_stop())
        clock_sleep(POLL_SECONDS);
}

/* What one mpirun came to. */
enum outcome { GOES_ON, ENDED };

/* Start mpirun, wait for its end: ENDED with the exit code, or GOES_ON. */
static enum outcome one_start(int *code, struct launch_status *after,
                              const struct launch_options *o,
                              const struct hosts *hosts, int starts)
{
    struct watch w = {.o = o, .event = after->event, .began = clock_now()};
    int status, told;

    *code = ERR_ENV;
    w.pid = start(o, hosts);
    if (w.pid < 0) {
        log_error("cannot start %s: %s", o->mpirun, strerror(errno));
        return ENDED;
    }
    status = watch(&w);
    end_orphans();
    node_sweep(NULL, NULL, NODE_SWEEP_AGE);
    launch_status(after, o->db);
    told = after->event > w.event;
    if (told && after->state == LAUNCH_FINISHED)
        *code = after->failed ? ERR_FAILED : 0;
    else if ((told && after->state == LAUNCH_STOPPED) || signals_stop())
        *code = EXIT_RESUMABLE;
    else if (is_final(status, starts))
        *code = WEXITSTATUS(status);
    else
        return GOES_ON;
    return ENDED;
}

static int again_and_again(const struct launch_options *o, struct hosts *hosts)
{
    double pause = o->pause;
    struct launch_status before, after;
    int idle = 0, code;

    launch_status(&before, o->db);
    for (int starts = 1;; starts++) {
        after = before;
        if (one_start(&code, &after, o, hosts, starts) == ENDED)
            return code;
        if (after.progress > before.progress) {
            idle = 0;
            pause = o->pause;
        } else if (++idle >= o->tries) {
            log_error("%d starts in a row without progress: giving up", idle);
            return ERR_FAILED;
        }
        log_warn("the job was lost (start %d); going on in %.0f s", starts,
                 pause);
        rest(pause);
        if (o->probe > 0 && !signals_stop())
            probe_hosts(hosts, o->mpirun, o->opt, o->n_opt, o->probe);
        pause = pause * 2 < PAUSE_MOST ? pause * 2 : PAUSE_MOST;
        before = after;
    }
}

int launch(const struct launch_options *o)
{
    struct hosts hosts;
    struct err e;
    int code = ERR_USAGE;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    node_sweep(NULL, NULL, NODE_SWEEP_AGE);
    if (hosts_read(&hosts, o->opt, o->n_opt, &e))
        log_error("%s", e.text);
    else
        code = again_and_again(o, &hosts);
    hosts_release(&hosts);
    return code;
}
