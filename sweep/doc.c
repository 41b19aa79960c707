/* doc: see doc.h.
 *
 * libyaml's document loader gives the line of every node, but resolves aliases
 * into shared (even cyclic) nodes and does not bound their number.  So a first
 * pass over the events refuses what a study file has no use for, and only then
 * the document is built. */
#include "sweep/doc.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct doc {
    yaml_document_t yaml; /* node i of the interface is its node i, from 1 */
    char *name;
};

/* --- loading --- */

static int fail(struct err *e, const char *name, size_t line, const char *what)
{
    return err_set(e, ERR_USAGE, "%s:%zu: %s", name, line, what);
}

static int parser_error(const yaml_parser_t *p, const char *name,
                        const char *text, struct err *e)
{
    size_t line = p->problem_mark.line + 1;

    if (p->error == YAML_READER_ERROR) { /* it knows the byte, not the line */
        line = 1;
        for (size_t i = 0; i < p->problem_offset; i++)
            line += text[i] == '\n';
        return err_set(e, ERR_USAGE, "%s:%zu: not UTF-8 text: %s", name, line,
                       p->problem);
    }
    if (p->context)
        return err_set(e, ERR_USAGE, "%s:%zu: not YAML: %s %s", name, line,
                       p->problem ? p->problem : "", p->context);
    return err_set(e, ERR_USAGE, "%s:%zu: not YAML: %s", name, line,
                   p->problem ? p->problem : "unreadable");
}

struct limits {
    int documents, depth, nodes;
};

/* What is wrong with one event; NULL when nothing. */
static const char *event_problem(struct limits *l, const yaml_event_t *ev)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (l->documents++)
            return "a second document; one study in a file expected";
        return NULL;
    case YAML_ALIAS_EVENT:
        return "an alias (*name); write the value out";
    case YAML_SCALAR_EVENT:
        anchor = ev->data.scalar.anchor;
        tag = ev->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = ev->data.sequence_start.anchor;
        tag = ev->data.sequence_start.tag;
        l->depth++;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = ev->data.mapping_start.anchor;
        tag = ev->data.mapping_start.tag;
        l->depth++;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        l->depth--;
        return NULL;
    default:
        return NULL;
    }
    if (anchor)
        return "an anchor (&name); write the value out";
    if (tag)
        return "a tag (!name); plain values expected";
    if (l->depth > DOC_MAX_DEPTH)
        return "nested too deeply";
    if (++l->nodes > DOC_MAX_NODES)
        return "too many values";
    return NULL;
}

static int scan(const char *name, const char *text, size_t len, struct err *e)
{
    struct limits limits = {0, 0, 0};
    yaml_parser_t p;
    yaml_event_t ev;
    int rc = 0, end = 0;

    BUG_ON(!yaml_parser_initialize(&p));
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
    while (!end && !rc) {
        const char *problem;
        if (!yaml_parser_parse(&p, &ev)) {
            rc = parser_error(&p, name, text, e);
            break;
        }
        end = ev.type == YAML_STREAM_END_EVENT;
        problem = event_problem(&limits, &ev);
        if (problem)
            rc = fail(e, name, ev.start_mark.line + 1, problem);
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&p);
    if (!rc && limits.nodes == 0)
        rc = fail(e, name, 1, "empty; a study expected");
    return rc;
}

int doc_parse(struct doc **out, const char *name, const char *text, size_t len,
              struct err *e)
{
    struct doc *d;
    yaml_parser_t p;
    int rc = 0;

    if (len > DOC_MAX_BYTES)
        return err_set(e, ERR_USAGE, "%s: %zu bytes, at most %d expected", name,
                       len, DOC_MAX_BYTES);
    if (memchr(text, '\0', len))
        return err_set(e, ERR_USAGE, "%s: a NUL byte; text expected", name);
    if (scan(name, text, len, e))
        return -1;
    d = xcalloc(1, sizeof *d);
    BUG_ON(!yaml_parser_initialize(&p));
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
    if (!yaml_parser_load(&p, &d->yaml)) {
        rc = parser_error(&p, name, text, e);
        free(d);
    } else {
        d->name = xstrdup(name);
        *out = d;
    }
    yaml_parser_delete(&p);
    return rc;
}

int doc_open(struct doc **d, const char *path, struct err *e)
{
    char *text;
    size_t len;
    int rc;

    if (file_read(&text, &len, path, DOC_MAX_BYTES, e)) {
        if (e)
            e->cls = ERR_USAGE; /* the wrong name is the user's */
        return -1;
    }
    rc = doc_parse(d, path, text, len, e);
    free(text);
    return rc;
}

void doc_close(struct doc *d)
{
    if (!d)
        return;
    yaml_document_delete(&d->yaml);
    free(d->name);
    free(d);
}

/* --- the tree --- */

static yaml_node_t *at(const struct doc *d, int node)
{
    /* libyaml asks for a pointer to non-const and changes nothing. */
    return node > 0 ? yaml_document_get_node((yaml_document_t *)&d->yaml, node)
                    : NULL;
}

int doc_root(const struct doc *d)
{
    return at(d, 1) ? 1 : 0;
}

enum doc_kind doc_kind(const struct doc *d, int node)
{
    const yaml_node_t *n = at(d, node);

    if (!n)
        return DOC_NONE;
    switch (n->type) {
    case YAML_SCALAR_NODE:
        return DOC_SCALAR;
    case YAML_SEQUENCE_NODE:
        return DOC_LIST;
    case YAML_MAPPING_NODE:
        return DOC_MAP;
    default:
        return DOC_NONE;
    }
}

int doc_line(const struct doc *d, int node)
{
    const yaml_node_t *n = at(d, node);

    return n ? (int)n->start_mark.line + 1 : 1;
}

int doc_count(const struct doc *d, int node)
{
    const yaml_node_t *n = at(d, node);

    switch (doc_kind(d, node)) {
    case DOC_LIST:
        return (int)(n->data.sequence.items.top - n->data.sequence.items.start);
    case DOC_MAP:
        return (int)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
    default:
        return 0;
    }
}

int doc_item(const struct doc *d, int node, int i)
{
    const yaml_node_t *n = at(d, node);

    BUG_ON(i < 0 || i >= doc_count(d, node));
    if (n->type == YAML_SEQUENCE_NODE)
        return n->data.sequence.items.start[i];
    return n->data.mapping.pairs.start[i].value;
}

int doc_key(const struct doc *d, int node, int i)
{
    const yaml_node_t *n = at(d, node);

    BUG_ON(doc_kind(d, node) != DOC_MAP || i < 0 || i >= doc_count(d, node));
    return n->data.mapping.pairs.start[i].key;
}

int doc_get(const struct doc *d, int map, const char *key)
{
    if (doc_kind(d, map) != DOC_MAP)
        return 0;
    for (int i = 0; i < doc_count(d, map); i++)
        if (!strcmp(doc_text(d, doc_key(d, map, i)), key))
            return doc_item(d, map, i);
    return 0;
}

const char *doc_text(const struct doc *d, int node)
{
    const yaml_node_t *n = at(d, node);

    return doc_kind(d, node) == DOC_SCALAR ? (const char *)n->data.scalar.value
                                           : "";
}

int doc_error(const struct doc *d, int node, struct err *e, const char *fmt,
              ...)
{
    char text[400];
    size_t len = strlen(d->name), cut = len > 200 ? len - 200 : 0;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(e, ERR_USAGE, "%s:%d: %s", d->name + cut, doc_line(d, node),
                   text);
}

int doc_check_map(const struct doc *d, int node, const char *what,
                  const char *const *keys, size_t n, struct err *e)
{
    if (doc_kind(d, node) != DOC_MAP)
        return doc_error(d, node, e, "%s: a map 'key: value' expected", what);
    for (int i = 0; i < doc_count(d, node); i++) {
        int key = doc_key(d, node, i);
        const char *text = doc_text(d, key), *near;
        size_t k = 0;

        while (k < n && strcmp(keys[k], text))
            k++;
        if (k == n) {
            near = str_nearest(text, keys, n);
            return near ? doc_error(d, key, e,
                                    "unknown key '%.64s' in %s; did you mean "
                                    "'%s'?",
                                    text, what, near)
                        : doc_error(d, key, e, "unknown key '%.64s' in %s",
                                    text, what);
        }
        for (int j = 0; j < i; j++)
            if (!strcmp(doc_text(d, doc_key(d, node, j)), text))
                return doc_error(d, key, e, "%s: '%s' is also on line %d", what,
                                 text, doc_line(d, doc_key(d, node, j)));
    }
    return 0;
}

/* --- scalars --- */

int doc_double(double *v, const struct doc *d, int node, const char *what,
               struct err *e)
{
    if (doc_kind(d, node) != DOC_SCALAR || str_to_double(doc_text(d, node), v))
        return doc_error(d, node, e, "%s: '%.64s': a number expected", what,
                         doc_text(d, node));
    return 0;
}

int doc_i64(int64_t *v, const struct doc *d, int node, const char *what,
            struct err *e)
{
    if (doc_kind(d, node) != DOC_SCALAR || str_to_i64(doc_text(d, node), v))
        return doc_error(d, node, e, "%s: '%.64s': an integer expected", what,
                         doc_text(d, node));
    return 0;
}

int doc_bool(int *v, const struct doc *d, int node, const char *what,
             struct err *e)
{
    const char *text = doc_text(d, node);

    if (strcmp(text, "true") && strcmp(text, "false"))
        return doc_error(d, node, e, "%s: '%.64s': true or false expected",
                         what, text);
    *v = !strcmp(text, "true");
    return 0;
}

/* Control characters, line separators and byte order marks, in UTF-8; what
 * libyaml let through is valid UTF-8. */
static int unprintable(const unsigned char *s)
{
    if (s[0] < 0x20 || s[0] == 0x7f)
        return 1;
    if (s[0] == 0xc2 && s[1] < 0xa0)
        return 1;
    if (s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9))
        return 1;
    if (s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf)
        return 1;
    return s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe;
}

int doc_string(char *out, size_t size, const struct doc *d, int node,
               const char *what, struct err *e)
{
    const yaml_node_t *n = at(d, node);
    const char *text = doc_text(d, node);
    size_t len = strlen(text);

    if (doc_kind(d, node) != DOC_SCALAR || !len)
        return doc_error(d, node, e, "%s: a text expected", what);
    if (len != n->data.scalar.length)
        return doc_error(d, node, e, "%s: a NUL inside a text", what);
    for (size_t i = 0; i < len; i++)
        if (unprintable((const unsigned char *)text + i))
            return doc_error(d, node, e,
                             "%s: a control character inside a text", what);
    if (len >= size)
        return doc_error(d, node, e, "%s: %zu bytes, at most %zu expected",
                         what, len, size - 1);
    memcpy(out, text, len + 1);
    return 0;
}

int doc_name(char *out, size_t size, const struct doc *d, int node,
             const char *what, struct err *e)
{
    const char *text = doc_text(d, node);

    if (text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")])
        return doc_error(d, node, e,
                         "%s: '%.64s': letters, digits, '-', '_' and '.' "
                         "expected",
                         what, text);
    return doc_string(out, size, d, node, what, e);
}
