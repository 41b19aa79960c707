/* shard_link: see shard_link.h. */
#include "trainer/shard_link.h"

#include "base/hash.h"
#include "base/mem.h"
#include "trainer/shard_impl.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct link_job {
    const struct link_options *o;
    struct manifest m;
    size_t cap;
    uint16_t *length; /* of each token; NULL: not known */
    uint8_t *seen;    /* a bit for each token */
    uint32_t largest;
};

/* Counts of one piece into its entry: bytes and documents, where known. */
static int count(struct link_job *j, struct manifest_shard *s,
                 const struct shard_piece *p, struct err *e)
{
    int64_t vocab = j->m.info.vocab, marks = 0;

    for (int64_t i = 0; i < p->n; i++) {
        uint32_t t = (uint32_t)le_get(p->tokens + i * p->width, p->width);

        if (t >= vocab)
            return err_set(e, ERR_USAGE,
                           "%s: offset %td: token %" PRIu32
                           " is outside the vocabulary of %" PRId64,
                           p->path, p->tokens + i * p->width - p->map.data, t,
                           vocab);
        j->largest = t > j->largest ? t : j->largest;
        j->m.info.distinct += !(j->seen[t >> 3] >> (t & 7) & 1);
        j->seen[t >> 3] |= (uint8_t)(1u << (t & 7));
        marks += t == j->o->mark;
        if (!j->length)
            continue;
        if (!j->length[t])
            return err_set(e, ERR_USAGE,
                           "%s: offset %td: token %" PRIu32
                           " has no bytes in %s; if it marks documents give "
                           "--mark %" PRIu32,
                           p->path, p->tokens + i * p->width - p->map.data, t,
                           j->o->token_file, t);
        s->bytes += j->length[t];
    }
    s->tokens = p->n;
    s->documents = p->documents ? p->documents : marks;
    return 0;
}

static int add_piece(struct link_job *j, const struct shard_piece *p,
                     struct err *e)
{
    struct manifest *m = &j->m;
    struct manifest_shard *s;
    char path[PATH_MAX];

    if (!realpath(p->path, path))
        return err_errno(e, "%s", p->path);
    if (m->layout[0] && strcmp(m->layout, p->reader->name))
        return err_set(e, ERR_USAGE, "%s: layout %s, the first file is %s",
                       p->path, p->reader->name, m->layout);
    snprintf(m->layout, sizeof m->layout, "%s", p->reader->name);
    m->shard = mem_grow(m->shard, &j->cap, (size_t)m->info.shards + 1,
                        sizeof *m->shard);
    s = &m->shard[m->info.shards++];
    *s = (struct manifest_shard){.file = xstrdup(path),
                                 .size = (int64_t)p->map.len};
    if (count(j, s, p, e))
        return -1;
    hash_sha256(s->sha256, p->map.data, p->map.len);
    m->info.tokens += s->tokens;
    m->info.documents += s->documents;
    return 0;
}

/* The vocabulary, before tokens are counted. */
static int begin(struct link_job *j, const struct shard_set *first,
                 struct err *e)
{
    const struct link_options *o = j->o;
    int64_t vocab = o->vocab ? o->vocab : shard_info(first)->vocab;

    j->m.info.vocab = vocab;
    j->seen = xcalloc((size_t)vocab / 8 + 1, 1);
    snprintf(j->m.tokenizer, sizeof j->m.tokenizer, "%s",
             o->tokenizer ? o->tokenizer : shard_tokenizer(first));
    if (o->mark >= vocab)
        return err_set(e, ERR_USAGE,
                       "mark %" PRId64 " is outside the vocabulary of %" PRId64,
                       o->mark, vocab);
    if (!o->token_file)
        return 0;
    if (vocab > 1 << 24)
        return err_set(e, ERR_USAGE,
                       "%s: give the vocabulary too (the layout allows "
                       "%" PRId64 " tokens)",
                       o->token_file, vocab);
    j->m.token_bytes = 1;
    j->length = xcalloc((size_t)vocab, sizeof *j->length);
    if (shard_lengths(j->length, vocab, o->token_file, e))
        return -1;
    if (o->mark >= 0)
        j->length[o->mark] = 1;
    return 0;
}

static int add_input(struct link_job *j, const char *input, struct err *e)
{
    struct shard_set *set;
    struct str path;
    int rc;

    str_init(&path);
    str_add(&path, input);
    if (j->o->layout)
        str_addf(&path, ":%s", j->o->layout);
    rc = shard_open(&set, path.text, e);
    str_release(&path);
    if (rc)
        return -1;
    if (!set->n_piece || set->manifest.shard)
        rc = err_set(e, ERR_USAGE, "%s: is a set already", input);
    else if (!j->seen)
        rc = begin(j, set, e);
    for (int64_t k = 0; k < set->n_piece && !rc; k++)
        rc = (set->piece[k].reader->verify &&
              set->piece[k].reader->verify(&set->piece[k], e)) ||
             add_piece(j, &set->piece[k], e);
    shard_close(set);
    return rc ? -1 : 0;
}

/* Where neither the options nor the layout name a vocabulary (the bytes of
 * each token are listed up to it), it ends at the largest token. */
static void settle_vocab(struct link_job *j)
{
    if (!j->o->vocab && !j->length && strcmp(j->m.layout, "llmc") &&
        strcmp(j->m.layout, "bytes"))
        j->m.info.vocab = (int64_t)j->largest + 1;
}

/* The total of the bytes: counted, given, or unknown; and to each file its
 * share, so that they add up. */
static void settle_bytes(struct link_job *j)
{
    struct shard_info *i = &j->m.info;
    int64_t left;

    if (j->length) {
        for (int64_t k = 0; k < i->shards; k++)
            i->bytes += j->m.shard[k].bytes;
        return;
    }
    i->bytes = !strcmp(j->m.layout, "bytes") ? i->tokens : j->o->bytes;
    left = i->bytes;
    for (int64_t k = 0; k < i->shards; k++) {
        struct manifest_shard *s = &j->m.shard[k];
        s->bytes = k + 1 == i->shards
                       ? left
                       : (int64_t)((double)i->bytes * (double)s->tokens /
                                   (double)i->tokens);
        left -= s->bytes;
    }
}

static int write_lengths(const struct link_job *j, struct err *e)
{
    int64_t vocab = j->m.info.vocab;
    char path[PATH_MAX];
    uint8_t *bytes;
    int rc;

    if (!j->length)
        return 0;
    if (snprintf(path, sizeof path, "%s/" SHARD_TOKEN_BYTES, j->o->out) >=
        (int)sizeof path)
        return err_set(e, ERR_USAGE, "%.200s: path too long", j->o->out);
    bytes = xmalloc(2 * (size_t)vocab);
    for (int64_t t = 0; t < vocab; t++)
        le_put(bytes + 2 * t, j->length[t], 2);
    rc = file_write(path, bytes, 2 * (size_t)vocab, e);
    free(bytes);
    return rc;
}

static int write_set(struct link_job *j, struct err *e)
{
    char path[PATH_MAX];
    struct manifest old;
    struct str text;
    int rc;

    if (snprintf(path, sizeof path, "%s/" SHARD_MANIFEST, j->o->out) >=
        (int)sizeof path)
        return err_set(e, ERR_USAGE, "%.200s: path too long", j->o->out);
    if (file_exists(path)) {
        rc = manifest_read(&old, j->o->out, e);
        if (rc)
            return -1;
        rc = old.layout[0] != '\0';
        manifest_release(&old);
        if (!rc || !j->o->force)
            return err_set(e, ERR_USAGE, "%s: holds a set already%s", j->o->out,
                           rc ? "; --force replaces it" : "");
    }
    if (file_mkdirs(j->o->out, e) || write_lengths(j, e))
        return -1;
    manifest_hash(&j->m);
    str_init(&text);
    manifest_print(&text, &j->m);
    rc = file_write(path, text.text, text.len, e);
    str_release(&text);
    return rc;
}

int shard_link(const struct link_options *o, struct err *e)
{
    struct link_job j = {.o = o};
    int rc = 0;

    for (int i = 0; i < o->n_input && !rc; i++)
        rc = add_input(&j, o->input[i], e);
    if (!rc) {
        settle_vocab(&j);
        settle_bytes(&j);
        rc = write_set(&j, e);
    }
    manifest_release(&j.m);
    free(j.length);
    free(j.seen);
    return rc;
}
