/* pack: text files into packed sets: train, valid, and further validation
 * sets by name.
 *
 * A document is a file, or what lies between NUL bytes where a file holds
 * some, or the text of a line of JSON lines; .gz, .bz2, .xz and .zst are
 * unpacked by the way.  Blank documents and exact copies are left out and
 * listed.  Which documents validate is decided by a hash of the document's text
 * (or of its directory's name), never by its position, and they are whole.  How
 * much of the validation text occurs in the training text is measured, not
 * assumed: the share of its 64-byte windows found anywhere in train.
 *
 * Everything is streamed: the tables (48 bytes a document, 796 where near
 * copies are left out) are mapped files beside `out`; private memory is the
 * paths of the files and at most 130 MB for each validation set.  The result is
 * made in a directory beside `out` and renamed, so `out` holds all of it or
 * nothing. */
#ifndef LOGLOG_TRAINER_PACK_H
#define LOGLOG_TRAINER_PACK_H

#include "base/err.h"

#include <stdint.h>

#define PACK_SETS 8 /* train, valid and at most six more */
#define PACK_NAME 32
#define PACK_PATTERNS 64

enum { PACK_TRAIN, PACK_VALID, PACK_MORE };

enum pack_split {
    PACK_BY_DOCUMENT,
    PACK_BY_DIRECTORY, /* all of a directory on one side; see split_depth */
    PACK_WHOLE         /* no split: everything is training text */
};
enum pack_invalid { PACK_KEEP, PACK_DROP, PACK_REFUSE };

struct tokenizer;

struct pack_input {
    const char *path; /* a file, or a directory with all below it */
    int set;          /* PACK_TRAIN: to be split; else the set it goes to */
};

struct pack_options {
    const char *out;
    const struct pack_input *input;
    int n_input;
    int n_set;                           /* at least PACK_MORE */
    char set_name[PACK_SETS][PACK_NAME]; /* "train", "valid", "ood" */
    enum pack_split split;
    int split_depth;     /* leading components of the path that count; 0: all */
    double valid_share;  /* of the bytes, if valid_bytes is 0 ... */
    int64_t valid_cap;   /* ... but at most this many bytes */
    int64_t valid_bytes; /* about so many bytes of whole documents */
    int64_t valid_documents; /* at least, where whole documents allow */
    /* Explicit: names (relative to their input) that validate, by fnmatch
     * pattern; when given, the share is not used. */
    const char *valid_glob[PACK_PATTERNS];
    int n_valid_glob;
    const char *valid_list; /* or a file that lists them, a line each; NULL */
    double near;            /* leave out documents so similar to an earlier one
                               (pack_near.h); 0: exact copies only */
    double max_overlap;     /* a validation document with more of its windows in
                               train is left out; 1: none is */
    uint64_t seed;
    enum pack_invalid invalid; /* documents that are not UTF-8 */
    int64_t shard_bytes;       /* a shard is closed when it holds so many */
    const char *text_field;    /* of JSON lines: which holds the text */
    const struct tokenizer *tokenizer; /* NULL: bytes */
    int threads;                       /* that tokenize; 0: one a CPU */
    const char *note; /* into the manifests: where the text is from; or NULL */
    int force;        /* replace another packed set at `out` */
};
/* Defaults: split by document, 2 % but at most 4 MB and at least 30
 * documents, keep invalid UTF-8, no limit of overlap, shards of 1 GiB. */
void pack_defaults(struct pack_options *o);

struct pack_set_report {
    char name[PACK_NAME];
    char sha256[65];
    int64_t documents, tokens, bytes, distinct;
    double overlap;     /* share of its windows that occur in train */
    double overlap_max; /* of the worst document */
    double unique;      /* share of distinct windows in itself */
};

struct pack_report {
    int n_set;
    struct pack_set_report set[PACK_SETS];
    int64_t files, other_files; /* read; not regular, passed over */
    int64_t documents, bytes;   /* not blank; before more is left out */
    int64_t blank, duplicates, duplicate_bytes, near, near_bytes;
    int64_t invalid_documents, invalid_bytes;
    int64_t overlapping; /* left out by max_overlap */
    int unchanged;       /* `out` held the same already */
};

/* Pack.  Writes out/NAME/ for each set and out/notes.tsv, which lists what was
 * left out or is not UTF-8, and why.  An `out` that holds other content is
 * replaced only with `force`, and only if it holds nothing but packed sets. */
int pack(struct pack_report *r, const struct pack_options *o, struct err *e);

#endif
