/* comm_tcp: a gang whose members are on several machines, for runs on devices:
 * their arrays are small, the work is NCCL's.
 *
 * A star: member 0 listens, the others have one connection each, to it.  What
 * is agreed on and shared goes to member 0 and comes back.  The name is
 *
 *   tcp:HOST:PORT:TOKEN
 *
 * where HOST is member 0's, as the others know it, and TOKEN keeps strangers
 * out.  Who waits listens: a closed connection is a dead member at once, a
 * silent one after peer_seconds; member 0 tells the others, and gives them
 * signs of life while it waits for one of them. */
#include "trainer/comm_impl.h"
#include "trainer/comm_tcp_meet.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 200
#define BEAT_SECONDS 0.5

enum kind { BEAT = 1, FAIL, AGREE, SHARE };

struct head {
    uint32_t kind, len;
};

struct word { /* of AGREE, and of FAIL with an enum err_class for bits */
    uint32_t bits;
    char text[COMM_TEXT];
};

struct tcp {
    struct comm comm;
    int fd[COMM_MAX]; /* of member 0: to each; of the others: [0]; -1: none */
    double peer_seconds, beaten;
    void **block; /* arrays */
    size_t n_block, cap;
    int failed;
    struct err why;
};

/* --- bytes --- */

static int send_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int send_frame(int fd, enum kind kind, const void *data, size_t len)
{
    struct head h = {kind, (uint32_t)len};

    return send_all(fd, &h, sizeof h) || (len && send_all(fd, data, len)) ? -1
                                                                          : 0;
}

static void hear(struct tcp *t, struct word *w)
{
    w->text[COMM_TEXT - 1] = '\0';
    err_set(&t->why,
            w->bits == ERR_USAGE || w->bits == ERR_ENV ? (enum err_class)w->bits
                                                       : ERR_FAILED,
            "%s", w->text);
}

/* The gang is over: remember why, and let all know. */
static int fail(struct tcp *t, struct err *e)
{
    struct word w = {0};

    if (!t->failed) {
        w.bits = (uint32_t)t->why.cls;
        snprintf(w.text, sizeof w.text, "%.*s", COMM_TEXT - 1, t->why.text);
        for (int m = 0; m < t->comm.size; m++)
            if (t->fd[m] >= 0)
                send_frame(t->fd[m], FAIL, &w, sizeof w);
    }
    t->failed = 1;
    if (e)
        *e = t->why;
    return -1;
}

/* What member m said before the end, if it did. */
static int last_words(struct tcp *t, int m)
{
    struct head h;
    struct word w;

    while (recv(t->fd[m], &h, sizeof h, MSG_DONTWAIT) == (ssize_t)sizeof h) {
        if (h.kind == BEAT)
            continue;
        if (h.kind != FAIL || h.len != sizeof w ||
            recv(t->fd[m], &w, sizeof w, MSG_DONTWAIT) != (ssize_t)sizeof w)
            return 0;
        hear(t, &w);
        return 1;
    }
    return 0;
}

static int gone(struct tcp *t, int m, struct err *e)
{
    if (!t->failed && !last_words(t, m))
        err_set(&t->why, ERR_FAILED, "member %d of the gang died", m);
    return fail(t, e);
}

/* Beats to all that may be waiting for this member. */
static void beat(struct tcp *t)
{
    double every = t->peer_seconds / 4;

    if (clock_now() - t->beaten < (every < BEAT_SECONDS ? every : BEAT_SECONDS))
        return;
    t->beaten = clock_now();
    for (int m = 0; m < t->comm.size; m++)
        if (t->fd[m] >= 0)
            send_frame(t->fd[m], BEAT, NULL, 0); /* a dead one is noticed */
}

/* Until member m has sent something: 0; -1 when somebody is gone.  *silent:
 * for how long it has not; time in which this process was stopped counts as
 * little. */
static int wait_for(struct tcp *t, int m, double *silent, struct err *e)
{
    struct pollfd p[COMM_MAX];
    double last = clock_now(), tick;
    int of[COMM_MAX];

    for (;;) {
        nfds_t n = 0;

        for (int k = 0; k < t->comm.size; k++)
            if (t->fd[k] >= 0) {
                of[n] = k;
                p[n++] = (struct pollfd){
                    t->fd[k], (short)(k == m ? POLLIN | POLLRDHUP : POLLRDHUP),
                    0};
            }
        if (poll(p, n, TICK_MS) < 0 && errno != EINTR)
            return err_errno(e, "poll");
        for (nfds_t i = 0; i < n; i++)
            if (of[i] == m && p[i].revents)
                return 0; /* data or its end */
        for (nfds_t i = 0; i < n; i++)
            if (p[i].revents)
                return gone(t, of[i], e);
        tick = clock_now() - last;
        last += tick;
        *silent += tick < 2e-3 * TICK_MS ? tick : 2e-3 * TICK_MS;
        if (*silent > t->peer_seconds) {
            err_set(&t->why, ERR_FAILED,
                    "member %d of the gang hangs: no sign of life for %.3g s",
                    m, t->peer_seconds);
            return fail(t, e);
        }
        if (t->comm.member == 0)
            beat(t);
    }
}

static int receive(struct tcp *t, int m, void *data, size_t len, struct err *e)
{
    double silent = 0;
    char *p = data;

    while (len) {
        ssize_t n;

        if (wait_for(t, m, &silent, e))
            return -1;
        n = recv(t->fd[m], p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return gone(t, m, e);
        silent = 0;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The next frame of member m that is no beat; of this kind and length, or the
 * gang has failed. */
static int next_frame(struct tcp *t, int m, enum kind kind, size_t len,
                      struct err *e)
{
    struct head h;
    struct word w;

    do {
        if (receive(t, m, &h, sizeof h, e))
            return -1;
    } while (h.kind == BEAT && !h.len);
    if (h.kind == FAIL && h.len == sizeof w) {
        if (receive(t, m, &w, sizeof w, e))
            return -1;
        hear(t, &w);
        return fail(t, e);
    }
    if (h.kind == kind && h.len == len)
        return 0;
    err_set(&t->why, ERR_FAILED,
            "member %d of the gang is out of step (%u, %u bytes)", m,
            (unsigned)h.kind, (unsigned)h.len);
    return fail(t, e);
}

static int give(struct tcp *t, int m, enum kind kind, const void *data,
                size_t len, struct err *e)
{
    return send_frame(t->fd[m], kind, data, len) ? gone(t, m, e) : 0;
}

/* --- what comm.h says --- */

static int tcp_agree(struct comm *c, unsigned *bits, char *text, struct err *e)
{
    struct tcp *t = (struct tcp *)c;
    struct word all = {.bits = *bits}, w;

    if (t->failed)
        return fail(t, e);
    if (text)
        snprintf(all.text, sizeof all.text, "%s", text);
    if (c->member) {
        if (give(t, 0, AGREE, &all, sizeof all, e) ||
            next_frame(t, 0, AGREE, sizeof all, e) ||
            receive(t, 0, &all, sizeof all, e))
            return -1;
    } else {
        for (int m = 1; m < c->size; m++) {
            if (next_frame(t, m, AGREE, sizeof w, e) ||
                receive(t, m, &w, sizeof w, e))
                return -1;
            all.bits |= w.bits;
            if (!all.text[0])
                memcpy(all.text, w.text, sizeof all.text);
        }
        for (int m = 1; m < c->size; m++)
            if (give(t, m, AGREE, &all, sizeof all, e))
                return -1;
    }
    *bits = all.bits;
    all.text[COMM_TEXT - 1] = '\0';
    if (text)
        memcpy(text, all.text, COMM_TEXT);
    return 0;
}

/* Bytes [*from, *to) of an array are member m's. */
static void part(size_t *from, size_t *to, const struct comm_array *a, int m)
{
    *from = a->bound[m] * a->element;
    *to = a->bound[m + 1] * a->element;
}

static size_t bytes_of(const struct comm_array *a, int size)
{
    return a->bound[size] * a->element;
}

static int share_one(struct tcp *t, struct comm_array *a, struct err *e)
{
    int size = t->comm.size;
    size_t from, to, all = bytes_of(a, size);
    char *data = a->data;

    if (t->comm.member) {
        part(&from, &to, a, t->comm.member);
        return give(t, 0, SHARE, data + from, to - from, e) ||
                       next_frame(t, 0, SHARE, all, e) ||
                       receive(t, 0, data, all, e)
                   ? -1
                   : 0;
    }
    for (int m = 1; m < size; m++) {
        part(&from, &to, a, m);
        if (next_frame(t, m, SHARE, to - from, e) ||
            receive(t, m, data + from, to - from, e))
            return -1;
    }
    for (int m = 1; m < size; m++)
        if (give(t, m, SHARE, data, all, e))
            return -1;
    return 0;
}

static int tcp_share(struct comm *c, struct comm_array *const *a, int n,
                     struct err *e)
{
    struct tcp *t = (struct tcp *)c;

    if (t->failed)
        return fail(t, e);
    if (!n) { /* to meet */
        unsigned bits = 0;

        return tcp_agree(c, &bits, NULL, e);
    }
    for (int i = 0; i < n; i++)
        if (share_one(t, a[i], e))
            return -1;
    return 0;
}

static int tcp_alloc(struct comm_array *a, struct comm *c, struct err *e)
{
    struct tcp *t = (struct tcp *)c;
    double bytes = (double)a->bound[c->size] * (double)a->element;
    char size[STR_DOUBLE];
    unsigned bits;

    a->data = bytes < UINT32_MAX ? calloc(1, bytes_of(a, c->size) + 1) : NULL;
    bits = !a->data;
    if (a->data) {
        t->block =
            mem_grow(t->block, &t->cap, t->n_block + 1, sizeof *t->block);
        t->block[t->n_block++] = a->data;
    }
    if (tcp_agree(c, &bits, NULL, e))
        return -1;
    return bits
               ? err_set(e, ERR_ENV, "no memory for %s", str_bytes(size, bytes))
               : 0;
}

static void tcp_beat(struct comm *c)
{
    if (!((struct tcp *)c)->failed)
        beat((struct tcp *)c);
}

static void tcp_fail(struct comm *c, const struct err *e)
{
    struct tcp *t = (struct tcp *)c;

    if (t->failed)
        return;
    t->why = *e;
    err_prefix(&t->why, "member %d: ", c->member);
    fail(t, NULL);
}

static void tcp_close(struct comm *c)
{
    struct tcp *t = (struct tcp *)c;

    for (int m = 0; m < c->size; m++)
        if (t->fd[m] >= 0) {
            shutdown(t->fd[m], SHUT_WR);
            last_words(t, m); /* beats that were not read are no reset */
            close(t->fd[m]);
        }
    for (size_t i = 0; i < t->n_block; i++)
        free(t->block[i]);
    free(t->block);
    free(t);
}

static const struct comm_ops tcp_ops = {
    .alloc = tcp_alloc,
    .share = tcp_share,
    .agree = tcp_agree,
    .beat = tcp_beat,
    .fail = tcp_fail,
    .close = tcp_close,
};

int comm_tcp_open(struct comm **c, int member, int size, const char *name,
                  double peer_seconds, struct err *e)
{
    struct tcp *t = xcalloc(1, sizeof *t);
    unsigned bits = 0;

    t->comm = (struct comm){.ops = &tcp_ops, .member = member, .size = size};
    t->peer_seconds = peer_seconds;
    if (comm_tcp_meet(t->fd, member, size, name, peer_seconds, e) ||
        tcp_agree(&t->comm, &bits, NULL, e)) {
        tcp_close(&t->comm);
        return -1;
    }
    *c = &t->comm;
    return 0;
}
