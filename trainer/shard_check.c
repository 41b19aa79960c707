/* shard_check: may these sets train and validate together?  See shard.h. */
#include "base/hash.h"
#include "base/mem.h"
#include "trainer/shard_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Documents of a validation set that may occur in the training set: what
 * chance and boilerplate make (one-line documents); more is a mistake. */
#define SHARED_MAX 0.01

static int64_t document(const uint8_t **text, const struct shard_set *set,
                        int64_t k)
{
    const struct shard_piece *p;
    int64_t from, n;

    shard_document(&from, &n, set, k);
    p = shard_piece_at(set, from);
    *text = p->tokens + (from - p->first) * p->width;
    return n * p->width;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Hashes of all documents of a set, sorted; the caller's to free. */
static uint64_t *hashes(const struct shard_set *set)
{
    int64_t n = shard_info(set)->documents;
    uint64_t *h = xcalloc((size_t)n + 1, sizeof *h);

    for (int64_t k = 0; k < n; k++) {
        const uint8_t *text;
        int64_t len = document(&text, set, k);
        h[k] = hash_xxh3(text, (size_t)len);
    }
    qsort(h, (size_t)n, sizeof *h, by_value);
    return h;
}

/* Mark the documents of the validation set, by their hashes, that occur in
 * the training set; returns how many, and the token there of the first. */
static int64_t count_shared(int64_t *first, const struct shard_set *train,
                            const uint64_t *h, int64_t n)
{
    uint8_t *found = xcalloc((size_t)n + 1, 1);
    int64_t shared = 0, tokens;

    *first = -1;
    for (int64_t k = 0; k < shard_info(train)->documents; k++) {
        const uint8_t *text;
        int64_t len = document(&text, train, k);
        uint64_t key = hash_xxh3(text, (size_t)len);
        const uint64_t *at = bsearch(&key, h, (size_t)n, sizeof key, by_value);
        if (!at)
            continue;
        found[at - h] = 1;
        if (*first < 0)
            shard_document(first, &tokens, train, k);
    }
    for (int64_t k = 0; k < n; k++)
        shared += found[k];
    free(found);
    return shared;
}

struct text {
    uint64_t hash;
    int64_t tokens;
};

static int by_text(const void *a, const void *b)
{
    const struct text *x = a, *y = b;

    return x->hash != y->hash
               ? (x->hash < y->hash ? -1 : 1)
               : (x->tokens > y->tokens) - (x->tokens < y->tokens);
}

int64_t shard_repeated(const struct shard_set *set)
{
    int64_t n = shard_indexed(set) ? shard_info(set)->documents : 0;
    struct text *list = xcalloc((size_t)n + 1, sizeof *list);
    int64_t repeated = 0, from;

    for (int64_t k = 0; k < n; k++) {
        const uint8_t *text;
        int64_t len = document(&text, set, k);

        list[k].hash = hash_xxh3(text, (size_t)len);
        shard_document(&from, &list[k].tokens, set, k);
    }
    qsort(list, (size_t)n, sizeof *list, by_text);
    for (int64_t k = 1; k < n; k++)
        if (!by_text(&list[k], &list[k - 1]))
            repeated += list[k].tokens;
    free(list);
    return repeated;
}

/* --- sets whose documents are not known: windows of tokens */

#define WINDOW 64
#define SAMPLES 1024 /* windows of the validation set, evenly spread */
#define SLOTS 4096   /* of the table: a power of two */
#define INSIDE 0.5   /* of them found: the set is inside the other */
#define BASE UINT64_C(0x9e3779b97f4a7c15)

struct sample {
    uint64_t key; /* 0: free */
    int found;
};

static uint64_t mixed(uint64_t h)
{
    h ^= h >> 31;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    return h ? h : 1;
}

static struct sample *sample_at(struct sample *table, uint64_t key)
{
    size_t i = key & (SLOTS - 1);

    while (table[i].key && table[i].key != key)
        i = (i + 1) & (SLOTS - 1);
    return &table[i];
}

static uint64_t token_at(const struct shard_piece *p, int64_t i)
{
    return 1 + le_get(p->tokens + i * p->width, p->width);
}

/* Windows of the validation set into the table; returns how many differ. */
static int take_samples(struct sample *table, const struct shard_set *set)
{
    int64_t n = shard_info(set)->tokens - WINDOW + 1, at;
    int32_t token[WINDOW];
    int different = 0;

    for (int k = 0; n > 0 && k < SAMPLES; k++) {
        uint64_t sum = 0;
        struct sample *s;

        at = n > SAMPLES ? n / SAMPLES * k : k;
        if (at >= n)
            break;
        shard_read(token, set, at, WINDOW);
        for (int i = 0; i < WINDOW; i++)
            sum = sum * BASE + (uint64_t)token[i] + 1;
        s = sample_at(table, mixed(sum));
        different += !s->key;
        s->key = mixed(sum);
    }
    return different;
}

/* Mark those that occur in a piece of the training set; *first, the token of
 * the first where there was none yet (-1). */
static void find_samples(struct sample *table, const struct shard_piece *p,
                         int64_t *first)
{
    uint64_t sum = 0, out = 1;

    for (int i = 0; i < WINDOW; i++)
        out *= BASE;
    for (int64_t i = 0; i < p->n; i++) {
        sum = sum * BASE + token_at(p, i);
        if (i >= WINDOW)
            sum -= out * token_at(p, i - WINDOW);
        if (i + 1 < WINDOW)
            continue;
        struct sample *s = sample_at(table, mixed(sum));
        s->found = 1;
        if (s->key && *first < 0)
            *first = p->first + i + 1 - WINDOW;
    }
}

static int check_windows(const struct shard_set *train,
                         const struct shard_set *valid, struct err *e)
{
    struct sample *table = xcalloc(SLOTS, sizeof *table);
    int found = 0, n = take_samples(table, valid);
    int64_t first = -1;

    for (int64_t k = 0; k < train->n_piece && n; k++)
        find_samples(table, &train->piece[k], &first);
    for (int i = 0; i < SLOTS; i++)
        found += table[i].key && table[i].found;
    free(table);
    if (n && found > INSIDE * n)
        return err_set(e, ERR_USAGE,
                       "%s: %.0f %% of it, by %d windows of %d tokens, is in "
                       "the training set %s, first at token %" PRId64
                       " of that; a loss on it would say nothing",
                       shard_path(valid), 100.0 * found / n, n, WINDOW,
                       shard_path(train), first);
    return 0;
}

static int check_apart(const struct shard_set *train,
                       const struct shard_set *valid, struct err *e)
{
    int64_t n = shard_info(valid)->documents, shared, first;
    uint64_t *h;

    if (!strcmp(shard_info(train)->sha256, shard_info(valid)->sha256))
        return err_set(e, ERR_USAGE,
                       "%s: the validation set is the training set %s",
                       shard_path(valid), shard_path(train));
    if (!shard_indexed(train) || !shard_indexed(valid))
        return check_windows(train, valid, e);
    h = hashes(valid);
    shared = count_shared(&first, train, h, n);
    free(h);
    if ((double)shared > SHARED_MAX * (double)n)
        return err_set(e, ERR_USAGE,
                       "%s: %" PRId64 " of its %" PRId64
                       " documents are in the training set %s, the first at "
                       "token %" PRId64
                       " of that; a loss on them would say nothing",
                       shard_path(valid), shared, n, shard_path(train), first);
    return 0;
}

int shard_check_data(const struct shard_set *train,
                     struct shard_set *const *valid, int n_valid, struct err *e)
{
    if (shard_verify(train, 0, e))
        return -1;
    for (int i = 0; i < n_valid; i++)
        if (shard_verify(valid[i], 0, e) || check_apart(train, valid[i], e))
            return -1;
    return 0;
}
