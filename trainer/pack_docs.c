/* pack_docs: see pack_docs.h.
 *
 * The split takes units (documents, or all documents of a directory) in the
 * order of their hash.  A unit is passed over when it is more than 1.5 times
 * an even share of the bytes and documents still wanted, so that one long
 * document does not become the whole validation set. */
#include "trainer/pack_docs.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX ((size_t)1 << 30)

void pack_doc_hash(uint64_t hash[2], const uint8_t *text, size_t n)
{
    hash[0] = hash_xxh3(text, n);
    hash[1] = hash_xxh3(text + n / 2, n - n / 2) ^ n;
}

static uint64_t seeded(uint64_t seed, uint64_t hash)
{
    const uint64_t key[2] = {seed, hash};

    return hash_xxh3(key, sizeof key);
}

uint64_t pack_doc_order(const struct pack_doc *d, uint64_t seed)
{
    return seeded(seed, d->hash);
}

/* Length of the leading directory part of `name`, at most `depth` components
 * of it (0: all); 0 when it has none. */
static size_t directory(const char *name, int depth)
{
    size_t len = 0;

    for (size_t i = 0; name[i]; i++)
        if (name[i] == '/') {
            len = i;
            if (!--depth)
                break;
        }
    return len;
}

int pack_is_blank(const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!memchr(" \t\n\v\f\r", text[i], 6))
            return 0;
    return 1;
}

int pack_docs_open(struct pack_docs *docs, const char *dir, struct err *e)
{
    memset(docs, 0, sizeof *docs);
    return pack_table_open(&docs->table, dir, e);
}

int pack_docs_add(struct pack_docs *docs, const struct pack_options *o,
                  const struct pack_files *files, uint32_t file,
                  const uint8_t *text, size_t n, int64_t offset, struct err *e)
{
    const struct pack_file *f = &files->file[file];
    struct pack_doc *d;
    uint64_t hash[2];

    if (pack_table_room(&docs->table, docs->n + 1, sizeof *docs->doc, e))
        return -1;
    docs->doc = docs->table.at;
    d = &docs->doc[docs->n++];
    pack_doc_hash(hash, text, n);
    *d = (struct pack_doc){.hash = hash[0],
                           .hash2 = hash[1],
                           .offset = offset,
                           .len = (int64_t)n,
                           .file = file,
                           .set = (int8_t)f->set};
    d->unit = seeded(
        o->seed, o->split == PACK_BY_DIRECTORY
                     ? hash_xxh3(f->name, directory(f->name, o->split_depth))
                     : d->hash);
    return 0;
}

/* --- copies: as many passes over the table as its hashes need, each for a
 *     range of them */

#define AT_ONCE ((size_t)1 << 20) /* documents of a pass, about */

struct first {
    uint64_t hash, hash2;
    size_t doc; /* index + 1; 0: free */
};

static struct first *first_of(struct first *table, size_t slots,
                              const struct pack_doc *d)
{
    size_t i = d->hash & (slots - 1);

    while (table[i].doc &&
           (table[i].hash != d->hash || table[i].hash2 != d->hash2))
        i = (i + 1) & (slots - 1);
    return &table[i];
}

void pack_docs_dedup(struct pack_docs *docs)
{
    uint64_t passes = 1 + docs->n / AT_ONCE;
    size_t slots = 64;
    struct first *table;

    while (slots < 2 * docs->n / passes)
        slots *= 2;
    table = xmalloc(slots * sizeof *table);
    for (uint64_t pass = 0; pass < passes; pass++) {
        memset(table, 0, slots * sizeof *table);
        for (size_t k = 0; k < docs->n; k++) {
            struct pack_doc *d = &docs->doc[k];
            struct first *f;

            if (d->set == PACK_NOWHERE ||
                (d->hash >> 32) * passes >> 32 != pass)
                continue;
            f = first_of(table, slots, d);
            if (!f->doc) {
                *f = (struct first){d->hash, d->hash2, k + 1};
                continue;
            }
            d->set = PACK_NOWHERE;
            d->why = PACK_COPY;
            d->unit = f->doc - 1;
        }
    }
    free(table);
}

static void split_by_glob(struct pack_docs *docs, const struct pack_options *o,
                          const struct pack_files *files)
{
    for (size_t k = 0; k < docs->n; k++) {
        struct pack_doc *d = &docs->doc[k];

        for (int i = 0; i < o->n_valid_glob && d->set == PACK_TRAIN; i++)
            if (!fnmatch(o->valid_glob[i], files->file[d->file].name, 0))
                d->set = PACK_VALID;
    }
}

/* --- a list of names */

struct name {
    const char *text;
    int line, used;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text,
                  ((const struct name *)b)->text);
}

/* The lines of a text, which is cut into them: sorted, each once. */
static struct name *lines_of(char *text, size_t *n)
{
    struct name *list = NULL;
    size_t cap = 0, all = 0;
    int line = 1;

    for (char *end; *text; text = end, line++) {
        end = text + strcspn(text, "\n");
        if (*end)
            *end++ = '\0';
        if (!*text)
            continue;
        list = mem_grow(list, &cap, all + 1, sizeof *list);
        list[all++] = (struct name){text, line, 0};
    }
    if (all)
        qsort(list, all, sizeof *list, by_text);
    *n = 0;
    for (size_t i = 0; i < all; i++)
        if (!i || strcmp(list[i].text, list[*n - 1].text))
            list[(*n)++] = list[i];
    return list;
}

static int split_by_list(struct pack_docs *docs, const struct pack_options *o,
                         const struct pack_files *files, struct err *e)
{
    struct name *list, key = {0}, *found;
    size_t n, len;
    char *text;
    int rc = 0;

    if (file_read(&text, &len, o->valid_list, LIST_MAX, e))
        return -1;
    list = lines_of(text, &n);
    for (size_t k = 0; k < docs->n && n; k++) {
        struct pack_doc *d = &docs->doc[k];

        key.text = files->file[d->file].name;
        found = bsearch(&key, list, n, sizeof *list, by_text);
        if (!found)
            continue;
        found->used = 1;
        if (d->set == PACK_TRAIN)
            d->set = PACK_VALID;
    }
    for (size_t i = 0; i < n && !rc; i++)
        if (!list[i].used)
            rc = err_set(e, ERR_USAGE,
                         "%s:%d: '%.200s': no document of the inputs is in a "
                         "file of this name",
                         o->valid_list, list[i].line, list[i].text);
    free(list);
    free(text);
    return rc;
}

/* By unit, then by text, then by position: no ties. */
static int by_unit(const void *a, const void *b)
{
    const struct pack_doc *x = *(struct pack_doc *const *)a;
    const struct pack_doc *y = *(struct pack_doc *const *)b;

    if (x->unit != y->unit)
        return x->unit < y->unit ? -1 : 1;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x < y ? -1 : x > y;
}

struct unit {
    size_t from, to; /* in the sorted list */
    int64_t bytes;
};

static int wanted(const struct unit *u, int64_t left, int64_t need)
{
    int64_t documents = (int64_t)(u->to - u->from);

    if (u->bytes > left)
        return 0;
    return need <= 0 || (double)u->bytes * (double)need <=
                            1.5 * (double)left * (double)documents;
}

/* Take units in order until about `target` bytes; returns the bytes taken.
 * Nothing is in PACK_VALID before. */
static int64_t take_units(struct pack_doc **list, size_t n, int64_t target,
                          int64_t min_documents)
{
    int64_t taken = 0, documents = 0;
    struct unit u = {0};

    for (u.from = 0; u.from < n; u.from = u.to) {
        u.bytes = 0;
        for (u.to = u.from; u.to < n && list[u.to]->unit == list[u.from]->unit;
             u.to++)
            u.bytes += list[u.to]->len;
        if (!wanted(&u, target - taken, min_documents - documents))
            continue;
        for (size_t i = u.from; i < u.to; i++)
            list[i]->set = PACK_VALID;
        taken += u.bytes;
        documents += (int64_t)(u.to - u.from);
    }
    return taken;
}

/* With as many documents as the options want or, where the documents are too
 * long for that, fewer and fewer, until most of the target is met. */
static int64_t take(struct pack_doc **list, size_t n, int64_t target,
                    int64_t min_documents)
{
    for (;;) {
        int64_t taken = take_units(list, n, target, min_documents);

        if (!min_documents || (double)taken >= 0.8 * (double)target)
            return taken;
        for (size_t i = 0; i < n; i++)
            list[i]->set = PACK_TRAIN;
        min_documents /= 2;
    }
}

static int split_by_share(struct pack_docs *docs, const struct pack_options *o,
                          const char *dir, struct err *e)
{
    struct pack_table table;
    struct pack_doc **list;
    int64_t bytes = 0, target;
    size_t n = 0;
    int rc = 0;

    if (pack_table_open(&table, dir, e))
        return -1;
    if (pack_table_room(&table, docs->n + 1, sizeof(*list), e)) {
        pack_table_close(&table);
        return -1;
    }
    list = table.at;
    for (size_t k = 0; k < docs->n; k++)
        if (docs->doc[k].set == PACK_TRAIN) {
            list[n++] = &docs->doc[k];
            bytes += docs->doc[k].len;
        }
    qsort(list, n, sizeof(*list), by_unit);
    target = o->valid_bytes ? o->valid_bytes
                            : (int64_t)(o->valid_share * (double)bytes);
    if (!o->valid_bytes && target > o->valid_cap)
        target = o->valid_cap;
    if (n && !take(list, n, target, o->valid_documents))
        rc = err_set(e, ERR_USAGE,
                     "none of %zu documents (%" PRId64 " bytes) fits into "
                     "%" PRId64 " bytes of validation text: give more with "
                     "--valid-bytes, or the text with --valid",
                     n, bytes, target);
    pack_table_close(&table);
    return rc;
}

static int check_not_empty(const struct pack_docs *docs,
                           const struct pack_options *o, struct err *e)
{
    int64_t documents[PACK_SETS] = {0};
    int sets = o->n_set;

    for (size_t k = 0; k < docs->n; k++)
        if (docs->doc[k].set != PACK_NOWHERE)
            documents[docs->doc[k].set]++;
    for (int s = 0; s < sets; s++)
        if (!documents[s] && !(s == PACK_VALID && o->split == PACK_WHOLE))
            return err_set(e, ERR_USAGE, "%s: no document would be in '%s'",
                           o->out, o->set_name[s]);
    return 0;
}

int pack_docs_split(struct pack_docs *docs, const struct pack_options *o,
                    const struct pack_files *files, const char *dir,
                    struct err *e)
{
    int given = 0; /* validation text given as such */

    for (int i = 0; i < o->n_input; i++)
        given |= o->input[i].set == PACK_VALID;
    if (o->n_valid_glob)
        split_by_glob(docs, o, files);
    if (o->valid_list && split_by_list(docs, o, files, e))
        return -1;
    given |= o->n_valid_glob || o->valid_list;
    if (!given && o->split != PACK_WHOLE && split_by_share(docs, o, dir, e))
        return -1;
    return check_not_empty(docs, o, e);
}

void pack_docs_release(struct pack_docs *docs)
{
    pack_table_close(&docs->table);
    memset(docs, 0, sizeof *docs);
}
