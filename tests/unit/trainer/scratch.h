/* scratch: a temporary directory for all the tests of a program. */
#ifndef LOGLOG_TESTS_SCRATCH_H
#define LOGLOG_TESTS_SCRATCH_H

#include "tests/unit/trainer/shell.h"

#include <stdio.h>
#include <stdlib.h>

static char dir[] = "/tmp/loglog-test-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    run("rm -rf %s", dir);
    return 0;
}

/* The path of `name` in it; good for the next 15 calls. */
static const char *in_dir(const char *name)
{
    static char path[16][512];
    static int next;

    next = (next + 1) % 16;
    snprintf(path[next], sizeof path[next], "%s/%s", dir, name);
    return path[next];
}

#endif
