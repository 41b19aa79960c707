/* study_print: the resolved study as YAML, from the tables that read it. */
#include "sweep/axis.h"
#include "sweep/study_keys.h"

#include <string.h>

static void print_quoted(struct str *out, const char *text)
{
    str_add(out, "\"");
    for (; *text; text++)
        str_addf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    str_add(out, "\"");
}

/* The path as the file would write it: without the file's own directory. */
static void print_path(struct str *out, const struct study *s, const char *path)
{
    const char *slash = strrchr(s->file, '/');
    size_t dir = slash ? (size_t)(slash - s->file) + 1 : 0;

    if (dir && !strncmp(path, s->file, dir) && path[dir] && path[dir] != '/')
        path += dir;
    print_quoted(out, path);
}

/* Is the field worth printing, as opposed to "not given"? */
static int is_set(const void *slot, const struct field *f)
{
    if (f->kind == FIELD_AXIS)
        return ((const struct axis *)slot)->n > 0;
    if (f->kind == FIELD_BOOL)
        return *(const int *)slot != (int)f->lo;
    if (f->kind == FIELD_CHOICE)
        return *(const int *)slot != 0;
    return f->stages == 0 || f->kind != FIELD_I64 || *(const int64_t *)slot;
}

static void print_value(struct str *out, const void *slot,
                        const struct run_spec *spec, const struct field *f)
{
    char buf[STR_DOUBLE];

    switch (f->kind) {
    case FIELD_SPEC:
        spec_get(out, spec, f->spec);
        break;
    case FIELD_I64:
        str_addf(out, "%lld", (long long)*(const int64_t *)slot);
        break;
    case FIELD_INT:
        str_addf(out, "%d", *(const int *)slot);
        break;
    case FIELD_REAL:
        str_add(out, str_double(buf, *(const double *)slot));
        break;
    case FIELD_BOOL:
        str_add(out, *(const int *)slot ? "true" : "false");
        break;
    case FIELD_NAME:
        print_quoted(out, slot);
        break;
    case FIELD_DEVICE:
        str_add(out, device_name(*(const enum device_kind *)slot));
        break;
    case FIELD_CHOICE:
        str_add(out, device_choice_name((enum device_choice)f->lo,
                                        *(const int *)slot));
        break;
    case FIELD_AXIS:
        axis_print(out, slot);
        break;
    case FIELD_OWN:
        break;
    }
}

/* The fields of a section, each as `between` key: value. */
static void print_fields(struct str *out, const void *base,
                         const struct run_spec *spec, const struct section *sec,
                         unsigned stages, const char *before,
                         const char *between)
{
    const char *sep = before;

    for (size_t i = 0; i < sec->n; i++) {
        const struct field *f = &sec->field[i];
        const void *slot = (const char *)base + f->offset;
        if (f->kind == FIELD_OWN || (stages && !(f->stages & stages)) ||
            !is_set(slot, f))
            continue;
        str_addf(out, "%s%s: ", sep, f->key);
        print_value(out, slot, spec, f);
        sep = between;
    }
}

static void print_seeds(struct str *out, const char *key, const int64_t *seed,
                        int n)
{
    str_addf(out, ", %s: [", key);
    for (int i = 0; i < n; i++)
        str_addf(out, "%s%lld", i ? ", " : "", (long long)seed[i]);
    str_add(out, "]");
}

static void print_stage(struct str *out, const struct stage *st)
{
    /* Sizes given by M are not given by sizes, span and centre. */
    static const char *const by_rule[] = {"sizes", "span", "centre"};
    struct field field[FIELDS_MAX];
    struct section sec = {section_stage.name, field, 0};
    char buf[STR_DOUBLE];

    for (size_t i = 0; i < section_stage.n; i++) {
        int skip = 0;
        for (size_t j = 0; j < 3; j++)
            skip |= st->kind == STAGE_ISOFLOP && st->M.n &&
                    !strcmp(section_stage.field[i].key, by_rule[j]);
        if (!skip)
            field[sec.n++] = section_stage.field[i];
    }
    str_addf(out, "  - %s: {", stage_kind_name(st->kind));
    print_fields(out, st, NULL, &sec, 1u << st->kind, "", ", ");
    if (st->kind == STAGE_ISOFLOP || st->kind == STAGE_PREDICT) {
        if (st->hyper == HYPER_FIXED)
            str_addf(out, ", hyper: {lr: %s, batch: %lld}",
                     str_double(buf, st->lr_fixed), (long long)st->batch_fixed);
        else
            str_addf(out, ", hyper: %s",
                     st->hyper == HYPER_FITTED ? "fitted" : "deepseek");
    }
    if (st->kind != STAGE_PREDICT)
        print_seeds(out, "seeds", st->seed, st->n_seed);
    if (st->n_confirm)
        print_seeds(out, "confirm", st->confirm, st->n_confirm);
    if (st->kind == STAGE_HYPER || st->kind == STAGE_ISOFLOP)
        str_addf(out, ", extend: %d", st->extend);
    if (st->early_at > 0) {
        str_addf(out, ", early: {at: %s", str_double(buf, st->early_at));
        str_addf(out, ", margin: %s}", str_double(buf, st->early_margin));
    }
    str_add(out, "}\n");
}

void study_print(struct str *out, const struct study *s)
{
    str_add(out, "study: ");
    print_quoted(out, s->name);
    str_add(out, "\ndata:\n  train: ");
    print_path(out, s, s->train);
    str_add(out, "\n  valid:\n");
    for (int i = 0; i < s->n_valid; i++) {
        str_add(out, "    - {");
        print_quoted(out, s->valid[i].name);
        str_add(out, ": ");
        print_path(out, s, s->valid[i].path);
        str_add(out, "}\n");
    }
    print_fields(out, s, &s->base, &section_data, 0, "  ", "\n  ");
    str_add(out, "\nmodel:");
    print_fields(out, s, &s->base, &section_model, 0, "\n  ", "\n  ");
    str_add(out, "\ntrain:\n  optimizer: {");
    print_fields(out, s, &s->base, &section_optimizer, 0, "", ", ");
    str_add(out, "}\n  schedule: {");
    print_fields(out, s, &s->base, &section_schedule, 0, "", ", ");
    str_add(out, "}");
    print_fields(out, s, &s->base, &section_train, 0, "\n  ", "\n  ");
    if (retain_some(&s->log)) {
        str_add(out, "\nlog: {");
        print_fields(out, s, NULL, &section_log, 0, "", ", ");
        str_add(out, "}");
    }
    str_add(out, "\nstages:\n");
    for (int i = 0; i < s->n_stage; i++)
        print_stage(out, &s->stage[i]);
}
