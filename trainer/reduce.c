/* reduce: see reduce.h. */
#include "trainer/reduce.h"

#include "base/mem.h"

#include <string.h>

#define CHUNK 1024 /* floats added at a time: a few of them stay in L1 */
#define LEVELS 4   /* of a tree of RUN_LEAVES leaves */

/* Four floats in a register: gcc leaves a plain loop scalar at -O2. */
typedef float lanes __attribute__((vector_size(16)));
#define LANES (sizeof(lanes) / sizeof(float))

/* out[i] = x[i] + y[i]; out may be x. */
static void add(float *out, const float *x, const float *y, size_t n)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        lanes a, b;

        memcpy(&a, x + i, sizeof a);
        memcpy(&b, y + i, sizeof b);
        a += b;
        memcpy(out + i, &a, sizeof a);
    }
    for (; i < n; i++)
        out[i] = x[i] + y[i];
}

void reduce_init(struct reduce *r, int leaves, int members)
{
    BUG_ON(leaves < 1 || leaves > RUN_LEAVES || members < 1 ||
           members > COMM_MAX);
    *r = (struct reduce){.leaves = leaves};
    for (int m = 0; m < members; m++) {
        int leaf = leaves * m / members;
        int end = leaves * (m + 1) / members;

        r->bound[m] = r->n_node;
        while (leaf < end) {
            int count = 1, depth = 0;
            while (leaf % (2 * count) == 0 && leaf + 2 * count <= end) {
                count *= 2;
                depth++;
            }
            r->node[r->n_node++] = (struct reduce_node){leaf, count};
            if (depth > r->depth)
                r->depth = depth;
            leaf += count;
        }
    }
    r->bound[members] = r->n_node;
}

/* Where the nodes of a tree lie, and a buffer for each level above them. */
struct source {
    const struct reduce *r;
    const float *blocks;
    size_t stride, at, n;
    float buffer[LEVELS][CHUNK];
};

/* n floats of the sum over leaves [leaf, leaf + count): a node as it is, or
 * left + right in this level's buffer (`out` at the top). */
static const float *subtree(struct source *s, int leaf, int count, int level,
                            float *out)
{
    const float *left, *right;

    for (int k = 0; k < s->r->n_node; k++)
        if (s->r->node[k].leaf == leaf && s->r->node[k].count == count)
            return s->blocks + (size_t)k * s->stride + s->at;
    count /= 2;
    /* The left sum lands in `out`, so the right one may use the buffer of
     * its level. */
    left = subtree(s, leaf, count, level, out);
    right = subtree(s, leaf + count, count, level + 1, s->buffer[level]);
    add(out, left, right, s->n);
    return out;
}

void reduce_floats(float *out, const float *blocks, size_t stride,
                   const struct reduce *r, size_t from, size_t to)
{
    struct source s = {.r = r, .blocks = blocks, .stride = stride};

    for (s.at = from; s.at < to; s.at += s.n) {
        float sum[CHUNK];
        const float *p;

        s.n = to - s.at < CHUNK ? to - s.at : CHUNK;
        p = subtree(&s, 0, r->leaves, 0, sum);
        if (p != out + s.at)
            memcpy(out + s.at, p, s.n * sizeof *out);
    }
}

double reduce_doubles(const double *leaf, int leaves)
{
    if (leaves == 1)
        return leaf[0];
    return reduce_doubles(leaf, leaves / 2) +
           reduce_doubles(leaf + leaves / 2, leaves / 2);
}

void reduce_fold(float *const *block, int k, size_t n)
{
    for (size_t at = 0; k > 1 && at < n; at += CHUNK) {
        size_t len = n - at < CHUNK ? n - at : CHUNK;
        const float *right = block[k - 1] + at;
        float sum[CHUNK];

        for (int i = k - 2; i >= 0; i--) {
            float *out = i ? sum : block[0] + at;

            add(out, block[i] + at, right, len);
            right = out;
        }
    }
}
