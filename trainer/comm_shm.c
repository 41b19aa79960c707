/* comm_shm: a gang on one machine.
 *
 * One POSIX shared-memory object: a head (gate.h) and behind it the
 * arrays, each mapped by itself.  Member 0 creates it, the others find it by
 * name, and when all have met the name is removed, so that nothing is left
 * behind however the members end. */
#include "trainer/comm_impl.h"

#include "base/mem.h"
#include "base/str.h"
#include "trainer/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READY 0x6c6f676cu /* "logl": the head is filled in */
#define NAME_MAX_LEN 128

struct mapping {
    void *data;
    size_t len;
};

struct shm {
    struct comm comm;
    struct gate gate;
    char name[NAME_MAX_LEN];
    int fd;
    struct gate_head *head;
    size_t used; /* bytes of the object given out */
    int parity;  /* of comm_agree */
    struct mapping *map;
    size_t n_map, cap_map;
};

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

/* --- the functions of comm.h --- */

static int shm_share(struct comm *c, struct comm_array *const *a, int n,
                     struct err *e)
{
    (void)a, (void)n; /* there is one copy, and the barrier orders it */
    return gate_meet(&((struct shm *)c)->gate, e);
}

static int shm_agree(struct comm *c, unsigned *bits, char *text, struct err *e)
{
    struct shm *s = (struct shm *)c;
    struct gate_slot *slot = s->head->slot;
    int k = s->parity, found = 0;

    s->parity = !k;
    slot[c->member].bits[k] = *bits;
    snprintf(slot[c->member].text[k], COMM_TEXT, "%s", text ? text : "");
    if (gate_meet(&s->gate, e))
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
    gate_beat(&((struct shm *)c)->gate);
}

static void shm_fail(struct comm *c, const struct err *e)
{
    struct err why = *e;

    err_prefix(&why, "member %d: ", c->member);
    gate_fail(&((struct shm *)c)->gate, &why);
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
        int held = old >= 0 && gate_locked(old, 0);
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
    if (gate_lock(s->fd, 0))
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
    if (fstat(s->fd, &st) || st.st_size < (off_t)len || !gate_locked(s->fd, 0))
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
    if (gate_lock(s->fd, s->comm.member))
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
    int rc;

    for (double ms = 0; (rc = find(s, e)) == 1; ms++) {
        if (ms > 1000 * seconds)
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
    if (set_name(s->name, name)) {
        err_set(e, ERR_USAGE, "'%s' cannot be the name of a gang", name);
        goto fail;
    }
    if (member == 0 ? create(s, e) : find_within(s, peer_seconds, e))
        goto fail;
    met = 1;
    s->used = pages(sizeof *s->head);
    gate_init(&s->gate, s->head, s->fd, member, size, peer_seconds);
    if (gate_meet(&s->gate, e))
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
