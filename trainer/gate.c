/* gate: see gate.h. */
#include "trainer/gate.h"

#include "base/clock.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 20 /* between two looks after the others */
#define MOST_A_LOOK                                                            \
    0.1 /* seconds that count between two looks: a gang that                   \
           was suspended as a whole does not hang */
#define SPIN 2000

static struct flock lock_of(int member)
{
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = member, .l_len = 1};
}

int gate_lock(int fd, int member)
{
    struct flock l = lock_of(member);

    return fcntl(fd, F_OFD_SETLK, &l);
}

int gate_locked(int fd, int member)
{
    struct flock l = lock_of(member);

    return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

void gate_init(struct gate *g, struct gate_head *head, int fd, int member,
               int size, double peer_seconds)
{
    *g = (struct gate){
        .head = head,
        .fd = fd,
        .member = member,
        .size = size,
        .spin = size <= sysconf(_SC_NPROCESSORS_ONLN) ? SPIN : 0,
        .peer_seconds = peer_seconds,
        .looked = clock_now(),
    };
    atomic_store(&head->slot[member].joined, 1);
}

void gate_beat(struct gate *g)
{
    atomic_fetch_add(&g->head->slot[g->member].beat, 1);
}

static void wake(struct gate_head *h)
{
    syscall(SYS_futex, &h->turn, FUTEX_WAKE, COMM_MAX, NULL, NULL, 0);
}

void gate_fail(struct gate *g, const struct err *why)
{
    uint32_t fine = GATE_FINE;

    if (atomic_compare_exchange_strong(&g->head->state, &fine, GATE_FAILING)) {
        g->head->why = *why;
        atomic_store(&g->head->state, GATE_FAILED);
    }
    wake(g->head);
}

static int failure(const struct gate *g, struct err *e)
{
    if (atomic_load(&g->head->state) != GATE_FAILED)
        return err_set(e, ERR_FAILED, "the gang failed");
    if (e)
        *e = g->head->why;
    return -1;
}

static int check_peer(struct gate *g, int m, double passed, struct err *why)
{
    struct gate_slot *p = &g->head->slot[m];
    uint64_t beat = atomic_load(&p->beat);
    int joined = (int)atomic_load(&p->joined);

    g->still[m] = beat == g->beat[m] ? g->still[m] + passed : 0;
    g->beat[m] = beat;
    if (joined && !gate_locked(g->fd, m))
        return err_set(why, ERR_FAILED, "member %d of the gang died", m);
    if (g->still[m] <= g->peer_seconds)
        return 0;
    if (!joined)
        return err_set(why, ERR_FAILED,
                       "member %d of the gang did not come within %.3g s", m,
                       g->peer_seconds);
    return err_set(why, ERR_FAILED,
                   "member %d of the gang hangs: no progress for %.3g s", m,
                   g->peer_seconds);
}

/* 0 if all others live, else -1 with *why filled. */
static int check_peers(struct gate *g, struct err *why)
{
    double t = clock_now(), passed = t - g->looked;

    if (passed > MOST_A_LOOK)
        passed = MOST_A_LOOK;
    g->looked = t;
    for (int m = 0; m < g->size; m++)
        if (m != g->member && check_peer(g, m, passed, why))
            return -1;
    return 0;
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static int wait_turn(struct gate *g, uint32_t turn, struct err *e)
{
    struct timespec poll = {0, POLL_MS * 1000000L};
    struct gate_head *h = g->head;
    struct err why;

    for (int i = 0; i < g->spin && atomic_load(&h->turn) == turn; i++)
        relax();
    while (atomic_load(&h->turn) == turn) {
        if (atomic_load(&h->state) != GATE_FINE)
            return failure(g, e);
        syscall(SYS_futex, &h->turn, FUTEX_WAIT, turn, &poll, NULL, 0);
        gate_beat(g);
        /* Who has moved the turn on may have left since. */
        if (check_peers(g, &why) && atomic_load(&h->turn) == turn) {
            gate_fail(g, &why);
            return failure(g, e);
        }
    }
    return 0;
}

int gate_meet(struct gate *g, struct err *e)
{
    struct gate_head *h = g->head;
    uint32_t turn = atomic_load(&h->turn);

    if (atomic_load(&h->state) != GATE_FINE)
        return failure(g, e);
    gate_beat(g);
    if (atomic_fetch_add(&h->arrived, 1) + 1 < (uint32_t)g->size)
        return wait_turn(g, turn, e);
    atomic_store(&h->arrived, 0);
    atomic_store(&h->turn, turn + 1);
    wake(h);
    return 0;
}
