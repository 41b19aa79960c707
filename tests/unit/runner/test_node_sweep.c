/* node_sweep: what dead jobs left goes, what living ones use stays, and nothing
 * of another host or user is touched. */
#include "runner/node_sweep.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LIVING 74250001u /* a job */

static char base[64], host[256];

static void name_it(char path[512], const char *format, unsigned a, unsigned b)
{
    char tail[128];

    snprintf(tail, sizeof tail, format, a, b);
    snprintf(path, 512, "%s/%s", base, tail);
}

static int make(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    return fd;
}

static void segment(char path[512], unsigned job, unsigned rank)
{
    char format[320];

    snprintf(format, sizeof format, "vader_segment.%s.%u.%%x.%%u", host,
             (unsigned)geteuid());
    name_it(path, format, job, rank);
    close(make(path));
}

/* A process that says it is a rank of this job. */
static pid_t rank_of(unsigned job)
{
    char ns[64];
    char *argv[] = {(char *)(uintptr_t) "sleep", (char *)(uintptr_t) "60",
                    NULL};
    char *env[] = {ns, NULL};
    char environ_of[64], text[128] = "";
    pid_t pid;

    snprintf(ns, sizeof ns, "PMIX_NAMESPACE=%u", job);
    pid = fork();
    if (!pid) {
        execve("/bin/sleep", argv, env);
        _exit(1);
    }
    snprintf(environ_of, sizeof environ_of, "/proc/%d/environ", (int)pid);
    while (strcmp(text, ns)) { /* until it is what it will be */
        FILE *f = fopen(environ_of, "re");

        assert_non_null(f);
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
    }
    return pid;
}

static void the_dead_leave_and_the_living_stay(void **state)
{
    char dead[512], living[512], mapped[512], other[512], dir[512], in[600];
    pid_t pid = rank_of(LIVING);
    void *map;
    int fd;

    (void)state;
    segment(dead, LIVING + 1, 0);
    segment(living, LIVING, 3);
    segment(mapped, LIVING + 2, 0);
    fd = open(mapped, O_RDWR);
    map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    name_it(other, "vader_segment.elsewhere.%u.%x.0", (unsigned)geteuid(),
            LIVING + 1);
    close(make(other));

    assert_int_equal(node_sweep(base, base, 0), 1);
    assert_int_not_equal(access(dead, F_OK), 0);
    assert_int_equal(access(living, F_OK), 0);
    assert_int_equal(access(mapped, F_OK), 0);
    assert_int_equal(access(other, F_OK), 0);

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    munmap(map, 4096);
    snprintf(dir, sizeof dir, "%s/ompi.%s.%u", base, host, (unsigned)geteuid());
    mkdir(dir, 0700);
    snprintf(in, sizeof in, "%s/pid.%d", dir, (int)pid);
    mkdir(in, 0700);
    snprintf(in, sizeof in, "%s/pid.%d", dir, (int)getpid());
    mkdir(in, 0700);
    assert_int_equal(node_sweep(base, base, 0), 3);
    assert_int_not_equal(access(living, F_OK), 0);
    assert_int_not_equal(access(mapped, F_OK), 0);
    assert_int_equal(access(in, F_OK), 0);
    rmdir(in);
    rmdir(dir);
    unlink(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dead_leave_and_the_living_stay),
    };

    snprintf(base, sizeof base, "/tmp/loglog-sweep-XXXXXX");
    if (!mkdtemp(base) || gethostname(host, sizeof host - 1))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL) + rmdir(base);
}
