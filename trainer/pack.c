/* pack: see pack.h.
 *
 *   1. read all inputs: the table of documents (pack_docs)
 *   2. leave out copies and near copies (pack_near), decide the split
 *   3. read the inputs of validation sets: their text into NAME.raw, their
 *      64-byte windows into a table each (pack_window)
 *   4. read all inputs: training shards; windows met there are marked
 *   5. write the validation sets from NAME.raw in the order of their hash, so
 *      that any prefix of one is a fair sample of it
 *   6. with a tokenizer: encode the sets (pack_tokenize)
 *   7. put the directory in place (pack_stage)
 *
 * Inputs that change meanwhile are noticed by their hashes. */
#include "trainer/pack.h"

#include "base/file.h"
#include "base/mem.h"
#include "trainer/pack_docs.h"
#include "trainer/pack_near.h"
#include "trainer/pack_notes.h"
#include "trainer/pack_source.h"
#include "trainer/pack_stage.h"
#include "trainer/pack_tokenize.h"
#include "trainer/pack_window.h"
#include "trainer/pack_write.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALID_WINDOWS ((size_t)1 << 22)
#define UNIQUE_WINDOWS ((size_t)1 << 18)

/* A document of a validation set: where its text lies in NAME.raw. */
struct held {
    size_t doc;
    int64_t at;
    uint64_t order;
};

struct set_job {
    struct windows windows;
    struct held *held;
    size_t n_held, cap_held;
    int64_t raw_bytes;
    int raw; /* descriptor of NAME.raw; -1 */
    char raw_path[PATH_MAX];
};

struct job {
    const struct pack_options *o;
    struct pack_report *r;
    struct pack_files files;
    struct pack_docs docs;
    struct pack_notes notes;
    struct pack_near near;
    struct pack_stage stage;
    struct set_job set[PACK_SETS];
    struct windows unique; /* of the training text */
    struct pack_writer writer;
    /* the document being met */
    uint32_t file;
    size_t next;
};

void pack_defaults(struct pack_options *o)
{
    memset(o, 0, sizeof *o);
    o->n_set = PACK_MORE;
    snprintf(o->set_name[PACK_TRAIN], PACK_NAME, "train");
    snprintf(o->set_name[PACK_VALID], PACK_NAME, "valid");
    o->split = PACK_BY_DOCUMENT;
    o->split_depth = 3;
    o->valid_share = 0.02;
    o->valid_cap = 4000000;
    o->valid_documents = 30;
    o->max_overlap = 1;
    o->text_field = "text";
    o->shard_bytes = (int64_t)1 << 30;
}

/* ---- 1. the table of documents */

static int scan(void *ctx, const uint8_t *text, size_t n, int64_t offset,
                struct err *e)
{
    struct job *j = ctx;
    const struct pack_file *f = &j->files.file[j->file];
    struct pack_doc *d;
    size_t bad, first = 0;

    if (pack_is_blank(text, n)) {
        j->r->blank++;
        return 0;
    }
    if (j->o->near > 0 && pack_near_add(&j->near, text, n, e))
        return -1;
    if (pack_docs_add(&j->docs, j->o, &j->files, j->file, text, n, offset, e))
        return -1;
    d = &j->docs.doc[j->docs.n - 1];
    j->r->documents++;
    j->r->bytes += (int64_t)n;
    bad = pack_invalid_utf8(text, n, &first);
    if (!bad)
        return 0;
    if (j->o->invalid == PACK_REFUSE)
        return err_set(e, ERR_USAGE,
                       "%s: offset %lld: not UTF-8 (--invalid keep or drop)",
                       f->path, (long long)offset + (long long)first);
    j->r->invalid_documents++;
    j->r->invalid_bytes += (int64_t)bad;
    if (pack_note_invalid(&j->notes, f->path, offset, n, bad,
                          offset + (int64_t)first, e))
        return -1;
    if (j->o->invalid == PACK_DROP) {
        d->set = PACK_NOWHERE;
        d->why = PACK_NOT_UTF8;
    }
    return 0;
}

/* Validation inputs first: of a text that is in both, the copy in the
 * training text is the one to leave out. */
static int list_inputs(struct job *j, struct err *e)
{
    j->files.text_field = j->o->text_field;
    for (int set = j->o->n_set - 1; set >= 0; set--)
        for (int i = 0; i < j->o->n_input; i++)
            if (j->o->input[i].set == set &&
                pack_files_add(&j->files, j->o->input[i].path, set, e))
                return -1;
    j->r->files = (int64_t)j->files.n;
    j->r->other_files = j->files.other;
    return 0;
}

/* Visit every file, or only those with a document of a validation set. */
static int each_file(struct job *j, int validation_only,
                     int (*visit)(void *, const uint8_t *, size_t, int64_t,
                                  struct err *),
                     struct err *e)
{
    size_t doc = 0;

    for (size_t f = 0; f < j->files.n; f++) {
        int held = 0;

        j->file = (uint32_t)f;
        j->next = doc;
        for (; doc < j->docs.n && j->docs.doc[doc].file == f; doc++)
            held |= j->docs.doc[doc].set > PACK_TRAIN;
        if (validation_only && !held)
            continue;
        if (pack_file_each(&j->files, f, visit, j, e))
            return -1;
        if (visit != scan && j->next != doc)
            return err_set(e, ERR_ENV, "%s: changed while it was packed",
                           j->files.file[f].path);
    }
    return 0;
}

/* The entry of the document now met; NULL with *e when it is another text
 * than at first. */
static const struct pack_doc *same_doc(struct job *j, const uint8_t *text,
                                       size_t n, struct err *e)
{
    const struct pack_doc *d =
        j->next < j->docs.n ? &j->docs.doc[j->next++] : NULL;
    uint64_t hash[2];

    if (d && d->file == j->file && d->len == (int64_t)n) {
        pack_doc_hash(hash, text, n);
        if (hash[0] == d->hash && hash[1] == d->hash2)
            return d;
    }
    err_set(e, ERR_ENV, "%s: changed while it was packed",
            j->files.file[j->file].path);
    return NULL;
}

/* ---- 3. validation text */

static int hold(void *ctx, const uint8_t *text, size_t n, int64_t offset,
                struct err *e)
{
    struct job *j = ctx;
    const struct pack_doc *d;
    struct set_job *s;

    (void)offset;
    if (pack_is_blank(text, n))
        return 0;
    d = same_doc(j, text, n, e);
    if (!d)
        return -1;
    if (d->set <= PACK_TRAIN)
        return 0;
    s = &j->set[d->set];
    s->held = mem_grow(s->held, &s->cap_held, s->n_held + 1, sizeof *s->held);
    s->held[s->n_held++] =
        (struct held){.doc = (size_t)(d - j->docs.doc),
                      .at = s->raw_bytes,
                      .order = pack_doc_order(d, j->o->seed)};
    s->raw_bytes += (int64_t)n;
    windows_add(&s->windows, text, n);
    if (file_write_all(s->raw, text, n, e))
        return err_prefix(e, "%s: ", s->raw_path);
    return 0;
}

static int hold_validation(struct job *j, struct err *e)
{
    for (int k = PACK_VALID; k < j->o->n_set; k++) {
        struct set_job *s = &j->set[k];

        if (snprintf(s->raw_path, sizeof s->raw_path, "%s/%s.raw", j->stage.dir,
                     j->o->set_name[k]) >= (int)sizeof s->raw_path)
            return err_set(e, ERR_USAGE, "%s: path too long", j->stage.dir);
        s->raw =
            open(s->raw_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (s->raw < 0)
            return err_errno(e, "%s", s->raw_path);
        windows_init(&s->windows, VALID_WINDOWS);
    }
    return each_file(j, 1, hold, e);
}

/* ---- 4. and 5. shards */

static int begin_set(struct job *j, int set, struct err *e)
{
    char dir[PATH_MAX];

    if (snprintf(dir, sizeof dir, "%s/%s", j->stage.dir, j->o->set_name[set]) >=
        (int)sizeof dir)
        return err_set(e, ERR_USAGE, "%s: path too long", j->stage.dir);
    return pack_writer_open(&j->writer, dir, j->o->shard_bytes, NULL, e);
}

/* `windows`: those of the set, for its unique share. */
static int end_set(struct job *j, int set, const struct windows *w,
                   struct err *e)
{
    struct pack_set_report *s = &j->r->set[set];
    const struct shard_info *i = &j->writer.manifest.info;
    char *source;
    int rc;

    s->unique = windows_unique(w);
    source = pack_source_json(j->o, set, s);
    rc = pack_writer_finish(&j->writer, source, e);
    free(source);
    if (rc)
        return -1;
    memcpy(s->sha256, i->sha256, sizeof s->sha256);
    s->documents = i->documents;
    s->tokens = i->tokens;
    s->bytes = i->bytes;
    s->distinct = i->distinct;
    return 0;
}

static int train_document(void *ctx, const uint8_t *text, size_t n,
                          int64_t offset, struct err *e)
{
    struct job *j = ctx;
    const struct pack_doc *d;

    (void)offset;
    if (pack_is_blank(text, n))
        return 0;
    d = same_doc(j, text, n, e);
    if (!d)
        return -1;
    if (d->set != PACK_TRAIN)
        return 0;
    windows_add(&j->unique, text, n);
    for (int k = PACK_VALID; k < j->o->n_set; k++)
        windows_find(&j->set[k].windows, 1, text, n);
    return pack_writer_add(&j->writer, text, n, e);
}

static int write_train(struct job *j, struct err *e)
{
    int rc;

    windows_init(&j->unique, UNIQUE_WINDOWS);
    rc = begin_set(j, PACK_TRAIN, e) || each_file(j, 0, train_document, e) ||
         end_set(j, PACK_TRAIN, &j->unique, e);
    pack_writer_release(&j->writer);
    return rc ? -1 : 0;
}

static int by_order(const void *a, const void *b)
{
    const struct held *x = a, *y = b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return x->doc < y->doc ? -1 : x->doc > y->doc;
}

/* Write the documents of a validation set that do not overlap too much. */
static int write_held(struct job *j, int k, const struct file_map *raw,
                      struct err *e)
{
    struct pack_set_report *r = &j->r->set[k];
    int64_t sampled = 0, found = 0, s, f;

    for (size_t i = 0; i < j->set[k].n_held; i++) {
        struct pack_doc *d = &j->docs.doc[j->set[k].held[i].doc];
        const uint8_t *text = raw->data + j->set[k].held[i].at;
        double share;

        windows_overlap(&j->set[k].windows, text, (size_t)d->len, &s, &f);
        share = s ? (double)f / (double)s : 0;
        if (share > j->o->max_overlap) {
            d->set = PACK_NOWHERE;
            d->why = PACK_OVERLAP;
            j->r->overlapping++;
            if (pack_note_overlap(&j->notes, j->files.file[d->file].path, d,
                                  share, e))
                return -1;
            continue;
        }
        sampled += s;
        found += f;
        if (share > r->overlap_max)
            r->overlap_max = share;
        if (pack_writer_add(&j->writer, text, (size_t)d->len, e))
            return -1;
    }
    r->overlap = sampled ? (double)found / (double)sampled : 0;
    if (!j->writer.tokens && !j->writer.manifest.info.shards)
        return err_set(e, ERR_USAGE,
                       "'%s' would be empty: every document has more than "
                       "%g of its text in train",
                       r->name, j->o->max_overlap);
    return 0;
}

static int write_validation(struct job *j, int k, struct err *e)
{
    struct set_job *s = &j->set[k];
    struct file_map raw;
    int rc;

    close(s->raw);
    s->raw = -1;
    if (!s->n_held)
        return unlink(s->raw_path) ? err_errno(e, "%s", s->raw_path) : 0;
    qsort(s->held, s->n_held, sizeof *s->held, by_order);
    if (file_map(&raw, s->raw_path, e))
        return -1;
    rc = begin_set(j, k, e) || write_held(j, k, &raw, e) ||
         end_set(j, k, &s->windows, e);
    pack_writer_release(&j->writer);
    file_unmap(&raw);
    if (!rc && unlink(s->raw_path))
        return err_errno(e, "%s", s->raw_path);
    return rc ? -1 : 0;
}

static int write_sets(struct job *j, struct err *e)
{
    if (write_train(j, e))
        return -1;
    for (int k = PACK_VALID; k < j->o->n_set; k++)
        if (write_validation(j, k, e))
            return -1;
    return 0;
}

/* ---- tokens */

static int tokenize_set(struct job *j, int k, struct err *e)
{
    struct pack_set_report *s = &j->r->set[k];
    struct pack_tokenize_report r;
    char dir[PATH_MAX];

    if (!s->documents)
        return 0;
    if (snprintf(dir, sizeof dir, "%s/%s", j->stage.dir, j->o->set_name[k]) >=
        (int)sizeof dir)
        return err_set(e, ERR_USAGE, "%s: path too long", j->stage.dir);
    if (pack_tokenize_in_place(&r, dir, j->o->tokenizer, j->o->threads,
                               j->o->shard_bytes, e))
        return -1;
    memcpy(s->sha256, r.info.sha256, sizeof s->sha256);
    s->tokens = r.info.tokens;
    s->distinct = r.info.distinct;
    return 0;
}

static int tokenize_sets(struct job *j, struct err *e)
{
    for (int k = 0; j->o->tokenizer && k < j->o->n_set; k++)
        if (tokenize_set(j, k, e))
            return -1;
    return 0;
}

/* ---- the whole */

static int count_left_out(struct job *j, struct err *e)
{
    for (size_t k = 0; k < j->docs.n; k++) {
        const struct pack_doc *d = &j->docs.doc[k];
        const char *path = j->files.file[d->file].path;

        const struct pack_doc *first =
            d->why == PACK_COPY || d->why == PACK_NEAR ? &j->docs.doc[d->unit]
                                                       : NULL;

        if (d->why == PACK_COPY) {
            j->r->duplicates++;
            j->r->duplicate_bytes += d->len;
            if (pack_note_copy(&j->notes, path, d,
                               j->files.file[first->file].path, first, e))
                return -1;
        } else if (d->why == PACK_NEAR) {
            j->r->near++;
            j->r->near_bytes += d->len;
            if (pack_note_near(&j->notes, path, d,
                               j->files.file[first->file].path, first,
                               (double)d->same / PACK_NEAR_VALUES, e))
                return -1;
        }
    }
    return 0;
}

static int pack_staged(struct job *j, struct err *e)
{
    if (pack_docs_open(&j->docs, j->stage.dir, e) ||
        (j->o->near > 0 && pack_near_open(&j->near, j->stage.dir, e)) ||
        list_inputs(j, e) || each_file(j, 0, scan, e))
        return -1;
    pack_docs_dedup(&j->docs);
    if (j->o->near > 0 && pack_near_dedup(&j->near, &j->docs, j->o->near, e))
        return -1;
    pack_near_release(&j->near);
    if (count_left_out(j, e))
        return -1;
    if (pack_docs_split(&j->docs, j->o, &j->files, j->stage.dir, e) ||
        hold_validation(j, e) || write_sets(j, e) || tokenize_sets(j, e) ||
        pack_notes_close(&j->notes, e))
        return -1;
    return pack_stage_install(&j->stage, j->o->force, &j->r->unchanged, e);
}

int pack(struct pack_report *r, const struct pack_options *o, struct err *e)
{
    struct job j = {.o = o, .r = r, .writer.fd = -1, .near.fd = -1};
    int rc;

    memset(r, 0, sizeof *r);
    r->n_set = o->n_set;
    for (int k = 0; k < o->n_set; k++)
        memcpy(r->set[k].name, o->set_name[k], PACK_NAME);
    for (int k = 0; k < PACK_SETS; k++)
        j.set[k].raw = -1;
    if (pack_stage_begin(&j.stage, o->out, e))
        return -1;
    rc = pack_notes_open(&j.notes, j.stage.dir, e) || pack_staged(&j, e);
    pack_near_release(&j.near);
    pack_notes_release(&j.notes);
    pack_stage_end(&j.stage);
    for (int k = 0; k < PACK_SETS; k++) {
        if (j.set[k].raw >= 0)
            close(j.set[k].raw);
        free(j.set[k].held);
        windows_release(&j.set[k].windows);
    }
    windows_release(&j.unique);
    pack_docs_release(&j.docs);
    pack_files_release(&j.files);
    return rc ? -1 : 0;
}
