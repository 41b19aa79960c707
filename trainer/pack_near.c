/* pack_near: see pack_near.h. */
#include "trainer/pack_near.h"

#include "base/hash.h"
#include "base/mem.h"
#include "trainer/pack_bands.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SHINGLE 16
#define STRETCH ((size_t)4096) /* bytes that are folded at once */
#define NEIGHBOURS 4           /* kept of each document: the first ones */
#define UNLIKE 3 /* remembered, not to be read again for each band */
#define PENDING ((size_t)1 << 20)
#define EMPTY UINT32_MAX
#define NONE UINT32_MAX

/* Rolling hash over the last SHINGLE bytes. */
#define BASE UINT64_C(0x9e3779b97f4a7c15)

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
            value[i] = was[hash_mix(i << 32 | k) % PACK_NEAR_VALUES];
}

/* A letter in lower case, white space as a space; without a branch. */
static uint8_t fold(uint8_t c)
{
    unsigned upper = (uint8_t)(c - 'A') < 26, white = (uint8_t)(c - '\t') < 5;
    unsigned lower = c + 32 * upper;

    return (uint8_t)(white ? ' ' : lower);
}

/* Fold a stretch of text into `to`; space: whether white space came last. */
static size_t fold_text(uint8_t *to, const uint8_t *text, size_t n, int *space)
{
    size_t k = 0;
    int was = *space;

    for (size_t i = 0; i < n; i++) {
        int is;

        to[k] = fold(text[i]);
        is = to[k] == ' ';
        k += (size_t) !(is & was);
        was = is;
    }
    *space = was;
    return k;
}

/* The value of a shingle. */
static void take_one(uint32_t value[PACK_NEAR_VALUES], uint64_t sum)
{
    uint64_t h = hash_mix(sum);
    uint32_t v = (uint32_t)(h >> 24);

    if (v < value[h >> 57]) /* seldom */
        value[h >> 57] = v;
}

/* The values of n folded bytes, before which are SHINGLE others. */
static uint64_t take(uint32_t value[PACK_NEAR_VALUES], const uint8_t *folded,
                     size_t n, uint64_t sum, uint64_t out)
{
    for (size_t i = 0; i < n; i++) {
        sum = sum * BASE + (folded[i + SHINGLE] + 1u - out * (folded[i] + 1u));
        take_one(value, sum);
    }
    return sum;
}

/* By stretches, each behind the last bytes of the one before. */
void pack_near_values(uint32_t value[PACK_NEAR_VALUES], const uint8_t *text,
                      size_t n)
{
    uint8_t folded[SHINGLE + STRETCH];
    uint64_t sum = 0, out = 1;
    size_t all = 0, k; /* bytes of the folded text so far */
    int space = 1;

    for (int i = 0; i < SHINGLE; i++)
        out *= BASE;
    memset(value, 0xff, PACK_NEAR_VALUES * sizeof *value);
    for (size_t from = 0; from < n; from += STRETCH) {
        size_t i = 0;

        k = fold_text(folded + SHINGLE, text + from,
                      n - from < STRETCH ? n - from : STRETCH, &space);
        for (; i < k && all < SHINGLE; i++, all++) {
            sum = sum * BASE + (folded[SHINGLE + i] + 1u);
            if (all + 1 == SHINGLE)
                take_one(value, sum);
        }
        sum = take(value, folded + i, k - i, sum, out);
        memmove(folded, folded + k, SHINGLE);
    }
    densify(value);
}

static int count_same(const uint32_t *a, const uint32_t *b)
{
    int same = 0;

    for (int i = 0; i < PACK_NEAR_VALUES; i++)
        same += a[i] == b[i] && a[i] != EMPTY;
    return same;
}

double pack_near_similarity(const uint32_t *a, const uint32_t *b)
{
    return (double)count_same(a, b) / PACK_NEAR_VALUES;
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

/* --- what was compared */

struct found {
    uint32_t first[NEIGHBOURS]; /* earlier near copies, increasing */
    uint8_t same[NEIGHBOURS];   /* equal values of each */
    uint32_t other[UNLIKE]; /* the last ones that were compared and differ */
};

static void remember(struct found *f, uint32_t first, int same)
{
    int i = NEIGHBOURS - 1;

    for (; i && f->first[i - 1] > first; i--) {
        f->first[i] = f->first[i - 1];
        f->same[i] = f->same[i - 1];
    }
    f->first[i] = first;
    f->same[i] = (uint8_t)same;
}

static void pass_by(struct found *f, uint32_t other)
{
    memmove(f->other + 1, f->other, (UNLIKE - 1) * sizeof *f->other);
    f->other[0] = other;
}

/* Would it be remembered? */
static int is_news(const struct found *f, uint32_t first)
{
    int i = 0;

    for (int k = 0; k < UNLIKE; k++)
        if (f->other[k] == first)
            return 0;
    while (i < NEIGHBOURS && f->first[i] < first)
        i++;
    return i < NEIGHBOURS && f->first[i] != first;
}

/* --- the search
 *
 * The pairs that all bands have listed are compared in one pass over the
 * values. When the lists are as long as those, as where most documents are
 * copies of few, the pass is made before the next band. */

#define MANY 128             /* of so many documents one: all are read */
#define AHEAD ((size_t)4096) /* documents whose values are read at once */

struct search {
    const struct pack_near *p;
    struct pack_bands bands;
    struct pack_table table;
    struct found *found; /* of each document */
    double threshold;
    size_t ahead; /* values of documents before this one have been asked for */
    int passes;
};

static int is_news_for(const void *ctx, uint32_t k, uint32_t first)
{
    const struct search *s = ctx;

    return !s->passes || is_news(&s->found[k], first);
}

/* Have the values of document k, and of some behind it, read. */
static void read_ahead(struct search *s, size_t k)
{
    const size_t size = AHEAD * PACK_NEAR_VALUES * sizeof(uint32_t);
    const struct file_map *m = &s->p->map;
    size_t at = k / AHEAD * size;

    madvise((void *)(uintptr_t)(m->data + at),
            m->len - at < size ? m->len - at : size, MADV_WILLNEED);
    s->ahead = (k / AHEAD + 1) * AHEAD;
}

static void compare(void *ctx, uint32_t k, uint32_t first)
{
    struct search *s = ctx;
    struct found *f = &s->found[k];
    int same;

    if (!is_news(f, first))
        return;
    if (k >= s->ahead && s->bands.pairs > s->bands.documents / MANY)
        read_ahead(s, k);
    same = count_same(values_of(s->p, first), values_of(s->p, k));
    if ((double)same / PACK_NEAR_VALUES >= s->threshold)
        remember(f, first, same);
    else
        pass_by(f, first);
}

static void leave_out(const struct search *s, struct pack_docs *docs)
{
    for (size_t k = 0; k < docs->n; k++) {
        struct pack_doc *d = &docs->doc[k];

        for (int i = 0; i < NEIGHBOURS && d->set != PACK_NOWHERE; i++) {
            uint32_t first = s->found[k].first[i];

            if (first == NONE || docs->doc[first].set == PACK_NOWHERE)
                continue;
            d->set = PACK_NOWHERE;
            d->why = PACK_NEAR;
            d->same = s->found[k].same[i];
            d->unit = first;
        }
    }
}

static int search(struct search *s, struct pack_docs *docs, struct err *e)
{
    if (pack_bands_open(&s->bands, s->p->dir, docs->n, e) ||
        pack_table_open(&s->table, s->p->dir, e) ||
        pack_table_room(&s->table, docs->n + 1, sizeof *s->found, e))
        return -1;
    s->found = s->table.at;
    for (size_t k = 0; k < docs->n; k++) {
        memset(&s->found[k], 0xff, sizeof s->found[k]);
        if (docs->doc[k].set != PACK_NOWHERE && values_of(s->p, k)[0] != EMPTY)
            pack_bands_add(&s->bands, (uint32_t)k, values_of(s->p, k));
    }
    /* What is not read ahead is met at random: reading its neighbours too is
     * 30 times the disk's work. */
    madvise((void *)(uintptr_t)s->p->map.data, s->p->map.len, MADV_RANDOM);
    for (int band = 0; band < PACK_BANDS; band++) {
        if (pack_bands_list(&s->bands, band, is_news_for, s, e))
            return -1;
        if (band + 1 < PACK_BANDS &&
            pack_bands_length(&s->bands) < PACK_NEAR_VALUES * docs->n)
            continue;
        s->ahead = 0;
        pack_bands_each(&s->bands, compare, s);
        s->passes++;
    }
    leave_out(s, docs);
    return 0;
}

int pack_near_dedup(struct pack_near *p, struct pack_docs *docs,
                    double threshold, struct err *e)
{
    struct search s = {.p = p, .threshold = threshold};
    int rc;

    if (docs->n >= NONE)
        return err_set(e, ERR_USAGE, "%zu documents, at most 2^32 - 2 expected",
                       docs->n);
    if (flush(p, e) || file_map(&p->map, p->path, e))
        return -1;
    BUG_ON(p->map.len != docs->n * PACK_NEAR_VALUES * sizeof(uint32_t));
    rc = search(&s, docs, e);
    pack_bands_close(&s.bands);
    pack_table_close(&s.table);
    return rc;
}
