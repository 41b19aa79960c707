/* The supervisor with real child processes and the stand-in trainer, its
 * coordinator being this test: every way a child can end is reported, and the
 * slot serves on. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "runner/net.h"
#include "runner/supervisor.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE 60.0

struct world {
    struct net *net;
    struct supervisor *s;
    char dir[64];
    /* heard, by tag */
    int count[PROTO_TAGS];
    struct msg_end end;
    struct msg_gone gone;
    struct msg_begin begin;
    int64_t last_step;
};

static void listen(struct world *w)
{
    union {
        union proto_any m;
        char room[NET_MAX];
    } in;
    int from, tag, code;
    size_t len;
    struct err e;

    supervisor_wait(w->s, 2);
    while (net_recv(w->net, &from, &tag, &in, &len)) {
        assert_int_equal(proto_check(tag, &in, len, &e), 0);
        w->count[tag]++;
        switch (tag) {
        case MSG_SETUP:
        case MSG_ASSIGN:
        case MSG_KILL:
        case MSG_STOP:
            supervisor_handle(w->s, tag, &in.m, &code);
            break;
        case MSG_BEGIN:
            w->begin = in.m.begin;
            break;
        case MSG_STEPS:
            w->last_step = in.m.steps.step[in.m.steps.n - 1].step;
            break;
        case MSG_END:
            w->end = in.m.end;
            break;
        case MSG_GONE:
            w->gone = in.m.gone;
            break;
        default:
            break;
        }
    }
}

static void wait_for(struct world *w, int tag, int count)
{
    double until = clock_now() + PATIENCE;

    while (w->count[tag] < count) {
        assert_true(clock_now() < until);
        listen(w);
    }
}

static void open_world(struct world *w, int slots)
{
    struct msg_setup setup;
    struct err e;

    memset(w, 0, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/loglog-sup-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(net_open(&w->net, &e), 0);
    w->s = supervisor_create(w->net, slots, LOGLOG_EXE);
    wait_for(w, MSG_HELLO, 1);
    memset(&setup, 0, sizeof setup);
    setup.stand_in = 1;
    snprintf(setup.checkpoints, sizeof setup.checkpoints, "%s", w->dir);
    net_send(w->net, 0, MSG_SETUP, &setup, sizeof setup);
    listen(w);
}

static void close_world(struct world *w)
{
    char command[128];

    supervisor_destroy(w->s, 10);
    net_close(w->net);
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
}

static struct msg_assign an_assignment(int64_t run, int64_t attempt,
                                       double seconds)
{
    struct msg_assign m;

    memset(&m, 0, sizeof m);
    m.run = run;
    m.attempt = attempt;
    m.gang = 1;
    m.seconds = seconds;
    spec_defaults(&m.spec);
    m.spec.model.d_model = 32;
    m.spec.model.n_layer = 1;
    m.spec.model.n_head = m.spec.model.n_kv_head = 2;
    m.spec.model.d_ff = 96;
    m.spec.optim.lr = 1e-3;
    m.spec.batch_tokens = 256;
    m.spec.steps = 40;
    return m;
}

static void assign(struct world *w, int64_t run, int64_t attempt,
                   double seconds)
{
    struct msg_assign m = an_assignment(run, attempt, seconds);

    net_send(w->net, 0, MSG_ASSIGN, &m, sizeof m);
}

/* The only child of this process; 0: none. */
static pid_t child_pid(void)
{
    FILE *f;
    int pid = 0;
    char path[64];

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    f = fopen(path, "r");
    assert_non_null(f);
    if (fscanf(f, "%d", &pid) != 1)
        pid = 0;
    fclose(f);
    return pid;
}

static void a_child_serves_several_runs_in_turn(void **state)
{
    struct world w;
    pid_t first;

    (void)state;
    open_world(&w, 1);
    assign(&w, 1, 1, 0.01);
    wait_for(&w, MSG_END, 1);
    first = child_pid();
    assert_int_equal(w.end.rc, 0);
    assert_int_equal(w.end.result.end, TRAIN_DONE);
    assert_int_equal(w.last_step, 40);
    assert_int_equal(w.count[MSG_EVAL], 1);
    assign(&w, 2, 1, 0.01);
    wait_for(&w, MSG_END, 2);
    assert_int_equal(w.end.run, 2);
    assert_int_equal(child_pid(), first);
    close_world(&w);
    assert_int_equal(child_pid(), 0);
}

static void a_killed_child_is_seen_and_replaced(void **state)
{
    struct world w;
    pid_t first;

    (void)state;
    open_world(&w, 1);
    assign(&w, 1, 1, 60);
    wait_for(&w, MSG_BEGIN, 1);
    first = child_pid();
    assert_int_equal(kill(first, SIGKILL), 0);
    wait_for(&w, MSG_GONE, 1);
    assert_int_equal(w.gone.run, 1);
    assert_int_equal(w.gone.attempt, 1);
    assert_non_null(strstr(w.gone.why, "killed by signal 9"));
    assign(&w, 1, 2, 0.01);
    wait_for(&w, MSG_END, 1);
    assert_int_equal(w.end.attempt, 2);
    assert_int_not_equal(child_pid(), first);
    close_world(&w);
}

/* It waits for work when it is killed: nobody is told, and the next run gets a
 * new one. */
static void a_child_that_dies_idle_costs_nothing(void **state)
{
    struct world w;
    siginfo_t dead;
    pid_t pid;

    (void)state;
    open_world(&w, 1);
    assign(&w, 1, 1, 0.01);
    wait_for(&w, MSG_END, 1);
    pid = child_pid();
    assert_int_equal(kill(pid, SIGKILL), 0);
    /* dead before there is work, but for the supervisor to bury */
    assert_int_equal(waitid(P_PID, (id_t)pid, &dead, WEXITED | WNOWAIT), 0);
    assign(&w, 2, 1, 0.01);
    wait_for(&w, MSG_END, 2);
    assert_int_equal(w.count[MSG_GONE], 0);
    close_world(&w);
}

static void a_kill_ends_that_attempt_and_no_other(void **state)
{
    struct msg_kill m = {.run = 1, .attempt = 1};
    struct world w;

    (void)state;
    open_world(&w, 1);
    assign(&w, 1, 2, 60);
    wait_for(&w, MSG_BEGIN, 1);
    net_send(w.net, 0, MSG_KILL, &m, sizeof m); /* of the attempt before */
    for (int i = 0; i < 50; i++)
        listen(&w);
    assert_int_equal(w.count[MSG_GONE], 0);
    m.attempt = 2;
    net_send(w.net, 0, MSG_KILL, &m, sizeof m);
    wait_for(&w, MSG_GONE, 1);
    assert_int_equal(w.gone.attempt, 2);
    close_world(&w);
}

static void a_stop_makes_it_checkpoint_and_the_next_goes_on(void **state)
{
    struct msg_stop m = {SIGTERM};
    int64_t at;
    struct world w;

    (void)state;
    open_world(&w, 1);
    assign(&w, 1, 1, 20); /* half a second a step */
    wait_for(&w, MSG_STEPS, 1);
    net_send(w.net, 0, MSG_STOP, &m, sizeof m);
    wait_for(&w, MSG_END, 1);
    assert_int_equal(w.end.result.end, TRAIN_STOPPED);
    at = w.end.result.steps;
    assert_true(at > 0 && at < 40);
    supervisor_destroy(w.s, 10);
    w.s = supervisor_create(w.net, 1, LOGLOG_EXE);
    {
        struct msg_setup setup;
        memset(&setup, 0, sizeof setup);
        setup.stand_in = 1000;
        snprintf(setup.checkpoints, sizeof setup.checkpoints, "%s", w.dir);
        net_send(w.net, 0, MSG_SETUP, &setup, sizeof setup);
    }
    assign(&w, 1, 2, 20);
    wait_for(&w, MSG_END, 2);
    assert_int_equal(w.begin.step, at);
    assert_int_equal(w.end.result.end, TRAIN_DONE);
    close_world(&w);
}

/* The directory for its checkpoints cannot be made: an orderly failure, with
 * the reason; the process that failed is not used again. */
static void a_failure_comes_with_its_reason(void **state)
{
    char path[96];
    struct world w;
    struct err e;

    (void)state;
    open_world(&w, 1);
    snprintf(path, sizeof path, "%s/1", w.dir);
    assert_int_equal(file_write(path, "x", 1, &e), 0);
    assign(&w, 1, 1, 0.01);
    wait_for(&w, MSG_END, 1);
    assert_int_equal(w.end.rc, -1);
    assert_non_null(strstr(w.end.text, path));
    assign(&w, 2, 1, 0.01);
    wait_for(&w, MSG_END, 2);
    assert_int_equal(w.end.rc, 0);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_serves_several_runs_in_turn),
        cmocka_unit_test(a_killed_child_is_seen_and_replaced),
        cmocka_unit_test(a_child_that_dies_idle_costs_nothing),
        cmocka_unit_test(a_kill_ends_that_attempt_and_no_other),
        cmocka_unit_test(a_stop_makes_it_checkpoint_and_the_next_goes_on),
        cmocka_unit_test(a_failure_comes_with_its_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
