/* tokenizer_merge: byte-pair encoding by its definition.
 *
 * Of all neighbours that may be merged those with the lowest rank are, the
 * leftmost first, until none may.  What may be merged is a table of pairs by
 * hash; most neighbours are no pair, which two bits by hash tell: those are few
 * enough to stay near the processor. */
#ifndef LOGLOG_TRAINER_TOKENIZER_MERGE_H
#define LOGLOG_TRAINER_TOKENIZER_MERGE_H

#include <stddef.h>
#include <stdint.h>

struct bpe_merge {
    int32_t left, right, made;
    uint32_t rank; /* the lower, the earlier; of two different `made` different
                      too */
};

struct bpe_pair {
    uint64_t key; /* left << 32 | right; ~0: free */
    uint32_t rank;
    int32_t made;
};

struct bpe_pairs {
    struct bpe_pair *pair;
    size_t mask;
    uint64_t *maybe; /* of a word by hash two bits: set where a pair may be */
    int maybe_shift;
};

/* Of a pair that occurs twice the first counts. */
void bpe_pairs_init(struct bpe_pairs *p, const struct bpe_merge *merge,
                    size_t n);
void bpe_pairs_release(struct bpe_pairs *p);

#define BPE_NOTHING UINT64_MAX

static inline uint64_t bpe_mix(uint64_t x)
{
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

static inline uint64_t bpe_maybe(uint64_t hash)
{
    return UINT64_C(1) << (hash >> 36 & 63) | UINT64_C(1) << (hash >> 42 & 63);
}

/* What two neighbours make: rank << 32 | token; or BPE_NOTHING. */
static inline uint64_t bpe_merged(const struct bpe_pairs *p, int32_t left,
                                  int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint64_t hash = bpe_mix(key);
    size_t i = hash & p->mask;

    if (~p->maybe[hash >> p->maybe_shift] & bpe_maybe(hash))
        return BPE_NOTHING;
    while (p->pair[i].key != key) {
        if (p->pair[i].key == UINT64_MAX)
            return BPE_NOTHING;
        i = (i + 1) & p->mask;
    }
    return (uint64_t)p->pair[i].rank << 32 | (uint32_t)p->pair[i].made;
}

/* Merge n tokens in place until there are `least`, or none may be merged;
 * returns how many are left. */
size_t bpe_merge(const struct bpe_pairs *p, int32_t *id, size_t n,
                 size_t least);

#endif
