/* runtime: the part of the CUDA runtime that the engine uses, with streams
 * that run late or early as the program allows, so that a missing wait shows
 * as a wrong number.  NVIDIA's header gives the prototypes. */
#include "internal.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <vector>

#ifdef CUEMU_MSAN
#include <sanitizer/msan_interface.h>
#endif

struct Work {
    std::function<void()> run;
    cudaEvent_t record, wait;
    unsigned long long want;
    const bool *stuck;
};

struct CUgraph_st {
    std::vector<Work> work;
};

struct CUgraphExec_st {
    std::vector<Work> work;
};

struct CUstream_st {
    std::deque<Work> queue;
    CUgraph_st *recorded; /* what is queued goes there; NULL: it runs */
    void *tsan;
    char edge;
};

struct CUevent_st {
    unsigned long long recorded, done;
    CUstream_st *stream;
    char edge;
};

namespace cuemu
{

static CUstream_st null_stream;
static std::vector<CUstream_st *> streams;
static int policy;

/* Vectors, not maps: the part of a map that is in the C++ library is not
 * instrumented, and MemorySanitizer takes what it writes for uninitialised. */
struct Allocation {
    void *p;
    size_t bytes;
};

struct Limit {
    const void *kernel;
    size_t bytes;
};

static std::vector<Allocation> device_memory;
static std::vector<Limit> shared_limits; /* by kernel */
static size_t device_used, device_limit = static_cast<size_t>(1) << 30;
static int device_count = 1, driver = CUDART_VERSION;

/* Is this, or anything that it has to wait for, stuck? */
static bool blocked(const Work &w)
{
    if (w.stuck && *w.stuck)
        return true;
    if (!w.wait || w.wait->done >= w.want)
        return false;
    for (const Work &x : w.wait->stream->queue) {
        if (blocked(x))
            return true;
        if (x.record == w.wait && x.want >= w.want)
            break;
    }
    return false;
}

static bool is_stuck(const CUstream_st *s)
{
    return !s->queue.empty() && blocked(s->queue.front());
}

static void run_one(CUstream_st *s)
{
    if (is_stuck(s))
        fail("the host waits for a stream that is stuck");
    Work w = std::move(s->queue.front());

    s->queue.pop_front();
    while (w.wait && w.wait->done < w.want) {
        if (w.wait->stream->queue.empty())
            fail("a stream waits for an event that never comes");
        run_one(w.wait->stream);
    }
#ifdef CUEMU_TSAN
    void *host = __tsan_get_current_fiber();

    if (!s->tsan)
        s->tsan = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(s->tsan, __tsan_switch_to_fiber_no_sync);
#endif
    acquire(&s->queue); /* what the host did until it queued this */
    if (w.wait)
        acquire(&w.wait->edge);
    if (w.run)
        w.run();
    w.run = nullptr; /* its arguments belong to the stream, not to the host */
    if (w.record) {
        w.record->done = w.want;
        release(&w.record->edge);
    }
    release(&s->edge);
#ifdef CUEMU_TSAN
    __tsan_switch_to_fiber(host, __tsan_switch_to_fiber_no_sync);
#endif
}

static void drain(CUstream_st *s)
{
    while (!s->queue.empty())
        run_one(s);
}

/* As far as it goes. */
static void advance(CUstream_st *s)
{
    while (!s->queue.empty() && !is_stuck(s))
        run_one(s);
}

/* As cudaStreamSynchronize: the host sees what the stream did. */
static void synchronize(CUstream_st *s)
{
    if (s->recorded)
        fail("the host waits for a stream that is being recorded");
    drain(s);
    acquire(&s->edge);
}

static void synchronize_all()
{
    for (CUstream_st *s : streams)
        synchronize(s);
    synchronize(&null_stream);
}

static CUstream_st *stream_of(cudaStream_t s)
{
    return s ? s : &null_stream;
}

static void apply_policy(CUstream_st *s)
{
    if (policy == POLICY_EAGER ||
        (policy == POLICY_MIXED && (streams.empty() || s != streams[0])))
        advance(s);
    if (policy == POLICY_RANDOM)
        for (unsigned n = random_bits() % 4; n; n--) {
            size_t i = random_bits() % (streams.size() + 1);
            CUstream_st *t = i ? streams[i - 1] : &null_stream;

            if (!t->queue.empty() && !is_stuck(t))
                run_one(t);
        }
}

static void push(cudaStream_t stream, Work w)
{
    CUstream_st *s = stream_of(stream);

    if (s->recorded) {
        if (w.record || w.wait)
            fail("an event in a graph is not emulated");
        s->recorded->work.push_back(std::move(w));
        return;
    }
    if (s == &null_stream) /* the default stream waits for all others */
        for (CUstream_st *other : streams)
            drain(other);
    release(&s->queue);
    s->queue.push_back(std::move(w));
    apply_policy(s);
}

void enqueue(cudaStream_t stream, std::function<void()> f, const bool *stuck)
{
    push(stream, {std::move(f), nullptr, nullptr, 0, stuck});
}

void launch(const char *name, const void *kernel, dim3 grid, dim3 block,
            size_t shared, cudaStream_t stream, std::function<void()> body)
{
    unsigned long long n =
        static_cast<unsigned long long>(block.x) * block.y * block.z;
    size_t most = 48 << 10;

    for (const Limit &l : shared_limits)
        if (l.kernel == kernel)
            most = l.bytes;
    if (!n || n > 1024 || block.z > 64)
        fail("%s: a block of %u x %u x %u", name, block.x, block.y, block.z);
    if (!grid.x || !grid.y || !grid.z || grid.x > 2147483647u ||
        grid.y > 65535 || grid.z > 65535)
        fail("%s: a grid of %u x %u x %u", name, grid.x, grid.y, grid.z);
    if (shared > most)
        fail("%s: %zu bytes of dynamic shared memory, allowed %zu", name,
             shared, most);
    enqueue(stream, [=] { run_grid(name, grid, block, shared, body); });
}

} /* namespace cuemu */

using namespace cuemu;

extern "C" {

void cuemu_set_policy(int p)
{
    synchronize_all();
    policy = p;
}

void cuemu_set_memory(size_t bytes)
{
    device_limit = bytes ? bytes : static_cast<size_t>(1) << 30;
}

size_t cuemu_get_allocations(struct cuemu_allocation *a, size_t most)
{
    size_t n = std::min(most, device_memory.size());

    for (size_t i = 0; i < n; i++)
        a[i] = {device_memory[i].p, device_memory[i].bytes};
    return n;
}

size_t cuemu_memory_used(void)
{
    return device_used;
}

/* When the library is loaded; see control.h. */
__attribute__((constructor)) static void read_environment(void)
{
    const char *text = getenv("LOGLOG_CUEMU");
    long devices = 1, p = POLICY_LAZY, order = ORDER_FORWARD, memory = 0;
    long version = CUDART_VERSION;
    const struct {
        const char *name;
        long *value;
    } settings[] = {{"devices=", &devices},
                    {"policy=", &p},
                    {"order=", &order},
                    {"memory=", &memory},
                    {"driver=", &version}};

    if (!text)
        return;
    for (const auto &s : settings)
        if (const char *at = strstr(text, s.name))
            *s.value = strtol(at + strlen(s.name), nullptr, 10);
    device_count = static_cast<int>(devices);
    driver = static_cast<int>(version);
    policy = static_cast<int>(p);
    cuemu_set_order(static_cast<int>(order), 1);
    cuemu_set_memory(static_cast<size_t>(memory));
}

cudaError_t cudaGetDeviceCount(int *n)
{
    *n = device_count;
    return driver < CUDART_VERSION ? cudaErrorInsufficientDriver : cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device >= 0 && device < device_count ? cudaSuccess
                                                : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    if (device < 0 || device >= device_count)
        return cudaErrorInvalidDevice;
    *p = cudaDeviceProp();
    memcpy(p->name, "emulated", sizeof "emulated");
    memcpy(p->uuid.bytes, "cuemu-device-000", 16);
    p->uuid.bytes[15] = static_cast<char>('0' + device % 64);
    p->major = 8;
    p->totalGlobalMem = device_limit;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *v)
{
    *v = driver;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *v)
{
    *v = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    *total = device_limit;
    *free_bytes = device_limit > device_used ? device_limit - device_used : 0;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t n)
{
    *p = nullptr;
    if (n > device_limit || device_used > device_limit - n ||
        posix_memalign(p, 256, n ? n : 1))
        return cudaErrorMemoryAllocation;
    memset(*p, 0xff, n);
#ifdef CUEMU_MSAN
    __msan_poison(*p, n);
#endif
    device_memory.push_back({*p, n});
    device_used += n;
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    if (!p)
        return cudaSuccess;
    synchronize_all();
    for (size_t i = 0; i < device_memory.size(); i++)
        if (device_memory[i].p == p) {
            device_used -= device_memory[i].bytes;
            device_memory.erase(device_memory.begin() +
                                static_cast<std::ptrdiff_t>(i));
            free(p);
            return cudaSuccess;
        }
    fail("cudaFree of %p, which cudaMalloc did not return", p);
}

cudaError_t cudaMallocHost(void **p, size_t n)
{
    *p = malloc(n ? n : 1);
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *p)
{
    synchronize_all();
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n,
                            cudaMemcpyKind, cudaStream_t s)
{
    enqueue(s, [=] { memcpy(to, from, n); });
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t n, cudaMemcpyKind k)
{
    cudaMemcpyAsync(to, from, n, k, nullptr);
    synchronize(&null_stream);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t n, cudaStream_t s)
{
    enqueue(s, [=] { memset(to, value, n); });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    *s = new CUstream_st();
    streams.push_back(*s);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    synchronize(s);
    streams.erase(std::find(streams.begin(), streams.end(), s));
    delete s;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    synchronize(stream_of(s));
    return cudaSuccess;
}

/* A query is as good as a wait here, where that would end: nothing else is
 * running meanwhile. */
cudaError_t cudaStreamQuery(cudaStream_t s)
{
    advance(stream_of(s));
    return stream_of(s)->queue.empty() ? cudaStreamSynchronize(s)
                                       : cudaErrorNotReady;
}

cudaError_t cudaEventQuery(cudaEvent_t e)
{
    while (e->done < e->recorded && !is_stuck(e->stream))
        run_one(e->stream);
    return e->done < e->recorded ? cudaErrorNotReady : cudaEventSynchronize(e);
}

cudaError_t cudaDeviceSynchronize(void)
{
    synchronize_all();
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned)
{
    *e = new CUevent_st();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    synchronize_all();
    delete e;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    e->stream = stream_of(s);
    push(s, {nullptr, e, nullptr, ++e->recorded, nullptr});
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned)
{
    if (e->recorded)
        push(s, {nullptr, nullptr, e, e->recorded, nullptr});
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    while (e->done < e->recorded)
        run_one(e->stream);
    acquire(&e->edge);
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode)
{
    if (stream_of(s) == &null_stream || s->recorded)
        return cudaErrorStreamCaptureUnsupported;
    s->recorded = new CUgraph_st();
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph)
{
    *graph = s->recorded;
    s->recorded = nullptr;
    return *graph ? cudaSuccess : cudaErrorStreamCaptureInvalidated;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                                 unsigned long long)
{
    *exec = new CUgraphExec_st{graph->work};
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    synchronize_all();
    delete exec;
    return cudaSuccess;
}

/* What was recorded, with the arguments that it was recorded with. */
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s)
{
    counts.graphs++;
    for (const Work &w : exec->work)
        push(s, w);
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *f, cudaFuncAttribute a, int v)
{
    if (a != cudaFuncAttributeMaxDynamicSharedMemorySize || v > 227 << 10)
        return cudaErrorInvalidValue;
    shared_limits.push_back({f, static_cast<size_t>(v)});
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorMemoryAllocation ? "out of memory" : "emulated";
}

} /* extern "C" */
