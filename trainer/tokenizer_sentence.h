/* tokenizer_sentence: SentencePiece models as tokenizers that lose nothing.
 *
 * Spaces are U+2581 in a model; so a text that holds that character, or bytes
 * that are not UTF-8, is encoded in stretches, and these bytes by the model's
 * byte pieces where it has them.  A model without a space in front of each
 * text and without newlines in its pieces is given a line at a time: the
 * tokens are the same, and long documents cost no more than short ones. */
#ifndef LOGLOG_TRAINER_TOKENIZER_SENTENCE_H
#define LOGLOG_TRAINER_TOKENIZER_SENTENCE_H

#include "base/err.h"
#include "trainer/tokenizer.h"

struct sentence;

void sentence_close(struct sentence *s);
int sentence_encode(struct token_list *out, const struct sentence *s,
                    const uint8_t *text, size_t n, struct err *e);

#endif
