/* pack_docs: the table of documents: what there is, what is left out, and
 * which set each belongs to. */
#ifndef LOGLOG_TRAINER_PACK_DOCS_H
#define LOGLOG_TRAINER_PACK_DOCS_H

#include "base/err.h"
#include "trainer/pack.h"
#include "trainer/pack_source.h"
#include "trainer/pack_table.h"

#include <stddef.h>
#include <stdint.h>

#define PACK_NOWHERE (-1)

enum pack_why { PACK_KEPT, PACK_COPY, PACK_NEAR, PACK_NOT_UTF8, PACK_OVERLAP };

struct pack_doc {
    uint64_t hash, hash2; /* of the text; both equal: the same text */
    uint64_t unit;        /* orders the split: hash of document or directory.
                             PACK_COPY, PACK_NEAR: index of the first copy */
    int64_t offset, len;  /* in its file */
    uint32_t file;
    int8_t set;   /* PACK_NOWHERE: left out */
    uint8_t why;  /* enum pack_why */
    uint8_t same; /* PACK_NEAR: equal values, of PACK_NEAR_VALUES */
};

struct pack_docs {
    struct pack_doc *doc; /* moves when one is added */
    size_t n;
    struct pack_table table;
};

/* An empty table, in a file of `dir`. */
int pack_docs_open(struct pack_docs *docs, const char *dir, struct err *e);

/* Nothing but white space: such a text is no document, in every pass. */
int pack_is_blank(const uint8_t *text, size_t n);
/* A document as it is met: its hashes; set and unit are those of the options
 * for this file. */
int pack_docs_add(struct pack_docs *docs, const struct pack_options *o,
                  const struct pack_files *files, uint32_t file,
                  const uint8_t *text, size_t n, int64_t offset, struct err *e);
/* The two hashes of a text. */
void pack_doc_hash(uint64_t hash[2], const uint8_t *text, size_t n);
/* Where a document comes in its set: a hash of its text and the seed. */
uint64_t pack_doc_order(const struct pack_doc *d, uint64_t seed);

/* Leave out every copy of a text but the first.  Memory does not grow with
 * the number of documents. */
void pack_docs_dedup(struct pack_docs *docs);

/* Move documents from PACK_TRAIN to PACK_VALID as the options say.  Fails
 * (ERR_USAGE) when either would be empty.  What it needs for it is in a file of
 * `dir`. */
int pack_docs_split(struct pack_docs *docs, const struct pack_options *o,
                    const struct pack_files *files, const char *dir,
                    struct err *e);

void pack_docs_release(struct pack_docs *docs);

#endif
