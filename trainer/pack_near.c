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
#define STRETCH ((size_t)4096) /* bytes that are folded at once */
#define BANDS 25
#define ROWS 5
#define NEIGHBOURS 4 /* kept of each document: the first ones */
#define UNLIKE 3     /* remembered, not to be read again for each band */
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

/* Fold a stretch of text into `to`; space: whether white space came last. */
static size_t fold_text(uint8_t *to, const uint8_t *text, size_t n, int *space)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        int is = is_space(text[i]);

        to[k] = is ? ' ' : fold(text[i]);
        k += (size_t) !(is & *space);
        *space = is;
    }
    return k;
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
        k = fold_text(folded + SHINGLE, text + from,
                      n - from < STRETCH ? n - from : STRETCH, &space);
        for (size_t i = SHINGLE; i < SHINGLE + k; i++, all++) {
            uint64_t h, gone = all < SHINGLE ? 0 : folded[i - SHINGLE] + 1u;
            uint32_t v;

            sum = sum * BASE + (folded[i] + 1u - out * gone);
            if (all + 1 < SHINGLE)
                continue;
            h = mix(sum);
            v = (uint32_t)(h >> 24);
            value[h >> 57] = v < value[h >> 57] ? v : value[h >> 57];
        }
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

/* --- candidates
 *
 * The values may be many times the memory, and candidates stand in the order
 * of a hash.  So each band only says where a document stands, and then the
 * documents are compared in their own order, in which a copy is mostly not far
 * from what it copies; and a pair that is known is not compared again. */

#define MANY 128             /* of so many documents one: all are read */
#define AHEAD ((size_t)4096) /* documents whose values are read at once */

struct found {
    uint32_t first[NEIGHBOURS]; /* earlier near copies, increasing */
    uint8_t same[NEIGHBOURS];   /* equal values of each */
    uint32_t other[UNLIKE]; /* the last ones that were compared and differ */
};

struct search {
    const struct pack_near *p;
    struct found *found; /* of each document */
    uint32_t *place;     /* its key's index + 1, if another comes before it */
    double threshold;
    size_t compared; /* pairs of the last band */
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

static void compare(struct search *s, uint32_t k, uint32_t first)
{
    struct found *f = &s->found[k];
    int same;

    if (!is_news(f, first))
        return;
    s->compared++;
    same = count_same(values_of(s->p, first), values_of(s->p, k));
    if ((double)same / PACK_NEAR_VALUES >= s->threshold)
        remember(f, first, same);
    else
        pass_by(f, first);
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

/* Document k, whose key is key[at], and those before it of the same band. */
static void compare_run(struct search *s, const uint64_t *key, size_t at,
                        uint32_t k)
{
    size_t from = at;

    while (from && at - from <= 2 * COMPARED &&
           key[from - 1] >> 32 == key[at] >> 32)
        from--;
    if (at - from <= 2 * COMPARED) {
        for (; from < at; from++)
            compare(s, k, (uint32_t)key[from]);
        return;
    }
    from = run_of(key, at); /* those between are like their ends */
    for (size_t i = 0; i < COMPARED; i++)
        compare(s, k, (uint32_t)key[from + i]);
    for (size_t i = at - COMPARED; i < at; i++)
        compare(s, k, (uint32_t)key[i]);
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

/* Have the values of the documents from k on read. */
static void read_ahead(const struct search *s, size_t k)
{
    const size_t size = AHEAD * PACK_NEAR_VALUES * sizeof(uint32_t);
    const struct file_map *m = &s->p->map;
    size_t at = k / AHEAD * size;

    if (k % AHEAD == 0 && at < m->len)
        madvise((void *)(uintptr_t)(m->data + at),
                m->len - at < size ? m->len - at : size, MADV_WILLNEED);
}

static void search_band(struct search *s, uint64_t *key, size_t n,
                        size_t documents)
{
    int many = s->compared > documents / MANY;

    qsort(key, n, sizeof *key, by_value);
    memset(s->place, 0, documents * sizeof *s->place);
    for (size_t i = 1; i < n; i++)
        if (key[i] >> 32 == key[i - 1] >> 32)
            s->place[(uint32_t)key[i]] = (uint32_t)(i + 1);
    s->compared = 0;
    for (size_t k = 0; k < documents; k++) {
        if (many)
            read_ahead(s, k);
        if (s->place[k])
            compare_run(s, key, s->place[k] - 1, (uint32_t)k);
    }
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

struct tables {
    struct pack_table keys, found, place;
};

static int search(struct search *s, struct pack_docs *docs, struct tables *t,
                  struct err *e)
{
    size_t n;

    if (pack_table_open(&t->keys, s->p->dir, e) ||
        pack_table_open(&t->found, s->p->dir, e) ||
        pack_table_open(&t->place, s->p->dir, e) ||
        pack_table_room(&t->keys, BANDS * docs->n + 1, sizeof(uint64_t), e) ||
        pack_table_room(&t->found, docs->n + 1, sizeof *s->found, e) ||
        pack_table_room(&t->place, docs->n + 1, sizeof *s->place, e))
        return -1;
    s->found = t->found.at;
    s->place = t->place.at;
    for (size_t k = 0; k < docs->n; k++)
        memset(&s->found[k], 0xff, sizeof s->found[k]);
    n = find_keys(t->keys.at, s->p, docs);
    s->compared = docs->n; /* the first band has most */
    /* What is not read ahead is met at random: reading its neighbours too is
     * 30 times the disk's work. */
    madvise((void *)(uintptr_t)s->p->map.data, s->p->map.len, MADV_RANDOM);
    for (size_t band = 0; band < BANDS; band++)
        search_band(s, (uint64_t *)t->keys.at + band * docs->n, n, docs->n);
    leave_out(s, docs);
    return 0;
}

int pack_near_dedup(struct pack_near *p, struct pack_docs *docs,
                    double threshold, struct err *e)
{
    struct search s = {.p = p, .threshold = threshold};
    struct tables t = {0};
    int rc;

    if (docs->n >= NONE)
        return err_set(e, ERR_USAGE, "%zu documents, at most 2^32 - 2 expected",
                       docs->n);
    if (flush(p, e) || file_map(&p->map, p->path, e))
        return -1;
    BUG_ON(p->map.len != docs->n * PACK_NEAR_VALUES * sizeof(uint32_t));
    rc = search(&s, docs, &t, e);
    pack_table_close(&t.keys);
    pack_table_close(&t.found);
    pack_table_close(&t.place);
    return rc;
}
