/* study_keys: the keys of the study file as tables, private to the reader
 * (study.c, stage.c) and the printer (study_print.c), so that what is printed
 * is what is read. */
#ifndef LOGLOG_SWEEP_STUDY_KEYS_H
#define LOGLOG_SWEEP_STUDY_KEYS_H

#include "sweep/doc.h"
#include "sweep/study.h"

enum field_kind {
    FIELD_SPEC, /* a key of run_spec, into study.base */
    FIELD_I64,
    FIELD_INT,
    FIELD_REAL,
    FIELD_BOOL, /* an int; lo is the default, which is not printed */
    FIELD_NAME,
    FIELD_DEVICE,
    FIELD_CHOICE, /* an int: enum device_choice lo; 0 is not printed */
    FIELD_AXIS,
    FIELD_OWN /* has a function of its own */
};

struct field {
    const char *key;
    enum field_kind kind;
    unsigned stages;  /* of a stage: 1 << kind, where the key may stand */
    const char *spec; /* FIELD_SPEC: the key of run_spec */
    size_t offset;    /* others: in struct study or struct stage */
    double lo, hi;    /* numbers, inclusive */
};

/* A map of the file and its keys. */
struct section {
    const char *name;
    const struct field *field;
    size_t n;
};
extern const struct section section_top, section_data, section_model,
    section_train, section_optimizer, section_schedule, section_log,
    section_stage;

#define FIELDS_MAX 24

/* Are the keys of the map all of this section (and, with stages != 0, of this
 * kind of stage)? */
int section_check(const struct section *sec, unsigned stages,
                  const struct doc *d, int map, const char *what,
                  struct err *e);
/* Read the fields of a section that stand in the map, except FIELD_OWN, into
 * the struct at base; SPEC fields into *spec. */
int section_read(void *base, struct run_spec *spec, const struct section *sec,
                 const struct doc *d, int map, struct err *e);

/* key: [1, 2] */
int seeds_read(int64_t *seed, int *n, const struct doc *d, int node,
               const char *key, struct err *e);

/* Read stages: [...] into *s, whose other parts are there already; `seed`
 * holds the default seeds. */
int stages_read(struct study *s, const struct doc *d, int list,
                const int64_t *seed, int n_seed, struct err *e);

#endif
