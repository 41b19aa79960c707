/* Small memory never fails quietly, tensors are zeroed and aligned, and a
 * broken promise stops the process with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Let allocations fail under AddressSanitizer as they do without it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void growing_keeps_what_is_there(void **state)
{
    int *v = NULL;
    size_t cap = 0;

    (void)state;
    for (size_t n = 0; n < 1000; n++) {
        v = mem_grow(v, &cap, n + 1, sizeof *v);
        assert_true(cap > n && cap < 2 * n + 16);
        v[n] = (int)n;
    }
    for (int n = 0; n < 1000; n++)
        assert_int_equal(v[n], n);
    assert_ptr_equal(mem_grow(v, &cap, 3, sizeof *v), v);
    free(v);
}

static void nothing_is_a_pointer_too(void **state)
{
    void *p[] = {xmalloc(0), xcalloc(0, 8), xrealloc(NULL, 0), xstrdup("")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        assert_non_null(p[i]);
        free(p[i]);
    }
}

static void tensors_are_aligned_and_zero(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300; n += 7) {
        char *t = mem_tensor(n);
        assert_non_null(t);
        assert_int_equal((uintptr_t)t % 64, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(t[i], 0);
        memset(t, 1, n);
        mem_tensor_free(t);
    }
    mem_tensor_free(NULL);
}

/* Large ones are pages of the kernel's: zero too, and given back. */
static void large_tensors_are_zero_every_time(void **state)
{
    const size_t n = ((size_t)5 << 20) + 13;

    (void)state;
    for (int round = 0; round < 2; round++) {
        char *t = mem_tensor(n);
        size_t used = 0;

        assert_non_null(t);
        assert_int_equal((uintptr_t)t % 64, 0);
        for (size_t i = 0; i < n; i++)
            used += t[i] != 0;
        assert_int_equal(used, 0);
        memset(t, 1, n);
        mem_tensor_free(t);
    }
}

/* A model that does not fit is a result, so its memory may fail. */
static void a_tensor_may_not_fit(void **state)
{
    (void)state;
    assert_null(mem_tensor(SIZE_MAX));
    assert_null(mem_tensor(SIZE_MAX - 100));
}

/* Run fn in a child; its signal, and what it said. */
static int signal_of(void (*fn)(void), char *said, size_t size)
{
    int fd[2], status;
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(fd), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(fd[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    close(fd[1]);
    n = read(fd[0], said, size - 1);
    said[n > 0 ? n : 0] = '\0';
    close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void broken_promise(void)
{
    BUG_ON(1 + 1 == 2);
}

static void kept_promise(void)
{
    BUG_ON(1 + 1 == 3);
}

static void no_memory(void)
{
    volatile size_t size = SIZE_MAX / 4;

    free(xmalloc(size));
}

static void bugs_stop_the_process(void **state)
{
    char said[256];

    (void)state;
    assert_int_equal(signal_of(broken_promise, said, sizeof said), SIGABRT);
    assert_non_null(strstr(said, "loglog: BUG at "));
    assert_non_null(strstr(said, "test_mem.c:"));
    assert_non_null(strstr(said, ": 1 + 1 == 2"));
    assert_int_equal(signal_of(kept_promise, said, sizeof said), 0);
}

static void small_memory_does_not_return_null(void **state)
{
    char said[256];

    (void)state;
    assert_int_equal(signal_of(no_memory, said, sizeof said), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growing_keeps_what_is_there),
        cmocka_unit_test(nothing_is_a_pointer_too),
        cmocka_unit_test(tensors_are_aligned_and_zero),
        cmocka_unit_test(large_tensors_are_zero_every_time),
        cmocka_unit_test(a_tensor_may_not_fit),
        cmocka_unit_test(bugs_stop_the_process),
        cmocka_unit_test(small_memory_does_not_return_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
