/* pack_near: documents that are almost the same.
 *
 * Two documents are near copies when the Jaccard similarity of their sets of
 * 16-byte shingles (of the text with white space collapsed and ASCII letters in
 * lower case) is at least a threshold.  It is estimated by MinHash: 128 values
 * a document, from one hash a shingle, empty ones filled from others (optimal
 * densification, Shrivastava 2017, arXiv 1703.04664); the standard error of
 * the estimate is at most 0.044.  Candidates are those with equal values in
 * one of 25 bands of 5 (pack_bands.h): at a similarity of 0.8 a pair escapes
 * all bands with a probability of 5e-5.  The values (512 bytes a document), the
 * bands (204), what is found (32) and the candidates (8 to 12 for each, at most
 * 600 a document) are in files that are mapped: memory does not grow with the
 * number of documents, and the values are read twice, from one end to the
 * other, where copies are not far from each other. */
#ifndef LOGLOG_TRAINER_PACK_NEAR_H
#define LOGLOG_TRAINER_PACK_NEAR_H

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "trainer/pack_docs.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define PACK_NEAR_VALUES 128

struct pack_near {
    int fd; /* of the file of values; -1: closed */
    char dir[PATH_MAX - 16], path[PATH_MAX];
    struct str pending;
    struct file_map map;
};

/* The values of a text; all ones when it has no shingle. */
void pack_near_values(uint32_t value[PACK_NEAR_VALUES], const uint8_t *text,
                      size_t n);
/* The similarity they estimate. */
double pack_near_similarity(const uint32_t *a, const uint32_t *b);

/* Begin the file DIR/near.raw. */
int pack_near_open(struct pack_near *p, const char *dir, struct err *e);
/* The next document of the table of documents. */
int pack_near_add(struct pack_near *p, const uint8_t *text, size_t n,
                  struct err *e);
/* Leave out every document that is a near copy of one that stays and comes
 * before it: set PACK_NOWHERE, why PACK_NEAR, unit the index of that one, same
 * how many of their values are equal.  Those already left out take no part. */
int pack_near_dedup(struct pack_near *p, struct pack_docs *docs,
                    double threshold, struct err *e);
/* Close and remove the file; harmless when there is none. */
void pack_near_release(struct pack_near *p);

#endif
