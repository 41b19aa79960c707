/* reduce: the sum of a batch's gradients, in an order that does not depend on
 * who computed them.
 *
 * A batch is split into run_leaves() equal leaves (sweep/flops.h).  Each leaf
 * is a sum of its own, and leaves are added as a fixed binary tree,
 * ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)).  Member m of a gang of g takes
 * the leaves [m leaves / g, (m + 1) leaves / g), adds up the whole subtrees
 * among them, its nodes, and the nodes of all members are added further up
 * the same tree, each member doing a range of the array.  For 1, 2, 4, ...
 * members that is one node each; any other number works too, and members
 * beyond the number of leaves only help with the update. */
#ifndef LOGLOG_TRAINER_REDUCE_H
#define LOGLOG_TRAINER_REDUCE_H

#include "sweep/flops.h"
#include "trainer/comm.h"

#include <stddef.h>

/* Leaves [leaf, leaf + count), count a power of two that divides leaf. */
struct reduce_node {
    int leaf, count;
};

struct reduce {
    int leaves;
    int n_node;
    struct reduce_node node[RUN_LEAVES]; /* of all members, by leaf */
    int bound[COMM_MAX + 1];             /* member m has nodes [bound[m],
                                            bound[m + 1]) */
    int depth;                           /* levels below the largest node */
};

void reduce_init(struct reduce *r, int leaves, int members);

/* out[i] = sum over the tree of block[k][i], k = 0..n_node, for i in
 * [from, to); block k begins at blocks + k stride.  out may be block 0. */
void reduce_floats(float *out, const float *blocks, size_t stride,
                   const struct reduce *r, size_t from, size_t to);

/* The sum over the tree of one number a leaf. */
double reduce_doubles(const double *leaf, int leaves);

/* block[0] += block[1] + (block[2] + ...) over k blocks of n floats. */
void reduce_fold(float *const *block, int k, size_t n);

#endif
