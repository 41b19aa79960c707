/* log: see log.h.  Each line is one write(2), so lines of several processes
 * do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    enum log_level level;
    int rank;     /* -1: do not show */
    char tag[48]; /* "" or "run 12/a2" */
} state = {LOG_INFO, -1, ""};

static const char *const names[] = {"error", "warn", "info", "debug"};

void log_init(enum log_level level, int rank, const char *tag)
{
    state.level = level;
    state.rank = rank;
    snprintf(state.tag, sizeof state.tag, "%s", tag ? tag : "");
}

enum log_level log_level(void)
{
    return state.level;
}

int log_level_parse(const char *name)
{
    for (int i = 0; i < 4; i++)
        if (!strcmp(name, names[i]))
            return i;
    return -1;
}

__attribute__((format(printf, 2, 0))) static void
emit(enum log_level level, const char *fmt, va_list ap)
{
    char line[1024];
    size_t n = 0, room = sizeof line - 1;

    if (level > state.level)
        return;
    n += (size_t)snprintf(line, room, "loglog");
    if (state.rank > 0)
        n += (size_t)snprintf(line + n, room - n, "[r%d]", state.rank);
    if (state.tag[0])
        n += (size_t)snprintf(line + n, room - n, " %s", state.tag);
    if (level != LOG_INFO)
        n += (size_t)snprintf(line + n, room - n, ": %s", names[level]);
    n += (size_t)snprintf(line + n, room - n, ": ");
    vsnprintf(line + n, room - n, fmt, ap);
    n = strlen(line);
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0)
        return; /* nobody is listening; there is nowhere to say so */
}

#define LOG_BODY(level)                                                        \
    do {                                                                       \
        va_list ap;                                                            \
        va_start(ap, fmt);                                                     \
        emit(level, fmt, ap);                                                  \
        va_end(ap);                                                            \
    } while (0)

void log_error(const char *fmt, ...)
{
    LOG_BODY(LOG_ERROR);
}

void log_warn(const char *fmt, ...)
{
    LOG_BODY(LOG_WARN);
}

void log_info(const char *fmt, ...)
{
    LOG_BODY(LOG_INFO);
}

void log_debug(const char *fmt, ...)
{
    LOG_BODY(LOG_DEBUG);
}

void log0_warn(const char *fmt, ...)
{
    if (state.rank <= 0)
        LOG_BODY(LOG_WARN);
}

void log0_info(const char *fmt, ...)
{
    if (state.rank <= 0)
        LOG_BODY(LOG_INFO);
}
