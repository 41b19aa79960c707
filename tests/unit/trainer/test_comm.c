/* comm: members meet, share, agree, and never wait without limit. */
#include "tests/unit/trainer/gang.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* What each forked member does; its answer is its exit status. */
typedef int member_fn(struct comm *c, int *notes);

struct members {
    int size;
    pid_t pid[COMM_MAX];
    int exit[COMM_MAX]; /* -1: by a signal */
    double seconds;
    int *notes; /* shared by all, zero at first */
};

static void start_one(struct members *g, int m, const char *name,
                      double peer_seconds, member_fn *fn)
{
    struct comm *c = NULL;
    int rc;

    fflush(NULL);
    g->pid[m] = fork();
    if (g->pid[m])
        return;
    rc = comm_open(&c, m, g->size, name, peer_seconds, NULL);
    _exit(rc ? 99 : fn(c, g->notes));
}

static void wait_all(struct members *g)
{
    double begun = clock_now();

    for (int m = 0; m < g->size; m++) {
        int status;
        if (g->pid[m] <= 0)
            continue;
        assert_int_equal(waitpid(g->pid[m], &status, 0), g->pid[m]);
        g->exit[m] = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    g->seconds = clock_now() - begun;
}

/* A port that nobody has. */
static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static int by_tcp; /* the tests are run once in shared memory, once by TCP */

static void name_of(char name[64], const char *what)
{
    if (by_tcp)
        snprintf(name, 64, "tcp:127.0.0.1:%d:%.20s", free_port(), what);
    else
        snprintf(name, 64, "loglog-test-%ld-%s", (long)getpid(), what);
}

static int with_tcp(void **state)
{
    (void)state;
    by_tcp = 1;
    return 0;
}

static int with_shm(void **state)
{
    (void)state;
    by_tcp = 0;
    return 0;
}

static void notes_init(struct members *g, int size)
{
    *g = (struct members){.size = size};
    g->notes = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static struct members run(const char *what, int size, double peer_seconds,
                          member_fn *fn)
{
    struct members g;
    char name[64];

    notes_init(&g, size);
    name_of(name, what);
    for (int m = 0; m < size; m++)
        start_one(&g, m, name, peer_seconds, fn);
    wait_all(&g);
    return g;
}

/* --- what goes well --- */

/* 200 rounds of writing one's own part and reading all. */
static int share_rounds(struct comm *c, int *notes)
{
    int g = comm_size(c), me = comm_member(c);
    struct comm_array a = {.element = sizeof(int)}, *list[] = {&a};
    int *x;

    (void)notes;
    for (int m = 0; m <= g; m++)
        a.bound[m] = (size_t)m * 1000;
    if (comm_alloc(&a, c, NULL))
        return 1;
    x = a.data;
    for (int i = 0; i < g * 1000; i++)
        if (x[i])
            return 2;
    if (comm_share(c, list, 1, NULL))
        return 6;
    for (int round = 1; round <= 200; round++) {
        for (int i = 0; i < 1000; i++)
            x[me * 1000 + i] = round * 100 + me;
        if (comm_share(c, list, 1, NULL))
            return 3;
        for (int m = 0; m < g; m++)
            for (int i = 0; i < 1000; i += 37)
                if (x[m * 1000 + i] != round * 100 + m)
                    return 4;
        if (comm_share(c, NULL, 0, NULL))
            return 5;
    }
    comm_close(c);
    return 0;
}

static int agree_rounds(struct comm *c, int *notes)
{
    int g = comm_size(c), me = comm_member(c);

    (void)notes;
    for (int round = 0; round < 200; round++) {
        unsigned bits = round % g == me ? 1u << me : 0;
        char text[COMM_TEXT] = "";

        if (me >= round % g)
            snprintf(text, sizeof text, "member %d, round %d", me, round);
        if (comm_agree(c, &bits, text, NULL) || bits != 1u << round % g)
            return 1;
        char want[COMM_TEXT];
        snprintf(want, sizeof want, "member %d, round %d", round % g, round);
        if (strcmp(text, want))
            return 2;
    }
    comm_close(c);
    return 0;
}

static void all_members_see_what_each_wrote(void **state)
{
    (void)state;
    for (int size = 1; size <= 8; size++) {
        struct members g = run("share", size, 10, share_rounds);
        for (int m = 0; m < size; m++)
            assert_int_equal(g.exit[m], 0);
        assert_int_equal(count_shared(), 0);
    }
}

static void members_agree(void **state)
{
    (void)state;
    for (int size = 1; size <= 5; size++) {
        struct members g = run("agree", size, 10, agree_rounds);
        for (int m = 0; m < size; m++)
            assert_int_equal(g.exit[m], 0);
    }
}

/* --- what goes wrong --- */

/* Member 1 is killed between two meetings; the others are told of it. */
static int one_is_killed(struct comm *c, int *notes)
{
    struct err e;

    for (int round = 0;; round++) {
        if (round == 10 && comm_member(c) == 1)
            raise(SIGKILL);
        if (comm_share(c, NULL, 0, &e))
            break;
    }
    notes[comm_member(c)] = strstr(e.text, "member 1 of the gang died") != NULL;
    /* and the gang is over */
    return comm_share(c, NULL, 0, &e) ? 0 : 1;
}

static void a_killed_member_is_noticed_at_once(void **state)
{
    /* It stays a zombie until wait_all gets to it. */
    struct members g = run("killed", 4, 30, one_is_killed);

    (void)state;
    assert_int_equal(g.exit[1], -1);
    for (int m = 0; m < 4; m++)
        if (m != 1) {
            assert_int_equal(g.exit[m], 0);
            assert_true(g.notes[m]);
        }
    assert_true(g.seconds < 5);
    assert_int_equal(count_shared(), 0);
}

static int one_hangs(struct comm *c, int *notes)
{
    struct err e;

    if (comm_member(c) == 2) {
        sleep(3);
        return comm_share(c, NULL, 0, &e) ? 7 : 8;
    }
    if (!comm_share(c, NULL, 0, &e))
        return 1;
    notes[comm_member(c)] =
        strstr(e.text, "member 2 of the gang hangs") != NULL;
    return 0;
}

static void a_hung_member_is_given_up(void **state)
{
    struct members g = run("hung", 3, 0.5, one_hangs);

    (void)state;
    assert_int_equal(g.exit[0], 0);
    assert_int_equal(g.exit[1], 0);
    assert_true(g.notes[0] && g.notes[1]);
    assert_int_equal(g.exit[2], 7); /* too late */
}

/* Slower than peer_seconds, but beating. */
static int one_is_slow(struct comm *c, int *notes)
{
    (void)notes;
    if (comm_member(c) == 1)
        for (int i = 0; i < 20; i++) {
            usleep(100000);
            comm_beat(c);
        }
    return comm_share(c, NULL, 0, NULL) ? 1 : 0;
}

static void a_slow_member_is_waited_for(void **state)
{
    struct members g = run("slow", 2, 0.5, one_is_slow);

    (void)state;
    assert_int_equal(g.exit[0], 0);
    assert_int_equal(g.exit[1], 0);
}

/* Everybody is stopped for longer than peer_seconds, as by a batch system;
 * member 0 waits meanwhile. */
static int one_works_a_little(struct comm *c, int *notes)
{
    if (comm_member(c) == 1)
        for (int i = 0; i < 3; i++) {
            notes[1] = 1;
            usleep(100000);
            comm_beat(c);
        }
    return comm_share(c, NULL, 0, NULL) ? 1 : 0;
}

static void a_suspended_gang_goes_on(void **state)
{
    struct members g;
    char name[64];

    (void)state;
    notes_init(&g, 2);
    name_of(name, "suspended");
    for (int m = 0; m < 2; m++)
        start_one(&g, m, name, 0.5, one_works_a_little);
    while (!((volatile int *)g.notes)[1])
        usleep(1000);
    for (int m = 0; m < 2; m++)
        kill(g.pid[m], SIGSTOP);
    sleep(1);
    for (int m = 0; m < 2; m++)
        kill(g.pid[m], SIGCONT);
    wait_all(&g);
    assert_int_equal(g.exit[0], 0);
    assert_int_equal(g.exit[1], 0);
}

static int one_gives_up(struct comm *c, int *notes)
{
    struct err e;

    if (comm_member(c) == 0) {
        err_set(&e, ERR_ENV, "disk on fire");
        comm_fail(c, &e);
        comm_close(c);
        return 0;
    }
    if (!comm_share(c, NULL, 0, &e))
        return 1;
    notes[1] = !strcmp(e.text, "member 0: disk on fire") && e.cls == ERR_ENV;
    return 0;
}

static void the_others_hear_why_a_member_gives_up(void **state)
{
    struct members g = run("gives-up", 2, 30, one_gives_up);

    (void)state;
    assert_int_equal(g.exit[1], 0);
    assert_true(g.notes[1]);
    assert_true(g.seconds < 5);
}

static int nothing(struct comm *c, int *notes)
{
    (void)notes;
    comm_close(c);
    return 0;
}

static void a_member_that_does_not_come_is_not_waited_for(void **state)
{
    const int absent[] = {0, 2};
    char name[64];

    (void)state;
    name_of(name, "absent");
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        struct members g;

        notes_init(&g, 3);
        for (int m = 0; m < 3; m++)
            if (m != absent[i])
                start_one(&g, m, name, 0.4, nothing);
        wait_all(&g);
        for (int m = 0; m < 3; m++)
            assert_int_equal(g.exit[m], m == absent[i] ? 0 : 99);
        assert_true(g.seconds < 5);
        assert_int_equal(count_shared(), 0);
    }
}

/* Too large for the machine: all are told, and go on. */
static int too_much(struct comm *c, int *notes)
{
    struct comm_array a = {.element = 1 << 20};
    struct err e;

    (void)notes;
    for (int m = 1; m <= comm_size(c); m++)
        a.bound[m] = (size_t)1 << 30;
    if (!comm_alloc(&a, c, &e) || e.cls != ERR_ENV || !strstr(e.text, "1.1 PB"))
        return 1;
    a.bound[comm_size(c)] = 1;
    for (int m = 1; m < comm_size(c); m++)
        a.bound[m] = 1;
    return comm_alloc(&a, c, &e) ? 2 : 0;
}

static void want_of_memory_is_told_to_all(void **state)
{
    (void)state;
    for (int size = 1; size <= 3; size += 2) {
        struct members g = run("memory", size, 10, too_much);
        for (int m = 0; m < size; m++)
            assert_int_equal(g.exit[m], 0);
    }
}

/* A gang killed before it met leaves its name; a new one of that name may
 * start, and comm_forget removes it. */
static void what_a_killed_gang_leaves_does_no_harm(void **state)
{
    struct members g;
    char name[64];

    (void)state;
    name_of(name, "left");
    notes_init(&g, 2);
    start_one(&g, 0, name, 30, nothing);
    while (!count_shared())
        usleep(1000);
    kill(g.pid[0], SIGKILL);
    wait_all(&g);
    assert_int_equal(count_shared(), 1);
    g = run("left", 2, 10, agree_rounds);
    assert_int_equal(g.exit[0], 0);
    assert_int_equal(g.exit[1], 0);
    assert_int_equal(count_shared(), 0);

    notes_init(&g, 2);
    start_one(&g, 0, name, 30, nothing);
    while (!count_shared())
        usleep(1000);
    kill(g.pid[0], SIGKILL);
    wait_all(&g);
    comm_forget(name);
    comm_forget(name);
    assert_int_equal(count_shared(), 0);
}

static void impossible_gangs_are_refused(void **state)
{
    const struct {
        int member, size;
        const char *name;
    } bad[] = {{0, 0, "x"},  {1, 1, "x"},  {-1, 2, "x"}, {2, 2, "x"},
               {0, 65, "x"}, {0, 2, NULL}, {0, 2, ""},   {0, 2, "a/b"}};
    struct comm *c;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(
            comm_open(&c, bad[i].member, bad[i].size, bad[i].name, 1, &e), -1);
        assert_int_equal(e.cls, ERR_USAGE);
    }
}

/* Who does not know the token is sent away, and the gang meets all the same. */
static void strangers_are_sent_away(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct members g;
    static const char request[80] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    char name[64], other[64], byte;
    int fd, port = free_port();

    (void)state;
    notes_init(&g, 3);
    snprintf(name, sizeof name, "tcp:127.0.0.1:%d:secret", port);
    snprintf(other, sizeof other, "tcp:127.0.0.1:%d:guess", port);
    at.sin_port = htons((uint16_t)port);
    start_one(&g, 0, name, 10, agree_rounds);
    do {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (!connect(fd, (struct sockaddr *)&at, sizeof at))
            break;
        close(fd);
    } while (1);
    assert_int_equal(send(fd, request, sizeof request, MSG_NOSIGNAL),
                     (int)sizeof request);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    start_one(&g, 2, other, 10, agree_rounds); /* ends with 99 */
    assert_int_equal(waitpid(g.pid[2], &fd, 0), g.pid[2]);
    assert_int_equal(WEXITSTATUS(fd), 99);
    start_one(&g, 1, name, 10, agree_rounds);
    start_one(&g, 2, name, 10, agree_rounds);
    wait_all(&g);
    for (int m = 0; m < 3; m++)
        assert_int_equal(g.exit[m], 0);
}

static void bad_addresses_are_refused(void **state)
{
    const char *const bad[] = {"tcp:",     "tcp:x",    "tcp:x:1",
                               "tcp::1:t", "tcp:x::t", "tcp:x:123456789:t"};
    struct comm *c;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(comm_open(&c, 0, 2, bad[i], 0.2, &e), -1);
    assert_int_equal(
        comm_open(&c, 1, 2, "tcp:no-such-host.invalid:20000:t", 0.2, &e), -1);
    assert_non_null(strstr(e.text, "no-such-host.invalid, where member 0"));
}

#define BOTH                                                                   \
    cmocka_unit_test(all_members_see_what_each_wrote),                         \
        cmocka_unit_test(members_agree),                                       \
        cmocka_unit_test(a_killed_member_is_noticed_at_once),                  \
        cmocka_unit_test(a_hung_member_is_given_up),                           \
        cmocka_unit_test(a_slow_member_is_waited_for),                         \
        cmocka_unit_test(a_suspended_gang_goes_on),                            \
        cmocka_unit_test(the_others_hear_why_a_member_gives_up),               \
        cmocka_unit_test(a_member_that_does_not_come_is_not_waited_for),       \
        cmocka_unit_test(want_of_memory_is_told_to_all)

int main(void)
{
    const struct CMUnitTest shm[] = {
        BOTH,
        cmocka_unit_test(what_a_killed_gang_leaves_does_no_harm),
        cmocka_unit_test(impossible_gangs_are_refused),
    };
    const struct CMUnitTest tcp[] = {
        BOTH,
        cmocka_unit_test(strangers_are_sent_away),
        cmocka_unit_test(bad_addresses_are_refused),
    };
    int rc = cmocka_run_group_tests_name("comm_shm", shm, with_shm, NULL);

    return cmocka_run_group_tests_name("comm_tcp", tcp, with_tcp, NULL) | rc;
}
