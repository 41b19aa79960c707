/* synth: text from a source whose entropy is known.
 *
 * Words w_1 .. w_W follow one another as a Markov chain: behind word i comes
 *
 *     j with probability  (1 - c) q_j + c z_r  if j is the r-th of the K
 *                                              successors of i,
 *                         (1 - c) q_j          otherwise,
 *
 * q and z Zipf distributions (q_j ~ j^-s over the words, z_r ~ r^-s over the
 * successors), the successors of each word drawn from q.  After each word the
 * document ends with probability 1 / document_words; a document begins with a
 * word of q.  Word k is written as syllables, the more the rarer, and a space
 * behind; no two are equal.  So what there is to learn is: the spelling, the
 * frequencies, and W lists of successors, ever rarer ones: each costs
 * parameters and data, and the loss falls by a power law towards a bound that
 * is exactly
 *
 *     sum over states of pi_i H(P_i)  /  mean bytes a step
 *
 * with pi the stationary distribution of the chain, the end of a document a
 * state and its mark a byte like in all sets (shard.h). */
#ifndef LOGLOG_TRAINER_SYNTH_H
#define LOGLOG_TRAINER_SYNTH_H

#include "base/err.h"
#include "base/str.h"
#include "trainer/shard.h"

#include <stdint.h>

struct synth_options {
    int64_t words;         /* W */
    int64_t successors;    /* K */
    double zipf;           /* s */
    double coupling;       /* c, in [0, 1) */
    double document_words; /* mean */
    uint64_t seed;
};
void synth_defaults(struct synth_options *o);

struct synth;
/* Make the tables.  -1 with ERR_USAGE for options out of range. */
int synth_create(struct synth **s, const struct synth_options *o,
                 struct err *e);
void synth_destroy(struct synth *s);

/* The entropy rate, bits a byte; exact to rounding. */
double synth_entropy(const struct synth *s);

/* The next document of stream `stream` into text (cleared first), and the bits
 * that the source itself needs for it, its mark included: no model that does
 * not know the future needs fewer on average.  `at` begins as 0 and is where
 * the stream goes on. */
double synth_document(struct str *text, const struct synth *s, uint32_t stream,
                      uint64_t *at);

/* About `bytes` of documents of a stream as the set `dir` (its parent must be
 * there, it must not); the options and entropy go into its manifest.
 * *sample_bits is what the source needs for this set, bits a byte. */
int synth_pack(struct shard_info *info, double *sample_bits, const char *dir,
               const struct synth *s, uint32_t stream, int64_t bytes,
               struct err *e);

#endif
