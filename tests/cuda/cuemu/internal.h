/* internal: shared by the files of the emulator. */
#ifndef LOGLOG_TESTS_CUEMU_INTERNAL_H
#define LOGLOG_TESTS_CUEMU_INTERNAL_H

#include "control.h"
#include "cuemu.h"

#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim

#ifdef CUEMU_TSAN
#include <sanitizer/tsan_interface.h>
extern "C" void __tsan_acquire(void *);
extern "C" void __tsan_release(void *);
#endif

namespace cuemu
{

/* Happens-before edges for ThreadSanitizer, through any address. */
static inline void acquire(void *p)
{
#ifdef CUEMU_TSAN
    __tsan_acquire(p);
#else
    (void)p;
#endif
}

static inline void release(void *p)
{
#ifdef CUEMU_TSAN
    __tsan_release(p);
#else
    (void)p;
#endif
}

#ifdef CUEMU_TSAN
/* ThreadSanitizer prints its reports on the fiber's own stack. */
const size_t STACK_BYTES = 256 << 10;
#else
const size_t STACK_BYTES = 64 << 10;
#endif

enum State { NEW, READY, AT_BLOCK, AT_WARP, DONE };

struct Fiber : Thread {
    unsigned index; /* in the block */
    State state;
    void *sp, *stack;
    void *tsan, *fake; /* the sanitizers' own */
    const char *file;  /* where it waits */
    int line;
};

/* fiber.cpp */
/* Give the fiber a stack; it will call entry(). */
void fiber_prepare(Fiber *f, void (*entry)());
/* From the scheduler into the fiber, and back when it blocks or ends. */
void fiber_enter(Fiber *f);
void fiber_leave(Fiber *f);
/* The first thing a new fiber does. */
void fiber_begin();
void *stack_get();
void stack_put(void *stack);

/* sched.cpp: run one launch now. */
void run_grid(const char *name, dim3 grid, dim3 block, size_t shared,
              const std::function<void()> &body);
unsigned random_bits();
extern struct cuemu_counts counts;

/* runtime.cpp: queue f on a stream.  While *stuck (may be NULL) it cannot
 * run. */
void enqueue(cudaStream_t stream, std::function<void()> f,
             const bool *stuck = nullptr);

} /* namespace cuemu */

#endif
