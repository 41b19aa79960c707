/* tokens_npy: NumPy's .npy (numpy/lib/format.py), versions 1 to 3.
 *
 * 0x93 "NUMPY", major, minor, the length of the header (2 bytes in version 1,
 * else 4), the header: a Python dict with 'descr', 'fortran_order' and
 * 'shape' in any order, padded with spaces, ending in a newline; the data. */
#include "base/mem.h"
#include "trainer/shard_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int npy_sniff(const uint8_t *data, size_t len)
{
    return len >= 6 && !memcmp(data, "\x93NUMPY", 6);
}

/* The header, as a text that is not terminated. */
struct text {
    const char *at, *end;
};

static void skip_space(struct text *t)
{
    while (t->at < t->end && strchr(" \t\n", *t->at) && *t->at)
        t->at++;
}

/* Step over `c` and the space around it; 0 when something else is there. */
static int eat(struct text *t, char c)
{
    skip_space(t);
    if (t->at == t->end || *t->at != c)
        return 0;
    t->at++;
    skip_space(t);
    return 1;
}

/* A quoted word of at most 31 letters. */
static int quoted(char word[32], struct text *t)
{
    char quote;
    size_t n = 0;

    skip_space(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"'))
        return 0;
    quote = *t->at++;
    while (t->at < t->end && *t->at != quote && n < 31)
        word[n++] = *t->at++;
    word[n] = '\0';
    return eat(t, quote);
}

static int number(int64_t *v, struct text *t)
{
    const char *start = t->at;

    *v = 0;
    while (t->at < t->end && *t->at >= '0' && *t->at <= '9') {
        if (*v > (INT64_C(1) << 48))
            return 0;
        *v = 10 * *v + (*t->at++ - '0');
    }
    skip_space(t);
    return t->at > start;
}

static int literal(struct text *t, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(t->end - t->at) < n || memcmp(t->at, word, n))
        return 0;
    t->at += n;
    skip_space(t);
    return 1;
}

struct npy {
    char descr[32];
    int fortran; /* -1: not said */
    int64_t n;   /* -1: not said, or not one-dimensional */
};

static int entry(struct npy *h, struct text *t)
{
    char key[32];

    if (!quoted(key, t) || !eat(t, ':'))
        return 0;
    if (!strcmp(key, "descr"))
        return quoted(h->descr, t);
    if (!strcmp(key, "fortran_order")) {
        h->fortran = literal(t, "True");
        return h->fortran || literal(t, "False");
    }
    if (strcmp(key, "shape") || !eat(t, '(') || !number(&h->n, t) ||
        !eat(t, ','))
        return 0;
    return eat(t, ')');
}

static int parse(struct npy *h, struct text t)
{
    *h = (struct npy){.fortran = -1, .n = -1};
    if (!eat(&t, '{'))
        return 0;
    while (!eat(&t, '}'))
        if (!entry(h, &t) || (!eat(&t, ',') && t.at < t.end && *t.at != '}'))
            return 0;
    return t.at == t.end && h->descr[0] && h->fortran >= 0 && h->n >= 0;
}

static const struct {
    const char *descr;
    int width;
    int64_t vocab;
} types[] = {
    {"|u1", 1, 256},
    {"<u1", 1, 256},
    {"<u2", 2, 65536},
    {"<i2", 2, 32768},
    {"<u4", 4, INT64_C(1) << 31},
    {"<i4", 4, INT64_C(1) << 31},
};

static int npy_open(struct shard_piece *p, struct err *e)
{
    const uint8_t *d = p->map.data;
    size_t start, len;
    struct npy h;

    if (p->map.len < 12 || d[6] < 1 || d[6] > 3)
        return err_set(e, ERR_USAGE, "%s: .npy version %d, expected 1 to 3",
                       p->path, p->map.len < 12 ? 0 : d[6]);
    start = d[6] == 1 ? 10 : 12;
    len = (size_t)le_get(d + 8, d[6] == 1 ? 2 : 4);
    if (len > p->map.len - start ||
        !parse(&h, (struct text){(const char *)d + start,
                                 (const char *)d + start + len}))
        return err_set(e, ERR_USAGE,
                       "%s: offset %zu: not the header of a one-dimensional "
                       ".npy array",
                       p->path, start);
    start += len;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(types[i].descr, h.descr))
            continue;
        if (h.n < 1 ||
            (uint64_t)h.n * (unsigned)types[i].width != p->map.len - start)
            return err_set(e, ERR_USAGE,
                           "%s: the header says %" PRId64 " values of %d bits, "
                           "the file has %zu bytes of them",
                           p->path, h.n, 8 * types[i].width,
                           p->map.len - start);
        p->tokens = d + start;
        p->width = types[i].width;
        p->n = h.n;
        p->vocab = types[i].vocab;
        return 0;
    }
    return err_set(e, ERR_USAGE,
                   "%s: .npy of type '%s', expected |u1, <u2, <i2, <u4 or <i4",
                   p->path, h.descr);
}

const struct token_reader tokens_npy = {
    "npy", "unknown", "NumPy's .npy, one dimension", npy_sniff, npy_open,
    NULL,  NULL};
