/* cuemu: CUDA C++ kernels as plain C++ on the CPU, for tests.
 *
 * What a kernel sees of the device, and how a launch gets there.  One OS
 * thread; a fiber for each CUDA thread; blocks one after another.  A fiber
 * runs until it blocks, so threads are as far apart as the program allows, in
 * one of three orders (control.h).  Shared and device memory begin as 0xff,
 * which is NaN.  Checked, and reported with the kernel, block, thread, file
 * and line, as the end of the process with status 86:
 *
 *   - a __syncthreads or warp collective that threads reach at different
 *     lines; a lane that ended, or that a mask leaves out; a deadlock;
 *   - a block, grid, parameter list or shared memory beyond the limits of
 *     compute capability 8.0 and later;
 *   - a vector load that is not aligned (by the sanitizers).
 *
 * NVIDIA's own headers are used for types and prototypes; they need no
 * device.  Rules for kernels: shared arrays by SHARED and DYN_SHARED, launches
 * by LAUNCH (trainer/cuda/port.h), one barrier on a line, and bf16 is a
 * storage type: arithmetic is in float. */
#ifndef LOGLOG_TESTS_CUEMU_H
#define LOGLOG_TESTS_CUEMU_H

#include <cuda_runtime.h>

#include <cuda_bf16.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __forceinline__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static_assert(false, "use SHARED or DYN_SHARED")

namespace cuemu
{

struct Thread {
    uint3 tid;
    unsigned lane, warp;
};

/* The running thread, its block, and the shape of the launch. */
extern Thread *self;
extern uint3 block_index;
extern dim3 block_dim, grid_dim;

/* Say where and why, and end the process with status 86. */
[[noreturn]] void fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* __syncthreads called at file:line. */
void block_sync(const char *file, int line);

/* A warp collective in two phases: leave n bytes, wait for the lanes of the
 * mask, then read any lane's bytes until the next one.  `op` tells
 * collectives apart. */
struct Slot {
    alignas(16) unsigned char bytes[64];
};
const Slot *warp_exchange(unsigned mask, const void *value, int n, int op,
                          const char *file, int line);
void slot_read(const Slot *slot, void *value, int n);

/* The tensor core, with the register layouts of the PTX manual. */
void mma_m16n8k16_bf16(float d[4], const uint32_t a[4], const uint32_t b[2],
                       const char *file, int line);
void ldmatrix_x4(uint32_t r[4], const void *row, bool trans, const char *file,
                 int line);

void *static_shared(const void *tag, size_t size, const char *name);
void *dynamic_shared();

/* As dlopen and dlsym, of the vendors' libraries that are emulated. */
void *library_open(const char *file);
void *library_symbol(void *library, const char *name);

void launch(const char *name, const void *kernel, dim3 grid, dim3 block,
            size_t shared, cudaStream_t stream, std::function<void()> body);

template <class... P, class... A>
void launch_kernel(const char *name, void (*kernel)(P...), dim3 grid,
                   dim3 block, size_t shared, cudaStream_t stream, A &&...args)
{
    static_assert((sizeof(P) + ... + 0) <= 4096,
                  "the parameters of a kernel exceed 4 KiB");
    std::tuple<P...> values(static_cast<P>(std::forward<A>(args))...);

    launch(name, reinterpret_cast<const void *>(kernel), grid, block, shared,
           stream, [=] { std::apply(kernel, values); });
}

enum Collective { SYNCWARP, SHFL_XOR, SHFL, MMA, LDMATRIX };

template <class T>
T shuffle(unsigned mask, T value, unsigned from, int op, const char *file,
          int line)
{
    static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
    const Slot *slot =
        warp_exchange(mask, &value, sizeof value, op, file, line);
    T out;

    if (!(mask >> from & 1))
        fail("the shuffle at %s:%d reads lane %u, which mask %08x leaves out",
             file, line, from, mask);
    slot_read(&slot[from], &out, sizeof out);
    return out;
}

} /* namespace cuemu */

#define threadIdx (::cuemu::self->tid)
#define blockIdx (::cuemu::block_index)
#define blockDim (::cuemu::block_dim)
#define gridDim (::cuemu::grid_dim)

#define LAUNCH(kernel, grid, block, shared, stream, ...)                       \
    ::cuemu::launch_kernel(#kernel, kernel, grid, block, shared, stream,       \
                           __VA_ARGS__)
#define SHARED(T, name, dims)                                                  \
    static char name##_tag;                                                    \
    typedef T name##_type dims;                                                \
    name##_type &name = *static_cast<name##_type *>(                           \
        ::cuemu::static_shared(&name##_tag, sizeof(name##_type), #name))
#define LIBRARY_OPEN(file) ::cuemu::library_open(file)
#define LIBRARY_SYMBOL(library, name) ::cuemu::library_symbol(library, name)
#define LIBRARY_CLOSE(library) (void)(library)
#define DYN_SHARED(T, name)                                                    \
    T *name = static_cast<T *>(::cuemu::dynamic_shared())

/* The call site, as two default arguments. */
#define CUEMU_SITE                                                             \
    const char *file = __builtin_FILE(), int line = __builtin_LINE()

static inline void __syncthreads(CUEMU_SITE)
{
    ::cuemu::block_sync(file, line);
}

static inline void __syncwarp(unsigned mask = ~0u, CUEMU_SITE)
{
    ::cuemu::warp_exchange(mask, nullptr, 0, ::cuemu::SYNCWARP, file, line);
}

template <class T>
static inline T __shfl_xor_sync(unsigned mask, T value, int x, CUEMU_SITE)
{
    return ::cuemu::shuffle(mask, value,
                            ::cuemu::self->lane ^ static_cast<unsigned>(x),
                            ::cuemu::SHFL_XOR, file, line);
}

template <class T>
static inline T __shfl_sync(unsigned mask, T value, int from, CUEMU_SITE)
{
    return ::cuemu::shuffle(mask, value, static_cast<unsigned>(from) & 31u,
                            ::cuemu::SHFL, file, line);
}

/* glibc has an __expf of its own. */
#define __expf(x) expf(x)

static inline float rsqrtf(float x)
{
    return 1.0f / sqrtf(x);
}

#endif
