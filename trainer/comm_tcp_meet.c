/* comm_tcp_meet: see comm_tcp_meet.h. */
#include "trainer/comm_tcp_meet.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x4c4f474c4f475443u /* also shows another byte order */
#define HOST_LEN 256
#define TOKEN_LEN 40
#define TICK_MS 200
#define HELLO_SECONDS 2 /* a stranger that says nothing */

struct hello {
    uint64_t magic;
    int32_t member, size;
    char token[TOKEN_LEN];
};

struct meeting {
    int *fd; /* of each member, see comm_tcp_meet.h */
    int member, size;
    double seconds; /* to come in */
};

struct address {
    char host[HOST_LEN], port[8], token[TOKEN_LEN];
};

/* "tcp:HOST:PORT:TOKEN"; the host may have colons of its own. */
static int parse(struct address *a, const char *name, struct err *e)
{
    const char *token = strrchr(name, ':'), *port = token;

    memset(a, 0, sizeof *a);
    while (port && port > name && *--port != ':')
        ;
    name += strlen("tcp:");
    if (!token || port <= name || port - name >= HOST_LEN ||
        token - port - 1 >= (int)sizeof a->port || token - port < 2 ||
        strlen(token + 1) >= TOKEN_LEN)
        return err_set(e, ERR_USAGE, "'tcp:%.80s' cannot be the name of a gang",
                       name);
    snprintf(a->host, sizeof a->host, "%.*s", (int)(port - name), name);
    snprintf(a->port, sizeof a->port, "%.*s", (int)(token - port - 1),
             port + 1);
    snprintf(a->token, sizeof a->token, "%s", token + 1);
    return 0;
}

static void prepare(int fd, double seconds)
{
    struct timeval limit = {(time_t)seconds + 1, 0};
    int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* One try; -1 with errno. */
static int dial(const struct addrinfo *list)
{
    for (const struct addrinfo *i = list; i; i = i->ai_next) {
        int fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, 0);

        if (fd >= 0 && !connect(fd, i->ai_addr, i->ai_addrlen))
            return fd;
        if (fd >= 0)
            close(fd);
    }
    return -1;
}

static int call(const struct meeting *t, const struct address *a, struct err *e)
{
    const struct addrinfo want = {.ai_socktype = SOCK_STREAM};
    const struct timespec pause = {0, 20000000};
    struct hello h = {.magic = MAGIC, .member = t->member, .size = t->size};
    double limit = clock_now() + t->seconds;
    struct addrinfo *list;
    int rc = getaddrinfo(a->host, a->port, &want, &list);

    if (rc)
        return err_set(e, ERR_ENV, "%s, where member 0 of the gang is: %s",
                       a->host, gai_strerror(rc));
    memcpy(h.token, a->token, sizeof h.token);
    while ((t->fd[0] = dial(list)) < 0 && clock_now() < limit)
        nanosleep(&pause, NULL);
    freeaddrinfo(list);
    if (t->fd[0] < 0)
        return err_set(e, ERR_FAILED,
                       "member 0 of the gang did not come within %.3g s "
                       "(%s port %s: %s)",
                       t->seconds, a->host, a->port, strerror(errno));
    prepare(t->fd[0], t->seconds);
    return send(t->fd[0], &h, sizeof h, MSG_NOSIGNAL) == (ssize_t)sizeof h
               ? 0
               : err_set(e, ERR_FAILED, "member 0 of the gang died");
}

/* A socket that listens, on all of this machine's addresses, or on its own. */
static int listen_at(const struct address *a, struct err *e)
{
    int own = !strcmp(a->host, "localhost") || !strncmp(a->host, "127.", 4);
    struct sockaddr_in at = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtol(a->port, NULL, 10)),
        .sin_addr.s_addr = htonl(own ? INADDR_LOOPBACK : INADDR_ANY)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0)
        return err_errno(e, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, COMM_MAX)) {
        err_errno(e, "port %s, where the gang is to meet", a->port);
        close(fd);
        return -1;
    }
    return fd;
}

/* Whoever called: one of the gang, or a stranger, who is sent away. */
static void admit(const struct meeting *t, int fd, const struct address *a)
{
    struct timeval limit = {HELLO_SECONDS, 0};
    struct hello h;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (recv(fd, &h, sizeof h, MSG_WAITALL) != (ssize_t)sizeof h ||
        h.magic != MAGIC || h.size != t->size || h.member < 1 ||
        h.member >= t->size || t->fd[h.member] >= 0 ||
        memcmp(h.token, a->token, sizeof h.token)) {
        close(fd);
        return;
    }
    prepare(fd, t->seconds);
    t->fd[h.member] = fd;
}

static int answer(const struct meeting *t, const struct address *a,
                  struct err *e)
{
    double limit = clock_now() + t->seconds;
    int fd = listen_at(a, e), missing, rc = -1;

    if (fd < 0)
        return -1;
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};

        for (missing = 1; missing < t->size && t->fd[missing] >= 0;)
            missing++;
        if (missing == t->size) {
            rc = 0;
            break;
        }
        if (clock_now() > limit) {
            err_set(e, ERR_FAILED,
                    "member %d of the gang did not come within %.3g s", missing,
                    t->seconds);
            break;
        }
        if (poll(&p, 1, TICK_MS) > 0) {
            int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

            if (peer >= 0)
                admit(t, peer, a);
        }
    }
    close(fd);
    return rc;
}

int comm_tcp_meet(int fd[COMM_MAX], int member, int size, const char *name,
                  double seconds, struct err *e)
{
    const struct meeting t = {fd, member, size, seconds};
    struct address a;

    for (int m = 0; m < COMM_MAX; m++)
        fd[m] = -1;
    if (parse(&a, name, e))
        return -1;
    return member ? call(&t, &a, e) : answer(&t, &a, e);
}
