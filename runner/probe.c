/* probe: see probe.h. */
#include "runner/probe.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/node_sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_SECONDS 0.02
#define AGAIN_SECONDS                                                          \
    1.0 /* before those that did not answer are asked again                    \
         */

struct probe {
    pid_t pid; /* 0: over */
    int answered;
};

/* mpirun OPTIONS true */
static char **make_argv(const char *mpirun, char **opt)
{
    char **argv;
    int n = 0;

    while (opt[n])
        n++;
    argv = xcalloc((size_t)n + 3, sizeof *argv);
    argv[0] = (char *)(uintptr_t)mpirun;
    for (int i = 0; i < n; i++)
        argv[i + 1] = opt[i];
    argv[n + 1] = (char *)(uintptr_t) "true";
    return argv;
}

static pid_t ask(char **argv)
{
    pid_t pid = fork();
    int null;

    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2; fd++)
        dup2(null, fd);
    execvp(argv[0], argv);
    _exit(127);
}

static void collect(struct probe *p, int how)
{
    int status;
    pid_t got;

    if (p->pid <= 0)
        return;
    got = waitpid(p->pid, &status, how);
    if (got == 0 || (got < 0 && errno == EINTR))
        return;
    p->answered = got == p->pid && WIFEXITED(status) && !WEXITSTATUS(status);
    p->pid = 0;
}

static void wait_for_all(struct probe *p, int n, double seconds)
{
    double until = clock_now() + seconds;
    int left = 1;

    while (left && clock_now() < until) {
        left = 0;
        for (int i = 0; i < n; i++) {
            collect(&p[i], WNOHANG);
            left += p[i].pid > 0;
        }
        if (left)
            clock_sleep(POLL_SECONDS);
    }
    for (int i = 0; i < n; i++)
        if (p[i].pid > 0) {
            kill(-p[i].pid, SIGKILL);
            kill(p[i].pid, SIGKILL);
            collect(&p[i], 0);
        }
}

static void tell(const struct host *h, int answered)
{
    if (!answered && !h->dead)
        log_warn("%s does not answer: going on without it", h->name);
    if (answered && h->dead)
        log_info("%s answers again", h->name);
}

/* Ask all who have not answered. */
static void ask_round(struct probe *p, const struct hosts *h,
                      const char *mpirun, char *const *opt, int n_opt,
                      double seconds)
{
    for (int i = 0; i < h->n; i++) {
        char **with, **argv;

        if (p[i].answered)
            continue;
        with = hosts_probe(h, i, opt, n_opt);
        argv = make_argv(mpirun, with);
        p[i].pid = ask(argv);
        free(argv);
        free(with);
    }
    wait_for_all(p, h->n, seconds);
}

static int count_answers(const struct probe *p, int n)
{
    int answers = 0;

    for (int i = 0; i < n; i++)
        answers += p[i].answered;
    return answers;
}

void probe_hosts(struct hosts *h, const char *mpirun, char *const *opt,
                 int n_opt, double seconds)
{
    struct probe *p;

    if (h->n < 2)
        return;
    p = xcalloc((size_t)h->n, sizeof *p);
    ask_round(p, h, mpirun, opt, n_opt, seconds);
    if (count_answers(p, h->n) < h->n) { /* the lost job may still be ending */
        clock_sleep(AGAIN_SECONDS);
        ask_round(p, h, mpirun, opt, n_opt, seconds);
    }
    for (int i = 0; i < h->n; i++) {
        int answered = p[i].answered || !count_answers(p, h->n);

        tell(&h->host[i], answered);
        h->host[i].dead = !answered;
    }
    node_sweep(NULL, NULL, NODE_SWEEP_AGE);
    free(p);
}
