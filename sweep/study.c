/* study: see study.h; docs/study-file.md is its reference.
 *
 * Each map of the file is a table of keys (study_keys.h).  Keys that are also
 * keys of run_spec are read and checked by spec.c, and get the place in the
 * file put in front of its message. */
#include "sweep/study.h"

#include "base/file.h"
#include "base/mem.h"
#include "sweep/axis.h"
#include "sweep/study_keys.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define AT(field) offsetof(struct study, field)
#define SPEC(name) FIELD_SPEC, 0, name, 0, 0, 0
#define OWN FIELD_OWN, 0, NULL, 0, 0, 0

static const struct field top_fields[] = {
    {"study", OWN}, {"data", OWN}, {"model", OWN}, {"train", OWN},
    {"log", OWN}, {"stages", OWN},
};
static const struct field log_fields[] = {
    {"every",      FIELD_I64, 0, NULL, AT(log.every), 0, 1e15},
    {"per_decade", FIELD_I64, 0, NULL, AT(log.per_decade), 0, 1e6},
};
static const struct field data_fields[] = {
    {"train", OWN},
    {"valid", OWN},
    {"seq_len", SPEC("model.seq_len")},
};
static const struct field model_fields[] = {
    {"preset",      OWN},
    {"family",      SPEC("model.family")},
    {"vocab",       SPEC("model.vocab")},
    {"head_dim",    FIELD_I64,  0, NULL, AT(shape.head_dim), 2, 1024},
    {"aspect",      FIELD_REAL, 0, NULL, AT(shape.aspect), 1, 1e4},
    {"kv_group",    FIELD_I64,  0, NULL, AT(shape.kv_group), 1, 1024},
    {"ff_multiple", FIELD_I64,  0, NULL, AT(shape.ff_multiple), 1, 65536},
    {"max_d_model", FIELD_I64,  0, NULL, AT(shape.max_d_model), 8, 1 << 20},
    {"rope_theta",  SPEC("model.rope_theta")},
    {"norm_eps",    SPEC("model.norm_eps")},
    {"init_std",    SPEC("model.init_std")},
    {"init_depth",  SPEC("model.init_depth")},
};
static const struct field train_fields[] = {
    {"preset",       OWN},
    {"optimizer",    OWN},
    {"schedule",     OWN},
    {"seeds",        OWN},
    {"dtype",        SPEC("dtype")},
    {"eval_every",   SPEC("eval_every")},
    {"eval_tokens",  SPEC("eval_tokens")},
    {"checkpoint",   FIELD_I64, 0, NULL, AT(checkpoint_seconds), 0, 1e9},
    {"max_attempts", FIELD_INT, 0, NULL, AT(max_attempts), 1, 1000},
    {"gang",         FIELD_INT, 0, NULL, AT(gang), 0, 65536},
    {"trunk",        OWN}, /* the stages', who print it */
    {"device",       FIELD_DEVICE, 0, NULL, AT(device), 0, 0},
    {"attention",    FIELD_CHOICE, 0, NULL, AT(how[DEVICE_ATTENTION]),
                                                   DEVICE_ATTENTION, 0},
    {"recompute",    FIELD_CHOICE, 0, NULL, AT(how[DEVICE_RECOMPUTE]),
                                                   DEVICE_RECOMPUTE, 0},
    {"graphs",       FIELD_CHOICE, 0, NULL, AT(how[DEVICE_GRAPHS]),
                                                   DEVICE_GRAPHS, 0},
};
static const struct field optimizer_fields[] = {
    {"name",         SPEC("optim.name")},
    {"beta1",        SPEC("optim.beta1")},
    {"beta2",        SPEC("optim.beta2")},
    {"eps",          SPEC("optim.eps")},
    {"weight_decay", SPEC("optim.weight_decay")},
    {"clip",         SPEC("optim.clip")},
};
static const struct field schedule_fields[] = {
    {"name",       SPEC("schedule.name")},
    {"warmup",     FIELD_REAL, 0, NULL, AT(warmup), 0, 1},
    {"warmup_max", FIELD_I64,  0, NULL, AT(warmup_max), 0, 1e15},
    {"warmup_shared", FIELD_BOOL, 0, NULL, AT(warmup_shared), 0, 0},
    {"at",         SPEC("schedule.at")},
    {"factor",     SPEC("schedule.factor")},
    {"decay",      SPEC("schedule.decay")},
    {"floor",      SPEC("schedule.floor")},
};
#define SECTION(name) {#name, name##_fields, ARRAY_LEN(name##_fields)}
const struct section section_top       = SECTION(top),
                     section_data      = SECTION(data),
                     section_model     = SECTION(model),
                     section_train     = SECTION(train),
                     section_optimizer = SECTION(optimizer),
                     section_schedule  = SECTION(schedule),
                     section_log       = SECTION(log);

/* What `preset: paper` sets before the other keys of its map are read:
 * DeepSeek LLM section 2 and Table 2; the aspect lies between those of its
 * 7B (137) and 67B (86). */
static const struct { const char *section, *key, *value; } paper[] = {
    {"model", "vocab",       "102400"},
    {"model", "head_dim",    "128"},
    {"model", "aspect",      "100"},
    {"model", "ff_multiple", "256"},
    {"model", "init_std",    "0.006"},
    {"schedule", "warmup",     "1"}, /* 2000 steps, whatever the horizon */
    {"schedule", "warmup_max", "2000"},
};
/* clang-format on */

/* --- presets --- */

static int apply_preset(struct study *s, const char *what, const char *only,
                        const struct section *sec, const struct doc *d,
                        int node, struct err *e)
{
    struct doc *values;
    struct str text;
    int rc;

    if (!node)
        return 0;
    if (strcmp(doc_text(d, node), "paper"))
        return doc_error(d, node, e,
                         "%s.preset: '%.40s': 'paper' is the only preset", what,
                         doc_text(d, node));
    str_init(&text);
    for (size_t i = 0; i < ARRAY_LEN(paper); i++)
        if (!strcmp(paper[i].section, only))
            str_addf(&text, "%s: %s\n", paper[i].key, paper[i].value);
    rc = doc_parse(&values, "preset", text.text, text.len, e);
    BUG_ON(rc);
    rc = section_read(s, &s->base, sec, values, doc_root(values), e);
    BUG_ON(rc);
    doc_close(values);
    str_release(&text);
    return 0;
}

/* --- sections --- */

/* A path as written, taken from the directory of the study file. */
static int read_path(char out[STUDY_PATH], const struct study *s,
                     const struct doc *d, int node, const char *what,
                     struct err *e)
{
    char text[STUDY_PATH];
    const char *slash = strrchr(s->file, '/');
    int dir = slash ? (int)(slash - s->file) + 1 : 0;

    if (doc_string(text, sizeof text, d, node, what, e))
        return -1;
    if (snprintf(out, STUDY_PATH, "%.*s%s", text[0] == '/' ? 0 : dir, s->file,
                 text) >= STUDY_PATH)
        return doc_error(d, node, e, "%s: path too long", what);
    return 0;
}

static int add_valid(struct study *s, const struct doc *d, int key, int node,
                     struct err *e)
{
    struct study_set *set = &s->valid[s->n_valid];

    if (s->n_valid == STUDY_VALID)
        return doc_error(d, node, e, "valid: at most %d sets expected",
                         STUDY_VALID);
    snprintf(set->name, sizeof set->name, "valid");
    if (key && doc_name(set->name, sizeof set->name, d, key, "valid", e))
        return -1;
    for (int i = 0; i < s->n_valid; i++)
        if (!strcmp(s->valid[i].name, set->name))
            return doc_error(d, node, e, "valid: a second set named '%s'",
                             set->name);
    if (read_path(set->path, s, d, node, "valid", e))
        return -1;
    set->line = doc_line(d, node);
    s->n_valid++;
    return 0;
}

/* A path, {name: path, ...}, or a list of those maps. */
static int read_valid(struct study *s, const struct doc *d, int node,
                      struct err *e)
{
    switch (doc_kind(d, node)) {
    case DOC_MAP:
        for (int i = 0; i < doc_count(d, node); i++)
            if (add_valid(s, d, doc_key(d, node, i), doc_item(d, node, i), e))
                return -1;
        break;
    case DOC_LIST:
        for (int i = 0; i < doc_count(d, node); i++) {
            int item = doc_item(d, node, i);
            if (doc_kind(d, item) != DOC_MAP || doc_count(d, item) != 1)
                return doc_error(d, item, e, "valid: {name: path} expected");
            if (add_valid(s, d, doc_key(d, item, 0), doc_item(d, item, 0), e))
                return -1;
        }
        break;
    default:
        return add_valid(s, d, 0, node, e);
    }
    if (!s->n_valid)
        return doc_error(d, node, e, "valid: at least one set expected");
    return 0;
}

static int read_data(struct study *s, const struct doc *d, int map,
                     struct err *e)
{
    int train = doc_get(d, map, "train"), valid = doc_get(d, map, "valid");

    if (section_check(&section_data, 0, d, map, "data", e) ||
        section_read(s, &s->base, &section_data, d, map, e))
        return -1;
    if (!train)
        return doc_error(d, map, e, "data: missing key 'train'");
    if (!valid)
        return doc_error(d, map, e, "data: missing key 'valid'");
    s->train_line = doc_line(d, train);
    return read_path(s->train, s, d, train, "train", e) ||
                   read_valid(s, d, valid, e)
               ? -1
               : 0;
}

static int read_model(struct study *s, const struct doc *d, int map,
                      struct err *e)
{
    struct shape_rule *r = &s->shape;

    if (section_check(&section_model, 0, d, map, "model", e) ||
        apply_preset(s, "model", "model", &section_model, d,
                     doc_get(d, map, "preset"), e) ||
        section_read(s, &s->base, &section_model, d, map, e))
        return -1;
    if (r->head_dim % 2)
        return doc_error(d, doc_get(d, map, "head_dim"), e,
                         "head_dim: %lld: an even number expected (rotary "
                         "embeddings turn pairs)",
                         (long long)r->head_dim);
    if (shape_unit(r) > r->max_d_model)
        return doc_error(d, map, e,
                         "model: max_d_model %lld is below the smallest "
                         "width, %lld",
                         (long long)r->max_d_model, (long long)shape_unit(r));
    return 0;
}

static int read_schedule(struct study *s, const struct doc *d, int map,
                         struct err *e)
{
    const struct schedule_spec *c = &s->base.schedule;

    if (section_check(&section_schedule, 0, d, map, "schedule", e) ||
        section_read(s, &s->base, &section_schedule, d, map, e))
        return -1;
    for (int64_t i = 0; i < c->n_stage; i++)
        if (!(c->factor[i] > 0))
            return doc_error(d, map, e,
                             "schedule.factor: one value for each of the %lld "
                             "of schedule.at expected",
                             (long long)c->n_stage);
    for (int64_t i = 1; i < c->n_stage; i++)
        if (!(c->at[i] > c->at[i - 1]))
            return doc_error(d, doc_get(d, map, "at"), e,
                             "schedule.at: increasing fractions expected");
    if (!(c->decay > 0) &&
        (c->name == SCHED_WSD_LINEAR || c->name == SCHED_WSD_SQRT))
        return doc_error(d, map, e, "schedule.decay: above 0 expected");
    return 0;
}

static int read_train(struct study *s, int64_t *seed, int *n_seed,
                      const struct doc *d, int map, struct err *e)
{
    int optimizer = doc_get(d, map, "optimizer");
    int schedule = doc_get(d, map, "schedule");
    int seeds = doc_get(d, map, "seeds"), trunk = doc_get(d, map, "trunk");

    if (section_check(&section_train, 0, d, map, "train", e) ||
        apply_preset(s, "train", "schedule", &section_schedule, d,
                     doc_get(d, map, "preset"), e) ||
        section_read(s, &s->base, &section_train, d, map, e))
        return -1;
    if (optimizer &&
        (section_check(&section_optimizer, 0, d, optimizer, "optimizer", e) ||
         section_read(s, &s->base, &section_optimizer, d, optimizer, e)))
        return -1;
    if (schedule && read_schedule(s, d, schedule, e))
        return -1;
    if (seeds && seeds_read(seed, n_seed, d, seeds, "seeds", e))
        return -1;
    return trunk ? doc_bool(&s->trunk, d, trunk, "trunk", e) : 0;
}

/* --- the file --- */

static void defaults(struct study *s)
{
    memset(s, 0, sizeof *s);
    spec_defaults(&s->base);
    s->shape = (struct shape_rule){.head_dim = 32,
                                   .aspect = 32,
                                   .ff_multiple = 16,
                                   .kv_group = 1,
                                   .max_d_model = 16384};
    s->warmup = 0.03;
    s->warmup_max = 2000;
    s->trunk = 1;
    s->checkpoint_seconds = 60;
    s->max_attempts = 3;
    s->device = DEVICE_AUTO;
}

static int read_root(struct study *s, const struct doc *d, struct err *e)
{
    int root = doc_root(d), name = doc_get(d, root, "study");
    int data = doc_get(d, root, "data"), model = doc_get(d, root, "model");
    int train = doc_get(d, root, "train"), stages = doc_get(d, root, "stages");
    int log = doc_get(d, root, "log");
    int64_t seed[STUDY_SEEDS] = {1};
    int n_seed = 1;

    if (section_check(&section_top, 0, d, root, "the study", e))
        return -1;
    for (size_t i = 0; i < section_top.n; i++) {
        const char *key = section_top.field[i].key;
        if (!doc_get(d, root, key) && strcmp(key, "model") &&
            strcmp(key, "train") && strcmp(key, "log"))
            return doc_error(d, root, e, "the study: missing key '%s'", key);
    }
    if (doc_name(s->name, sizeof s->name, d, name, "study", e) ||
        read_data(s, d, data, e) || (model && read_model(s, d, model, e)) ||
        (train && read_train(s, seed, &n_seed, d, train, e)) ||
        (log && (section_check(&section_log, 0, d, log, "log", e) ||
                 section_read(s, &s->base, &section_log, d, log, e))))
        return -1;
    return stages_read(s, d, stages, seed, n_seed, e);
}

static int read_doc(struct study *s, const char *name, struct doc *d,
                    struct err *e)
{
    int rc = -1;

    defaults(s);
    if (strlen(name) >= sizeof s->file) {
        err_set(e, ERR_USAGE, "%.80s...: path too long", name);
    } else {
        snprintf(s->file, sizeof s->file, "%s", name);
        rc = read_root(s, d, e);
    }
    doc_close(d);
    return rc;
}

int study_parse(struct study *s, const char *name, const char *text, size_t len,
                struct err *e)
{
    struct doc *d;

    return doc_parse(&d, name, text, len, e) ? -1 : read_doc(s, name, d, e);
}

int study_read(struct study *s, const char *path, struct err *e)
{
    struct doc *d;

    return doc_open(&d, path, e) ? -1 : read_doc(s, path, d, e);
}

static int matches_files(const char *pattern)
{
    glob_t found = {0};
    int rc = glob(pattern, GLOB_BRACE, NULL, &found);

    globfree(&found);
    return !rc;
}

/* A set, a file, or a pattern of files; behind a ':' may be their layout. */
static int data_exist(const char *path)
{
    char *pattern = xstrdup(path), *colon = strrchr(pattern, ':');
    int is = file_exists(path) || matches_files(path);

    if (!is && colon && !strchr(colon, '/')) {
        *colon = '\0';
        is = file_exists(pattern) || matches_files(pattern);
    }
    free(pattern);
    return is;
}

static int check_file(const struct study *s, const char *key, int line,
                      const char *path, struct err *e)
{
    return data_exist(path)
               ? 0
               : err_set(e, ERR_USAGE,
                         "%.200s:%d: data.%s: '%.200s' does not exist; make "
                         "it with `loglog data pack`",
                         s->file, line, key, path);
}

int study_check_data(const struct study *s, struct err *e)
{
    if (check_file(s, "train", s->train_line, s->train, e))
        return -1;
    for (int i = 0; i < s->n_valid; i++)
        if (check_file(s, "valid", s->valid[i].line, s->valid[i].path, e))
            return -1;
    return 0;
}
