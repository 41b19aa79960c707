/* tokenizer: text to tokens and back, without loss.
 *
 * A tokenizer is named by its file:
 *
 *   bytes                     a token a byte (vocab 256)
 *   X.json                    tokenizer.json of Hugging Face, byte-level BPE
 *   X.tiktoken[:PATTERN]      ranks of tiktoken; the pattern that cuts words is
 *                             not in the file: gpt2, cl100k, o200k, llama3,
 *                             deepseek (default: told by the number of ranks)
 *   X.model                   SentencePiece
 *
 * Tokens are those of the original programs on the same text, with one
 * exception that a corpus needs: what reads like a special token
 * ("<|endoftext|>") is text like any other, as with encode_ordinary of
 * tiktoken and encode_special_tokens of Hugging Face.  Documents are encoded
 * each by itself, a mark (the tokenizer's end of text) is put behind.  What
 * cannot be read, or would lose bytes, is refused when the file is opened;
 * and what the tokens stand for is compared with the text: word by word, each
 * when it is met first (BPE), or document by document (SentencePiece). */
#ifndef LOGLOG_TRAINER_TOKENIZER_H
#define LOGLOG_TRAINER_TOKENIZER_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TOKENIZER_NAME 32
#define TOKENIZER_VOCAB_MAX ((int64_t)1 << 24)

struct tokenizer;

/* Read the file and prepare it.  `mark`: the text or the id of the token that
 * ends a document; NULL: the tokenizer's own end of text or, where it has
 * none, one more token behind the others.  -1 with ERR_USAGE when the file is
 * damaged or asks for what is not supported, by name; ERR_ENV when this
 * build lacks a library.  Read-only from then on: threads may share it. */
int tokenizer_open(struct tokenizer **t, const char *path, const char *mark,
                   struct err *e);
void tokenizer_close(struct tokenizer *t);

struct tokenizer_info {
    char name[TOKENIZER_NAME]; /* "bpe 0123456789ab": kind, and SHA-256 of
                                  the file and what else decides the tokens */
    int64_t vocab;             /* every id is below it, the mark too */
    int32_t mark;
};
const struct tokenizer_info *tokenizer_info(const struct tokenizer *t);

/* The text of a token, *n bytes of it; borrowed.  Tokens that are never made
 * (special ones) have 0 bytes, the mark too. */
const uint8_t *tokenizer_text(size_t *n, const struct tokenizer *t, int32_t id);

/* Bytes that a token stands for when a document's tokens are counted: those
 * of its text; the mark is one, or 0 where the tokenizer puts a space before
 * each document (SentencePiece's dummy prefix), which stands for the one. */
int64_t tokenizer_length(const struct tokenizer *t, int32_t id);

struct token_list {
    int32_t *id;
    size_t n, cap;
};
void token_list_add(struct token_list *l, int32_t id);

/* What a thread needs to encode: buffers, and a cache of words. */
struct tokenizer_coder;
struct tokenizer_coder *tokenizer_coder_create(const struct tokenizer *t);
void tokenizer_coder_destroy(struct tokenizer_coder *c);

/* Append the tokens of a document, without its mark.  Bytes that are not
 * UTF-8 are words of their own (BPE).  -1 when the tokenizer cannot give the
 * text back; offset of the first loss in the message. */
int tokenizer_encode(struct token_list *out, struct tokenizer_coder *c,
                     const uint8_t *text, size_t n, struct err *e);

/* The text of n tokens, behind what `out` holds; marks and special tokens
 * have none.  -1 for an id outside the vocabulary. */
struct str;
int tokenizer_decode(struct str *out, const struct tokenizer *t,
                     const int32_t *id, size_t n, struct err *e);

/* Learn a SentencePiece BPE model of `vocab` pieces from a file of text, a
 * sentence a line, and write it to `out`; bytes are pieces too, so that every
 * text is encoded, and nothing is normalised, so that none is changed. */
int tokenizer_train(const char *out, const char *text, int64_t vocab,
                    int threads, struct err *e);

#endif
