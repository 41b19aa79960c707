/* pack_bands: see pack_bands.h.
 *
 * A list has for each document with candidates its index, how many there are,
 * and these; twice where they are the two ends of a long run. */
#include "trainer/pack_bands.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define ENDS 8 /* candidates at either end of a long run */

int pack_bands_open(struct pack_bands *b, const char *dir, size_t documents,
                    struct err *e)
{
    memset(b, 0, sizeof *b);
    b->documents = documents;
    if (pack_table_open(&b->keys, dir, e) ||
        pack_table_open(&b->place, dir, e) ||
        pack_table_open(&b->list, dir, e) ||
        pack_table_room(&b->keys, PACK_BANDS * documents + 1, sizeof(uint64_t),
                        e) ||
        pack_table_room(&b->place, documents + 1, sizeof(uint32_t), e))
        return -1;
    return 0;
}

void pack_bands_close(struct pack_bands *b)
{
    pack_table_close(&b->keys);
    pack_table_close(&b->place);
    pack_table_close(&b->list);
}

size_t pack_bands_length(const struct pack_bands *b)
{
    return b->start[b->listed];
}

/* --- keys */

static uint64_t *keys_of(const struct pack_bands *b, int band)
{
    return (uint64_t *)b->keys.at + (size_t)band * b->documents;
}

void pack_bands_add(struct pack_bands *b, uint32_t k, const uint32_t *value)
{
    for (int band = 0; band < PACK_BANDS; band++, value += PACK_BAND_ROWS) {
        uint64_t h = (uint64_t)band;

        for (int r = 0; r < PACK_BAND_ROWS; r++)
            h = hash_mix(h ^ value[r]) + value[r];
        keys_of(b, band)[b->n] = hash_mix(h) << 32 | k;
    }
    b->n++;
}

static int by_value(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;

    return *a < *b ? -1 : *a > *b;
}

/* The first key of the band value that key[at] has. */
static size_t run_of(const uint64_t *key, size_t at)
{
    const uint64_t from = key[at] >> 32 << 32;
    size_t low = 0, high = at;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (key[mid] < from)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* --- lists */

struct listing {
    struct pack_bands *b;
    const uint64_t *key;
    pack_is_news *is_news;
    const void *ctx;
    size_t end; /* of the list that is being made */
};

/* Candidates of document k from key[from] to before key[to]. */
static void list(struct listing *l, size_t from, size_t to, uint32_t k)
{
    uint32_t *at = (uint32_t *)l->b->list.at + l->end;
    uint32_t n = 0;

    for (; from < to; from++)
        if (l->is_news(l->ctx, k, (uint32_t)l->key[from]))
            at[2 + n++] = (uint32_t)l->key[from];
    if (!n)
        return;
    at[0] = k;
    at[1] = n;
    l->end += 2 + n;
    l->b->pairs += n;
}

/* Document k, whose key is key[at], and those before it of the same band. */
static int list_run(struct listing *l, size_t at, uint32_t k, struct err *e)
{
    const uint64_t *key = l->key;
    size_t from = at;

    if (pack_table_room(&l->b->list, l->end + 2 * (2 + ENDS), sizeof(uint32_t),
                        e))
        return -1;
    while (from && at - from <= 2 * ENDS &&
           key[from - 1] >> 32 == key[at] >> 32)
        from--;
    if (at - from <= 2 * ENDS) {
        list(l, from, at, k);
        return 0;
    }
    from = run_of(key, at); /* those between are like their ends */
    list(l, from, from + ENDS, k);
    list(l, at - ENDS, at, k);
    return 0;
}

int pack_bands_list(struct pack_bands *b, int band, pack_is_news *is_news,
                    const void *ctx, struct err *e)
{
    struct listing l = {b, keys_of(b, band), is_news, ctx,
                        pack_bands_length(b)};
    uint32_t *place = b->place.at;

    qsort(keys_of(b, band), b->n, sizeof *l.key, by_value);
    memset(place, 0, b->documents * sizeof *place);
    for (size_t i = 1; i < b->n; i++)
        if (l.key[i] >> 32 == l.key[i - 1] >> 32)
            place[(uint32_t)l.key[i]] = (uint32_t)(i + 1);
    for (size_t k = 0; k < b->documents; k++)
        if (place[k] && list_run(&l, place[k] - 1, (uint32_t)k, e))
            return -1;
    b->start[++b->listed] = l.end;
    return 0;
}

void pack_bands_each(struct pack_bands *b, pack_pair *visit, void *ctx)
{
    const uint32_t *all = b->list.at;
    size_t at[PACK_BANDS];

    memcpy(at, b->start, sizeof at);
    for (size_t k = 0; k < b->documents; k++)
        for (int l = 0; l < b->listed; l++)
            while (at[l] < b->start[l + 1] && all[at[l]] == k) {
                const uint32_t *of = all + at[l];

                for (uint32_t i = 0; i < of[1]; i++)
                    visit(ctx, (uint32_t)k, of[2 + i]);
                at[l] += 2 + of[1];
            }
    b->listed = 0;
    b->pairs = 0;
}
