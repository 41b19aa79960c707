/* synth: see synth.h. */
#include "trainer/synth.h"

#include "base/mem.h"
#include "base/rng.h"
#include "trainer/pack_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX (INT64_C(1) << 20)
#define SUCCESSORS_MAX 4096
#define SYLLABLES 80 /* 16 consonants times 5 vowels */
#define SHARD_BYTES ((int64_t)1 << 30)
#define TABLES (UINT64_C(1) << 62) /* indices of the draws of the tables */

struct synth {
    struct synth_options o;
    double *q, *q_sum; /* probabilities of the words, and their sums */
    double *z, *z_sum; /* of the successors */
    int32_t *next;     /* K for each word */
    double entropy;    /* bits a byte */
};

void synth_defaults(struct synth_options *o)
{
    *o = (struct synth_options){.words = 4096,
                                .successors = 16,
                                .zipf = 1,
                                .coupling = 0.8,
                                .document_words = 500,
                                .seed = 1};
}

static int check(const struct synth_options *o, struct err *e)
{
    if (o->words < 2 || o->words > WORDS_MAX || o->successors < 1 ||
        o->successors > SUCCESSORS_MAX || o->successors > o->words / 2)
        return err_set(e, ERR_USAGE,
                       "%" PRId64 " words with %" PRId64
                       " successors: expected 2 to %" PRId64
                       " words, and successors of at most half of them and "
                       "%d",
                       o->words, o->successors, WORDS_MAX, SUCCESSORS_MAX);
    if (!(o->zipf >= 0 && o->zipf <= 8) ||
        !(o->coupling >= 0 && o->coupling <= 0.99) ||
        !(o->document_words >= 2 && o->document_words <= 1e9))
        return err_set(e, ERR_USAGE,
                       "zipf %g, coupling %g, %g words a document: expected 0 "
                       "to 8, 0 to 0.99, 2 to 1e9",
                       o->zipf, o->coupling, o->document_words);
    return 0;
}

/* --- words */

/* Word k as text: all words of one syllable, then of two, ... each group in
 * an order of its own. */
static size_t spell(char *out, const struct synth *s, int64_t k)
{
    static const char consonant[] = "bdfghjklmnprstvz", vowel[] = "aeiou";
    uint64_t group = SYLLABLES, i;
    size_t n = 1;

    while ((uint64_t)k >= group) {
        k -= (int64_t)group;
        group *= SYLLABLES;
        n++;
    }
    i = rng_permute(s->o.seed, RNG_SYNTH, (uint64_t)k, group);
    for (size_t c = 0; c < n; c++, i /= SYLLABLES) {
        out[2 * c] = consonant[i % 16];
        out[2 * c + 1] = vowel[i / 16 % 5];
    }
    out[2 * n] = ' ';
    return 2 * n + 1;
}

/* --- tables */

static void zipf(double *p, double *sum, int64_t n, double s)
{
    double all = 0;

    for (int64_t i = 0; i < n; i++)
        all += p[i] = pow((double)(i + 1), -s);
    for (int64_t i = 0; i < n; i++) {
        p[i] /= all;
        sum[i] = p[i] + (i ? sum[i - 1] : 0);
    }
    sum[n - 1] = 1;
}

/* The first i with u < sum[i]. */
static int32_t draw(const double *sum, int64_t n, double u)
{
    int64_t lo = 0, hi = n - 1;

    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        if (u < sum[mid])
            hi = mid;
        else
            lo = mid + 1;
    }
    return (int32_t)lo;
}

/* Which successor of word i is j; -1: none. */
static int64_t successor(const struct synth *s, int64_t i, int32_t j)
{
    const int32_t *next = s->next + i * s->o.successors;

    for (int64_t r = 0; r < s->o.successors; r++)
        if (next[r] == j)
            return r;
    return -1;
}

/* Different words, drawn from q; after many draws in vain the next free one. */
static void draw_successors(struct synth *s)
{
    int64_t K = s->o.successors, W = s->o.words;
    struct rng r = {s->o.seed, RNG_SYNTH, TABLES};
    uint8_t *used = xcalloc((size_t)W, 1);

    for (int64_t i = 0; i < W; i++) {
        int32_t *next = s->next + i * K;

        for (int64_t k = 0; k < K; k++) {
            int32_t j = 0;

            for (int tries = 0; tries < 64; tries++) {
                j = draw(s->q_sum, W, rng_next_uniform(&r));
                if (!used[j])
                    break;
            }
            while (used[j])
                j = (int32_t)((j + 1) % W);
            used[j] = 1;
            next[k] = j;
        }
        for (int64_t k = 0; k < K; k++)
            used[next[k]] = 0;
    }
    free(used);
}

/* --- entropy */

static double plogp(double p)
{
    return p > 0 ? -p * log2(p) : 0;
}

/* The stationary distribution over the words, and of the end of a document
 * (returned).  Errors shrink by the coupling in each round. */
static double stationary(double *pi, const struct synth *s)
{
    int64_t W = s->o.words, K = s->o.successors;
    double stop = 1 / s->o.document_words, c = s->o.coupling, end, change;
    double *next = xcalloc((size_t)W, sizeof *next);

    /* of a long time, a share 1 / (1 + document_words) are ends */
    end = stop / (1 + stop);
    for (int64_t j = 0; j < W; j++)
        pi[j] = (1 - end) * s->q[j];
    do {
        double fresh = end + (1 - stop) * (1 - c) * (1 - end);

        for (int64_t j = 0; j < W; j++)
            next[j] = fresh * s->q[j];
        for (int64_t i = 0; i < W; i++)
            for (int64_t r = 0; r < K; r++)
                next[s->next[i * K + r]] += (1 - stop) * c * pi[i] * s->z[r];
        change = 0;
        for (int64_t j = 0; j < W; j++) {
            change += fabs(next[j] - pi[j]);
            pi[j] = next[j];
        }
    } while (change > 1e-14);
    free(next);
    return end;
}

/* H of what follows word i, given that it is a word; base: that of (1 - c) q.
 */
static double following(const struct synth *s, int64_t i, double base)
{
    double c = s->o.coupling, h = base;

    for (int64_t r = 0; r < s->o.successors; r++) {
        double p = (1 - c) * s->q[s->next[i * s->o.successors + r]];
        h += plogp(p + c * s->z[r]) - plogp(p);
    }
    return h;
}

static void find_entropy(struct synth *s)
{
    double stop = 1 / s->o.document_words, fresh = 0, base = 0, bits, bytes;
    double *pi = xcalloc((size_t)s->o.words, sizeof *pi), end;
    char text[64];

    end = stationary(pi, s);
    for (int64_t j = 0; j < s->o.words; j++) {
        fresh += plogp(s->q[j]);
        base += plogp((1 - s->o.coupling) * s->q[j]);
    }
    bits = end * fresh;
    bytes = end;
    for (int64_t i = 0; i < s->o.words; i++) {
        bits += pi[i] * (plogp(stop) + plogp(1 - stop) +
                         (1 - stop) * following(s, i, base));
        bytes += pi[i] * (double)spell(text, s, i);
    }
    s->entropy = bits / bytes;
    free(pi);
}

int synth_create(struct synth **out, const struct synth_options *o,
                 struct err *e)
{
    struct synth *s;

    if (check(o, e))
        return -1;
    s = xcalloc(1, sizeof *s);
    s->o = *o;
    s->q = xcalloc((size_t)o->words, sizeof *s->q);
    s->q_sum = xcalloc((size_t)o->words, sizeof *s->q_sum);
    s->z = xcalloc((size_t)o->successors, sizeof *s->z);
    s->z_sum = xcalloc((size_t)o->successors, sizeof *s->z_sum);
    s->next = xcalloc((size_t)(o->words * o->successors), sizeof *s->next);
    zipf(s->q, s->q_sum, o->words, o->zipf);
    zipf(s->z, s->z_sum, o->successors, o->zipf);
    draw_successors(s);
    find_entropy(s);
    *out = s;
    return 0;
}

void synth_destroy(struct synth *s)
{
    if (!s)
        return;
    free(s->q);
    free(s->q_sum);
    free(s->z);
    free(s->z_sum);
    free(s->next);
    free(s);
}

double synth_entropy(const struct synth *s)
{
    return s->entropy;
}

/* --- text */

double synth_document(struct str *text, const struct synth *s, uint32_t stream,
                      uint64_t *at)
{
    struct rng r = {s->o.seed ^ (uint64_t)(stream + 1) << 32, RNG_SYNTH, *at};
    double stop = 1 / s->o.document_words, c = s->o.coupling, bits = 0;
    int32_t was = -1, word;
    char spelled[64];
    int64_t k;

    str_clear(text);
    for (;;) {
        double p;

        if (was >= 0 && rng_next_uniform(&r) < stop)
            break;
        if (was >= 0 && rng_next_uniform(&r) < c)
            word =
                s->next[was * s->o.successors +
                        draw(s->z_sum, s->o.successors, rng_next_uniform(&r))];
        else
            word = draw(s->q_sum, s->o.words, rng_next_uniform(&r));
        k = was < 0 ? -1 : successor(s, was, word);
        p = was < 0 ? s->q[word]
                    : (1 - stop) *
                          ((1 - c) * s->q[word] + (k < 0 ? 0 : c * s->z[k]));
        bits -= log2(p);
        str_add_n(text, spelled, spell(spelled, s, word));
        was = word;
    }
    *at = r.next;
    return bits - log2(stop);
}

/* "source" of the manifest. */
static void source_json(struct str *out, const struct synth *s, double sample)
{
    const struct synth_options *o = &s->o;

    str_addf(out,
             "{\n  \"synth\": {\"words\": %" PRId64 ", \"successors\": %" PRId64
             ", \"zipf\": %.17g, \"coupling\": %.17g, \"document_words\": "
             "%.17g, \"seed\": %" PRIu64
             "},\n  \"entropy_bits_per_byte\": %.15g,\n"
             "  \"sample_bits_per_byte\": %.15g\n}",
             o->words, o->successors, o->zipf, o->coupling, o->document_words,
             o->seed, s->entropy, sample);
}

int synth_pack(struct shard_info *info, double *sample_bits, const char *dir,
               const struct synth *s, uint32_t stream, int64_t bytes,
               struct err *e)
{
    struct pack_writer w = {.fd = -1};
    struct str text, source;
    int64_t written = 0;
    double bits = 0;
    uint64_t at = 0;
    int rc;

    str_init(&text);
    str_init(&source);
    rc = pack_writer_open(&w, dir, SHARD_BYTES, NULL, e);
    while (!rc && written < bytes) {
        bits += synth_document(&text, s, stream, &at);
        rc = pack_writer_add(&w, (const uint8_t *)text.text, text.len, e);
        written += (int64_t)text.len + 1;
    }
    *sample_bits = written ? bits / (double)written : 0;
    source_json(&source, s, *sample_bits);
    if (!rc)
        rc = pack_writer_finish(&w, source.text, e);
    *info = w.manifest.info;
    pack_writer_release(&w);
    str_release(&source);
    str_release(&text);
    return rc;
}
