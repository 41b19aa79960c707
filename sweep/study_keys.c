/* study_keys: reading the tables of keys; see study_keys.h. */
#include "sweep/study_keys.h"

#include "base/mem.h"
#include "sweep/axis.h"

static int in_range(double v, const struct field *f, const struct doc *d,
                    int node, struct err *e)
{
    char lo[STR_DOUBLE], hi[STR_DOUBLE];

    if (v >= f->lo && v <= f->hi)
        return 0;
    return doc_error(d, node, e, "%s: %.40s: %s to %s expected", f->key,
                     doc_text(d, node), str_double(lo, f->lo),
                     str_double(hi, f->hi));
}

/* The node as spec_set takes it: the text of a scalar, or "a,b" of a list. */
static int read_spec(struct run_spec *spec, const struct field *f,
                     const struct doc *d, int node, struct err *e)
{
    struct err why;
    struct str text;
    int rc;

    if (doc_kind(d, node) == DOC_MAP)
        return doc_error(d, node, e, "%s: a map is not a value", f->key);
    str_init(&text);
    str_add(&text, doc_text(d, node));
    for (int i = 0; doc_kind(d, node) == DOC_LIST && i < doc_count(d, node);
         i++)
        str_addf(&text, "%s%.40s", i ? "," : "",
                 doc_text(d, doc_item(d, node, i)));
    rc = spec_set(spec, f->spec, text.text, &why) ||
         spec_check_key(spec, f->spec, &why);
    str_release(&text);
    return rc ? doc_error(d, node, e, "%s", why.text) : 0;
}

static int field_read(void *base, struct run_spec *spec, const struct field *f,
                      const struct doc *d, int node, struct err *e)
{
    void *slot = (char *)base + f->offset;
    struct err why;
    double real;
    int64_t i;

    switch (f->kind) {
    case FIELD_SPEC:
        return read_spec(spec, f, d, node, e);
    case FIELD_I64:
    case FIELD_INT:
        if (doc_i64(&i, d, node, f->key, e) ||
            in_range((double)i, f, d, node, e))
            return -1;
        if (f->kind == FIELD_I64)
            *(int64_t *)slot = i;
        else
            *(int *)slot = (int)i;
        return 0;
    case FIELD_REAL:
        if (doc_double(&real, d, node, f->key, e) ||
            in_range(real, f, d, node, e))
            return -1;
        *(double *)slot = real;
        return 0;
    case FIELD_BOOL:
        return doc_bool(slot, d, node, f->key, e);
    case FIELD_NAME:
        return doc_name(slot, 32, d, node, f->key, e);
    case FIELD_DEVICE:
        if (!device_parse(slot, doc_text(d, node), &why))
            return 0;
        return doc_error(d, node, e, "%s: %s", f->key, why.text);
    case FIELD_CHOICE:
        if (!device_choice_parse(slot, (enum device_choice)f->lo,
                                 doc_text(d, node), &why))
            return 0;
        return doc_error(d, node, e, "%s", why.text);
    case FIELD_AXIS:
        return axis_read(slot, d, node, f->key, (int)f->hi, e);
    case FIELD_OWN:
        return 0;
    }
    return 0;
}

int section_check(const struct section *sec, unsigned stages,
                  const struct doc *d, int map, const char *what, struct err *e)
{
    const char *keys[FIELDS_MAX];
    size_t n = 0;

    BUG_ON(sec->n > FIELDS_MAX);
    for (size_t i = 0; i < sec->n; i++)
        if (!stages || (sec->field[i].stages & stages))
            keys[n++] = sec->field[i].key;
    return doc_check_map(d, map, what, keys, n, e);
}

int section_read(void *base, struct run_spec *spec, const struct section *sec,
                 const struct doc *d, int map, struct err *e)
{
    for (size_t i = 0; i < sec->n; i++) {
        int node = doc_get(d, map, sec->field[i].key);
        if (node && field_read(base, spec, &sec->field[i], d, node, e))
            return -1;
    }
    return 0;
}

int seeds_read(int64_t *seed, int *n, const struct doc *d, int node,
               const char *key, struct err *e)
{
    int one = doc_kind(d, node) == DOC_SCALAR;

    *n = one ? 1 : doc_count(d, node);
    if (doc_kind(d, node) == DOC_MAP || *n < 1 || *n > STUDY_SEEDS)
        return doc_error(d, node, e, "%s: a list of 1 to %d seeds expected",
                         key, STUDY_SEEDS);
    for (int i = 0; i < *n; i++) {
        int item = one ? node : doc_item(d, node, i);
        if (doc_i64(&seed[i], d, item, key, e))
            return -1;
        if (seed[i] < 0 || (double)seed[i] > 0x1p53)
            return doc_error(d, item, e, "%s: %s: 0 to 2^53 expected", key,
                             doc_text(d, item));
        for (int j = 0; j < i; j++)
            if (seed[j] == seed[i])
                return doc_error(d, item, e, "%s: %s occurs twice", key,
                                 doc_text(d, item));
    }
    return 0;
}
