/* signals: see signals.h. */
#include "runner/signals.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void note(int signo)
{
    if (asked == SIGINT && signo == SIGINT)
        _exit(EXIT_RESUMABLE);
    if (!asked || signo == SIGINT)
        asked = signo;
}

static void note_child(int signo)
{
    asked = signo;
}

/* No SA_RESTART: a wait is to end. */
static void handle(int signo, void (*handler)(int))
{
    struct sigaction a;

    memset(&a, 0, sizeof a);
    a.sa_handler = handler;
    sigemptyset(&a.sa_mask);
    sigaction(signo, &a, NULL);
}

void signals_install(void)
{
    handle(SIGINT, note);
    handle(SIGTERM, note);
    handle(SIGUSR1, note);
    handle(SIGUSR2, note);
    handle(SIGPIPE, SIG_IGN);
}

void signals_install_child(void)
{
    handle(SIGTERM, note_child);
    handle(SIGUSR1, note_child);
    handle(SIGINT, SIG_IGN);
    handle(SIGPIPE, SIG_IGN);
}

int signals_stop(void)
{
    return asked;
}

const volatile sig_atomic_t *signals_flag(void)
{
    return &asked;
}

const char *signals_name(char buf[24], int signo)
{
    const char *abbrev = sigabbrev_np(signo);

    if (abbrev)
        snprintf(buf, 24, "SIG%s", abbrev);
    else
        snprintf(buf, 24, "signal %d", signo);
    return buf;
}
