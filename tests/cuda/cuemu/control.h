/* control: what a test sets and reads of the emulated device. */
#ifndef LOGLOG_TESTS_CUEMU_CONTROL_H
#define LOGLOG_TESTS_CUEMU_CONTROL_H

#include <stddef.h>

/* In which order the blocks of a grid, and the threads of a block, run. */
enum cuemu_order { ORDER_FORWARD, ORDER_REVERSE, ORDER_RANDOM, ORDERS };
extern "C" void cuemu_set_order(int order, unsigned seed);

/* When queued work of a stream runs, within what the program allows:
 *   LAZY    as late as possible;
 *   EAGER   at once;
 *   MIXED   the first stream as late, the others as early as possible;
 *   RANDOM  some of it, of any stream, whenever something is queued. */
enum cuemu_policy {
    POLICY_LAZY,
    POLICY_EAGER,
    POLICY_MIXED,
    POLICY_RANDOM,
    POLICIES
};
extern "C" void cuemu_set_policy(int policy);

/* cudaMalloc fails beyond so many bytes in all; 0: 1 GiB. */
extern "C" void cuemu_set_memory(size_t bytes);
/* Bytes of cudaMalloc in use. */
extern "C" size_t cuemu_memory_used(void);

/* How long a member waits for the others of its gang; 30 to begin with. */
extern "C" void cuemu_set_peer_seconds(double seconds);

/* From now on what NCCL is asked to do never ends, until its communicator is
 * aborted: a broken link. */
extern "C" void cuemu_set_wedged(int wedged);

/* The version of cuDNN that is installed, as cudnnGetVersion says it; 0: none.
 * That of the headers to begin with. */
extern "C" void cuemu_set_cudnn(long version);

/* A program that does not call these is ruled by the environment:
 * LOGLOG_CUEMU="devices=4 policy=2 order=1 memory=67108864 peer=2
 * driver=12020 cudnn=0", any of them; driver is the newest CUDA that it knows,
 * and 0 is no driver. */

struct cuemu_counts {
    unsigned long long launches, blocks, threads, switches;
    unsigned long long mma; /* a lane's part of one is one */
    unsigned long long gemms, graphs;
    double gemm_flops, gemm_bytes;
};
extern "C" void cuemu_get_counts(struct cuemu_counts *c);

/* Call these around every launch; NULL: nothing. */
typedef void cuemu_meter(const char *kernel);
extern "C" void cuemu_set_meter(cuemu_meter *begins, cuemu_meter *ends);

/* What cudaMalloc has given out, `most` of it; how many. */
struct cuemu_allocation {
    const void *p;
    size_t bytes;
};
extern "C" size_t cuemu_get_allocations(struct cuemu_allocation *a,
                                        size_t most);

#endif
