/* port: one text of the kernels for nvcc and for the emulator of tests/cuda,
 * which supplies the same macros, LAUNCH, SHARED and DYN_SHARED.
 *
 *   LAUNCH(kernel, grid, block, shared bytes, stream, arguments...)
 *   SHARED(float, part, [32]);      a shared array, aligned to 16 bytes
 *   DYN_SHARED(float, acc);         the launch's dynamic shared memory
 *   LIBRARY_OPEN(file), _SYMBOL(library, name), _CLOSE(library)
 *                                   a vendor's library, as dlopen's */
#ifndef LOGLOG_TRAINER_CUDA_PORT_H
#define LOGLOG_TRAINER_CUDA_PORT_H

#ifdef __CUDACC__
#include <cuda_runtime.h>

#include <cuda_bf16.h>

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#define LIBRARY_OPEN(file) dlopen(file, RTLD_NOW | RTLD_LOCAL)
#define LIBRARY_SYMBOL(library, name) dlsym(library, name)
#define LIBRARY_CLOSE(library) dlclose(library)
#define LAUNCH(kernel, grid, block, shared, stream, ...)                       \
    (kernel)<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__)
#define SHARED(T, name, dims) __shared__ __align__(16) T name dims
#define DYN_SHARED(T, name)                                                    \
    extern __shared__ __align__(16) unsigned char name##_bytes[];              \
    T *name = reinterpret_cast<T *>(name##_bytes)
#else
#include <cuemu.h>
#endif

#endif
