/* pack_window: which 64-byte windows of a text occur in another.
 *
 * Every position of a text starts a window (the last 63 excepted), so a
 * repeated passage is found at any shift.  A window is known by a 64-bit
 * rolling hash.  A table keeps every window while it has room; when it is
 * full it keeps half of them, chosen by the hash, again and again: a sample
 * chosen by content, the same in both texts, so shares stay unbiased. */
#ifndef LOGLOG_TRAINER_PACK_WINDOW_H
#define LOGLOG_TRAINER_PACK_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#define WINDOW 64

struct window {
    uint64_t key;   /* 0: free */
    uint32_t count; /* times it occurs in the table's own text */
    uint32_t found; /* it occurs in the other text */
};

struct windows {
    struct window *slot;
    size_t slots, used, limit; /* slots: a power of two */
    uint64_t mask;             /* sampled: keys with (key & mask) == 0 */
    uint64_t *filter;          /* 2^19 words: what surely is not there */
};

/* Room for about `limit` distinct windows. */
void windows_init(struct windows *w, size_t limit);
void windows_release(struct windows *w);

/* Add the windows of a text. */
void windows_add(struct windows *w, const uint8_t *text, size_t n);
/* Mark, in each of the tables, the windows that occur in the text. */
void windows_find(struct windows *w, int n_tables, const uint8_t *text,
                  size_t n);
/* Of the sampled windows of this text, how many are marked as found. */
void windows_overlap(const struct windows *w, const uint8_t *text, size_t n,
                     int64_t *sampled, int64_t *found);

/* Distinct windows over windows, of what was added; 1 when nothing was. */
double windows_unique(const struct windows *w);

#endif
