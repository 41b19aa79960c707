/* tokenizer: see tokenizer.h, and tokenizer_impl.h for the parts. */
#include "trainer/tokenizer.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "trainer/tokenizer_impl.h"
#include "trainer/tokenizer_sentence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- tables of tokens, for the readers */

int token_table_put(struct token_table *t, int64_t id, const void *text,
                    size_t n, const char *path, struct err *e)
{
    size_t was = t->n;

    if (id < 0 || id >= TOKENIZER_VOCAB_MAX)
        return err_set(e, ERR_USAGE,
                       "%s: token id %" PRId64 ", expected 0 to %" PRId64, path,
                       id, TOKENIZER_VOCAB_MAX - 1);
    if ((size_t)id >= t->n) {
        t->entry =
            mem_grow(t->entry, &t->cap, (size_t)id + 1, sizeof *t->entry);
        t->n = (size_t)id + 1;
        memset(t->entry + was, 0, (t->n - was) * sizeof *t->entry);
    }
    if (t->entry[id].text)
        return err_set(e, ERR_USAGE, "%s: token id %" PRId64 " occurs twice",
                       path, id);
    if (n > UINT16_MAX)
        return err_set(e, ERR_USAGE, "%s: token %" PRId64 " of %zu bytes", path,
                       id, n);
    t->entry[id] = (struct token_entry){xmalloc(n + 1), (uint32_t)n, 0, 0};
    memcpy(t->entry[id].text, text, n);
    return 0;
}

int64_t token_table_find(const struct token_table *t, const char *text)
{
    size_t n = strlen(text);

    for (size_t id = 0; id < t->n; id++)
        if (t->entry[id].text && t->entry[id].n == n &&
            !memcmp(t->entry[id].text, text, n))
            return (int64_t)id;
    return -1;
}

void token_table_release(struct token_table *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->entry[i].text);
    free(t->entry);
    memset(t, 0, sizeof *t);
}

void token_texts_init(struct token_texts *x, const struct token_table *t,
                      size_t vocab)
{
    x->at = xcalloc(vocab + 1, sizeof *x->at);
    str_init(&x->bytes);
    for (size_t id = 0; id < vocab; id++) {
        const struct token_entry *k = id < t->n ? &t->entry[id] : NULL;

        if (k && k->text && !k->special)
            str_add_n(&x->bytes, k->text, k->n);
        x->at[id + 1] = (uint32_t)x->bytes.len;
    }
}

int tokenizer_set_mark(struct tokenizer *t, struct token_table *table,
                       const char *asked, const char *path, struct err *e)
{
    static const char *const usual[] = {
        "<|endoftext|>",
        "<|end_of_text|>",
        ("<\xef\xbd\x9c"
         "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>"),
        "</s>",
        "<eos>",
        "<|eos|>"};
    int64_t id = -1;

    if (asked) {
        if (str_to_i64(asked, &id))
            id = token_table_find(table, asked);
        if (id < 0 || id >= TOKENIZER_VOCAB_MAX)
            return err_set(e, ERR_USAGE,
                           "%s: mark '%s': no token with this text, and no id",
                           path, asked);
    }
    for (size_t i = 0; i < ARRAY_LEN(usual) && id < 0; i++) {
        id = token_table_find(table, usual[i]);
        if (id >= 0 && !table->entry[id].special)
            id = -1;
    }
    if (id < 0)
        id = (int64_t)table->n;
    if ((size_t)id < table->n) {
        if (table->entry[id].text && !table->entry[id].special)
            return err_set(e, ERR_USAGE,
                           "%s: mark %" PRId64 " is a token of the text", path,
                           id);
        table->entry[id].special = 1;
    }
    t->info.mark = (int32_t)id;
    t->info.vocab = (size_t)id < table->n ? (int64_t)table->n : id + 1;
    return 0;
}

void token_list_add(struct token_list *l, int32_t id)
{
    if (l->n == l->cap)
        l->id = mem_grow(l->id, &l->cap, l->n + 1, sizeof *l->id);
    l->id[l->n++] = id;
}

/* --- by name */

static int ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), k = strlen(suffix);

    return n > k && !strcmp(text + n - k, suffix);
}

static int open_bytes(struct tokenizer *t)
{
    struct token_table table = {0};

    for (int c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        token_table_put(&table, c, &byte, 1, "bytes", NULL);
    }
    table.entry[0].special = 1; /* the mark */
    t->info = (struct tokenizer_info){"bytes", 256, 0};
    token_texts_init(&t->texts, &table, 256);
    token_table_release(&table);
    return 0;
}

/* "KIND 0123456789ab": of the file, the pattern and the mark. */
static int set_name(struct tokenizer *t, const char *kind, const char *file,
                    const char *pattern, struct err *e)
{
    char hex[HASH_HEX], all[HASH_HEX];
    struct str text;

    if (hash_sha256_file(hex, file, e))
        return -1;
    str_init(&text);
    str_addf(&text, "%s %s %" PRId32, hex, pattern ? pattern : "",
             t->info.mark);
    hash_sha256(all, text.text, text.len);
    str_release(&text);
    snprintf(t->info.name, sizeof t->info.name, "%s %.12s", kind, all);
    return 0;
}

static int open_file(struct tokenizer *t, const char *path, const char *mark,
                     struct err *e)
{
    char *file = xstrdup(path), *pattern = NULL, *colon = strrchr(file, ':');
    const char *kind = NULL;
    int rc;

    if (!file_exists(file) && colon) {
        *colon = '\0';
        pattern = colon + 1;
    }
    if (ends_with(file, ".tiktoken")) {
        kind = "tiktoken";
        rc = tokenizer_open_tiktoken(t, file, pattern, mark, e);
    } else if (ends_with(file, ".json") && !pattern) {
        kind = "bpe";
        rc = tokenizer_open_hf(t, file, mark, e);
    } else if (ends_with(file, ".model") && !pattern) {
        kind = "sentencepiece";
        rc = tokenizer_open_spm(t, file, mark, e);
    } else {
        rc = err_set(e, ERR_USAGE,
                     "%s: no tokenizer: expected bytes, a tokenizer.json, "
                     "X.tiktoken[:PATTERN] or X.model of SentencePiece",
                     path);
    }
    if (!rc)
        rc = set_name(t, kind, file, pattern, e);
    free(file);
    return rc;
}

int tokenizer_open(struct tokenizer **out, const char *path, const char *mark,
                   struct err *e)
{
    struct tokenizer *t = xcalloc(1, sizeof *t);

    if (!strcmp(path, "bytes") ? open_bytes(t) : open_file(t, path, mark, e)) {
        tokenizer_close(t);
        return -1;
    }
    *out = t;
    return 0;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    bpe_destroy(t->bpe);
    split_destroy(t->split);
    sentence_close(t->spm);
    if (t->texts.at)
        str_release(&t->texts.bytes);
    free(t->texts.at);
    free(t);
}

const struct tokenizer_info *tokenizer_info(const struct tokenizer *t)
{
    return &t->info;
}

const uint8_t *tokenizer_text(size_t *n, const struct tokenizer *t, int32_t id)
{
    BUG_ON(id < 0 || id >= t->info.vocab);
    *n = t->texts.at[id + 1] - t->texts.at[id];
    return (const uint8_t *)t->texts.bytes.text + t->texts.at[id];
}

int64_t tokenizer_length(const struct tokenizer *t, int32_t id)
{
    size_t n;

    tokenizer_text(&n, t, id);
    return id == t->info.mark ? !t->prefix : (int64_t)n;
}

/* --- encoding and decoding */

#define AHEAD 8 /* words, a power of two */

struct tokenizer_coder {
    const struct tokenizer *t;
    struct bpe_cache *cache;
    struct split_state *split;
    /* while it encodes: */
    struct token_list *out;
    struct bpe_word ahead[AHEAD]; /* cut, but without their tokens as yet */
    size_t cut, done;             /* words */
    const uint8_t *at;            /* where the next one begins */
    const uint8_t *end;           /* of the text */
    const uint8_t *lost;          /* the word that cannot be given back; NULL */
};

struct tokenizer_coder *tokenizer_coder_create(const struct tokenizer *t)
{
    struct tokenizer_coder *c = xcalloc(1, sizeof *c);

    c->t = t;
    if (t->bpe)
        c->cache = bpe_cache_create();
    if (t->split)
        c->split = split_state_create(t->split);
    return c;
}

void tokenizer_coder_destroy(struct tokenizer_coder *c)
{
    if (!c)
        return;
    bpe_cache_destroy(c->cache);
    split_state_destroy(c->split);
    free(c);
}

static void encode_word(struct tokenizer_coder *c)
{
    const struct bpe_word *w = &c->ahead[c->done++ % AHEAD];

    if (w->id >= 0)
        token_list_add(c->out, w->id);
    else if (bpe_word(c->out, c->t->bpe, c->cache, w) && !c->lost)
        c->lost = w->text;
}

static void add_word(void *ctx, const uint8_t *text, size_t n, int32_t id)
{
    struct tokenizer_coder *c = ctx;
    struct bpe_word *w;

    BUG_ON(text != c->at);
    c->at += n;
    if (c->cut - c->done == AHEAD)
        encode_word(c);
    w = &c->ahead[c->cut++ % AHEAD];
    w->text = text;
    w->n = n;
    w->id = id;
    bpe_soon(w, c->cache, (size_t)(c->end - text));
}

static int cannot_give_back(const struct tokenizer *t, size_t at, struct err *e)
{
    return err_set(e, ERR_USAGE,
                   "offset %zu: the tokenizer (%s) cannot give this text back",
                   at, t->info.name);
}

/* Stretches of UTF-8 by the patterns, what lies between as words.  The words
 * are all of the text, and each gives itself back, so the tokens do. */
static int encode_bpe(struct tokenizer_coder *c, const uint8_t *text, size_t n,
                      struct err *e)
{
    size_t at = 0, len;

    c->at = text;
    c->end = text + n;
    c->lost = NULL;
    c->done = c->cut;
    while (at < n) {
        len = utf8_prefix(text + at, n - at);
        if (len &&
            split_words(c->t->split, c->split, text + at, len, add_word, c, e))
            return -1;
        at += len;
        for (len = 0;
             at + len < n && !utf8_sequence(text + at + len, n - at - len);)
            len++;
        add_word(c, text + at, len, -1);
        at += len;
    }
    while (c->done < c->cut)
        encode_word(c);
    BUG_ON(c->at != text + n);
    return c->lost ? cannot_give_back(c->t, (size_t)(c->lost - text), e) : 0;
}

/* Do the tokens behind `from` stand for this text? */
static int check(const struct tokenizer *t, const struct token_list *l,
                 size_t from, const uint8_t *text, size_t n, struct err *e)
{
    size_t at = 0, len, skip = (size_t)t->prefix;

    for (size_t i = from; i < l->n; i++, at += len, skip = 0) {
        const uint8_t *token = tokenizer_text(&len, t, l->id[i]);

        len -= len >= skip ? skip : len;
        if (len > n - at || memcmp(token + skip, text + at, len))
            break;
        if (!len && !skip)
            break; /* the unknown token */
    }
    return at == n ? 0 : cannot_give_back(t, at, e);
}

int tokenizer_encode(struct token_list *out, struct tokenizer_coder *c,
                     const uint8_t *text, size_t n, struct err *e)
{
    const struct tokenizer *t = c->t;
    size_t from = out->n;
    int rc = 0;

    c->out = out;
    if (t->bpe)
        return encode_bpe(c, text, n, e);
    if (t->spm)
        rc = sentence_encode(out, t->spm, text, n, e);
    else
        for (size_t i = 0; i < n; i++)
            token_list_add(out, text[i]);
    return rc ? -1 : check(t, out, from, text, n, e);
}

int tokenizer_decode(struct str *out, const struct tokenizer *t,
                     const int32_t *id, size_t n, struct err *e)
{
    size_t len;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *text;

        if (id[i] < 0 || id[i] >= t->info.vocab)
            return err_set(e, ERR_USAGE,
                           "token %" PRId32 " is outside the vocabulary of "
                           "%" PRId64,
                           id[i], t->info.vocab);
        text = tokenizer_text(&len, t, id[i]);
        if (t->prefix && !i && len) {
            text++;
            len--;
        }
        str_add_n(out, text, len);
    }
    return 0;
}
