/* pack_tokenize: see pack_tokenize.h.
 *
 * Stretch k lives in slot k mod n of a ring.  A worker takes the next stretch
 * when its slot is free, fills it and says so; the caller writes them in
 * order and frees the slots. */
#include "trainer/pack_tokenize.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "trainer/pack_stage.h"
#include "trainer/pack_write.h"
#include "trainer/shard_impl.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRETCH ((int64_t)1 << 20) /* bytes of text */
#define THREADS_MAX 256

struct stretch {
    int64_t first, n; /* documents */
    struct token_list tokens;
    size_t *count; /* tokens of each */
    int64_t *bytes;
    size_t cap_count, cap_bytes;
    int ready, failed;
    struct err err;
};

struct crew {
    const struct shard_set *set;
    const struct tokenizer *t;
    struct stretch *slot;
    int n_slot;
    int64_t next_document, documents;
    int64_t taken, written; /* stretches */
    int stop;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static const uint8_t *document(const struct shard_set *set, int64_t k,
                               int64_t *n)
{
    const struct shard_piece *p;
    int64_t from;

    shard_document(&from, n, set, k);
    p = shard_piece_at(set, from);
    --*n; /* the mark */
    return p->tokens + (from - p->first);
}

/* Which documents are next; NULL: none are left.  Called with the lock. */
static struct stretch *take(struct crew *c)
{
    struct stretch *s;
    int64_t bytes = 0, from, n;

    while (!c->stop && c->next_document < c->documents &&
           c->taken - c->written == c->n_slot)
        pthread_cond_wait(&c->changed, &c->lock);
    if (c->stop || c->next_document == c->documents)
        return NULL;
    s = &c->slot[c->taken++ % c->n_slot];
    s->first = c->next_document;
    s->n = 0;
    while (c->next_document < c->documents && bytes < STRETCH) {
        shard_document(&from, &n, c->set, c->next_document++);
        bytes += n;
        s->n++;
    }
    return s;
}

static void fill(struct stretch *s, struct tokenizer_coder *coder,
                 const struct crew *c)
{
    s->tokens.n = 0;
    s->count =
        mem_grow(s->count, &s->cap_count, (size_t)s->n, sizeof *s->count);
    s->bytes =
        mem_grow(s->bytes, &s->cap_bytes, (size_t)s->n, sizeof *s->bytes);
    for (int64_t i = 0; i < s->n && !s->failed; i++) {
        size_t before = s->tokens.n;
        const uint8_t *text = document(c->set, s->first + i, &s->bytes[i]);

        s->failed = tokenizer_encode(&s->tokens, coder, text,
                                     (size_t)s->bytes[i], &s->err);
        if (s->failed)
            err_prefix(&s->err, "%s: document %" PRId64 ": ",
                       shard_path(c->set), s->first + i);
        s->count[i] = s->tokens.n - before;
    }
}

static void *work(void *arg)
{
    struct crew *c = arg;
    struct tokenizer_coder *coder = tokenizer_coder_create(c->t);
    struct stretch *s;

    pthread_mutex_lock(&c->lock);
    while ((s = take(c))) {
        pthread_mutex_unlock(&c->lock);
        fill(s, coder, c);
        pthread_mutex_lock(&c->lock);
        s->ready = 1;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    tokenizer_coder_destroy(coder);
    return NULL;
}

static int write_stretch(struct pack_writer *w, const struct stretch *s,
                         struct err *e)
{
    const int32_t *id = s->tokens.id;

    if (s->failed) {
        *e = s->err;
        return -1;
    }
    for (int64_t i = 0; i < s->n; id += s->count[i++])
        if (pack_writer_add_tokens(w, id, s->count[i], s->bytes[i], e))
            return -1;
    return 0;
}

/* Write what the workers make until all is written. */
static int collect(struct pack_writer *w, struct crew *c, struct err *e)
{
    int64_t done = 0;
    int rc = 0;

    while (done < c->documents && !rc) {
        struct stretch *s = &c->slot[c->written % c->n_slot];

        pthread_mutex_lock(&c->lock);
        while (!s->ready)
            pthread_cond_wait(&c->changed, &c->lock);
        pthread_mutex_unlock(&c->lock);
        rc = write_stretch(w, s, e);
        done += s->n;
        pthread_mutex_lock(&c->lock);
        s->ready = 0;
        c->written++;
        c->stop |= rc;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
    }
    return rc;
}

static int run_crew(struct pack_writer *w, struct crew *c, int threads,
                    struct err *e)
{
    pthread_t thread[THREADS_MAX];
    int n = 0, rc;

    while (n < threads && !pthread_create(&thread[n], NULL, work, c))
        n++;
    if (!n)
        return err_set(e, ERR_ENV, "no thread could be started");
    rc = collect(w, c, e);
    while (n--)
        pthread_join(thread[n], NULL);
    return rc;
}

static int threads_wanted(int asked)
{
    cpu_set_t cpus;
    int n = asked;

    if (!n)
        n = sched_getaffinity(0, sizeof cpus, &cpus) ? 1 : CPU_COUNT(&cpus);
    return n > THREADS_MAX ? THREADS_MAX : n;
}

/* token_bytes.bin and token_text.bin. */
static int write_vocabulary(const char *dir, const struct tokenizer *t,
                            struct err *e)
{
    int64_t vocab = tokenizer_info(t)->vocab;
    char path[PATH_MAX];
    struct str lengths, texts;
    uint8_t length[2];
    int rc;

    str_init(&lengths);
    str_init(&texts);
    for (int32_t id = 0; id < vocab; id++) {
        size_t n;
        const uint8_t *text = tokenizer_text(&n, t, id);

        le_put(length, (uint64_t)tokenizer_length(t, id), 2);
        str_add_n(&lengths, length, 2);
        str_add_n(&texts, text, n);
    }
    snprintf(path, sizeof path, "%.*s/" SHARD_TOKEN_BYTES, PATH_MAX - 64, dir);
    rc = file_write(path, lengths.text, lengths.len, e);
    snprintf(path, sizeof path, "%.*s/" SHARD_TOKEN_TEXT, PATH_MAX - 64, dir);
    if (!rc)
        rc = file_write(path, texts.text, texts.len, e);
    str_release(&lengths);
    str_release(&texts);
    return rc;
}

/* How the set was made: from which one, and how that was. */
static char *source_json(const struct shard_set *set)
{
    json_t *j = json_object(), *was;
    char *text;

    json_object_set_new(j, "tokenized", json_string(shard_info(set)->sha256));
    was =
        set->manifest.source ? json_loads(set->manifest.source, 0, NULL) : NULL;
    if (was)
        json_object_set_new(j, "source", was);
    text = json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(j);
    BUG_ON(!text);
    return text;
}

static int check_input(const struct shard_set *set, struct err *e)
{
    if (!shard_indexed(set) || set->manifest.layout[0] ||
        strcmp(shard_tokenizer(set), SHARD_TOKENIZER))
        return err_set(e, ERR_USAGE,
                       "%s: not a set of bytes made by data pack; its text is "
                       "not known",
                       shard_path(set));
    return shard_verify(set, 0, e);
}

int pack_tokenize(struct pack_tokenize_report *r, const char *dir,
                  const struct shard_set *set, const struct tokenizer *t,
                  int threads, int64_t shard_bytes, struct err *e)
{
    const struct tokenizer_info *i = tokenizer_info(t);
    struct pack_format format = {i->name, i->vocab, i->mark};
    struct crew c = {.set = set,
                     .t = t,
                     .documents = shard_info(set)->documents,
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER};
    struct pack_writer w = {.fd = -1};
    double start = clock_now();
    char *source;
    int rc;

    if (check_input(set, e))
        return -1;
    threads = threads_wanted(threads);
    c.n_slot = 2 * threads + 1;
    c.slot = xcalloc((size_t)c.n_slot, sizeof *c.slot);
    source = source_json(set);
    rc = pack_writer_open(&w, dir, shard_bytes, &format, e) ||
         run_crew(&w, &c, threads, e) || write_vocabulary(dir, t, e) ||
         pack_writer_finish(&w, source, e);
    r->info = w.manifest.info;
    r->seconds = clock_now() - start;
    pack_writer_release(&w);
    free(source);
    for (int k = 0; k < c.n_slot; k++) {
        free(c.slot[k].tokens.id);
        free(c.slot[k].count);
        free(c.slot[k].bytes);
    }
    free(c.slot);
    return rc ? -1 : 0;
}

int pack_tokenize_in_place(struct pack_tokenize_report *r, const char *dir,
                           const struct tokenizer *t, int threads,
                           int64_t shard_bytes, struct err *e)
{
    char made[PATH_MAX];
    struct shard_set *set;
    int rc;

    if (snprintf(made, sizeof made, "%s.tokens", dir) >= (int)sizeof made)
        return err_set(e, ERR_USAGE, "%.200s: path too long", dir);
    if (shard_open(&set, dir, e))
        return -1;
    rc = pack_tokenize(r, made, set, t, threads, shard_bytes, e);
    shard_close(set);
    if (rc || pack_stage_remove_set(dir, e))
        return -1;
    return rename(made, dir) ? err_errno(e, "%s", dir) : 0;
}
