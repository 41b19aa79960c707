/* shell: a command of the shell, which must succeed. */
#ifndef LOGLOG_TESTS_SHELL_H
#define LOGLOG_TESTS_SHELL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static inline void run(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
static inline void run(const char *fmt, ...)
{
    char command[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    assert_int_equal(system(command), 0);
}

#endif
