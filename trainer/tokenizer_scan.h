/* tokenizer_scan: what the usual patterns match, without an engine.
 *
 * An engine is asked once for every character of text, and for every word; that
 * is a third of the time that the tokens of Chinese take.  So a pattern that is
 * one class, and those of cl100k, Llama 3, Qwen and DeepSeek-V3 as their
 * authors wrote them, are matched here; every other one by PCRE2.  Which
 * characters are of a class is what PCRE2 says: it is asked for 256 characters
 * at once when the first of them is met, so the words are the same, which tests
 * and a fuzzer compare. */
#ifndef LOGLOG_TRAINER_TOKENIZER_SCAN_H
#define LOGLOG_TRAINER_TOKENIZER_SCAN_H

#include "trainer/tokenizer_impl.h"

#include <stddef.h>
#include <stdint.h>

/* The first classes of every list, by their bit. */
enum { SCAN_L, SCAN_M, SCAN_N, SCAN_P, SCAN_S, SCAN_WHITE, SCAN_FIRST };
#define SCAN_CLASSES 8

enum scan_kind {
    SCAN_NOT, /* left to PCRE2 */
    SCAN_CLASS,
    SCAN_CL100K,
    SCAN_DEEPSEEK
};

struct scan {
    enum scan_kind kind;
    int bit;       /* of a class */
    size_t most;   /* characters of a match; SCAN_CL100K: digits */
    int whole_end; /* white space up to the end of the text is one word */
    int then; /* a class that is cut out behind it, all of a run; 0: none */
};

/* Is it one of the patterns by name, word for word? */
struct scan scan_known(const char *pattern, enum split_flavour flavour);

/* One class after the other: in one pass, where no character is of both.  1
 * when `pattern` is known to be such a class for what `first` is. */
int scan_may_follow(const struct scan *first, const char *pattern);

/* Which characters are of which class; a thread has its own. */
struct scan_pages {
    uint8_t *page[0x110000 / 256]; /* a bit a class; NULL: not asked */
    void (*ask)(void *ctx, uint8_t page[256], uint32_t first);
    void *ctx;
};
void scan_pages_release(struct scan_pages *p);

struct scan_match {
    size_t at, end;
    unsigned all; /* the classes of all of it; SCAN_CLASS only */
};
/* 1: the first match in text[from .. n), which is UTF-8; 0: there is none. */
int scan_next(struct scan_match *m, const struct scan *s, struct scan_pages *p,
              const uint8_t *text, size_t n, size_t from);
/* Does it make one word of a piece whose characters are all of these? */
int scan_is_word(const struct scan *s, unsigned all);

#endif
