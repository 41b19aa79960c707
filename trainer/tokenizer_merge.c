/* tokenizer_merge: see tokenizer_merge.h.
 *
 * Few tokens: a scan for the lowest rank; many: a heap of candidates, where
 * one whose neighbours have changed meanwhile is passed over.  Both do the same
 * merges in the same order. */
#include "trainer/tokenizer_merge.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define SCAN_MAX 96 /* tokens that are scanned */

static size_t power_above(size_t n)
{
    size_t p = 64;

    while (p < n)
        p *= 2;
    return p;
}

void bpe_pairs_init(struct bpe_pairs *p, const struct bpe_merge *merge,
                    size_t n)
{
    size_t slots = power_above(2 * n);

    p->pair = mem_tensor(slots * sizeof *p->pair); /* few, large pages */
    BUG_ON(!p->pair);
    memset(p->pair, 0xff, slots * sizeof *p->pair);
    p->mask = slots - 1;
    p->maybe = xcalloc(4 * slots / 64, sizeof *p->maybe);
    p->maybe_shift = 64 - __builtin_ctzll(4 * slots / 64);
    for (size_t k = 0; k < n; k++) {
        uint64_t key =
            (uint64_t)(uint32_t)merge[k].left << 32 | (uint32_t)merge[k].right;
        uint64_t hash = bpe_mix(key);
        size_t i = hash & p->mask;

        while (p->pair[i].key != key && p->pair[i].key != UINT64_MAX)
            i = (i + 1) & p->mask;
        if (p->pair[i].key == UINT64_MAX)
            p->pair[i] = (struct bpe_pair){key, merge[k].rank, merge[k].made};
        p->maybe[hash >> p->maybe_shift] |= bpe_maybe(hash);
    }
}

void bpe_pairs_release(struct bpe_pairs *p)
{
    mem_tensor_free(p->pair);
    free(p->maybe);
    memset(p, 0, sizeof *p);
}

static size_t merge_few(const struct bpe_pairs *p, int32_t *id, size_t n,
                        size_t least)
{
    uint64_t make[SCAN_MAX];

    for (size_t i = 0; i + 1 < n; i++)
        make[i] = bpe_merged(p, id[i], id[i + 1]);
    while (n > least && n > 1) {
        size_t best = 0;

        for (size_t i = 1; i + 1 < n; i++)
            if (make[i] < make[best]) /* equal ranks make the same */
                best = i;
        if (make[best] == BPE_NOTHING)
            break;
        id[best] = (int32_t)(uint32_t)make[best];
        n--;
        for (size_t i = best + 1; i < n; i++) {
            id[i] = id[i + 1];
            make[i - 1] = make[i];
        }
        if (best + 1 < n)
            make[best] = bpe_merged(p, id[best], id[best + 1]);
        if (best)
            make[best - 1] = bpe_merged(p, id[best - 1], id[best]);
    }
    return n;
}

struct candidate {
    uint32_t rank, at; /* of its left part */
    int32_t left, right, made;
};

struct heap {
    struct candidate *c;
    size_t n, cap;
};

static int before(const struct candidate *a, const struct candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_push(struct heap *h, struct candidate c)
{
    size_t i;

    h->c = mem_grow(h->c, &h->cap, h->n + 1, sizeof *h->c);
    for (i = h->n++; i && before(&c, &h->c[(i - 1) / 2]); i = (i - 1) / 2)
        h->c[i] = h->c[(i - 1) / 2];
    h->c[i] = c;
}

static struct candidate heap_pop(struct heap *h)
{
    struct candidate top = h->c[0], last = h->c[--h->n];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && before(&h->c[child + 1], &h->c[child]))
            child++;
        if (!before(&h->c[child], &last))
            break;
        h->c[i] = h->c[child];
        i = child;
    }
    h->c[i] = last;
    return top;
}

/* A list linked both ways; id -1: merged away. */
struct part {
    int32_t id;
    uint32_t next, last; /* NONE: none */
};

static void consider(struct heap *h, const struct bpe_pairs *p,
                     const struct part *part, uint32_t at)
{
    struct candidate c = {.at = at};
    uint64_t make;

    if (at == NONE || part[at].next == NONE)
        return;
    c.left = part[at].id;
    c.right = part[part[at].next].id;
    make = bpe_merged(p, c.left, c.right);
    c.rank = (uint32_t)(make >> 32);
    c.made = (int32_t)(uint32_t)make;
    if (make != BPE_NOTHING)
        heap_push(h, c);
}

static size_t merge_many(const struct bpe_pairs *p, int32_t *id, size_t n,
                         size_t least)
{
    struct part *part = xmalloc(n * sizeof *part);
    struct heap h = {0};
    size_t left = n, k = 0;

    for (size_t i = 0; i < n; i++)
        part[i] = (struct part){id[i], i + 1 < n ? (uint32_t)i + 1 : NONE,
                                i ? (uint32_t)i - 1 : NONE};
    for (size_t i = 0; i + 1 < n; i++)
        consider(&h, p, part, (uint32_t)i);
    while (h.n && left > least) {
        struct candidate c = heap_pop(&h);
        struct part *a = &part[c.at];
        uint32_t gone = a->next;

        if (a->id != c.left || gone == NONE || part[gone].id != c.right)
            continue;
        a->id = c.made;
        a->next = part[gone].next;
        part[gone].id = -1;
        left--;
        if (a->next != NONE)
            part[a->next].last = c.at;
        consider(&h, p, part, c.at);
        consider(&h, p, part, a->last);
    }
    for (uint32_t i = 0; i != NONE; i = part[i].next)
        id[k++] = part[i].id;
    free(h.c);
    free(part);
    return left;
}

size_t bpe_merge(const struct bpe_pairs *p, int32_t *id, size_t n, size_t least)
{
    return n <= SCAN_MAX ? merge_few(p, id, n, least)
                         : merge_many(p, id, n, least);
}
