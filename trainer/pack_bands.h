/* pack_bands: which documents are worth comparing.
 *
 * Candidates are documents with equal values (pack_near.h) in one of 25 bands
 * of 5.  The values may be many times the memory, and a band has its candidates
 * in the order of a hash.  So a band only lists them, in the order of the
 * documents, without reading a value; and one pass over the documents meets
 * what all bands have listed.  A copy is mostly not far from what it copies, so
 * that such a pass reads the values once from one end to the other.
 *
 * Of many documents of one band value, each has the first 8 and the 8 before it
 * as candidates.  Keys (200 bytes a document), places (4) and lists are in
 * files that are mapped. */
#ifndef LOGLOG_TRAINER_PACK_BANDS_H
#define LOGLOG_TRAINER_PACK_BANDS_H

#include "base/err.h"
#include "trainer/pack_table.h"

#include <stddef.h>
#include <stdint.h>

#define PACK_BANDS 25
#define PACK_BAND_ROWS 5

struct pack_bands {
    struct pack_table keys;  /* band by band: value of the band, document */
    struct pack_table place; /* of a document: its key's index + 1, or 0 */
    struct pack_table list;
    size_t documents, n; /* n: that were added */
    int listed;          /* bands that have a list */
    size_t start[PACK_BANDS + 1], pairs;
};

/* A pair: k comes after `first`. */
typedef void pack_pair(void *ctx, uint32_t k, uint32_t first);
typedef int pack_is_news(const void *ctx, uint32_t k, uint32_t first);

/* Room for `documents`, with files in `dir`. */
int pack_bands_open(struct pack_bands *b, const char *dir, size_t documents,
                    struct err *e);
/* Document k, larger than that of the call before, takes part. */
void pack_bands_add(struct pack_bands *b, uint32_t k, const uint32_t *value);
/* List the pairs of a band that are news; each band once, after all were
 * added. */
int pack_bands_list(struct pack_bands *b, int band, pack_is_news *is_news,
                    const void *ctx, struct err *e);
/* The numbers that all lists have; they are 4 bytes each. */
size_t pack_bands_length(const struct pack_bands *b);
/* Visit every pair that is listed, in the order of k, and empty the lists. */
void pack_bands_each(struct pack_bands *b, pack_pair *visit, void *ctx);
/* Harmless when it is not open. */
void pack_bands_close(struct pack_bands *b);

#endif
