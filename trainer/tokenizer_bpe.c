/* tokenizer_bpe: byte-pair encoding of one word; see tokenizer_impl.h.
 *
 * A word begins as its bytes; of all neighbours that may be merged those with
 * the lowest rank are, the leftmost first, until none may.  Short words: a
 * scan for the lowest; long ones: a heap of candidates, where one whose
 * neighbours have changed meanwhile is passed over.  Both do the same merges
 * in the same order.  Words repeat, so those of up to 15 bytes are remembered
 * in a table in which a newer word replaces an older one; it is larger than
 * the nearer caches of a processor, so a word is looked for a few words ahead
 * (bpe_soon). */
#include "base/hash.h"
#include "base/mem.h"
#include "trainer/tokenizer_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define SCAN_MAX 96 /* bytes of a word that is scanned */

struct pair {
    uint64_t key; /* left << 32 | right; ~0: free */
    uint32_t rank;
    int32_t made;
};

struct bpe {
    int32_t byte[256];
    struct pair *pair;
    size_t pair_mask;
    uint64_t *maybe; /* a bit by hash: set where a pair may be there.  Most are
                        not, and this is small enough to stay near */
    int maybe_shift;
    const struct token_texts *texts;
    int32_t *word; /* whole words by hash, -1: free; NULL: not looked up */
    size_t word_mask;
};

static uint64_t mix(uint64_t x)
{
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

static uint64_t key_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static struct pair *find_pair(const struct bpe *b, uint64_t key)
{
    size_t i = mix(key) & b->pair_mask;

    while (b->pair[i].key != key && b->pair[i].key != UINT64_MAX)
        i = (i + 1) & b->pair_mask;
    return &b->pair[i];
}

static uint64_t maybe_bit(size_t *word, const struct bpe *b, uint64_t key)
{
    uint64_t at = mix(key) >> b->maybe_shift;

    *word = at / 64;
    return UINT64_C(1) << at % 64;
}

/* What two neighbours make: rank << 32 | token; rank NONE: nothing. */
static uint64_t merged(const struct bpe *b, int32_t left, int32_t right)
{
    uint64_t key = key_of(left, right), bit;
    const struct pair *p;
    size_t word;

    bit = maybe_bit(&word, b, key);
    if (!(b->maybe[word] & bit))
        return UINT64_MAX;
    p = find_pair(b, key);
    return (uint64_t)p->rank << 32 | (uint32_t)p->made;
}

static size_t power_above(size_t n)
{
    size_t p = 64;

    while (p < n)
        p *= 2;
    return p;
}

static const uint8_t *text_of(size_t *n, const struct token_texts *x,
                              int32_t id)
{
    *n = x->at[id + 1] - x->at[id];
    return (const uint8_t *)x->bytes.text + x->at[id];
}

static int32_t *find_word(const struct bpe *b, const uint8_t *word, size_t n)
{
    size_t i = hash_xxh3(word, n) & b->word_mask, len;

    for (; b->word[i] >= 0; i = (i + 1) & b->word_mask) {
        const uint8_t *text = text_of(&len, b->texts, b->word[i]);
        if (len == n && !memcmp(text, word, n))
            break;
    }
    return &b->word[i];
}

static void index_words(struct bpe *b, const uint8_t *unmade, size_t vocab)
{
    size_t slots = power_above(2 * vocab), n;

    b->word = xmalloc(slots * sizeof *b->word);
    memset(b->word, 0xff, slots * sizeof *b->word);
    b->word_mask = slots - 1;
    for (size_t id = 0; id < vocab; id++) {
        const uint8_t *text = text_of(&n, b->texts, (int32_t)id);
        int32_t *slot;

        if (unmade[id] || !n)
            continue;
        slot = find_word(b, text, n);
        if (*slot < 0)
            *slot = (int32_t)id;
    }
}

static void index_pairs(struct bpe *b, const struct bpe_merge *merge, size_t n)
{
    size_t slots = power_above(2 * n), word;

    b->pair = mem_tensor(slots * sizeof *b->pair); /* few, large pages */
    BUG_ON(!b->pair);
    memset(b->pair, 0xff, slots * sizeof *b->pair);
    b->pair_mask = slots - 1;
    b->maybe = xcalloc(4 * slots / 64, sizeof *b->maybe);
    b->maybe_shift = 64 - __builtin_ctzll(4 * slots);
    for (size_t i = 0; i < n; i++) {
        uint64_t key = key_of(merge[i].left, merge[i].right), bit;
        struct pair *p = find_pair(b, key);

        if (p->key == UINT64_MAX)
            *p = (struct pair){key, merge[i].rank, merge[i].made};
        bit = maybe_bit(&word, b, key);
        b->maybe[word] |= bit;
    }
}

int bpe_create(struct bpe **out, const struct token_texts *texts,
               const uint8_t *unmade, size_t vocab,
               const struct bpe_merge *merge, size_t n_merge, int whole_word,
               const char *path, struct err *e)
{
    struct bpe *b = xcalloc(1, sizeof *b);
    size_t n;

    b->texts = texts;
    memset(b->byte, 0xff, sizeof b->byte);
    for (size_t id = vocab; id-- > 0;) {
        const uint8_t *text = text_of(&n, texts, (int32_t)id);
        if (n == 1 && !unmade[id])
            b->byte[text[0]] = (int32_t)id;
    }
    index_pairs(b, merge, n_merge);
    if (whole_word)
        index_words(b, unmade, vocab);
    *out = b;
    for (int i = 0; i < 256; i++)
        if (b->byte[i] < 0)
            return err_set(e, ERR_USAGE,
                           "%s: not byte-level: no token for byte %d", path, i);
    return 0;
}

void bpe_destroy(struct bpe *b)
{
    if (!b)
        return;
    mem_tensor_free(b->pair);
    free(b->maybe);
    free(b->word);
    free(b);
}

/* --- a word */

static void scan_word(struct token_list *out, const struct bpe *b,
                      const uint8_t *word, size_t n)
{
    int32_t id[SCAN_MAX];
    uint64_t make[SCAN_MAX];

    for (size_t i = 0; i < n; i++)
        id[i] = b->byte[word[i]];
    for (size_t i = 0; i + 1 < n; i++)
        make[i] = merged(b, id[i], id[i + 1]);
    while (n > 1) {
        size_t best = 0;

        for (size_t i = 1; i + 1 < n; i++)
            if (make[i] < make[best]) /* equal ranks make the same */
                best = i;
        if (make[best] >> 32 == NONE)
            break;
        id[best] = (int32_t)(uint32_t)make[best];
        n--;
        for (size_t i = best + 1; i < n; i++) {
            id[i] = id[i + 1];
            make[i - 1] = make[i];
        }
        if (best + 1 < n)
            make[best] = merged(b, id[best], id[best + 1]);
        if (best)
            make[best - 1] = merged(b, id[best - 1], id[best]);
    }
    for (size_t i = 0; i < n; i++)
        token_list_add(out, id[i]);
}

struct candidate {
    uint32_t rank, at; /* of its left part */
    int32_t left, right, made;
};

struct heap {
    struct candidate *c;
    size_t n, cap;
};

static int before(const struct candidate *a, const struct candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_push(struct heap *h, struct candidate c)
{
    size_t i;

    h->c = mem_grow(h->c, &h->cap, h->n + 1, sizeof *h->c);
    for (i = h->n++; i && before(&c, &h->c[(i - 1) / 2]); i = (i - 1) / 2)
        h->c[i] = h->c[(i - 1) / 2];
    h->c[i] = c;
}

static struct candidate heap_pop(struct heap *h)
{
    struct candidate top = h->c[0], last = h->c[--h->n];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && before(&h->c[child + 1], &h->c[child]))
            child++;
        if (!before(&h->c[child], &last))
            break;
        h->c[i] = h->c[child];
        i = child;
    }
    h->c[i] = last;
    return top;
}

/* A part of a long word: a list linked both ways; id -1: merged away. */
struct part {
    int32_t id;
    uint32_t next, last; /* NONE: none */
};

static void consider(struct heap *h, const struct bpe *b,
                     const struct part *part, uint32_t at)
{
    struct candidate c = {.at = at};
    uint64_t make;

    if (at == NONE || part[at].next == NONE)
        return;
    c.left = part[at].id;
    c.right = part[part[at].next].id;
    make = merged(b, c.left, c.right);
    c.rank = (uint32_t)(make >> 32);
    c.made = (int32_t)(uint32_t)make;
    if (c.rank != NONE)
        heap_push(h, c);
}

static void long_word(struct token_list *out, const struct bpe *b,
                      const uint8_t *word, size_t n)
{
    struct part *part = xmalloc(n * sizeof *part);
    struct heap h = {0};

    for (size_t i = 0; i < n; i++)
        part[i] =
            (struct part){b->byte[word[i]], i + 1 < n ? (uint32_t)i + 1 : NONE,
                          i ? (uint32_t)i - 1 : NONE};
    for (size_t i = 0; i + 1 < n; i++)
        consider(&h, b, part, (uint32_t)i);
    while (h.n) {
        struct candidate c = heap_pop(&h);
        struct part *p = &part[c.at];
        uint32_t gone = p->next;

        if (p->id != c.left || gone == NONE || part[gone].id != c.right)
            continue;
        p->id = c.made;
        p->next = part[gone].next;
        part[gone].id = -1;
        if (p->next != NONE)
            part[p->next].last = c.at;
        consider(&h, b, part, c.at);
        consider(&h, b, part, p->last);
    }
    for (uint32_t i = 0; i != NONE; i = part[i].next)
        token_list_add(out, part[i].id);
    free(h.c);
    free(part);
}

/* Do the tokens behind `from` stand for this word? */
static int gives_back(const struct token_list *l, size_t from,
                      const struct bpe *b, const uint8_t *word, size_t n)
{
    size_t at = 0, len;

    for (size_t i = from; i < l->n; i++, at += len) {
        const uint8_t *text = text_of(&len, b->texts, l->id[i]);

        if (!len || len > n - at || memcmp(text, word + at, len))
            return 0;
    }
    return at == n;
}

static int merge_word(struct token_list *out, const struct bpe *b,
                      const uint8_t *word, size_t n)
{
    size_t from = out->n;

    if (b->word) {
        int32_t id = *find_word(b, word, n);
        if (id >= 0) {
            token_list_add(out, id); /* found by its text */
            return 0;
        }
    }
    if (n <= SCAN_MAX)
        scan_word(out, b, word, n);
    else
        long_word(out, b, word, n);
    return gives_back(out, from, b, word, n) ? 0 : -1;
}

/* --- the cache of words */

#define CACHE_BITS 16
#define CACHE_WORD 15 /* bytes */
#define CACHE_IDS 4

/* Half a line of the processor's cache, so that a look costs one. */
struct cached {
    uint64_t key[2]; /* the bytes; the last one is their number, 0: free */
    uint32_t id[CACHE_IDS]; /* the first one's high byte: how many there are */
};

struct bpe_cache {
    struct cached slot[(size_t)1 << CACHE_BITS];
};

struct bpe_cache *bpe_cache_create(void)
{
    struct bpe_cache *c = mem_tensor(sizeof *c);

    BUG_ON(!c);
    return c;
}

void bpe_cache_destroy(struct bpe_cache *c)
{
    mem_tensor_free(c);
}

/* The bytes of a word of at most CACHE_WORD, zeros behind, and their number. */
static void set_key(struct bpe_word *w, size_t room)
{
    w->key[0] = w->key[1] = 0;
    if (room >= sizeof w->key) { /* at once; what is too much is cut off */
        memcpy(w->key, w->text, sizeof w->key);
        if (w->n < 8)
            w->key[0] &= ~(~UINT64_C(0) << 8 * w->n);
        w->key[1] &= w->n <= 8 ? 0 : ~(~UINT64_C(0) << 8 * (w->n - 8));
    } else {
        memcpy(w->key, w->text, w->n);
    }
    w->key[1] ^= (uint64_t)w->n << 56;
}

static size_t slot_of(const struct bpe_word *w)
{
    return mix(w->key[0] + mix(w->key[1])) >> (64 - CACHE_BITS);
}

void bpe_soon(struct bpe_word *w, const struct bpe_cache *c, size_t room)
{
    if (!w->n || w->n > CACHE_WORD)
        return;
    set_key(w, room);
    __builtin_prefetch(&c->slot[slot_of(w)]);
}

static void add_cached(struct token_list *out, const struct cached *s)
{
    int32_t *to;

    if (out->cap - out->n < CACHE_IDS)
        out->id =
            mem_grow(out->id, &out->cap, out->n + CACHE_IDS, sizeof *out->id);
    to = out->id + out->n;
    memcpy(to, s->id, sizeof s->id); /* those that are there, and more */
    to[0] &= 0xffffff;
    out->n += s->id[0] >> 24;
}

int bpe_word(struct token_list *out, const struct bpe *b, struct bpe_cache *c,
             const struct bpe_word *w)
{
    struct cached *s;
    size_t from = out->n;

    if (!w->n)
        return 0;
    if (w->n > CACHE_WORD)
        return merge_word(out, b, w->text, w->n);
    s = &c->slot[slot_of(w)];
    if (s->key[0] == w->key[0] && s->key[1] == w->key[1]) {
        add_cached(out, s);
        return 0;
    }
    if (merge_word(out, b, w->text, w->n))
        return -1;
    if (out->n - from > CACHE_IDS)
        return 0;
    memcpy(s->key, w->key, sizeof s->key);
    memcpy(s->id, out->id + from, (out->n - from) * sizeof *s->id);
    s->id[0] |= (uint32_t)(out->n - from) << 24;
    return 0;
}
