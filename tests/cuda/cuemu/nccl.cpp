/* nccl: the part of NCCL that the engine uses, between processes, over a
 * board of shared memory on which each member has a slot.  Sums run in the
 * members' order.  A member that does not come within a limit is an
 * asynchronous error, and nothing waits any more.  Communicators are not
 * blocking: a call is in progress until it was asked for often enough, and
 * another call meanwhile is a fault of the program. */
#include "internal.h"

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <limits.h>
#include <nccl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

const size_t SLOT = 256 << 10;

struct Board {
    std::atomic<int> arrived, round;
};

struct ncclComm {
    Board *board;
    char *slots;
    size_t bytes;
    int member, members;
    ncclResult_t error;
    int busy;   /* this many more questions until the last call is through */
    bool stuck; /* nothing ends any more */
};

static double peer_seconds = 30;
static char boards[64]; /* where they are; empty: in the shared memory */
static bool wedged;

static double now()
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) +
           1e-9 * static_cast<double>(t.tv_nsec);
}

/* All members, or an error. */
static bool meet(ncclComm *c)
{
    int round = c->board->round.load();
    double limit = now() + peer_seconds;

    if (c->error != ncclSuccess)
        return false;
    if (c->board->arrived.fetch_add(1) + 1 == c->members) {
        c->board->arrived.store(0);
        c->board->round.store(round + 1);
        return true;
    }
    while (c->board->round.load() == round) {
        if (now() > limit) {
            c->error = ncclSystemError;
            return false;
        }
        sched_yield();
    }
    return true;
}

static char *slot(const ncclComm *c, int member)
{
    return c->slots + static_cast<size_t>(member) * SLOT;
}

static size_t size_of(ncclDataType_t t)
{
    return t == ncclBfloat16 ? 2 : t == ncclFloat ? 4 : 8;
}

template <class T> static void sum_slots(T *to, const ncclComm *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        T sum = 0;

        for (int m = 0; m < c->members; m++)
            sum += reinterpret_cast<const T *>(slot(c, m))[i];
        to[i] = sum;
    }
}

/* to[n] = the sum of all members' from[n]; only where `mine`. */
static void reduce(ncclComm *c, const char *from, char *to, size_t n,
                   ncclDataType_t t, bool mine)
{
    size_t size = size_of(t), most = SLOT / size;

    for (size_t i = 0, k; i < n; i += k) {
        k = std::min(n - i, most);
        memcpy(slot(c, c->member), from + i * size, k * size);
        if (!meet(c))
            return;
        if (mine && t == ncclFloat)
            sum_slots(reinterpret_cast<float *>(to + i * size), c, k);
        else if (mine)
            sum_slots(reinterpret_cast<double *>(to + i * size), c, k);
        if (!meet(c))
            return;
    }
}

/* For each call: it is under way. */
static ncclResult_t called(ncclComm *c)
{
    if (c->busy)
        cuemu::fail("NCCL was called while a call is in progress");
    c->busy = 2;
    return ncclInProgress;
}

static const bool *queued(ncclComm *c)
{
    c->stuck |= wedged;
    return &c->stuck;
}

extern "C" {

void cuemu_set_peer_seconds(double seconds)
{
    peer_seconds = seconds;
}

/* "peer=" and "boards=" of control.h. */
__attribute__((constructor)) static void read_environment(void)
{
    const char *text = getenv("LOGLOG_CUEMU");
    const char *at = text ? strstr(text, "peer=") : nullptr;

    if (at)
        peer_seconds = strtod(at + strlen("peer="), nullptr);
    at = text ? strstr(text, "boards=") : nullptr;
    if (at)
        sscanf(at, "boards=%63s", boards);
}

void cuemu_set_wedged(int is)
{
    wedged = is != 0;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    static int made;

    memset(id, 0, sizeof *id);
    snprintf(id->internal, sizeof id->internal, "%s/cuemu-%d-%d", boards,
             static_cast<int>(getpid()), made++);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *out, int members,
                                    ncclUniqueId id, int member,
                                    ncclConfig_t *config)
{
    size_t bytes = 4096 + static_cast<size_t>(members) * SLOT;
    bool file = strchr(id.internal + 1, '/') != nullptr;
    int fd = file ? open(id.internal, O_RDWR | O_CREAT, 0600)
                  : shm_open(id.internal, O_RDWR | O_CREAT, 0600);
    void *p = MAP_FAILED;
    ncclComm *c;

    if (id.internal[0] != '/' || fd < 0 || config->blocking)
        return ncclInvalidArgument;
    if (!ftruncate(fd, static_cast<off_t>(bytes)))
        p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return ncclSystemError;
    c = new ncclComm{static_cast<Board *>(p),
                     static_cast<char *>(p) + 4096,
                     bytes,
                     member,
                     members,
                     ncclSuccess,
                     0,
                     false};
    *out = c;
    if (wedged) {
        c->busy = INT_MAX;
        return ncclInProgress;
    }
    meet(c); /* or c->error */
    if (member == 0)
        file ? unlink(id.internal) : shm_unlink(id.internal);
    return called(c);
}

ncclResult_t ncclCommFinalize(ncclComm_t c)
{
    return called(c);
}

ncclResult_t ncclCommDestroy(ncclComm_t c)
{
    munmap(c->board, c->bytes);
    delete c;
    return ncclSuccess;
}

/* What is queued ends in an error, and the communicator is of no more use; it
 * is not freed, as the streams may still hold on to it. */
ncclResult_t ncclCommAbort(ncclComm_t c)
{
    c->error = ncclRemoteError;
    c->stuck = false;
    return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t c, ncclResult_t *r)
{
    *r = c->busy > 0 ? ncclInProgress : c->error;
    if (c->busy > 0 && c->busy < INT_MAX)
        c->busy--;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t r)
{
    return r == ncclSystemError ? "a member did not come" : "emulated";
}

ncclResult_t ncclAllReduce(const void *from, void *to, size_t n,
                           ncclDataType_t t, ncclRedOp_t op, ncclComm_t c,
                           cudaStream_t s)
{
    if (op != ncclSum || (t != ncclFloat && t != ncclDouble))
        return ncclInvalidArgument;
    cuemu::enqueue(
        s,
        [=] {
            reduce(c, static_cast<const char *>(from), static_cast<char *>(to),
                   n, t, true);
        },
        queued(c));
    return called(c);
}

ncclResult_t ncclReduceScatter(const void *from, void *to, size_t n,
                               ncclDataType_t t, ncclRedOp_t op, ncclComm_t c,
                               cudaStream_t s)
{
    if (op != ncclSum || t != ncclFloat)
        return ncclInvalidArgument;
    cuemu::enqueue(
        s,
        [=] {
            for (int m = 0; m < c->members; m++)
                reduce(c,
                       static_cast<const char *>(from) +
                           static_cast<size_t>(m) * n * size_of(t),
                       static_cast<char *>(to), n, t, m == c->member);
        },
        queued(c));
    return called(c);
}

ncclResult_t ncclAllGather(const void *from, void *to, size_t n,
                           ncclDataType_t t, ncclComm_t c, cudaStream_t s)
{
    size_t size = size_of(t), most = SLOT / size;

    cuemu::enqueue(
        s,
        [=] {
            for (size_t i = 0, k; i < n; i += k) {
                k = std::min(n - i, most);
                memcpy(slot(c, c->member),
                       static_cast<const char *>(from) + i * size, k * size);
                if (!meet(c))
                    return;
                for (int m = 0; m < c->members; m++)
                    memcpy(static_cast<char *>(to) +
                               (static_cast<size_t>(m) * n + i) * size,
                           slot(c, m), k * size);
                if (!meet(c))
                    return;
            }
        },
        queued(c));
    return called(c);
}

} /* extern "C" */
