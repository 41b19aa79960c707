/* tokenizer_bpe: byte-pair encoding of one word; see tokenizer_impl.h.
 *
 * A word's tokens are found in one walk over it (tokenizer_walk.h) or, where
 * the merges are not for that, by merging its bytes (tokenizer_merge.h).  Words
 * repeat, so those of up to 15 bytes are remembered in a table in which a newer
 * word replaces an older one; it is larger than the nearer caches of a
 * processor, so a word is looked for a few words ahead (bpe_soon). */
#include "base/hash.h"
#include "base/mem.h"
#include "trainer/tokenizer_impl.h"
#include "trainer/tokenizer_merge.h"
#include "trainer/tokenizer_walk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct bpe {
    int32_t byte[256];
    struct bpe_pairs pairs; /* unless walk */
    struct bpe_walk *walk;  /* NULL: these merges are not for it */
    const struct token_texts *texts;
    int32_t *word; /* whole words by hash, -1: free; NULL: not looked up */
    size_t word_mask;
};

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
    size_t slots = 64, n;

    while (slots < 2 * vocab)
        slots *= 2;
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

/* Is each word that is a token made from its text, and of two such the one
 * that would be found? */
static int words_are_made(const struct bpe *b, const uint8_t *unmade,
                          size_t vocab)
{
    for (size_t id = 0; id < vocab; id++)
        if (!unmade[id] && b->texts->at[id + 1] > b->texts->at[id] &&
            !bpe_walk_makes(b->walk, (int32_t)id))
            return 0;
    return 1;
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
    *out = b;
    for (int i = 0; i < 256; i++)
        if (b->byte[i] < 0)
            return err_set(e, ERR_USAGE,
                           "%s: not byte-level: no token for byte %d", path, i);
    bpe_pairs_init(&b->pairs, merge, n_merge);
    b->walk = bpe_walk_create(&b->pairs, b->byte, texts, vocab);
    if (b->walk)
        bpe_pairs_release(&b->pairs);
    if (whole_word && !(b->walk && words_are_made(b, unmade, vocab)))
        index_words(b, unmade, vocab);
    return 0;
}

void bpe_destroy(struct bpe *b)
{
    if (!b)
        return;
    bpe_pairs_release(&b->pairs);
    bpe_walk_destroy(b->walk);
    free(b->word);
    free(b);
}

/* --- a word */

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
    if (b->walk) {
        bpe_walk_word(out, b->walk, word, n); /* found by their texts */
        return 0;
    }
    out->id = mem_grow(out->id, &out->cap, from + n, sizeof *out->id);
    for (size_t i = 0; i < n; i++)
        out->id[from + i] = b->byte[word[i]];
    out->n += bpe_merge(&b->pairs, out->id + from, n, 1);
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
    return bpe_mix(w->key[0] + bpe_mix(w->key[1])) >> (64 - CACHE_BITS);
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
