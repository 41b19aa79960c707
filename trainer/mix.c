/* mix: see mix.h.
 *
 * The next document comes from the source that is furthest behind its weight.
 * A source needs no list of what it gave: document k of it is a permutation's
 * value at k. */
#include "trainer/mix.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "trainer/pack_window.h"
#include "trainer/pack_write.h"
#include "trainer/shard_impl.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARD_BYTES ((int64_t)1 << 30)
#define WINDOWS ((size_t)1 << 22)

struct job {
    const struct mix_options *o;
    struct mix_report *r;
    struct pack_writer w;
    int32_t *token;
    size_t cap;
    struct rng rng;
    int64_t next[MIX_SOURCES]; /* documents taken, copies not counted */
    int64_t total;             /* tokens so far */
};

static int is_bytes(const struct shard_set *set)
{
    return !strcmp(shard_tokenizer(set), SHARD_TOKENIZER);
}

static int check_sources(const struct mix_options *o, struct err *e)
{
    const struct shard_set *first = o->source[0].set;

    for (int i = 0; i < o->n_source; i++) {
        const struct shard_set *set = o->source[i].set;

        if (!shard_indexed(set) || set->manifest.layout[0])
            return err_set(e, ERR_USAGE, "%s: not a set of data pack",
                           shard_path(set));
        if (strcmp(shard_tokenizer(set), shard_tokenizer(first)) ||
            shard_info(set)->vocab != shard_info(first)->vocab)
            return err_set(e, ERR_USAGE,
                           "%s: tokenizer %s, but %s has %s; mix the text and "
                           "tokenize the mixture",
                           shard_path(set), shard_tokenizer(set),
                           shard_path(first), shard_tokenizer(first));
        if (o->shuffled > 0 && !is_bytes(set))
            return err_set(e, ERR_USAGE,
                           "%s: only text can be shuffled, not tokens of %s",
                           shard_path(set), shard_tokenizer(set));
        if (shard_verify(set, 0, e))
            return -1;
    }
    return 0;
}

/* How much the sources allow, and whether that is enough. */
static int find_total(int64_t *total, const struct mix_options *o,
                      struct err *e)
{
    double most = 1e300, weights = 0;
    int least = 0;

    for (int i = 0; i < o->n_source; i++)
        weights += o->source[i].weight;
    for (int i = 0; i < o->n_source; i++) {
        double all = (double)shard_info(o->source[i].set)->tokens * weights /
                     o->source[i].weight / (1 - o->duplicated);
        if (all < most) {
            most = all;
            least = i;
        }
    }
    *total = o->tokens ? o->tokens : (int64_t)most;
    if ((double)*total > most)
        return err_set(e, ERR_USAGE,
                       "%s: holds %" PRId64 " tokens, too few for its weight "
                       "in %" PRId64
                       "; without repeats the mixture has at most "
                       "%.0f",
                       shard_path(o->source[least].set),
                       shard_info(o->source[least].set)->tokens, *total, most);
    return 0;
}

/* The source that is furthest behind. */
static int behind(const struct job *j)
{
    double least = 1e300;
    int which = 0;

    for (int i = 0; i < j->o->n_source; i++) {
        double done = (double)j->r->tokens[i] / j->o->source[i].weight;
        if (done < least) {
            least = done;
            which = i;
        }
    }
    return which;
}

/* Document k of the order of a source, without its mark; its bytes. */
static int64_t load(struct job *j, int64_t *n, int source, int64_t k)
{
    const struct shard_set *set = j->o->source[source].set;
    int64_t from;

    k = (int64_t)rng_permute(j->o->seed ^ (uint64_t)(source + 1) << 32,
                             RNG_DATA, (uint64_t)k,
                             (uint64_t)shard_info(set)->documents);
    shard_document(&from, n, set, k);
    --*n;
    j->token = mem_grow(j->token, &j->cap, (size_t)*n + 1, sizeof *j->token);
    shard_read(j->token, set, from, *n);
    return shard_bytes(set, from, *n + 1) - 1;
}

static int is_space(int32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct word {
    int64_t at, n;
};

/* The words of the loaded document in random order; the spaces stay. */
static void shuffle(struct job *j, int64_t n)
{
    struct word *word = NULL, swap;
    size_t words = 0, cap = 0;
    int32_t *out = xmalloc((size_t)(n + 1) * sizeof *out);
    int64_t at = 0;

    for (int64_t i = 0; i < n; i++) {
        if (is_space(j->token[i]))
            continue;
        if (!i || is_space(j->token[i - 1])) {
            word = mem_grow(word, &cap, words + 1, sizeof *word);
            word[words++] = (struct word){i, 0};
        }
        word[words - 1].n++;
    }
    for (size_t i = words; i > 1; i--) {
        size_t k = rng_next_below(&j->rng, i);
        swap = word[k];
        word[k] = word[i - 1];
        word[i - 1] = swap;
    }
    words = 0;
    for (int64_t i = 0; i < n; i++) {
        if (is_space(j->token[i])) {
            out[at++] = j->token[i];
        } else if (!i || is_space(j->token[i - 1])) {
            memcpy(out + at, j->token + word[words].at,
                   (size_t)word[words].n * sizeof *out);
            at += word[words++].n;
        }
    }
    memcpy(j->token, out, (size_t)n * sizeof *out);
    free(out);
    free(word);
}

/* Should n more tokens be of a kind that has `done` of the total and is to
 * have a share of it?  When that brings it closer to its share than not. */
static int is_due(const struct job *j, double share, int64_t done, int64_t n)
{
    return share > 0 && (double)done + (double)n / 2 <=
                            share * ((double)j->total + (double)n);
}

/* The next document of the mixture.  1: the source is at its end. */
static int next_document(struct job *j, struct err *e)
{
    struct mix_report *r = j->r;
    int source = behind(j);
    int64_t n = 0, bytes = 0;
    int copy = j->o->duplicated > 0 && j->next[source] > 0;

    if (copy) {
        bytes =
            load(j, &n, source,
                 (int64_t)rng_next_below(&j->rng, (uint64_t)j->next[source]));
        copy = is_due(j, j->o->duplicated, r->duplicated, n + 1);
    }
    if (!copy) {
        if (j->next[source] == shard_info(j->o->source[source].set)->documents)
            return 1;
        bytes = load(j, &n, source, j->next[source]++);
    }
    if (copy) {
        r->duplicated += n + 1;
    } else if (is_due(j, j->o->shuffled, r->shuffled, n + 1)) {
        shuffle(j, n);
        r->shuffled += n + 1;
    }
    r->tokens[source] += n + 1;
    r->documents[source]++;
    j->total += n + 1;
    return pack_writer_add_tokens(&j->w, j->token, (size_t)n, bytes, e);
}

static char *source_json(const struct job *j)
{
    json_t *root = json_object(), *list = json_array();
    const struct mix_options *o = j->o;
    char *text;

    for (int i = 0; i < o->n_source; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:f, s:I, s:I}", "sha256",
                            shard_info(o->source[i].set)->sha256, "weight",
                            o->source[i].weight, "tokens",
                            (json_int_t)j->r->tokens[i], "documents",
                            (json_int_t)j->r->documents[i]));
    json_object_set_new(root, "mix", list);
    json_object_set_new(root, "shuffled_tokens",
                        json_integer((json_int_t)j->r->shuffled));
    json_object_set_new(root, "duplicated_tokens",
                        json_integer((json_int_t)j->r->duplicated));
    json_object_set_new(root, "seed", json_integer((json_int_t)o->seed));
    text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    BUG_ON(!text);
    return text;
}

/* The bytes and texts of the tokens, which all sources share. */
static int copy_vocabulary(const char *dir, const struct shard_set *set,
                           struct err *e)
{
    char path[PATH_MAX];

    if (!set->text_at)
        return 0;
    snprintf(path, sizeof path, "%.*s/" SHARD_TOKEN_BYTES, PATH_MAX - 64, dir);
    if (file_write(path, set->lengths.data, set->lengths.len, e))
        return -1;
    snprintf(path, sizeof path, "%.*s/" SHARD_TOKEN_TEXT, PATH_MAX - 64, dir);
    return file_write(path, set->texts.data, set->texts.len, e);
}

static int begin(struct job *j, const char *dir, const struct shard_set *set,
                 struct err *e)
{
    struct pack_format format = {shard_tokenizer(set), shard_info(set)->vocab,
                                 (int32_t)set->manifest.mark};

    return pack_writer_open(&j->w, dir, SHARD_BYTES,
                            is_bytes(set) ? NULL : &format, e) ||
           copy_vocabulary(dir, set, e);
}

int mix(struct mix_report *r, const char *dir, const struct mix_options *o,
        struct err *e)
{
    struct job j = {.o = o,
                    .r = r,
                    .w = {.fd = -1},
                    .rng = {o->seed, RNG_DATA, UINT64_C(1) << 61}};
    int64_t total;
    char *source;
    int rc;

    memset(r, 0, sizeof *r);
    if (check_sources(o, e) || find_total(&total, o, e))
        return -1;
    rc = begin(&j, dir, o->source[0].set, e);
    while (!rc && j.total < total)
        rc = next_document(&j, e);
    source = source_json(&j);
    rc = rc < 0 || pack_writer_finish(&j.w, source, e);
    r->info = j.w.manifest.info;
    free(source);
    free(j.token);
    pack_writer_release(&j.w);
    return rc ? -1 : 0;
}

int mix_copy(struct shard_info *info, const char *dir,
             const struct shard_set *set, struct err *e)
{
    struct job j = {.w = {.fd = -1}};
    int64_t from, n;
    int rc = shard_verify(set, 0, e) || begin(&j, dir, set, e);

    for (int64_t k = 0; k < shard_info(set)->documents && !rc; k++) {
        shard_document(&from, &n, set, k);
        j.token = mem_grow(j.token, &j.cap, (size_t)n, sizeof *j.token);
        shard_read(j.token, set, from, n);
        rc = pack_writer_add_tokens(&j.w, j.token, (size_t)n - 1,
                                    shard_bytes(set, from, n) - 1, e);
    }
    if (!rc)
        rc = pack_writer_finish(
            &j.w, set->manifest.source ? set->manifest.source : "{}", e);
    *info = j.w.manifest.info;
    free(j.token);
    pack_writer_release(&j.w);
    return rc ? -1 : 0;
}

/* Call for the text of each document, without its mark. */
static void each_text(const struct shard_set *set,
                      void (*visit)(struct windows *w, const uint8_t *text,
                                    size_t n),
                      struct windows *w)
{
    int64_t from, n;

    for (int64_t k = 0; k < shard_info(set)->documents; k++) {
        const struct shard_piece *p;

        shard_document(&from, &n, set, k);
        p = shard_piece_at(set, from);
        visit(w, p->tokens + (from - p->first), (size_t)n - 1);
    }
}

static void find_windows(struct windows *w, const uint8_t *text, size_t n)
{
    windows_find(w, 1, text, n);
}

double mix_overlap(const struct shard_set *train, const struct shard_set *valid)
{
    int64_t sampled = 0, found = 0, from, n, s, f;
    struct windows w;

    if (!is_bytes(train) || !is_bytes(valid) || !shard_indexed(train) ||
        !shard_indexed(valid))
        return -1;
    windows_init(&w, WINDOWS);
    each_text(valid, windows_add, &w);
    each_text(train, find_windows, &w);
    for (int64_t k = 0; k < shard_info(valid)->documents; k++) {
        const struct shard_piece *p;

        shard_document(&from, &n, valid, k);
        p = shard_piece_at(valid, from);
        windows_overlap(&w, p->tokens + (from - p->first), (size_t)n - 1, &s,
                        &f);
        sampled += s;
        found += f;
    }
    windows_release(&w);
    return sampled ? (double)found / (double)sampled : 0;
}
