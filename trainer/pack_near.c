/* pack_near: see pack_near.h. */
#include "trainer/pack_near.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SHINGLE 16
#define BANDS 25
#define ROWS 5
#define NEIGHBOURS 4 /* kept of each document: the first ones */
#define COMPARED 8   /* at either end of a run of candidates */
#define PENDING ((size_t)1 << 20)
#define EMPTY UINT32_MAX
#define NONE UINT32_MAX

/* Rolling hash over the last SHINGLE bytes. */
#define BASE UINT64_C(0x9e3779b97f4a7c15)

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    return h;
}

/* --- values */

/* Empty values are copied from others, which a hash of their place chooses:
 * the same ones in every document that has those. */
static void densify(uint32_t value[PACK_NEAR_VALUES])
{
    uint32_t was[PACK_NEAR_VALUES];
    int some = 0;

    memcpy(was, value, sizeof was);
    for (int i = 0; i < PACK_NEAR_VALUES; i++)
        some |= was[i] != EMPTY;
    for (uint64_t i = 0; some && i < PACK_NEAR_VALUES; i++)
        for (uint64_t k = 1; value[i] == EMPTY; k++)
            value[i] = was[mix(i << 32 | k) % PACK_NEAR_VALUES];
}

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static int is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void pack_near_values(uint32_t value[PACK_NEAR_VALUES], const uint8_t *text,
                      size_t n)
{
    uint8_t last[SHINGLE] = {0};
    uint64_t sum = 0, out = 1;
    size_t k = 0; /* bytes of the folded text so far */
    int space = 1;

    for (int i = 0; i < SHINGLE; i++)
        out *= BASE;
    memset(value, 0xff, PACK_NEAR_VALUES * sizeof *value);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = is_space(text[i]) ? ' ' : fold(text[i]);
        uint64_t h;
        uint32_t v;

        if (c == ' ' && space)
            continue;
        space = c == ' ';
        sum = sum * BASE + c + 1 - out * last[k % SHINGLE];
        last[k++ % SHINGLE] = (uint8_t)(c + 1);
        if (k < SHINGLE)
            continue;
        h = mix(sum);
        v = (uint32_t)(h >> 24);
        if (v < value[h >> 57])
            value[h >> 57] = v;
    }
    densify(value);
}

double pack_near_similarity(const uint32_t *a, const uint32_t *b)
{
    int same = 0;

    for (int i = 0; i < PACK_NEAR_VALUES; i++)
        same += a[i] == b[i] && a[i] != EMPTY;
    return (double)same / PACK_NEAR_VALUES;
}

/* --- the file */

int pack_near_open(struct pack_near *p, const char *dir, struct err *e)
{
    str_init(&p->pending);
    if (snprintf(p->dir, sizeof p->dir, "%s", dir) >= (int)sizeof p->dir)
        return err_set(e, ERR_USAGE, "%.200s: path too long", dir);
    snprintf(p->path, sizeof p->path, "%s/near.raw", p->dir);
    p->fd = open(p->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return p->fd < 0 ? err_errno(e, "%s", p->path) : 0;
}

static int flush(struct pack_near *p, struct err *e)
{
    if (file_write_all(p->fd, p->pending.text, p->pending.len, e))
        return err_prefix(e, "%s: ", p->path);
    str_clear(&p->pending);
    return 0;
}

int pack_near_add(struct pack_near *p, const uint8_t *text, size_t n,
                  struct err *e)
{
    uint32_t value[PACK_NEAR_VALUES];

    pack_near_values(value, text, n);
    str_add_n(&p->pending, value, sizeof value);
    return p->pending.len >= PENDING ? flush(p, e) : 0;
}

static const uint32_t *values_of(const struct pack_near *p, size_t k)
{
    return (const uint32_t *)(const void *)p->map.data + k * PACK_NEAR_VALUES;
}

double pack_near_of(const struct pack_near *p, size_t a, size_t b)
{
    return pack_near_similarity(values_of(p, a), values_of(p, b));
}

void pack_near_release(struct pack_near *p)
{
    if (!p->path[0])
        return;
    file_unmap(&p->map);
    str_release(&p->pending);
    if (p->fd >= 0) {
        close(p->fd);
        unlink(p->path);
    }
    p->fd = -1;
    p->path[0] = '\0';
}

/* --- candidates */

struct search {
    const struct pack_near *p;
    uint32_t (*near)[NEIGHBOURS]; /* earlier near copies, increasing */
    double threshold;
};

/* Remember that `first` is a near copy of `k`, which comes behind it. */
static void remember(struct search *s, uint32_t k, uint32_t first)
{
    uint32_t *near = s->near[k], next;

    for (int i = 0; i < NEIGHBOURS && first != NONE; i++) {
        if (near[i] == first)
            return;
        if (first < near[i]) {
            next = near[i];
            near[i] = first;
            first = next;
        }
    }
}

/* Candidates that share a band: documents of the low halves, increasing. */
static void compare_run(struct search *s, const uint64_t *run, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint32_t k = (uint32_t)run[i];

        for (size_t j = 0; j < i; j++) {
            uint32_t first = (uint32_t)run[j];

            if (j == COMPARED && i > 2 * COMPARED)
                j = i - COMPARED; /* those between are like their ends */
            if (pack_near_of(s->p, first, k) >= s->threshold)
                remember(s, k, first);
        }
    }
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The keys of all bands, in one pass over the values: band b of a document that
 * takes part is at key[b * docs->n + i].  Returns how many do. */
static size_t find_keys(uint64_t *key, const struct pack_near *p,
                        const struct pack_docs *docs)
{
    size_t n = 0;

    for (size_t k = 0; k < docs->n; k++) {
        const uint32_t *v = values_of(p, k);

        if (docs->doc[k].set == PACK_NOWHERE || v[0] == EMPTY)
            continue;
        for (size_t band = 0; band < BANDS; band++, v += ROWS) {
            uint64_t h = band;

            for (int r = 0; r < ROWS; r++)
                h = mix(h ^ v[r]) + v[r];
            key[band * docs->n + n] = mix(h) << 32 | k;
        }
        n++;
    }
    return n;
}

static void search_band(struct search *s, uint64_t *key, size_t n)
{
    size_t end;

    qsort(key, n, sizeof *key, by_value);
    for (size_t at = 0; at < n; at = end) {
        end = at + 1;
        while (end < n && key[end] >> 32 == key[at] >> 32)
            end++;
        compare_run(s, key + at, end - at);
    }
}

static void leave_out(const struct search *s, struct pack_docs *docs)
{
    for (size_t k = 0; k < docs->n; k++) {
        struct pack_doc *d = &docs->doc[k];

        for (int i = 0; i < NEIGHBOURS && d->set != PACK_NOWHERE; i++) {
            uint32_t first = s->near[k][i];

            if (first == NONE || docs->doc[first].set == PACK_NOWHERE)
                continue;
            d->set = PACK_NOWHERE;
            d->why = PACK_NEAR;
            d->unit = first;
        }
    }
}

static int search(struct search *s, struct pack_docs *docs,
                  struct pack_table *keys, struct pack_table *found,
                  struct err *e)
{
    size_t n;

    if (pack_table_open(keys, s->p->dir, e) ||
        pack_table_open(found, s->p->dir, e) ||
        pack_table_room(keys, BANDS * docs->n + 1, sizeof(uint64_t), e) ||
        pack_table_room(found, docs->n + 1, sizeof *s->near, e))
        return -1;
    s->near = found->at;
    memset(s->near, 0xff, docs->n * sizeof *s->near);
    n = find_keys(keys->at, s->p, docs);
    /* From here on documents are met at random: where the values do not fit in
     * memory, reading their neighbours too is 30 times the disk's work. */
    madvise((void *)(uintptr_t)s->p->map.data, s->p->map.len, MADV_RANDOM);
    for (size_t band = 0; band < BANDS; band++)
        search_band(s, (uint64_t *)keys->at + band * docs->n, n);
    leave_out(s, docs);
    return 0;
}

int pack_near_dedup(struct pack_near *p, struct pack_docs *docs,
                    double threshold, struct err *e)
{
    struct search s = {.p = p, .threshold = threshold};
    struct pack_table keys = {0}, found = {0};
    int rc;

    if (docs->n >= NONE)
        return err_set(e, ERR_USAGE, "%zu documents, at most 2^32 - 2 expected",
                       docs->n);
    if (flush(p, e) || file_map(&p->map, p->path, e))
        return -1;
    BUG_ON(p->map.len != docs->n * PACK_NEAR_VALUES * sizeof(uint32_t));
    rc = search(&s, docs, &keys, &found, e);
    pack_table_close(&keys);
    pack_table_close(&found);
    return rc;
}
