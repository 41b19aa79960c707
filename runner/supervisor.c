/* supervisor: see supervisor.h. */
#include "runner/supervisor.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/gang.h"
#include "runner/introduce.h"
#include "runner/node_sweep.h"
#include "runner/signals.h"
#include "runner/spawn.h"
#include "trainer/comm.h"
#include "trainer/device.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS 2
#define CHILD_GRACE 5.0 /* seconds a child has to leave when told to */

struct slot {
    struct spawned child; /* pid 0: none */
    int busy;             /* with `job`, until its MSG_END or death */
    struct msg_assign job;
    struct proto_reader in;
    long long oom; /* spawn_oom_kills() when the job began */
};

struct supervisor {
    struct net *net;
    const char *exe;
    struct msg_setup setup[STUDIES_MAX];
    int n_setup;
    int n;
    struct slot *slot;
    struct pollfd *poll;
    int stopping; /* children are not given new work */
    int told;     /* the coordinator knows of our signal */
    pid_t parent; /* who started this rank */
};

struct supervisor *supervisor_create(struct net *net, int slots,
                                     const char *exe)
{
    struct supervisor *s = xcalloc(1, sizeof *s);

    s->net = net;
    s->exe = exe;
    s->n = slots;
    s->parent = getppid();
    s->slot = xcalloc((size_t)slots, sizeof *s->slot);
    s->poll = xcalloc((size_t)slots, sizeof *s->poll);
    gang_sweep();
    if (node_sweep_is_ours())
        node_sweep(NULL, NULL, NODE_SWEEP_AGE);
    introduce_rank(net, slots);
    return s;
}

/* The child of this slot is gone, or about to be: collect it. */
static int reap(struct slot *slot)
{
    int status = 0;

    close(slot->child.to);
    close(slot->child.from);
    while (waitpid(slot->child.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    slot->child.pid = 0;
    slot->in.len = 0;
    return status;
}

static void kill_child(struct slot *slot)
{
    if (slot->child.pid)
        kill(-slot->child.pid, SIGKILL);
}

/* Tell the coordinator that the slot's job has lost its member. */
static void send_gone(struct supervisor *s, struct slot *slot, const char *why)
{
    struct msg_gone m;

    memset(&m, 0, sizeof m);
    m.slot = slot->job.slot;
    m.member = slot->job.member;
    m.run = slot->job.run;
    m.attempt = slot->job.attempt;
    snprintf(m.why, sizeof m.why, "%.*s", (int)sizeof m.why - 1, why);
    slot->busy = 0;
    net_send(s->net, NET_COORDINATOR, MSG_GONE, &m, sizeof m);
}

/* Has the kernel killed for want of memory since the slot's job began? */
static int oom_kills(const struct slot *slot)
{
    const struct fault_here here = {slot->job.run, -1, slot->job.attempt, -1};

    return spawn_oom_kills() > slot->oom || fault_at_here("oom-kill", &here);
}

/* End of the child's pipe: it has died, or closed it and will not be heard
 * again, which is the same. */
static void lose_child(struct supervisor *s, struct slot *slot, const char *why)
{
    char verdict[PROTO_TEXT];
    int status;

    kill_child(slot);
    status = reap(slot);
    spawn_verdict(verdict, sizeof verdict, status, oom_kills(slot));
    if (!slot->busy)
        return;
    if (slot->job.member == 0 && slot->job.gang > 1)
        comm_forget(slot->job.rendezvous);
    send_gone(s, slot, why ? why : verdict);
}

static int ensure_child(struct supervisor *s, struct slot *slot, struct err *e)
{
    if (slot->child.pid)
        return 0;
    if (spawn_child(&slot->child, s->exe, e)) {
        slot->child.pid = 0;
        return -1;
    }
    slot->in.len = 0;
    for (int i = 0; i < s->n_setup; i++)
        if (proto_write(slot->child.to, MSG_SETUP, &s->setup[i], e))
            return -1;
    return 0;
}

static void assign(struct supervisor *s, const struct msg_assign *m)
{
    struct slot *slot = &s->slot[m->slot];
    struct err e;

    BUG_ON(slot->busy);
    slot->job = *m;
    slot->busy = 1;
    slot->oom = spawn_oom_kills();
    if (s->stopping) {
        send_gone(s, slot, "stopping");
        return;
    }
    /* A child that waits may have died since: once more with a new one. */
    for (int tries = 0; tries < 2; tries++) {
        if (!ensure_child(s, slot, &e) &&
            !proto_write(slot->child.to, MSG_ASSIGN, m, &e))
            return;
        if (slot->child.pid) {
            kill_child(slot);
            reap(slot);
        }
    }
    send_gone(s, slot, e.text);
}

static void stop_children(struct supervisor *s)
{
    s->stopping = 1;
    for (int i = 0; i < s->n; i++) {
        struct slot *slot = &s->slot[i];
        if (slot->child.pid && slot->busy)
            kill(slot->child.pid, SIGTERM);
    }
}

int supervisor_handle(struct supervisor *s, int tag, const union proto_any *m,
                      int *code)
{
    struct slot *slot;

    switch (tag) {
    case MSG_SETUP:
        s->setup[m->setup.study] = m->setup;
        if (s->n_setup <= m->setup.study)
            s->n_setup = m->setup.study + 1;
        if (m->setup.device != DEVICE_CPU)
            introduce_device(s->net, (enum device_kind)m->setup.device);
        break;
    case MSG_ASSIGN:
        BUG_ON(m->assign.slot >= s->n);
        assign(s, &m->assign);
        break;
    case MSG_KILL:
    case MSG_PAUSE:
        BUG_ON(m->kill.slot < 0 || m->kill.slot >= s->n);
        slot = &s->slot[m->kill.slot];
        if (!slot->busy || slot->job.run != m->kill.run ||
            slot->job.attempt != m->kill.attempt)
            break;
        if (tag == MSG_KILL)
            kill_child(slot);
        else if (slot->child.pid)
            kill(slot->child.pid, SIGTERM);
        break;
    case MSG_STOP:
        stop_children(s);
        break;
    case MSG_BYE:
        *code = m->bye.code;
        return 1;
    default:
        BUG_ON(1);
    }
    return 0;
}

/* Does this report belong to what the child is doing? */
static int is_current(const struct slot *slot, int tag,
                      const union proto_any *msg)
{
    int64_t run, attempt;

    if (tag < MSG_BEGIN || tag > MSG_END || !slot->busy)
        return 0;
    proto_subject(&run, &attempt, tag, msg);
    return run == slot->job.run && attempt == slot->job.attempt;
}

/* Pass on everything that the child has written. */
static void drain(struct supervisor *s, struct slot *slot)
{
    union proto_any msg;
    struct err e;
    int tag, got;

    while ((got = proto_read(&slot->in, slot->child.from, &tag, &msg, &e)) >
           0) {
        if (!is_current(slot, tag, &msg)) {
            lose_child(s, slot, "the child reported what it was not asked");
            return;
        }
        net_send(s->net, NET_COORDINATOR, tag, &msg, proto_size(tag));
        if (tag != MSG_END)
            continue;
        slot->busy = 0;
        if (msg.end.rc) { /* it leaves after a failure: no work for it */
            lose_child(s, slot, NULL);
            return;
        }
    }
    if (got < 0)
        lose_child(s, slot, strcmp(e.text, "closed") ? e.text : NULL);
}

/* mpirun, or its daemon on this node, has died: so has the job, and this rank
 * must not outlive it.  Its children die with it. */
static void watch_launcher(const struct supervisor *s)
{
    if (net_size(s->net) < 2 || getppid() == s->parent)
        return;
    log_error("the process that started this rank is gone");
    _exit(EXIT_RESUMABLE);
}

static void tell_signal(struct supervisor *s)
{
    struct msg_signal m = {signals_stop()};

    if (!m.signo || s->told)
        return;
    s->told = 1;
    net_send(s->net, NET_COORDINATOR, MSG_SIGNAL, &m, sizeof m);
}

void supervisor_wait(struct supervisor *s, int ms)
{
    nfds_t n = 0;

    for (int i = 0; i < s->n; i++)
        if (s->slot[i].child.pid)
            s->poll[n++] = (struct pollfd){s->slot[i].child.from, POLLIN, 0};
    poll(s->poll, n, ms);
    watch_launcher(s);
    tell_signal(s);
    n = 0;
    for (int i = 0; i < s->n; i++)
        if (s->slot[i].child.pid && s->poll[n++].revents)
            drain(s, &s->slot[i]);
}

void supervisor_destroy(struct supervisor *s, double grace)
{
    double until = clock_now() + grace;
    int left = 0;

    if (!s)
        return;
    for (int i = 0; i < s->n; i++)
        if (s->slot[i].child.pid) {
            close(s->slot[i].child.to);
            left++;
        }
    while (left && clock_now() < until) {
        for (int i = 0; i < s->n; i++) {
            struct slot *slot = &s->slot[i];
            if (slot->child.pid &&
                waitpid(slot->child.pid, NULL, WNOHANG) == slot->child.pid) {
                slot->child.pid = 0;
                left--;
            }
        }
        if (left)
            clock_sleep(0.001);
    }
    for (int i = 0; i < s->n; i++) {
        struct slot *slot = &s->slot[i];
        if (slot->child.pid) {
            kill_child(slot);
            waitpid(slot->child.pid, NULL, 0);
        }
    }
    free(s->slot);
    free(s->poll);
    free(s);
}

int supervisor_run(struct net *net, int slots)
{
    struct supervisor *s = supervisor_create(net, slots, NULL);
    union {
        union proto_any msg;
        char room[NET_MAX];
    } in;
    int code = -1;

    while (code < 0) {
        int from, tag;
        size_t len;
        struct err e;

        supervisor_wait(s, POLL_MS);
        while (code < 0 && net_recv(net, &from, &tag, &in, &len)) {
            if (proto_check(tag, &in, len, &e)) {
                log_error("from the coordinator: %s", e.text);
                net_abort(net, ERR_ENV);
            }
            supervisor_handle(s, tag, &in.msg, &code);
        }
    }
    supervisor_destroy(s, CHILD_GRACE);
    return code;
}
