/* A file is replaced whole or not at all, whatever fails on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each test works in a directory of its own, the current one. */
static int enter(void **state)
{
    char dir[] = "/tmp/loglog-file-XXXXXX";

    if (!mkdtemp(dir) || chdir(dir))
        return -1;
    *state = xstrdup(dir);
    return 0;
}

static int leave(void **state)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    free(*state);
    return chdir("/") || system(command);
}

static int entries(void)
{
    DIR *d = opendir(".");
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void holds(const char *path, const char *text)
{
    char *data;
    size_t len;
    struct err e;

    if (file_read(&data, &len, path, 1 << 20, &e))
        fail_msg("%s", e.text);
    assert_int_equal(len, strlen(text));
    assert_string_equal(data, text);
    free(data);
}

static void what_is_written_is_read(void **state)
{
    struct file_map m;
    struct err e;

    (void)state;
    assert_int_equal(file_exists("a"), 0);
    assert_int_equal(file_write("a", "one", 3, &e), 0);
    assert_int_equal(file_exists("a"), 1);
    holds("a", "one");
    assert_int_equal(file_write("a", "twenty", 6, &e), 0);
    holds("a", "twenty");
    assert_int_equal(file_map(&m, "a", &e), 0);
    assert_int_equal(m.len, 6);
    assert_memory_equal(m.data, "twenty", 6);
    file_unmap(&m);
    assert_int_equal(m.len, 0);
    assert_int_equal(file_write("a", "", 0, &e), 0);
    holds("a", "");
    assert_int_equal(file_map(&m, "a", &e), 0);
    assert_int_equal(m.len, 0);
    file_unmap(&m);
    assert_int_equal(entries(), 1);
}

static void reading_is_bounded_and_named(void **state)
{
    char *data;
    size_t len;
    struct err e;

    (void)state;
    assert_int_equal(file_write("a", "12345", 5, &e), 0);
    assert_int_equal(file_read(&data, &len, "a", 4, &e), -1);
    assert_string_equal(e.text, "a: 5 bytes, at most 4 expected");
    assert_int_equal(file_read(&data, &len, "b", 4, &e), -1);
    assert_string_equal(e.text, "b: No such file or directory");
    assert_int_equal(e.cls, ERR_ENV);
    assert_int_equal(file_read(&data, &len, ".", 4, &e), -1);
    assert_string_equal(e.text, ".: not a regular file");
}

static int fill_twice(int fd, void *ctx, struct err *e)
{
    (void)ctx;
    return file_write_all(fd, "ne", 2, e) || file_write_all(fd, "w", 1, e);
}

/* What a child does, in the directory it was started in: 1 when the disk was
 * full. */
static int child(const char *how)
{
    struct err e = {0, ""};
    int rc = !strcmp(how, "whole") ? file_write("a", "new", 3, &e)
                                   : file_write_with("a", fill_twice, NULL, &e);

    return rc ? strstr(e.text, "No space left on device") ? 1 : 2 : 0;
}

/* Faults are read once a process, so they need one of their own. */
static int with_faults(const char *faults, const char *how)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        setenv("LOGLOG_FAULT", faults, 1);
        execl("/proc/self/exe", "test_file", how, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_full_disk_keeps_the_old_file(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(file_write("a", "old", 3, &e), 0);
    assert_int_equal(with_faults("write", "whole"), 1);
    assert_int_equal(with_faults("write:n=1", "pieces"), 1);
    assert_int_equal(with_faults("write:n=2", "pieces"), 1);
    holds("a", "old");
    assert_int_equal(entries(), 1); /* no temporary file is left */
    assert_int_equal(with_faults("write:n=3", "pieces"), 0);
    holds("a", "new");
    assert_int_equal(entries(), 1);
}

/* Killed in the middle of writing: the old file stands. */
static int kill_me(int fd, void *ctx, struct err *e)
{
    (void)ctx;
    if (!file_write_all(fd, "half", 4, e))
        kill(getpid(), SIGKILL);
    return 0;
}

static void a_killed_writer_keeps_the_old_file(void **state)
{
    struct err e;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(file_write("a", "old", 3, &e), 0);
    pid = fork();
    if (pid == 0) {
        file_write_with("a", kill_me, NULL, &e);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    holds("a", "old");
}

static int refuse(int fd, void *ctx, struct err *e)
{
    (void)fd;
    (void)ctx;
    return err_set(e, ERR_FAILED, "no more");
}

static void what_fails_is_named(void **state)
{
    char path[5000];
    struct err e;

    (void)state;
    assert_int_equal(file_write("no/such/dir", "x", 1, &e), -1);
    assert_string_equal(e.text, "no/such/dir: No such file or directory");
    assert_int_equal(file_write_with("a", refuse, NULL, &e), -1);
    assert_string_equal(e.text, "a: no more");
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(file_write(path, "x", 1, &e), -1);
    assert_int_equal(file_mkdirs(path, &e), -1);
    assert_int_equal(entries(), 0);
}

static void directories_are_made_on_the_way(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(file_mkdirs("x/y/z", &e), 0);
    assert_int_equal(file_mkdirs("x/y/z", &e), 0);
    assert_int_equal(file_write("x/y/z/a", "in", 2, &e), 0);
    holds("x/y/z/a", "in");
    assert_int_equal(file_mkdirs("x/y/z/a/b", &e), -1);
    assert_non_null(strstr(e.text, "Not a directory"));
}

/* Held by one process, refused to others, free when it is killed. */
static void a_lock_is_held_by_one(void **state)
{
    int fd = file_lock("l", NULL), ready[2], status;
    char byte;
    struct err e;
    pid_t pid;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(file_lock("l", &e), -2);
    file_unlock(fd);
    file_unlock(-1);
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        byte = file_lock("l", &e) >= 0 ? 'y' : 'n';
        if (write(ready[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(file_lock("l", &e), -2);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    fd = file_lock("l", &e);
    assert_true(fd >= 0);
    file_unlock(fd);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(file_lock("no/such/l", &e), -1);
}

int main(int argc, char **argv)
{
#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, enter, leave)
    const struct CMUnitTest tests[] = {
        IN_DIR(what_is_written_is_read),
        IN_DIR(reading_is_bounded_and_named),
        IN_DIR(a_full_disk_keeps_the_old_file),
        IN_DIR(a_killed_writer_keeps_the_old_file),
        IN_DIR(what_fails_is_named),
        IN_DIR(directories_are_made_on_the_way),
        IN_DIR(a_lock_is_held_by_one),
    };

    if (argc > 1)
        return child(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
