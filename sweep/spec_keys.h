/* spec_keys: the table behind spec.h, private to spec.c, which prints and
 * parses, and spec_check.c. */
#ifndef LOGLOG_SWEEP_SPEC_KEYS_H
#define LOGLOG_SWEEP_SPEC_KEYS_H

#include "sweep/spec.h"

enum key_kind { KEY_INT, KEY_REAL, KEY_ENUM, KEY_STAGES, KEY_DATA };

/* Bounds that are not allowed themselves. */
enum { OPEN_LO = 1, OPEN_HI = 2 };

struct key {
    const char *name;
    enum key_kind kind;
    size_t offset;
    double lo, hi;
    int open;                 /* OPEN_LO | OPEN_HI */
    const char *const *names; /* of an enum, in order, NULL at the end */
};

#define SPEC_KEYS 32
extern const struct key spec_keys[SPEC_KEYS];

/* The row of a key; NULL if there is none. */
const struct key *spec_find(const char *name);
/* Fill *e with "unknown key ...; did you mean ...?".  Returns -1. */
int spec_unknown(const char *key, struct err *e);
/* Where the value of a key lives. */
const void *spec_field(const struct run_spec *s, const struct key *k);

#endif
