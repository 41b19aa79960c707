/* doc: a YAML file as a tree of nodes that know their line.
 *
 * One document of plain maps, lists and scalars; anchors, aliases, tags, more
 * than one document, deep nesting and huge files are refused, so a walk over
 * the tree always ends soon.  Nodes are small integers, 0 is no node.  Scalars
 * stay text until an accessor reads them, so 3e-4 and `no` are not misread.
 * Every message begins with file:line. */
#ifndef LOGLOG_SWEEP_DOC_H
#define LOGLOG_SWEEP_DOC_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define DOC_MAX_BYTES (1 << 20)
#define DOC_MAX_NODES 10000
#define DOC_MAX_DEPTH 12

struct doc;

enum doc_kind { DOC_NONE, DOC_SCALAR, DOC_LIST, DOC_MAP };

/* Read a file, or a text that is called `name` in messages.  *d is the
 * caller's to close. */
int doc_open(struct doc **d, const char *path, struct err *e);
int doc_parse(struct doc **d, const char *name, const char *text, size_t len,
              struct err *e);
void doc_close(struct doc *d);

int doc_root(const struct doc *d);
enum doc_kind doc_kind(const struct doc *d, int node);
int doc_line(const struct doc *d, int node); /* from 1 */
/* Elements of a list or pairs of a map. */
int doc_count(const struct doc *d, int node);
/* The i-th element of a list, or value of a map. */
int doc_item(const struct doc *d, int node, int i);
/* The i-th key of a map. */
int doc_key(const struct doc *d, int node, int i);
/* The value of a key; 0 if the map has none. */
int doc_get(const struct doc *d, int map, const char *key);
/* The text of a scalar, borrowed; "" for anything else. */
const char *doc_text(const struct doc *d, int node);

/* Fill *e with "file:line: " and the text.  Always returns -1. */
int doc_error(const struct doc *d, int node, struct err *e, const char *fmt,
              ...) __attribute__((format(printf, 4, 5)));

/* Is it a map whose keys are all among keys[0..n), each at most once? `what`
 * names it in messages. */
int doc_check_map(const struct doc *d, int node, const char *what,
                  const char *const *keys, size_t n, struct err *e);

/* Scalars; `what` names the key in messages. */
int doc_double(double *v, const struct doc *d, int node, const char *what,
               struct err *e);
int doc_i64(int64_t *v, const struct doc *d, int node, const char *what,
            struct err *e);
int doc_bool(int *v, const struct doc *d, int node, const char *what,
             struct err *e);
/* A text of printable characters that fits in size bytes with its NUL; not
 * empty. */
int doc_string(char *out, size_t size, const struct doc *d, int node,
               const char *what, struct err *e);
/* The same, of letters, digits, '-', '_' and '.' only. */
int doc_name(char *out, size_t size, const struct doc *d, int node,
             const char *what, struct err *e);

#endif
