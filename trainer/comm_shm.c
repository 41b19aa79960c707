/* comm_shm: a gang on one machine.
 *
 * One POSIX shared-memory object: a head (struct head) and behind it the
 * arrays, each mapped by itself.  Member 0 creates it, the others find it by
 * name, and when all have met the name is removed, so that nothing is left
 * behind however the members end.
 *
 * All meetings are one barrier: a count of who arrived and a turn that the
 * last one moves on.  Waiting spins for some microseconds and then sleeps on a
 * futex, waking every POLL_MS to look after the others.  Each member holds an
 * open-file-description lock on byte `member` of the object: the kernel drops
 * it when the process ends, be it a zombie or not, so a dead member is seen
 * without signals, parents or process ids.  A member that lives but hangs
 * stops counting its beat. */
#include "trainer/comm_impl.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define READY 0x6c6f676cu /* "logl": the head is filled in */
#define POLL_MS 20
#define SPIN 2000
#define NAME_MAX_LEN 128

struct slot {
    _Alignas(64) _Atomic uint64_t beat;
    _Atomic uint32_t joined;
    /* of comm_agree; two, as one may be read while the next is written */
    unsigned bits[2];
    char text[2][COMM_TEXT];
};

enum { FINE, FAILING, FAILED };

struct head {
    _Atomic uint32_t ready;
    int32_t size;
    _Alignas(64) _Atomic uint32_t arrived; /* at this turn's barrier */
    _Alignas(64) _Atomic uint32_t turn;    /* the futex */
    _Atomic uint32_t state;                /* FINE ...; why is set if FAILED */
    struct err why;
    struct slot slot[COMM_MAX];
};

struct mapping {
    void *data;
    size_t len;
};

struct shm {
    struct comm comm;
    char name[NAME_MAX_LEN];
    int fd;
    struct head *head;
    size_t used; /* bytes of the object given out */
    int parity;  /* of comm_agree */
    double peer_seconds;
    uint64_t beat[COMM_MAX]; /* last seen ... */
    double seen[COMM_MAX];   /* ... and when it changed */
    struct mapping *map;
    size_t n_map, cap_map;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void nap(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

static size_t pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (bytes + page - 1) / page * page;
}

/* --- who lives --- */

static struct flock lock_of(int member)
{
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = member, .l_len = 1};
}

static int take_lock(int fd, int member)
{
    struct flock l = lock_of(member);

    return fcntl(fd, F_OFD_SETLK, &l);
}

/* Does some other process hold this member's lock? */
static int is_locked(int fd, int member)
{
    struct flock l = lock_of(member);

    return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

/* Say why, once, and wake whoever waits. */
static void fail_with(struct shm *s, const struct err *why)
{
    uint32_t fine = FINE;

    if (atomic_compare_exchange_strong(&s->head->state, &fine, FAILING)) {
        s->head->why = *why;
        atomic_store(&s->head->state, FAILED);
    }
    syscall(SYS_futex, &s->head->turn, FUTEX_WAKE, COMM_MAX, NULL, NULL, 0);
}

static int failure(struct shm *s, struct err *e)
{
    if (atomic_load(&s->head->state) != FAILED)
        return err_set(e, ERR_FAILED, "the gang failed");
    if (e)
        *e = s->head->why;
    return -1;
}

/* Look after the others: 0 if all live, else -1 with *why filled. */
static int check_peers(struct shm *s, struct err *why)
{
    double t = now();

    for (int m = 0; m < s->comm.size; m++) {
        struct slot *p = &s->head->slot[m];
        uint64_t beat = atomic_load(&p->beat);

        if (m == s->comm.member)
            continue;
        if (beat != s->beat[m]) {
            s->beat[m] = beat;
            s->seen[m] = t;
        }
        if (atomic_load(&p->joined) && !is_locked(s->fd, m))
            return err_set(why, ERR_FAILED, "member %d of the gang died", m);
        if (t - s->seen[m] > s->peer_seconds)
            return err_set(why, ERR_FAILED,
                           atomic_load(&p->joined)
                               ? "member %d of the gang hangs: no progress "
                                 "for %.3g s"
                               : "member %d of the gang did not come within "
                                 "%.3g s",
                           m, s->peer_seconds);
    }
    return 0;
}

/* --- the barrier --- */

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static int wait_turn(struct shm *s, uint32_t turn, struct err *e)
{
    struct timespec poll = {0, POLL_MS * 1000000L};
    struct head *h = s->head;
    struct err why;

    for (int i = 0; i < SPIN && atomic_load(&h->turn) == turn; i++)
        relax();
    while (atomic_load(&h->turn) == turn) {
        if (atomic_load(&h->state) != FINE)
            return failure(s, e);
        syscall(SYS_futex, &h->turn, FUTEX_WAIT, turn, &poll, NULL, 0);
        atomic_fetch_add(&h->slot[s->comm.member].beat, 1);
        /* Who has moved the turn on may have left since. */
        if (check_peers(s, &why) && atomic_load(&h->turn) == turn) {
            fail_with(s, &why);
            return failure(s, e);
        }
    }
    return 0;
}

static int barrier(struct shm *s, struct err *e)
{
    struct head *h = s->head;
    uint32_t turn = atomic_load(&h->turn);

    if (atomic_load(&h->state) != FINE)
        return failure(s, e);
    atomic_fetch_add(&h->slot[s->comm.member].beat, 1);
    if (atomic_fetch_add(&h->arrived, 1) + 1 < (uint32_t)s->comm.size)
        return wait_turn(s, turn, e);
    atomic_store(&h->arrived, 0);
    atomic_store(&h->turn, turn + 1);
    syscall(SYS_futex, &h->turn, FUTEX_WAKE, COMM_MAX, NULL, NULL, 0);
    return 0;
}

/* --- the functions of comm.h --- */

static int shm_share(struct comm *c, struct comm_array *const *a, int n,
                     struct err *e)
{
    (void)a, (void)n; /* there is one copy, and the barrier orders it */
    return barrier((struct shm *)c, e);
}

static int shm_agree(struct comm *c, unsigned *bits, char *text, struct err *e)
{
    struct shm *s = (struct shm *)c;
    struct slot *slot = s->head->slot;
    int k = s->parity, found = 0;

    s->parity = !k;
    slot[c->member].bits[k] = *bits;
    snprintf(slot[c->member].text[k], COMM_TEXT, "%s", text ? text : "");
    if (barrier(s, e))
        return -1;
    for (int m = 0; m < c->size; m++) {
        *bits |= slot[m].bits[k];
        if (text && !found && slot[m].text[k][0]) {
            memcpy(text, slot[m].text[k], COMM_TEXT);
            found = 1;
        }
    }
    return 0;
}

static int map(struct mapping *m, const struct shm *s, size_t offset,
               size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd,
                   (off_t)offset);

    if (p == MAP_FAILED)
        return -1;
    *m = (struct mapping){p, len};
    return 0;
}

/* Make the object `len` bytes longer, with its pages, so that there is no
 * later SIGBUS for want of memory.  Member 0. */
static int reserve(const struct shm *s, size_t len)
{
    int rc;

    do
        rc = posix_fallocate(s->fd, (off_t)s->used, (off_t)len);
    while (rc == EINTR);
    if (rc && ftruncate(s->fd, (off_t)s->used))
        return rc; /* the pages stay until the gang ends */
    return rc;
}

static int shm_alloc(struct comm_array *a, struct comm *c, struct err *e)
{
    struct shm *s = (struct shm *)c;
    double bytes = (double)a->bound[c->size] * (double)a->element;
    char size[STR_DOUBLE], text[COMM_TEXT] = "";
    unsigned failed = 0;
    struct mapping m = {NULL, 0};
    size_t len;
    int rc = ENOMEM;

    len = bytes < 0x1p62 ? pages(a->bound[c->size] * a->element + 1) : 0;
    if (c->member == 0 && (!len || (rc = reserve(s, len)))) {
        failed = 1;
        snprintf(text, sizeof text, "no shared memory for %s: %s",
                 str_bytes(size, bytes), strerror(rc));
    }
    if (comm_agree(c, &failed, text, e))
        return -1;
    if (!failed && map(&m, s, s->used, len)) {
        failed = 1;
        snprintf(text, sizeof text, "cannot map %s: %s", str_bytes(size, bytes),
                 strerror(errno));
    }
    if (m.data) {
        s->map = mem_grow(s->map, &s->cap_map, s->n_map + 1, sizeof *s->map);
        s->map[s->n_map++] = m;
    }
    if (comm_agree(c, &failed, text, e))
        return -1;
    if (failed)
        return err_set(e, ERR_ENV, "%s", text);
    s->used += len;
    a->data = m.data;
    return 0;
}

static void shm_beat(struct comm *c)
{
    struct shm *s = (struct shm *)c;

    atomic_fetch_add(&s->head->slot[c->member].beat, 1);
}

static void shm_fail(struct comm *c, const struct err *e)
{
    struct err why = *e;

    err_prefix(&why, "member %d: ", c->member);
    fail_with((struct shm *)c, &why);
}

static void shm_close(struct comm *c)
{
    struct shm *s = (struct shm *)c;

    for (size_t i = 0; i < s->n_map; i++)
        munmap(s->map[i].data, s->map[i].len);
    free(s->map);
    if (s->head)
        munmap(s->head, pages(sizeof *s->head));
    if (s->fd >= 0)
        close(s->fd); /* drops this member's lock */
    free(s);
}

static const struct comm_ops shm_ops = {
    .alloc = shm_alloc,
    .share = shm_share,
    .agree = shm_agree,
    .beat = shm_beat,
    .fail = shm_fail,
    .close = shm_close,
};

/* --- meeting --- */

/* Member 0: the object with its head filled in.  A leftover of the same name
 * that nobody holds is replaced. */
static int create(struct shm *s, struct err *e)
{
    size_t len = pages(sizeof *s->head);
    struct mapping m;

    s->fd = shm_open(s->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s->fd < 0 && errno == EEXIST) {
        int old = shm_open(s->name, O_RDWR | O_CLOEXEC, 0);
        int held = old >= 0 && is_locked(old, 0);
        if (old >= 0)
            close(old);
        if (held)
            return err_set(e, ERR_ENV, "%s: a gang of this name is running",
                           s->name);
        shm_unlink(s->name);
        s->fd = shm_open(s->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (s->fd < 0)
        return err_errno(e, "shared memory %s", s->name);
    if (take_lock(s->fd, 0))
        return err_errno(e, "shared memory %s: lock", s->name);
    errno = reserve(s, len);
    if (errno || map(&m, s, 0, len))
        return err_errno(e, "shared memory %s", s->name);
    s->head = m.data;
    s->head->size = s->comm.size;
    atomic_store(&s->head->ready, READY);
    return 0;
}

/* One try to find the object; 1: not there, or not ready yet. */
static int find(struct shm *s, struct err *e)
{
    size_t len = pages(sizeof *s->head);
    struct mapping m;
    struct stat st;

    s->fd = shm_open(s->name, O_RDWR | O_CLOEXEC, 0);
    if (s->fd < 0)
        return errno == ENOENT ? 1 : err_errno(e, "shared memory %s", s->name);
    if (fstat(s->fd, &st) || st.st_size < (off_t)len || !is_locked(s->fd, 0))
        goto again;
    if (map(&m, s, 0, len))
        return err_errno(e, "shared memory %s", s->name);
    s->head = m.data;
    if (atomic_load(&s->head->ready) != READY) {
        munmap(s->head, len);
        s->head = NULL;
        goto again;
    }
    if (s->head->size != s->comm.size)
        return err_set(e, ERR_USAGE, "gang %s has %d members, not %d", s->name,
                       s->head->size, s->comm.size);
    if (take_lock(s->fd, s->comm.member))
        return err_set(e, ERR_USAGE, "gang %s has a member %d already", s->name,
                       s->comm.member);
    return 0;
again:
    close(s->fd);
    s->fd = -1;
    return 1;
}

static int find_within(struct shm *s, double seconds, struct err *e)
{
    double until = now() + seconds;
    int rc;

    while ((rc = find(s, e)) == 1) {
        if (now() > until)
            return err_set(e, ERR_FAILED,
                           "member 0 of the gang did not come within %.3g s",
                           seconds);
        nap(1);
    }
    return rc;
}

static int set_name(char out[NAME_MAX_LEN], const char *name)
{
    if (name[0] == '/')
        name++;
    if (!name[0] || strchr(name, '/'))
        return -1;
    return snprintf(out, NAME_MAX_LEN, "/%s", name) < NAME_MAX_LEN ? 0 : -1;
}

int comm_shm_open(struct comm **c, int member, int size, const char *name,
                  double peer_seconds, struct err *e)
{
    struct shm *s = xcalloc(1, sizeof *s);
    int met = 0;

    s->comm = (struct comm){.ops = &shm_ops, .member = member, .size = size};
    s->fd = -1;
    s->peer_seconds = peer_seconds;
    if (set_name(s->name, name)) {
        err_set(e, ERR_USAGE, "'%s' cannot be the name of a gang", name);
        goto fail;
    }
    if (member == 0 ? create(s, e) : find_within(s, peer_seconds, e))
        goto fail;
    met = 1;
    s->used = pages(sizeof *s->head);
    for (int m = 0; m < size; m++)
        s->seen[m] = now();
    atomic_store(&s->head->slot[member].joined, 1);
    if (barrier(s, e))
        goto fail;
    shm_unlink(s->name); /* all are here; the first to say so removes it */
    *c = &s->comm;
    return 0;
fail:
    if (met || (member == 0 && s->fd >= 0))
        shm_unlink(s->name);
    shm_close(&s->comm);
    return -1;
}

void comm_forget(const char *name)
{
    char full[NAME_MAX_LEN];

    if (name && !set_name(full, name))
        shm_unlink(full);
}
