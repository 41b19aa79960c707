/* gang: several devices as one, by NCCL (ZeRO, stage 1).  A bucket of the
 * gradient is reduce-scattered on a stream of its own as soon as the way back
 * is past it, each member getting its chunk, the tail being summed for all;
 * after the step the bf16 weights are gathered.  A peer that is gone, or an
 * error of the library, ends the wait: never a hang. */
#include "trainer/cuda/engine_impl.h"

#include <string.h>
#include <time.h>

static_assert(ENGINE_ID_BYTES == NCCL_UNIQUE_ID_BYTES,
              "the identity of a gang is NCCL's");

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) +
           1e-9 * static_cast<double>(t.tv_nsec);
}

static void nap(void)
{
    const struct timespec pause = {0, 50000};

    nanosleep(&pause, nullptr);
}

static int bad(struct engine *g, ncclResult_t r, const char *what)
{
    if (r == ncclSuccess)
        return 0;
    engine_fail(g, "NCCL: %s: %s", what, ncclGetErrorString(r));
    return 1;
}

/* A call that only began: to its end, or the limit.  Nothing else may be asked
 * of the library before. */
static int settle(struct engine *g, ncclResult_t r, const char *what)
{
    double limit = 0;

    while (r == ncclInProgress) {
        if (limit > 0)
            nap();
        else
            limit = now() + g->opt.peer_seconds;
        if (now() > limit) {
            engine_fail(g,
                        "NCCL: %s: the other devices of the gang gave no sign "
                        "for %.0f s",
                        what, g->opt.peer_seconds);
            return 1;
        }
        if (bad(g, ncclCommGetAsyncError(g->gang, &r), what))
            return 1;
    }
    return bad(g, r, what);
}

int gang_new_id(unsigned char id[ENGINE_ID_BYTES], struct err *e)
{
    ncclUniqueId u;
    ncclResult_t r = ncclGetUniqueId(&u);

    if (r != ncclSuccess)
        return err_set(e, ERR_ENV, "NCCL: no identity for a gang: %s",
                       ncclGetErrorString(r));
    memcpy(id, u.internal, ENGINE_ID_BYTES);
    return 0;
}

int gang_join_all(struct engine *g, const unsigned char id[ENGINE_ID_BYTES],
                  struct err *e)
{
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    ncclUniqueId u;

    if (g->opt.gang == 1)
        return 0;
    config.blocking = 0; /* no call of the library waits for a peer */
    memcpy(u.internal, id, ENGINE_ID_BYTES);
    if (settle(g,
               ncclCommInitRankConfig(&g->gang, g->opt.gang, u, g->opt.member,
                                      &config),
               "joining the gang"))
        return err_set(e, ERR_ENV, "%s", g->first.text);
    return 0;
}

void gang_close(struct engine *g)
{
    if (g->gang &&
        (g->failed || settle(g, ncclCommFinalize(g->gang), "leaving the gang")))
        ncclCommAbort(g->gang);
    else if (g->gang)
        ncclCommDestroy(g->gang);
    g->gang = nullptr;
}

/* side waits for what is queued on main, or the other way round. */
static void follow(struct engine *g, cudaStream_t after, cudaStream_t before,
                   cudaEvent_t event)
{
    engine_check(g, cudaEventRecord(event, before), "event");
    engine_check(g, cudaStreamWaitEvent(after, event, 0), "wait");
}

void gang_reduce(struct engine *g, const struct bucket *b)
{
    float *at = g->grad + b->at;
    int64_t body = b->chunk * g->opt.gang;

    if (!g->gang)
        return;
    follow(g, g->side, g->main, g->ready);
    if (b->chunk)
        settle(g,
               ncclReduceScatter(at, at + g->opt.member * b->chunk,
                                 static_cast<size_t>(b->chunk), ncclFloat,
                                 ncclSum, g->gang, g->side),
               "reduce-scatter");
    if (b->n > body)
        settle(g,
               ncclAllReduce(at + body, at + body,
                             static_cast<size_t>(b->n - body), ncclFloat,
                             ncclSum, g->gang, g->side),
               "all-reduce");
}

void gang_join(struct engine *g)
{
    if (g->gang)
        follow(g, g->main, g->side, g->done);
}

void gang_sum(struct engine *g, double *x, int n)
{
    if (!g->gang)
        return;
    follow(g, g->side, g->main, g->ready);
    settle(g,
           ncclAllReduce(x, x, static_cast<size_t>(n), ncclDouble, ncclSum,
                         g->gang, g->side),
           "all-reduce");
    gang_join(g);
}

static void gather(struct engine *g, void *flat, ncclDataType_t type,
                   int64_t size)
{
    if (!g->gang)
        return;
    follow(g, g->side, g->main, g->ready);
    for (const struct bucket &b : g->buckets) {
        char *at = static_cast<char *>(flat) + b.at * size;

        if (b.chunk)
            settle(g,
                   ncclAllGather(at + g->opt.member * b.chunk * size, at,
                                 static_cast<size_t>(b.chunk), type, g->gang,
                                 g->side),
                   "all-gather");
    }
    gang_join(g);
}

void gang_gather_weights(struct engine *g)
{
    gather(g, g->w, ncclBfloat16, sizeof(bf16));
}

void gang_gather_floats(struct engine *g, float *flat)
{
    gather(g, flat, ncclFloat, sizeof(float));
}

/* The clock runs from when this member's own work is done. */
int gang_wait(struct engine *g)
{
    double since = 0;
    int alone = 0;

    for (;;) {
        ncclResult_t async = ncclSuccess;
        cudaError_t done = cudaStreamQuery(g->main);

        if (done == cudaSuccess)
            done = cudaStreamQuery(g->side);
        if (bad(g, ncclCommGetAsyncError(g->gang, &async), "asking") ||
            (async != ncclInProgress &&
             bad(g, async, "a member of the gang is gone")))
            return -1;
        if (done != cudaErrorNotReady)
            return engine_check(g, done, "the device");
        if (!alone && cudaEventQuery(g->ready) == cudaSuccess) {
            alone = 1;
            since = now();
        }
        if (alone && now() - since > g->opt.peer_seconds) {
            engine_fail(g,
                        "the other devices of the gang gave no sign for "
                        "%.0f s",
                        g->opt.peer_seconds);
            return -1;
        }
        nap();
    }
}
