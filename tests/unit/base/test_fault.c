/* A fault happens when and where it was asked for, and never otherwise.  The
 * list is read once a process, so every case is a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Passes a point six times as run 7, steps 10 to 15, attempt 1, rank 2, and
 * then twice without a context; bit i of the result: the i-th pass failed. */
static int passes(void)
{
    int bits = 0;

    for (int i = 0; i < 6; i++) {
        struct fault_here here = {
            .run = 7, .step = 10 + i, .attempt = 1, .rank = 2};
        bits |= fault_at_here("nan", &here) << i;
    }
    for (int i = 6; i < 8; i++)
        bits |= fault_at("nan") << i;
    return bits;
}

/* In a child, because of the state and of exit(). */
static int in_child(const char *faults)
{
    int fd[2], bits = -1, status;
    pid_t pid;

    assert_int_equal(pipe(fd), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        if (faults)
            setenv("LOGLOG_FAULT", faults, 1);
        else
            unsetenv("LOGLOG_FAULT");
        bits = passes();
        if (write(fd[1], &bits, sizeof bits) != sizeof bits)
            _exit(1);
        _exit(0);
    }
    close(fd[1]);
    if (read(fd[0], &bits, sizeof bits) != sizeof bits)
        bits = -1;
    close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) ? -WEXITSTATUS(status)
                                                    : bits;
}

static void faults_happen_where_asked(void **state)
{
    static const struct {
        const char *faults;
        int bits;
    } t[] = {
        {NULL, 0},
        {"", 0},
        {"other", 0},
        {"nan", 1},
        {"nan:n=3", 1 << 2},
        {"nan:n=7", 1 << 6},
        {"nan:n=9", 0},
        {"nan:every", 0xff},
        {"nan:every=1", 0xff},
        {"nan:step=12", 1 << 2},
        {"nan:step=12:n=2", 0},
        {"nan:run=7:every", 0x3f},
        {"nan:run=8:every", 0},
        {"nan:attempt=1:step=15", 1 << 5},
        {"nan:attempt=2:every", 0},
        {"nan:rank=2:n=4", 1 << 3},
        {"nan:rank=0:every", 0},
        {"other,nan:n=2,nan:step=14", 1 << 1 | 1 << 4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        int bits = in_child(t[i].faults);
        if (bits != t[i].bits)
            fail_msg("'%s': %x instead of %x",
                     t[i].faults ? t[i].faults : "(unset)", (unsigned)bits,
                     (unsigned)t[i].bits);
    }
}

/* A test that asks for what does not exist must not pass by accident. */
static void a_misspelt_key_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(in_child("nan:stepp=12"), -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_happen_where_asked),
        cmocka_unit_test(a_misspelt_key_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
