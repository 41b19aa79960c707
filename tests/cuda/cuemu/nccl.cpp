/* nccl: the part of NCCL that the engine uses, between processes, over a
 * board of shared memory on which each member has a slot.  Sums run in the
 * members' order.  A member that does not come within a limit is an
 * asynchronous error, and nothing waits any more. */
#include "internal.h"

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <nccl.h>
#include <sched.h>
#include <stdio.h>
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
};

static double peer_seconds = 30;

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

extern "C" {

void cuemu_set_peer_seconds(double seconds)
{
    peer_seconds = seconds;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    static int made;

    memset(id, 0, sizeof *id);
    snprintf(id->internal, sizeof id->internal, "/cuemu-%d-%d",
             static_cast<int>(getpid()), made++);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t *out, int members, ncclUniqueId id,
                              int member)
{
    size_t bytes = 4096 + static_cast<size_t>(members) * SLOT;
    int fd = shm_open(id.internal, O_RDWR | O_CREAT, 0600);
    void *p = MAP_FAILED;
    ncclComm *c;

    if (id.internal[0] != '/' || fd < 0)
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
                     ncclSuccess};
    if (!meet(c)) {
        ncclResult_t r = c->error;

        ncclCommAbort(c);
        return r;
    }
    if (member == 0)
        shm_unlink(id.internal);
    *out = c;
    return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t c)
{
    munmap(c->board, c->bytes);
    delete c;
    return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t c)
{
    return ncclCommDestroy(c);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t c, ncclResult_t *r)
{
    *r = c->error;
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
    cuemu::enqueue(s, [=] {
        reduce(c, static_cast<const char *>(from), static_cast<char *>(to), n,
               t, true);
    });
    return ncclSuccess;
}

ncclResult_t ncclReduceScatter(const void *from, void *to, size_t n,
                               ncclDataType_t t, ncclRedOp_t op, ncclComm_t c,
                               cudaStream_t s)
{
    if (op != ncclSum || t != ncclFloat)
        return ncclInvalidArgument;
    cuemu::enqueue(s, [=] {
        for (int m = 0; m < c->members; m++)
            reduce(c,
                   static_cast<const char *>(from) +
                       static_cast<size_t>(m) * n * size_of(t),
                   static_cast<char *>(to), n, t, m == c->member);
    });
    return ncclSuccess;
}

ncclResult_t ncclAllGather(const void *from, void *to, size_t n,
                           ncclDataType_t t, ncclComm_t c, cudaStream_t s)
{
    size_t size = size_of(t), most = SLOT / size;

    cuemu::enqueue(s, [=] {
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
    });
    return ncclSuccess;
}

} /* extern "C" */
