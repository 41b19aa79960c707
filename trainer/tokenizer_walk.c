/* tokenizer_walk: see tokenizer_walk.h.
 *
 * Tokens by their beginnings: a tree whose nodes are the slots of a hash table,
 * found by the node before and the byte; two bytes are the first step. */
#include "trainer/tokenizer_walk.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define NODES_MAX ((size_t)1 << 22)
#define GOES_ON 7 /* bits of a node */
#define BITS 1024 /* a word's marks that need no memory of their own */

struct token {
    int32_t left, right; /* the merge that makes it; of bytes nothing */
    uint32_t rank;       /* of it, + 1; 0: a byte */
    int32_t prefix;      /* the longest token that it begins with; -1 */
};

/* A node.  Most walks end with a byte that no token goes on with, which a few
 * bits mostly tell without a look at another slot. */
struct slot {
    uint32_t key;  /* (node before << 8 | byte) + 1; 0: free */
    uint32_t ends; /* (the token that ends here, if any, + 1) << GOES_ON |
                      a bit for each byte that may go on */
};

struct start {
    uint32_t node;  /* its slot + 1; 0: none */
    uint32_t ends;  /* of it */
    int32_t token;  /* the longest of these two bytes */
    uint16_t bytes; /* of it */
    uint16_t
        thirds; /* 64 nodes of a third byte, + 1; 0: in the table of slots */
};

/* A node of three bytes, of which the last goes on with a character: side by
 * side, those of a script of three bytes stay near the processor. */
struct third {
    uint32_t node, ends; /* as in start */
};

struct bpe_walk {
    const struct token_texts *texts;
    struct token *token;
    uint8_t *makes;         /* of each token */
    struct bpe_pairs pairs; /* one a token */
    struct slot *slot;
    size_t mask, nodes;
    struct start *start; /* of each two bytes */
    struct third *third;
    size_t n_third, cap_third;
    const int32_t *byte;
};

static size_t length(const struct bpe_walk *w, int32_t id)
{
    return w->texts->at[id + 1] - w->texts->at[id];
}

static const uint8_t *text_of(const struct bpe_walk *w, int32_t id)
{
    return (const uint8_t *)w->texts->bytes.text + w->texts->at[id];
}

/* --- tokens and what makes them */

/* The merge that makes the token last, from its own text. */
static int find_merge(struct bpe_merge *m, const struct bpe_walk *w,
                      const struct bpe_pairs *all, int32_t id, int32_t *room)
{
    size_t n = length(w, id);
    const uint8_t *text = text_of(w, id);
    uint64_t make;

    for (size_t i = 0; i < n; i++)
        room[i] = w->byte[text[i]];
    if (bpe_merge(all, room, n, 2) != 2)
        return 0;
    make = bpe_merged(all, room[0], room[1]);
    if (make == BPE_NOTHING || (int32_t)(uint32_t)make != id)
        return 0;
    *m = (struct bpe_merge){room[0], room[1], id, (uint32_t)(make >> 32) + 1};
    return 1;
}

/* Is what each pair makes the text of both? */
static int texts_are_right(const struct bpe_walk *w,
                           const struct bpe_pairs *all)
{
    for (size_t i = 0; i <= all->mask; i++) {
        const struct bpe_pair *p = &all->pair[i];
        int32_t left = (int32_t)(p->key >> 32), right = (int32_t)p->key;
        size_t n;

        if (p->key == UINT64_MAX)
            continue;
        n = length(w, left);
        if (!n || !length(w, right) ||
            n + length(w, right) != length(w, p->made) ||
            memcmp(text_of(w, p->made), text_of(w, left), n) ||
            memcmp(text_of(w, p->made) + n, text_of(w, right),
                   length(w, right)))
            return 0;
    }
    return 1;
}

static int find_merges(struct bpe_walk *w, const struct bpe_pairs *all,
                       size_t vocab)
{
    struct bpe_merge *merge = xmalloc((vocab + 1) * sizeof *merge);
    int32_t *room = xmalloc(((size_t)UINT16_MAX + 1) * sizeof *room);
    size_t n = 0;
    int ok = 1;

    for (int c = 0; c < 256; c++)
        w->makes[w->byte[c]] = 1;
    for (size_t id = 0; id < vocab; id++)
        if (length(w, (int32_t)id) > 1 &&
            find_merge(&merge[n], w, all, (int32_t)id, room)) {
            w->token[id] = (struct token){merge[n].left, merge[n].right,
                                          merge[n].rank, -1};
            w->makes[id] = 1;
            n++;
        }
    for (size_t i = 0; i < n; i++)
        ok &= w->token[merge[i].left].rank < merge[i].rank &&
              w->token[merge[i].right].rank < merge[i].rank;
    if (ok)
        bpe_pairs_init(&w->pairs, merge, n);
    free(merge);
    free(room);
    return ok;
}

/* --- the tree */

static struct slot *find(const struct bpe_walk *w, uint32_t key)
{
    size_t i = (key * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & w->mask;

    while (w->slot[i].key != key && w->slot[i].key)
        i = (i + 1) & w->mask;
    return &w->slot[i];
}

static uint32_t key_of(uint32_t node, uint8_t byte)
{
    return (node << 8 | byte) + 1;
}

static uint32_t goes_on(uint8_t byte)
{
    return UINT32_C(1) << byte % GOES_ON;
}

static int32_t token_of(uint32_t ends)
{
    return (int32_t)(ends >> GOES_ON) - 1;
}

static uint32_t node_of(const struct bpe_walk *w, const struct slot *s)
{
    return (uint32_t)(s - w->slot) + 1;
}

static void plant(struct bpe_walk *w, size_t slots, size_t vocab)
{
    mem_tensor_free(w->slot);
    w->slot = mem_tensor(slots * sizeof *w->slot);
    BUG_ON(!w->slot);
    w->mask = slots - 1;
    w->nodes = 0;
    for (size_t id = 0; id < vocab; id++) {
        const uint8_t *text = text_of(w, (int32_t)id);
        size_t n = w->makes[id] ? length(w, (int32_t)id) : 0;
        struct slot *s = NULL;

        for (size_t i = 0; i < n; i++) {
            uint32_t key = key_of(s ? node_of(w, s) : 0, text[i]);

            if (s)
                s->ends |= goes_on(text[i]);
            s = find(w, key);
            w->nodes += !s->key;
            s->key = key;
        }
        if (s)
            s->ends |= (uint32_t)(id + 1) << GOES_ON;
    }
}

/* With as many slots as twice the nodes, which are counted in a larger one. */
static int make_tree(struct bpe_walk *w, size_t vocab)
{
    size_t bytes = 0, slots = 64;

    for (size_t id = 0; id < vocab; id++)
        bytes += w->makes[id] ? length(w, (int32_t)id) : 0;
    if (bytes > NODES_MAX)
        return 0;
    while (slots < 2 * bytes)
        slots *= 2;
    plant(w, slots, vocab);
    for (slots = 64; slots < 2 * w->nodes;)
        slots *= 2;
    plant(w, slots, vocab);
    return 1;
}

static void set_starts(struct bpe_walk *w)
{
    w->start = xmalloc(65536 * sizeof *w->start);
    for (uint32_t two = 0; two < 65536; two++)
        w->start[two] = (struct start){0, 0, w->byte[two >> 8], 1, 0};
    for (size_t i = 0; i <= w->mask; i++) {
        const struct slot *s = &w->slot[i];
        uint32_t node = (s->key - 1) >> 8, first; /* where it goes on */
        struct start *start;

        if (!s->key || !node)
            continue;
        first = w->slot[node - 1].key - 1;
        if (first > UINT8_MAX)
            continue;
        start = &w->start[first << 8 | ((s->key - 1) & UINT8_MAX)];
        start->node = node_of(w, s);
        start->ends = s->ends;
        if (token_of(s->ends) >= 0) {
            start->token = token_of(s->ends);
            start->bytes = 2;
        }
    }
}

static int is_inner(uint8_t byte)
{
    return byte >> 6 == 2;
}

/* Of two bytes that begin a character of three. */
static void set_thirds(struct bpe_walk *w)
{
    for (uint32_t two = 0xe080; two < 0xf000; two++) {
        struct start *start = &w->start[two];
        struct third *to;

        if (!start->node || !is_inner(two & UINT8_MAX))
            continue;
        w->third = mem_grow(w->third, &w->cap_third, w->n_third + 64,
                            sizeof *w->third);
        to = w->third + w->n_third;
        w->n_third += 64;
        start->thirds = (uint16_t)(w->n_third / 64);
        for (uint8_t byte = 0x80; is_inner(byte); byte++) {
            const struct slot *s = find(w, key_of(start->node, byte));

            *to++ = s->key ? (struct third){node_of(w, s), s->ends}
                           : (struct third){0, 0};
        }
    }
}

static void set_prefixes(struct bpe_walk *w, size_t vocab)
{
    for (size_t id = 0; id < vocab; id++) {
        const uint8_t *text = text_of(w, (int32_t)id);
        size_t n = w->makes[id] ? length(w, (int32_t)id) : 0;
        uint32_t node = 0;

        w->token[id].prefix = -1;
        for (size_t i = 0; i + 1 < n; i++) {
            const struct slot *s = find(w, key_of(node, text[i]));

            node = node_of(w, s);
            if (token_of(s->ends) >= 0)
                w->token[id].prefix = token_of(s->ends);
        }
    }
}

struct bpe_walk *bpe_walk_create(const struct bpe_pairs *all,
                                 const int32_t byte[256],
                                 const struct token_texts *texts, size_t vocab)
{
    struct bpe_walk *w = xcalloc(1, sizeof *w);

    w->texts = texts;
    w->byte = byte;
    w->token = mem_tensor((vocab + 1) * sizeof *w->token);
    BUG_ON(!w->token);
    w->makes = xcalloc(vocab + 1, 1);
    if (!texts_are_right(w, all) || !find_merges(w, all, vocab) ||
        !make_tree(w, vocab)) {
        bpe_walk_destroy(w);
        return NULL;
    }
    set_starts(w);
    set_thirds(w);
    set_prefixes(w, vocab);
    return w;
}

void bpe_walk_destroy(struct bpe_walk *w)
{
    if (!w)
        return;
    mem_tensor_free(w->token);
    mem_tensor_free(w->slot);
    free(w->makes);
    free(w->start);
    free(w->third);
    if (w->pairs.pair)
        bpe_pairs_release(&w->pairs);
    free(w);
}

int bpe_walk_makes(const struct bpe_walk *w, int32_t id)
{
    return w->makes[id];
}

/* --- a word */

/* Do the merges leave the border between these two as it is? */
static int go_together(const struct bpe_walk *w, int32_t left, int32_t right)
{
    uint32_t limit = UINT32_MAX, l, r;

    for (;;) {
        if (bpe_merged(&w->pairs, left, right) >> 32 < limit)
            return 0;
        l = w->token[left].rank;
        r = w->token[right].rank;
        if (l > r) {
            limit = l;
            left = w->token[left].right;
        } else if (r) { /* of the same rank: the left one was made first */
            limit = r + 1;
            right = w->token[right].left;
        } else {
            return 1;
        }
    }
}

/* The longest token that the text begins with; *len: its bytes. */
static int32_t longest(size_t *len, const struct bpe_walk *w,
                       const uint8_t *text, size_t n)
{
    const struct start *start;
    uint32_t node, ends;
    int32_t token;
    size_t i = 2;

    *len = 1;
    if (n == 1)
        return w->byte[text[0]];
    start = &w->start[text[0] << 8 | text[1]];
    token = start->token;
    *len = start->bytes;
    node = start->node;
    ends = start->ends;
    if (n > 2 && start->thirds && is_inner(text[2])) {
        const struct third *t =
            &w->third[(size_t)(start->thirds - 1) * 64 + (text[2] & 63)];

        if (!t->node)
            return token;
        node = t->node;
        ends = t->ends;
        if (token_of(ends) >= 0) {
            token = token_of(ends);
            *len = 3;
        }
        i = 3;
    }
    for (; i < n && (ends & goes_on(text[i])); i++) {
        const struct slot *s = find(w, key_of(node, text[i]));

        if (!s->key)
            break;
        ends = s->ends;
        if (token_of(ends) >= 0) {
            token = token_of(ends);
            *len = i + 1;
        }
        node = node_of(w, s);
    }
    return token;
}

void bpe_walk_word(struct token_list *out, const struct bpe_walk *w,
                   const uint8_t *word, size_t n)
{
    uint64_t few[BITS / 64 + 1];
    /* bits of positions: no list of tokens goes on here */
    uint64_t *dead = n <= BITS ? few : xmalloc((n / 64 + 1) * sizeof *dead);
    size_t from = out->n, at = 0, len;
    int32_t token = longest(&len, w, word, n), last = -1;

    memset(dead, 0, (n / 64 + 1) * sizeof *dead);
    while (at < n) {
        size_t end = at + len;

        if (!(dead[end / 64] >> end % 64 & 1) &&
            (last < 0 || go_together(w, last, token))) {
            token_list_add(out, token);
            last = token;
            at = end;
            if (at < n)
                token = longest(&len, w, word + at, n - at);
            continue;
        }
        token = w->token[token].prefix;
        while (token < 0) { /* not after the one before, then */
            BUG_ON(out->n == from);
            dead[at / 64] |= UINT64_C(1) << at % 64;
            token = out->id[--out->n];
            at -= length(w, token);
            last = out->n > from ? out->id[out->n - 1] : -1;
            token = w->token[token].prefix;
        }
        len = length(w, token);
    }
    if (dead != few)
        free(dead);
}
