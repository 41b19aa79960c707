/* pack_window: see pack_window.h. */
#include "trainer/pack_window.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define FILTER_BITS 19 /* of the number of words of a filter */

/* Rolling hash: sum of (byte + 1) base^(63 - i) mod 2^64, then mixed, since
 * the low bits of the sum depend on few of the bytes' bits. */
#define BASE UINT64_C(0x9e3779b97f4a7c15)

static uint64_t base_to_window(void)
{
    uint64_t p = 1;

    for (int i = 0; i < WINDOW; i++)
        p *= BASE;
    return p;
}

/* Never 0. */
static uint64_t key_of(uint64_t sum)
{
    uint64_t h = hash_mix(sum);

    return h ? h : 1;
}

struct roll {
    uint64_t sum, out; /* out: base^64 */
};

/* The sum over the window that ends with byte i. */
static uint64_t roll(struct roll *r, const uint8_t *text, size_t i)
{
    r->sum = r->sum * BASE + text[i] + 1;
    if (i >= WINDOW)
        r->sum -= r->out * (text[i - WINDOW] + UINT64_C(1));
    return r->sum;
}

void windows_init(struct windows *w, size_t limit)
{
    memset(w, 0, sizeof *w);
    w->limit = limit < 16 ? 16 : limit;
    w->slots = 64;
    w->slot = xcalloc(w->slots, sizeof *w->slot);
    w->filter = xcalloc((size_t)1 << FILTER_BITS, sizeof *w->filter);
}

void windows_release(struct windows *w)
{
    free(w->slot);
    free(w->filter);
    memset(w, 0, sizeof *w);
}

static struct window *find(const struct windows *w, uint64_t key)
{
    size_t i = key >> 32 & (w->slots - 1);

    while (w->slot[i].key && w->slot[i].key != key)
        i = (i + 1) & (w->slots - 1);
    return &w->slot[i];
}

/* Three bits of one word of the filter are set for each key that is there. */
static size_t filter_word(uint64_t key)
{
    return key >> (64 - FILTER_BITS);
}

static uint64_t filter_bits(uint64_t key)
{
    return UINT64_C(1) << (key >> 20 & 63) | UINT64_C(1) << (key >> 26 & 63) |
           UINT64_C(1) << (key >> 32 & 63);
}

/* Rebuild with `slots` slots, leaving out what the mask no longer samples. */
static void rebuild(struct windows *w, size_t slots)
{
    struct window *old = w->slot;
    size_t n = w->slots;

    w->slot = xcalloc(slots, sizeof *w->slot);
    w->slots = slots;
    w->used = 0;
    memset(w->filter, 0, ((size_t)1 << FILTER_BITS) * sizeof *w->filter);
    for (size_t i = 0; i < n; i++)
        if (old[i].key && !(old[i].key & w->mask)) {
            *find(w, old[i].key) = old[i];
            w->filter[filter_word(old[i].key)] |= filter_bits(old[i].key);
            w->used++;
        }
    free(old);
}

static void make_room(struct windows *w)
{
    if (w->used >= w->limit) {
        w->mask = w->mask << 1 | 1;
        rebuild(w, w->slots);
    } else if (2 * w->used >= w->slots) {
        rebuild(w, 2 * w->slots);
    }
}

void windows_add(struct windows *w, const uint8_t *text, size_t n)
{
    struct roll r = {0, base_to_window()};

    for (size_t i = 0; i < n; i++) {
        uint64_t sum = roll(&r, text, i), key;
        struct window *s;

        if (i + 1 < WINDOW || ((key = key_of(sum)) & w->mask))
            continue;
        s = find(w, key);
        if (s->key) {
            s->count += s->count != UINT32_MAX;
            continue;
        }
        *s = (struct window){.key = key, .count = 1};
        w->filter[filter_word(key)] |= filter_bits(key);
        w->used++;
        make_room(w);
    }
}

/* Mark the window of this key if the table has it. */
static void mark(struct windows *w, uint64_t key)
{
    uint64_t bits = filter_bits(key);
    struct window *s;

    if ((key & w->mask) || (w->filter[filter_word(key)] & bits) != bits)
        return;
    s = find(w, key);
    if (s->key)
        s->found = 1;
}

/* The filters are larger than the nearer caches of a processor: what a few
 * windows need of them is asked for before the first is looked at. */
void windows_find(struct windows *w, int n_tables, const uint8_t *text,
                  size_t n)
{
    enum { AHEAD = 32 };
    struct roll r = {0, base_to_window()};
    uint64_t key[AHEAD];
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t sum = roll(&r, text, i);

        if (i + 1 >= WINDOW) {
            key[k] = key_of(sum);
            for (int t = 0; t < n_tables; t++)
                __builtin_prefetch(&w[t].filter[filter_word(key[k])]);
            k++;
        }
        if (k < AHEAD && i + 1 < n)
            continue;
        for (int t = 0; t < n_tables; t++)
            for (size_t j = 0; j < k; j++)
                mark(&w[t], key[j]);
        k = 0;
    }
}

void windows_overlap(const struct windows *w, const uint8_t *text, size_t n,
                     int64_t *sampled, int64_t *found)
{
    struct roll r = {0, base_to_window()};

    *sampled = *found = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t sum = roll(&r, text, i), key;

        if (i + 1 < WINDOW || ((key = key_of(sum)) & w->mask))
            continue;
        ++*sampled;
        *found += find(w, key)->found;
    }
}

double windows_unique(const struct windows *w)
{
    double all = 0, distinct = 0;

    for (size_t i = 0; i < w->slots; i++)
        if (w->slot[i].key) {
            all += w->slot[i].count;
            distinct += 1;
        }
    return all > 0 ? distinct / all : 1;
}
