/* spec: see spec.h.
 *
 * One table names every key, where its value lives, what it may be and between
 * which bounds; printing, parsing, checking and "did you mean" walk it.  The
 * order of the table is the order of the canonical text, and so part of every
 * run's identity: append to it, never reorder it. */
#include "sweep/spec_keys.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const family_names[] = {"deepseek-llm", NULL};
static const char *const optimizer_names[] = {"adamw", NULL};
static const char *const schedule_names[] = {
    "multi-step", "cosine", "wsd-linear", "wsd-sqrt", "constant", NULL};
static const char *const dtype_names[] = {"fp32", "bf16", NULL};

/* Large enough for any model that was ever trained, small enough that no
 * product of three sizes overflows 64 bits. */
#define MAX_SIZE (1 << 20)
#define MAX_COUNT 0x1p53 /* integers that a double holds exactly */
#define MAX_REAL 1e30

/* clang-format off */
/* A key is called what its field is called. */
#define ROW(kind, field, lo, hi, open, names) \
    {#field, kind, offsetof(struct run_spec, field), lo, hi, open, names}
#define INT(field, lo, hi) ROW(KEY_INT, field, lo, hi, 0, NULL)
#define REAL(field, lo, hi, open) ROW(KEY_REAL, field, lo, hi, open, NULL)
#define STAGES(field, lo, hi, open) ROW(KEY_STAGES, field, lo, hi, open, NULL)
#define ENUM(field, names) ROW(KEY_ENUM, field, 0, 0, 0, names)
const struct key spec_keys[SPEC_KEYS] = {
    ENUM(model.family, family_names),
    INT(model.vocab, 2, MAX_SIZE),
    INT(model.seq_len, 1, MAX_SIZE),
    INT(model.d_model, 2, MAX_SIZE),
    INT(model.n_layer, 1, 4096),
    INT(model.n_head, 1, MAX_SIZE),
    INT(model.n_kv_head, 1, MAX_SIZE),
    INT(model.d_ff, 1, 4 * MAX_SIZE),
    REAL(model.rope_theta, 1, MAX_REAL, OPEN_LO),
    REAL(model.norm_eps, 0, 1, OPEN_LO),
    REAL(model.init_std, 0, 10, OPEN_LO),
    INT(model.init_depth, 0, 1),
    ENUM(optim.name, optimizer_names),
    REAL(optim.lr, 0, 1e3, OPEN_LO),
    REAL(optim.beta1, 0, 1, OPEN_HI),
    REAL(optim.beta2, 0, 1, OPEN_HI),
    REAL(optim.eps, 0, 1, OPEN_LO),
    REAL(optim.weight_decay, 0, 1e3, 0),
    REAL(optim.clip, 0, MAX_REAL, 0),
    ENUM(schedule.name, schedule_names),
    INT(schedule.warmup_steps, 0, MAX_COUNT),
    STAGES(schedule.at, 0, 1, OPEN_LO | OPEN_HI),
    STAGES(schedule.factor, 0, 1e3, OPEN_LO),
    REAL(schedule.decay, 0, 1, 0),
    REAL(schedule.floor, 0, 1, 0),
    ROW(KEY_DATA, data, 0, 0, 0, NULL),
    ENUM(dtype, dtype_names),
    INT(batch_tokens, 1, MAX_COUNT),
    INT(steps, 1, MAX_COUNT),
    INT(seed, 0, MAX_COUNT),
    INT(eval_every, 0, MAX_COUNT),
    INT(eval_tokens, 0, MAX_COUNT),
};
#undef ROW
#undef INT
#undef REAL
#undef STAGES
#undef ENUM
/* clang-format on */

const char *spec_key(size_t i)
{
    return i < SPEC_KEYS ? spec_keys[i].name : NULL;
}

const void *spec_field(const struct run_spec *s, const struct key *k)
{
    return (const char *)s + k->offset;
}

static void *field_of(struct run_spec *s, const struct key *k)
{
    return (char *)s + k->offset;
}

const struct key *spec_find(const char *name)
{
    for (size_t i = 0; i < SPEC_KEYS; i++)
        if (!strcmp(spec_keys[i].name, name))
            return &spec_keys[i];
    return NULL;
}

void spec_defaults(struct run_spec *s)
{
    *s = (struct run_spec){
        .model = {.family = FAMILY_DEEPSEEK_LLM,
                  .vocab = 256,
                  .seq_len = 128,
                  .rope_theta = 1e4,
                  .norm_eps = 1e-6,
                  .init_std = 0.006},
        .optim = {.name = OPT_ADAMW,
                  .beta1 = 0.9,
                  .beta2 = 0.95,
                  .eps = 1e-8,
                  .weight_decay = 0.1,
                  .clip = 1.0},
        .schedule = {.name = SCHED_MULTI_STEP,
                     .n_stage = 2,
                     .at = {0.8, 0.9},
                     .factor = {0.316, 0.1},
                     .decay = 0.2,
                     .floor = 0.1},
        .dtype = DTYPE_FP32,
        .seed = 1,
    };
}

int64_t spec_tokens(const struct run_spec *s)
{
    return s->steps * s->batch_tokens;
}

/* --- printing --- */

static const char *enum_name(const struct key *k, int64_t value)
{
    for (int64_t i = 0; k->names[i]; i++)
        if (i == value)
            return k->names[i];
    return "?";
}

static void print_value(struct str *out, const struct run_spec *s,
                        const struct key *k)
{
    char buf[STR_DOUBLE];
    const void *p = spec_field(s, k);

    switch (k->kind) {
    case KEY_INT:
        str_addf(out, "%lld", (long long)*(const int64_t *)p);
        break;
    case KEY_REAL:
        str_add(out, str_double(buf, *(const double *)p));
        break;
    case KEY_ENUM:
        str_add(out, enum_name(k, *(const int64_t *)p));
        break;
    case KEY_DATA:
        str_add(out, *(const char *)p ? p : "none");
        break;
    case KEY_STAGES:
        str_add(out, "[");
        for (int64_t i = 0; i < s->schedule.n_stage && i < SPEC_STAGES; i++)
            str_addf(out, "%s%s", i ? ", " : "",
                     str_double(buf, ((const double *)p)[i]));
        str_add(out, "]");
        break;
    }
}

void spec_print(struct str *out, const struct run_spec *s)
{
    for (size_t i = 0; i < SPEC_KEYS; i++) {
        str_addf(out, "%s = ", spec_keys[i].name);
        print_value(out, s, &spec_keys[i]);
        str_add(out, "\n");
    }
}

void spec_get(struct str *out, const struct run_spec *s, const char *key)
{
    const struct key *k = spec_find(key);

    BUG_ON(!k);
    print_value(out, s, k);
}

int64_t spec_id(const struct run_spec *s)
{
    struct str text;
    int64_t id;

    str_init(&text);
    spec_print(&text, s);
    id = hash_id(text.text);
    str_release(&text);
    return id;
}

/* --- setting --- */

static int set_enum(int64_t *slot, const struct key *k, const char *value,
                    struct err *e)
{
    const char *near;
    struct str list;
    size_t n = 0;
    int rc;

    for (; k->names[n]; n++)
        if (!strcmp(k->names[n], value)) {
            *slot = (int64_t)n;
            return 0;
        }
    near = str_nearest(value, k->names, n);
    str_init(&list);
    for (size_t i = 0; i < n; i++)
        str_addf(&list, "%s%s", i ? ", " : "", k->names[i]);
    if (near)
        rc = err_set(e, ERR_USAGE, "%s: '%s' is none of %s; did you mean '%s'?",
                     k->name, value, list.text, near);
    else
        rc = err_set(e, ERR_USAGE, "%s: '%s' is none of %s", k->name, value,
                     list.text);
    str_release(&list);
    return rc;
}

/* "[0.8, 0.9]" or "0.8,0.9": at most SPEC_STAGES numbers. */
static int parse_reals(double *v, int64_t *n, const struct key *k,
                       const char *value, struct err *e)
{
    char *copy = xstrdup(value), *p = copy, *save = NULL;
    size_t len = strlen(copy);
    int rc = 0;

    *n = 0;
    if (len >= 2 && p[0] == '[' && p[len - 1] == ']') {
        p[len - 1] = '\0';
        p++;
    }
    for (char *item = strtok_r(p, ", ", &save); item && !rc;
         item = strtok_r(NULL, ", ", &save)) {
        if (*n == SPEC_STAGES)
            rc = err_set(e, ERR_USAGE, "%s: at most %d values expected",
                         k->name, SPEC_STAGES);
        else if (str_to_double(item, &v[*n]))
            rc = err_set(e, ERR_USAGE, "%s: '%s' is not a list of numbers",
                         k->name, value);
        else
            (*n)++;
    }
    free(copy);
    return rc;
}

static int set_stages(struct run_spec *s, const struct key *k,
                      const char *value, struct err *e)
{
    double v[SPEC_STAGES] = {0};
    int64_t n;

    if (parse_reals(v, &n, k, value, e))
        return -1;
    /* `at` says how many stages there are; `factor` follows it. */
    if (k->offset == offsetof(struct run_spec, schedule.at)) {
        s->schedule.n_stage = n;
        for (int64_t i = n; i < SPEC_STAGES; i++)
            s->schedule.factor[i] = 0;
    } else if (n != s->schedule.n_stage) {
        return err_set(e, ERR_USAGE,
                       "%s: %lld values, but schedule.at has %lld", k->name,
                       (long long)n, (long long)s->schedule.n_stage);
    }
    memcpy(field_of(s, k), v, sizeof v);
    return 0;
}

static int set_data(char *slot, const struct key *k, const char *value,
                    struct err *e)
{
    if (!strcmp(value, "none")) {
        memset(slot, 0, SPEC_DATA_ID);
        return 0;
    }
    if (strlen(value) != SPEC_DATA_ID - 1 ||
        strspn(value, "0123456789abcdef") != SPEC_DATA_ID - 1)
        return err_set(e, ERR_USAGE,
                       "%s: '%s': 16 hexadecimal digits or 'none' expected",
                       k->name, value);
    memcpy(slot, value, SPEC_DATA_ID);
    return 0;
}

int spec_unknown(const char *key, struct err *e)
{
    const char *names[SPEC_KEYS], *near;

    for (size_t i = 0; i < SPEC_KEYS; i++)
        names[i] = spec_keys[i].name;
    near = str_nearest(key, names, SPEC_KEYS);
    if (near)
        return err_set(e, ERR_USAGE, "unknown key '%s'; did you mean '%s'?",
                       key, near);
    return err_set(e, ERR_USAGE, "unknown key '%s'", key);
}

int spec_set(struct run_spec *s, const char *key, const char *value,
             struct err *e)
{
    const struct key *k = spec_find(key);
    int64_t i;
    double v;

    if (!k)
        return spec_unknown(key, e);
    switch (k->kind) {
    case KEY_INT:
        if (str_to_i64(value, &i))
            return err_set(e, ERR_USAGE, "%s: '%s': an integer expected", key,
                           value);
        *(int64_t *)field_of(s, k) = i;
        return 0;
    case KEY_REAL:
        if (str_to_double(value, &v))
            return err_set(e, ERR_USAGE, "%s: '%s': a number expected", key,
                           value);
        *(double *)field_of(s, k) = v;
        return 0;
    case KEY_ENUM:
        return set_enum(field_of(s, k), k, value, e);
    case KEY_STAGES:
        return set_stages(s, k, value, e);
    case KEY_DATA:
        return set_data(field_of(s, k), k, value, e);
    }
    return 0;
}

/* Cut blanks at both ends, in place. */
static char *trim(char *s)
{
    size_t n;

    s += strspn(s, " \t\r");
    n = strlen(s);
    while (n && strchr(" \t\r", s[n - 1]))
        s[--n] = '\0';
    return s;
}

int spec_parse(struct run_spec *s, const char *text, struct err *e)
{
    struct run_spec was = *s;
    char *copy = xstrdup(text), *next = copy;
    int rc = 0;

    for (int line = 1; next && !rc; line++) {
        char *at = next, *eq;
        next = strchr(at, '\n');
        if (next)
            *next++ = '\0';
        at = trim(at);
        if (!*at || *at == '#')
            continue;
        eq = strchr(at, '=');
        if (!eq) {
            rc = err_set(e, ERR_USAGE, "line %d: 'key = value' expected", line);
            break;
        }
        *eq = '\0';
        rc = spec_set(s, trim(at), trim(eq + 1), e);
        if (rc)
            err_prefix(e, "line %d: ", line);
    }
    free(copy);
    if (rc)
        *s = was;
    return rc;
}

/* --- names --- */

static const char *name_of(const char *key, int64_t value)
{
    return enum_name(spec_find(key), value);
}

const char *schedule_name(int64_t kind)
{
    return name_of("schedule.name", kind);
}

const char *dtype_name(int64_t dtype)
{
    return name_of("dtype", dtype);
}

const char *family_name(int64_t family)
{
    return name_of("model.family", family);
}
