/* tokenizer_impl: what the files behind tokenizer.h share.
 *
 *   tokenizer.c           by the name of the file; decoding; the check
 *   tokenizer_bpe.c       the tokens of a word; the cache of words
 *   tokenizer_walk.c      found in one walk over it,
 *   tokenizer_merge.c     or by merging its bytes
 *   tokenizer_split.c     cutting text into words by patterns (PCRE2)
 *   tokenizer_scan.c      or, by the usual ones, without it
 *   tokenizer_pattern.c   patterns of other engines for PCRE2
 *   tokenizer_hf.c        tokenizer.json
 *   tokenizer_tiktoken.c  ranks of tiktoken, and the patterns by name
 *   tokenizer_sentence.c  SentencePiece models
 *   tokenizer_spm.cpp     its library, behind tokenizer_spm.h */
#ifndef LOGLOG_TRAINER_TOKENIZER_IMPL_H
#define LOGLOG_TRAINER_TOKENIZER_IMPL_H

#include "base/str.h"
#include "trainer/tokenizer.h"
#include "trainer/tokenizer_merge.h"

struct bpe;
struct bpe_cache;
struct split;
struct sentence;

/* One list of token texts; text of id i is bytes[at[i] .. at[i + 1]). */
struct token_texts {
    struct str bytes;
    uint32_t *at;
};

struct tokenizer {
    struct tokenizer_info info;
    struct token_texts texts;
    int prefix;           /* a space is put before each document */
    struct bpe *bpe;      /* and split; or */
    struct split *split;  /* NULL: a document is one word */
    struct sentence *spm; /* or neither: bytes */
};

/* Where the readers put what a file says before it is checked and built:
 * every token by id; text NULL: a hole. */
struct token_entry {
    uint8_t *text;
    uint32_t n;
    uint8_t special; /* never made from text */
    uint8_t added;   /* found in the text before words are cut */
};
struct token_table {
    struct token_entry *entry;
    size_t n, cap;
};
/* -1 when the id is out of range or taken by another text. */
int token_table_put(struct token_table *t, int64_t id, const void *text,
                    size_t n, const char *path, struct err *e);
int64_t token_table_find(const struct token_table *t, const char *text);
void token_table_release(struct token_table *t);
/* The texts of the tokens; special ones have none. */
void token_texts_init(struct token_texts *x, const struct token_table *t,
                      size_t vocab);

/* Which token ends documents: `asked` (text or id), one of the usual names,
 * or a new one behind the others.  Sets info.mark and info.vocab. */
int tokenizer_set_mark(struct tokenizer *t, struct token_table *table,
                       const char *asked, const char *path, struct err *e);

int tokenizer_open_hf(struct tokenizer *t, const char *path, const char *mark,
                      struct err *e);
int tokenizer_open_tiktoken(struct tokenizer *t, const char *path,
                            const char *pattern, const char *mark,
                            struct err *e);
int tokenizer_open_spm(struct tokenizer *t, const char *path, const char *mark,
                       struct err *e);

/* --- bpe */

/* whole_word: a word that is a token is that token, whatever the merges say
 * (tiktoken; "ignore_merges").  `texts` is borrowed.  Fails when one of the
 * 256 bytes is no token. */
int bpe_create(struct bpe **b, const struct token_texts *texts,
               const uint8_t *unmade, size_t vocab,
               const struct bpe_merge *merge, size_t n_merge, int whole_word,
               const char *path, struct err *e);
void bpe_destroy(struct bpe *b);
struct bpe_cache *bpe_cache_create(void);
void bpe_cache_destroy(struct bpe_cache *c);
struct bpe_word {
    const uint8_t *text;
    size_t n;
    int32_t id; /* the token that it is; -1: to be merged */
    uint64_t key[2];
};
/* Set the key of a word that comes soon, and have what is remembered of it
 * fetched meanwhile.  At least `room` bytes can be read at its text. */
void bpe_soon(struct bpe_word *w, const struct bpe_cache *c, size_t room);
/* Append the tokens of a word, and compare their texts with it when it is met
 * first.  -1 when they cannot give it back. */
int bpe_word(struct token_list *out, const struct bpe *b, struct bpe_cache *c,
             const struct bpe_word *w);

/* --- split */

enum split_flavour {
    SPLIT_RUST, /* $ is the end of the text */
    SPLIT_ONIG  /* Oniguruma's Ruby syntax: $ also before each newline */
};

int split_create(struct split **s, struct err *e);
void split_destroy(struct split *s);
/* One more stage: each piece is cut again by this pattern; what matches and
 * what lies between is a piece each. */
int split_add(struct split *s, const char *pattern, enum split_flavour flavour,
              struct err *e);
/* A stage that cuts out each of these texts, longest first. */
int split_add_text(struct split *s, const uint8_t *text, size_t n, int32_t id);
/* Is there a stage that is left to PCRE2? (tokenizer_scan.h) */
int split_needs_engine(const struct split *s);

struct split_state; /* of a thread */
struct split_state *split_state_create(const struct split *s);
void split_state_destroy(struct split_state *s);
/* Call for each word of text (valid UTF-8), in order and without a gap; id >=
 * 0: it is this token.  -1 when the pattern gives up. */
int split_words(const struct split *s, struct split_state *st,
                const uint8_t *text, size_t n,
                void (*word)(void *ctx, const uint8_t *text, size_t n,
                             int32_t id),
                void *ctx, struct err *e);

#endif
