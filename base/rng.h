/* rng: random numbers with an explicit state and no order.
 *
 * Counter-based (Philox4x32-10, Random123): the i-th number of a stream is a
 * function of (seed, stream, i) alone, so any member of a gang can make any
 * number, and a resumed run goes on by its counter. */
#ifndef LOGLOG_BASE_RNG_H
#define LOGLOG_BASE_RNG_H

#include <stdint.h>

/* What a stream is for; streams of one seed are independent. */
enum rng_stream {
    RNG_INIT = 1,   /* initial weights; index = position in the flat model */
    RNG_DATA = 2,   /* the order of the data */
    RNG_BOOT = 3,   /* bootstrap resamples */
    RNG_FIT = 4,    /* starts of an optimiser */
    RNG_TEST = 5,   /* tests and fault injection */
    RNG_DESIGN = 6, /* simulated studies */
    RNG_SYNTH = 7,  /* synthetic text */
    RNG_SMOOTH = 8  /* the kernel of a smoothed bootstrap */
};

/* The index-th 64 random bits of (seed, stream). */
uint64_t rng_u64(uint64_t seed, uint32_t stream, uint64_t index);

/* Uniform in [0, 1) with 53 bits. */
double rng_uniform(uint64_t seed, uint32_t stream, uint64_t index);

/* Standard normal (Box-Muller on the index-th block; no rejection). */
double rng_normal(uint64_t seed, uint32_t stream, uint64_t index);

/* Uniform integer in [0, n), n > 0, by multiply-shift (bias below 2^-40 for
 * n below 2^24). */
uint64_t rng_below(uint64_t seed, uint32_t stream, uint64_t index, uint64_t n);

/* A sequential view of one stream, where a counter is a nuisance. */
struct rng {
    uint64_t seed;
    uint32_t stream;
    uint64_t next;
};
double rng_next_uniform(struct rng *r);
double rng_next_normal(struct rng *r);
uint64_t rng_next_below(struct rng *r, uint64_t n);

/* Position `index` of a fixed pseudo-random permutation of [0, n): a Feistel
 * network over the next power of four, cycle-walked.  No memory, any order;
 * every value of [0, n) occurs once. */
uint64_t rng_permute(uint64_t seed, uint32_t stream, uint64_t index,
                     uint64_t n);

#endif
