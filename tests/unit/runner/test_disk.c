/* disk: who gets the room of the budget, and what is counted. */
#include "runner/disk.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void room_goes_to_the_needed_first(void **state)
{
    struct disk d = {.budget = INFINITY, .needed = 600, .left_by_others = 100};

    (void)state;
    assert_true(isinf(disk_room(&d)));
    assert_int_equal(disk_keep(&d, 100), DISK_KEEP);
    d.budget = 1000;
    assert_true(disk_room(&d) == 300);
    d.trunks = 200; /* then trunks, then a second checkpoint */
    assert_int_equal(disk_keep(&d, 100), DISK_KEEP);
    d.trunks = 300;
    assert_int_equal(disk_keep(&d, 100), 1);
    d.budget = 500;
    assert_true(disk_room(&d) < 0);
    assert_int_equal(disk_keep(&d, 100), 1);
}

static void fill(const char *path, off_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, bytes), 0);
    close(fd);
}

static int is_seven(void *ctx, int64_t run)
{
    (void)ctx;
    return run == 7;
}

/* Of runs that are not at work, without trunks, which are counted by those
 * that need them. */
static void what_others_left_is_counted(void **state)
{
    (void)state;
    mkdir("5", 0700);
    mkdir("7", 0700);
    mkdir("notes", 0700);
    fill("5/0000000000000005-000000000010.ckpt", 1000);
    fill("5/0000000000000005-000000000008.trunk", 500);
    fill("5/reports", 24);
    fill("7/0000000000000007-000000000010.ckpt", 4000);
    fill("notes/big", 9000);
    assert_true(disk_left(".", NULL, is_seven) == 1024);
    assert_true(disk_left("nowhere", NULL, is_seven) == 0);
}

static char dir[] = "/tmp/loglog-disk-XXXXXX", clear[64];

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(clear, sizeof clear, "rm -rf %s", dir);
    return chdir(dir);
}

static int teardown(void **state)
{
    (void)state;
    return chdir("/") || system(clear);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_goes_to_the_needed_first),
        cmocka_unit_test(what_others_left_is_counted),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
