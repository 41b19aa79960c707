/* tokenizer_walk: byte-pair encoding in one walk over the word.
 *
 * The tokens of a word are those of which each two neighbours are what the
 * merges make of their joint text; there is one such list.  So the longest
 * token that begins here is tried, then shorter ones, until one goes with the
 * token before it; where none does, the one before is taken back.  That is the
 * method of the crate `bpe` of github.com/github/rust-gems, for any merges with
 * which it is exact.  Those are, with T a token that the merges make from its
 * own text, and (L, R) the last of these merges:
 *
 *   - no other pair ever makes T: a part of a word whose outer borders no merge
 *     has crossed goes through the very merges of its text alone;
 *   - the rank of (L, R) is above those of the merges that make L and R, for
 *     every T.  Then ranks never fall while a word is merged, and two tokens go
 *     together unless, taking their merges back one by one, the latest first,
 *     a pair across their border comes to light of a rank below the merge that
 *     was taken back last.
 *
 * The first holds always; vocabularies without the second are left to
 * tokenizer_merge.h. */
#ifndef LOGLOG_TRAINER_TOKENIZER_WALK_H
#define LOGLOG_TRAINER_TOKENIZER_WALK_H

#include "trainer/tokenizer_impl.h"
#include "trainer/tokenizer_merge.h"

struct bpe_walk;

/* `byte`: the token of each byte.  NULL when the ranks are not as above, or
 * merges do not make what they say.  texts are borrowed. */
struct bpe_walk *bpe_walk_create(const struct bpe_pairs *all,
                                 const int32_t byte[256],
                                 const struct token_texts *texts, size_t vocab);
void bpe_walk_destroy(struct bpe_walk *w);

/* Do the merges make this token from its text? */
int bpe_walk_makes(const struct bpe_walk *w, int32_t id);

/* Append the tokens of a word of n > 0 bytes. */
void bpe_walk_word(struct token_list *out, const struct bpe_walk *w,
                   const uint8_t *word, size_t n);

#endif
