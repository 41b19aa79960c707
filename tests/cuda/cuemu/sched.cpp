/* sched: the blocks of a launch, one after another, and the threads of a block
 * until all have ended; barriers and warp collectives between them.
 *
 * For ThreadSanitizer every CUDA thread is a thread of its own: a barrier is
 * a release and an acquire, a launch orders what came before it, and nothing
 * orders two threads of a block otherwise, or two blocks.  So that no edge
 * comes from the emulator itself, synchronisation objects, shared memory and
 * stacks are fresh for each block, freed by a fiber that nothing waits for,
 * and this file is not instrumented. */
#include "internal.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#ifdef CUEMU_MSAN
#include <sanitizer/msan_interface.h>
#endif

namespace cuemu
{

Thread *self;
uint3 block_index;
dim3 block_dim, grid_dim;
struct cuemu_counts counts;

const size_t STATIC_SHARED = 48 << 10;
const unsigned WARP = 32;

struct Collective_wait {
    unsigned mask, arrived, generation;
    int op, line;
    const char *file;
    Slot slot[2][WARP];
    char *edge; /* [2 * 8] */
};

struct Shared {
    const void *tag;
    void *p;
};

static int order;
static unsigned random_state = 1;

static cuemu_meter *meter_begins, *meter_ends;

/* The launch and the block that run. */
static const char *kernel_name = "(none)";
static const std::function<void()> *kernel;
static std::vector<Fiber> fibers;
static std::vector<std::vector<Collective_wait>> waits; /* by warp */
static unsigned live, arrived, phase;
static const char *barrier_file;
static int barrier_line;
static std::vector<Shared> shared;
static size_t shared_bytes;
static void *dynamic;
static char launch_edge, end_edge;
static char *edges; /* of the block: barriers, then 16 bytes a wait */
#ifdef CUEMU_TSAN
static char *arena, *stacks;
static void *janitor;
/* Making a fiber costs milliseconds: kept, and dealt out differently from one
 * block to the next, so that thread i never keeps one. */
static std::vector<void *> tsan_fibers[2];
const size_t EDGES = 16 + 64 * 16 * 16;
#else
static char edge_space[64 << 10];
#endif

extern "C" void cuemu_set_order(int o, unsigned seed)
{
    order = o;
    random_state = seed ? seed : 1;
}

extern "C" void cuemu_get_counts(struct cuemu_counts *c)
{
    *c = counts;
}

extern "C" void cuemu_set_meter(cuemu_meter *begins, cuemu_meter *ends)
{
    meter_begins = begins;
    meter_ends = ends;
}

unsigned random_bits()
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

void fail(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "cuemu: kernel %s, block (%u,%u,%u)", kernel_name,
            block_index.x, block_index.y, block_index.z);
    if (self)
        fprintf(stderr, ", thread (%u,%u,%u)", self->tid.x, self->tid.y,
                self->tid.z);
    fprintf(stderr, ": ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    _exit(86);
}

/* ------------------------------------------------------ synchronisation */

static void release_barrier()
{
    arrived = 0;
    phase ^= 1;
    for (Fiber &f : fibers)
        if (f.state == AT_BLOCK)
            f.state = READY;
}

static int elsewhere(const char *a, int a_line, const char *b, int b_line)
{
    return a_line != b_line || (a != b && strcmp(a, b));
}

void block_sync(const char *file, int line)
{
    Fiber *f = static_cast<Fiber *>(self);
    unsigned p = phase;

    f->file = file;
    f->line = line;
    if (arrived && elsewhere(barrier_file, barrier_line, file, line))
        fail("divergent __syncthreads: this thread at %s:%d, others at %s:%d",
             file, line, barrier_file, barrier_line);
    barrier_file = file;
    barrier_line = line;
    release(edges + 8 * p);
    if (++arrived == live) {
        release_barrier();
    } else {
        f->state = AT_BLOCK;
        fiber_leave(f);
    }
    acquire(edges + 8 * p);
}

/* Volatile and in words, which keeps it out of the sanitizers' memcpy. */
static void plain_copy(void *to, const void *from, int n)
{
    volatile unsigned char *d = static_cast<unsigned char *>(to);
    const volatile unsigned char *s = static_cast<const unsigned char *>(from);
    int i = 0;

    for (; i + 4 <= n; i += 4)
        *reinterpret_cast<volatile uint32_t *>(d + i) =
            *reinterpret_cast<const volatile uint32_t *>(s + i);
    for (; i < n; i++)
        d[i] = s[i];
}

void slot_read(const Slot *slot, void *value, int n)
{
    plain_copy(value, slot->bytes, n);
}

static Collective_wait *wait_of(unsigned warp, unsigned mask)
{
    std::vector<Collective_wait> &w = waits[warp];

    for (Collective_wait &x : w)
        if (x.mask == mask)
            return &x;
    if (w.size() == w.capacity())
        fail("more than %zu different masks in a warp", w.capacity());
    w.push_back({});
    w.back().mask = mask;
    w.back().edge = edges + 16 + (warp * 16 + w.size() - 1) * 16;
    return &w.back();
}

const Slot *warp_exchange(unsigned mask, const void *value, int n, int op,
                          const char *file, int line)
{
    Fiber *f = static_cast<Fiber *>(self);
    unsigned first = f->warp * WARP, g;
    Collective_wait *w;

    f->file = file;
    f->line = line;
    if (!(mask >> f->lane & 1))
        fail("lane %u calls the collective at %s:%d, whose mask %08x leaves "
             "it out",
             f->lane, file, line, mask);
    w = wait_of(f->warp, mask);
    if (!w->arrived) {
        for (unsigned i = 0; i < WARP && first + i < fibers.size(); i++)
            if ((mask >> i & 1) && fibers[first + i].state == DONE)
                fail("lane %u has ended, but the collective at %s:%d with "
                     "mask %08x waits for it",
                     i, file, line, mask);
        w->op = op;
        w->file = file;
        w->line = line;
    } else if (w->op != op || elsewhere(w->file, w->line, file, line)) {
        fail("divergent warp collective: this lane at %s:%d, others at %s:%d",
             file, line, w->file, w->line);
    }
    g = w->generation & 1;
    plain_copy(w->slot[g][f->lane].bytes, value, n);
    release(w->edge + 8 * g);
    w->arrived |= 1u << f->lane;
    if (w->arrived == mask) {
        w->arrived = 0;
        w->generation++;
        for (unsigned i = 0; i < WARP && first + i < fibers.size(); i++)
            if ((mask >> i & 1) && &fibers[first + i] != f)
                fibers[first + i].state = READY;
    } else {
        f->state = AT_WARP;
        fiber_leave(f);
    }
    acquire(w->edge + 8 * g);
    return w->slot[g];
}

/* -------------------------------------------------------- shared memory */

static void poison(void *p, size_t n)
{
#ifdef CUEMU_MSAN
    memset(p, 0xff, n);
    __msan_poison(p, n);
#else
    memset(p, 0xff, n);
#endif
}

void *static_shared(const void *tag, size_t size, const char *name)
{
    size_t at = (shared_bytes + 127) & ~static_cast<size_t>(127);
    void *p = nullptr;

    for (const Shared &s : shared)
        if (s.tag == tag)
            return s.p;
    shared_bytes = at + size;
    if (shared_bytes > STATIC_SHARED)
        fail("shared arrays take %zu bytes with %s, more than 48 KiB",
             shared_bytes, name);
#ifdef CUEMU_TSAN
    p = arena + at; /* filled beforehand, by the scheduler */
#else
    if (posix_memalign(&p, 128, size))
        fail("no memory for %s", name);
    poison(p, size);
#endif
    shared.push_back({tag, p});
    return p;
}

void *dynamic_shared()
{
    return dynamic;
}

/* ---------------------------------------------------------------- blocks */

static void thread_main()
{
    fiber_begin();
    acquire(&launch_edge);
    (*kernel)();
    release(&end_edge);
    static_cast<Fiber *>(self)->state = DONE;
    fiber_leave(static_cast<Fiber *>(self));
}

static void start_thread(Fiber *f)
{
#ifdef CUEMU_TSAN
    std::vector<void *> &pool = tsan_fibers[counts.blocks & 1];
    size_t i = (f->index + counts.blocks * 37) % fibers.size();

    f->stack = stacks + f->index * STACK_BYTES;
    if (pool.size() < fibers.size())
        pool.resize(fibers.size());
    if (!pool[i])
        pool[i] = __tsan_create_fiber(0);
    f->tsan = pool[i];
#else
    f->stack = stack_get();
#endif
    fiber_prepare(f, thread_main);
}

/* Until it blocks or ends. */
static void run_thread(Fiber *f)
{
    if (f->state == NEW)
        start_thread(f);
    f->state = READY;
    self = f;
    fiber_enter(f);
    self = nullptr;
    if (f->state != DONE)
        return;
#ifndef CUEMU_TSAN
    stack_put(f->stack);
#endif
    live--;
    if (live && arrived == live)
        release_barrier();
    for (const Collective_wait &w : waits[f->warp])
        if (w.arrived && (w.mask >> f->lane & 1)) {
            self = f;
            fail("the lane ends, but the collective at %s:%d with mask %08x "
                 "waits for it",
                 w.file, w.line, w.mask);
        }
}

static int runnable(const Fiber &f)
{
    return f.state == NEW || f.state == READY;
}

/* The i-th of n in the chosen order; `turn` is random for this round. */
static unsigned chosen(unsigned i, unsigned n, unsigned turn)
{
    if (order == ORDER_REVERSE)
        return n - 1 - i;
    if (order == ORDER_RANDOM)
        return (i + turn) % n;
    return i;
}

/* Run the threads of a warp until all wait; was there anything to run? */
static int run_warp(unsigned warp)
{
    unsigned first = warp * WARP;
    unsigned n = static_cast<unsigned>(fibers.size()) - first;
    int ran = 0, again = 1;

    n = n < WARP ? n : WARP;
    while (again) {
        unsigned turn = order == ORDER_RANDOM ? random_bits() : 0;

        again = 0;
        for (unsigned i = 0; i < n; i++) {
            Fiber &f = fibers[first + chosen(i, n, turn)];

            if (runnable(f)) {
                run_thread(&f);
                again = ran = 1;
            }
        }
    }
    return ran;
}

static void run_threads()
{
    unsigned warps = static_cast<unsigned>(waits.size());

    while (live) {
        unsigned turn = order == ORDER_RANDOM ? random_bits() : 0;
        int ran = 0;

        for (unsigned i = 0; i < warps; i++)
            ran |= run_warp(chosen(i, warps, turn));
        if (ran)
            continue;
        for (Fiber &f : fibers)
            if (f.state != DONE) {
                self = &f;
                fail("deadlock: %u threads wait, this one at %s:%d", live,
                     f.file, f.line);
            }
    }
}

static void open_block(size_t dynamic_bytes)
{
    unsigned n = static_cast<unsigned>(fibers.size());

    counts.blocks++;
    counts.threads += n;
    live = n;
    arrived = 0;
    shared.clear();
    shared_bytes = 0;
    dynamic = nullptr;
    if (dynamic_bytes) {
        if (posix_memalign(&dynamic, 128, dynamic_bytes))
            fail("no memory for shared memory");
        poison(dynamic, dynamic_bytes);
    }
#ifdef CUEMU_TSAN
    void *p = nullptr;

    if (posix_memalign(&p, 128, STATIC_SHARED + EDGES))
        fail("no memory for a block");
    arena = static_cast<char *>(p);
    memset(arena, 0xff, STATIC_SHARED + EDGES);
    edges = arena + STATIC_SHARED;
    stacks = static_cast<char *>(mmap(nullptr, STACK_BYTES * n,
                                      PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
#else
    edges = edge_space;
#endif
    for (unsigned w = 0; w < waits.size(); w++) {
        waits[w].clear();
        waits[w].reserve(16);
    }
    for (unsigned i = 0; i < n; i++) {
        Fiber &f = fibers[i];

        f = Fiber{};
        f.tid = {i % block_dim.x, i / block_dim.x % block_dim.y,
                 i / block_dim.x / block_dim.y};
        f.index = i;
        f.lane = i % WARP;
        f.warp = i / WARP;
        f.state = NEW;
    }
    release(&launch_edge);
}

static void close_block()
{
#ifdef CUEMU_TSAN
    void *host = __tsan_get_current_fiber();

    if (!janitor)
        janitor = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(janitor, __tsan_switch_to_fiber_no_sync);
    acquire(&end_edge);
    munmap(stacks, STACK_BYTES * fibers.size());
    free(arena);
    free(dynamic);
    __tsan_switch_to_fiber(host, __tsan_switch_to_fiber_no_sync);
#else
    for (const Shared &s : shared)
        free(s.p);
    free(dynamic);
#endif
}

void run_grid(const char *name, dim3 grid, dim3 block, size_t dynamic_bytes,
              const std::function<void()> &body)
{
    unsigned n = block.x * block.y * block.z;
    unsigned long long blocks =
        static_cast<unsigned long long>(grid.x) * grid.y * grid.z;
    /* A random order: a step that shares no factor with the count. */
    unsigned long long step = 1, begin = 0;

    if (meter_begins)
        meter_begins(name);
    kernel_name = name;
    kernel = &body;
    block_dim = block;
    grid_dim = grid;
    counts.launches++;
    fibers.assign(n, Fiber{});
    waits.resize((n + WARP - 1) / WARP);
    if (order == ORDER_RANDOM) {
        const unsigned long long prime[] = {7, 11, 13, 17, 19, 23};

        for (unsigned long long p : prime)
            if (blocks % p && random_bits() % 2)
                step = p;
        begin = random_bits() % blocks;
    }
    for (unsigned long long k = 0; k < blocks; k++) {
        unsigned long long b = (begin + k * step) % blocks;

        if (order == ORDER_REVERSE)
            b = blocks - 1 - k;
        block_index = {static_cast<unsigned>(b % grid.x),
                       static_cast<unsigned>(b / grid.x % grid.y),
                       static_cast<unsigned>(b / grid.x / grid.y)};
        open_block(dynamic_bytes);
        run_threads();
        close_block();
    }
    acquire(&end_edge);
    kernel_name = "(none)";
    if (meter_ends)
        meter_ends(name);
}

} /* namespace cuemu */
