/* spawn: see spawn.h. */
#include "runner/spawn.h"

#include "base/mem.h"
#include "runner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Open MPI 4 and 5 (ORTE, PRRTE), PMIx, PMI-1/2, and the step that srun made
 * for this rank.  What describes the job as a whole (SLURM_JOB_ID) stays. */
static const char *const launcher[] = {
    "OMPI_",          "OPAL_",          "ORTE_",         "PRTE_",
    "PRRTE_",         "PMIX_",          "PMI_",          "PMI2_",
    "MPI_LOCAL",      "MPICH_",         "HYDRA_",        "HYDI_",
    "SLURM_STEP",     "SLURM_PROCID",   "SLURM_LOCALID", "SLURM_TASK_PID",
    "SLURM_GTIDS",    "SLURM_SRUN",     "SLURM_LAUNCH",  "SLURM_PMI",
    "SLURM_MPI_TYPE", "SLURM_CPU_BIND",
};

static const char *const one_thread[] = {"OMP_NUM_THREADS=1",
                                         "OPENBLAS_NUM_THREADS=1"};

static int is_launcher(const char *var)
{
    for (size_t i = 0; i < ARRAY_LEN(launcher); i++)
        if (!strncmp(var, launcher[i], strlen(launcher[i])))
            return 1;
    return 0;
}

static int is_set(const char *var)
{
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(var, "="), var);
    return getenv(name) != NULL;
}

char **spawn_environ(void)
{
    size_t n = ARRAY_LEN(one_thread) + 1, bytes = 0;
    char **env, *text;

    for (char **v = environ; *v; v++) {
        n++;
        bytes += strlen(*v) + 1;
    }
    for (size_t i = 0; i < ARRAY_LEN(one_thread); i++)
        bytes += strlen(one_thread[i]) + 1;
    env = xcalloc(1, n * sizeof *env + bytes);
    text = (char *)(env + n);
    n = 0;
    for (char **v = environ; *v; v++)
        if (!is_launcher(*v)) {
            env[n++] = text;
            text = stpcpy(text, *v) + 1;
        }
    for (size_t i = 0; i < ARRAY_LEN(one_thread); i++)
        if (!is_set(one_thread[i])) {
            env[n++] = text;
            text = stpcpy(text, one_thread[i]) + 1;
        }
    return env;
}

/* posix_spawn's settings: the child's ends of the pipes, its own group, all
 * signals as they were by default. */
static int start(pid_t *pid, const char *exe, int in, int out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    char parent[16];
    char *argv[] = {(char *)(uintptr_t) "loglog",
                    (char *)(uintptr_t)CHILD_COMMAND, parent, NULL};
    char **env = spawn_environ();
    int rc;

    snprintf(parent, sizeof parent, "%d", (int)getpid());
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
                                     O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, in, CHILD_IN);
    posix_spawn_file_actions_adddup2(&files, out, CHILD_OUT);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
                                        POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    rc = posix_spawn(pid, exe ? exe : "/proc/self/exe", &files, &attr, argv,
                     env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    free(env);
    return rc;
}

static void close_pair(const int fd[2])
{
    close(fd[0]);
    close(fd[1]);
}

/* A pipe whose ends lie above the child's numbers, so that moving one end to
 * CHILD_IN cannot overwrite the other. */
static int high_pipe(int fd[2], struct err *e)
{
    int low[2], rc = 0;

    if (pipe2(low, O_CLOEXEC))
        return err_errno(e, "pipe");
    for (int i = 0; i < 2; i++)
        fd[i] = fcntl(low[i], F_DUPFD_CLOEXEC, CHILD_OUT + 1);
    if (fd[0] < 0 || fd[1] < 0) {
        rc = err_errno(e, "pipe");
        close_pair(fd);
    }
    close_pair(low);
    return rc;
}

int spawn_child(struct spawned *c, const char *exe, struct err *e)
{
    int to[2], from[2], rc;

    if (high_pipe(to, e))
        return -1;
    if (high_pipe(from, e)) {
        close_pair(to);
        return -1;
    }
    rc = start(&c->pid, exe, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    if (rc) {
        close(to[1]);
        close(from[0]);
        errno = rc;
        return err_errno(e, "cannot start a child process");
    }
    c->to = to[1];
    c->from = from[0];
    fcntl(c->from, F_SETFL, O_NONBLOCK);
    return 0;
}

long long spawn_oom_kills(void)
{
    FILE *f = fopen("/proc/vmstat", "re");
    char line[128];
    long long n = -1;

    if (!f)
        return -1;
    while (n < 0 && fgets(line, sizeof line, f))
        if (!strncmp(line, "oom_kill ", 9))
            n = strtoll(line + 9, NULL, 10);
    fclose(f);
    return n;
}

void spawn_verdict(char *text, size_t room, int status, int oom)
{
    int signo;

    if (WIFEXITED(status)) {
        snprintf(text, room, "exit code %d", WEXITSTATUS(status));
        return;
    }
    signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    snprintf(text, room, "killed by signal %d (%s)%s", signo, strsignal(signo),
             signo == SIGKILL && oom ? ": the machine ran out of memory" : "");
}
