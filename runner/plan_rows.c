/* plan_rows: see plan_rows.h. */
#include "runner/plan_rows.h"

#include "base/mem.h"
#include "sweep/flops.h"
#include "sweep/trunk.h"

#include <inttypes.h>
#include <string.h>

enum column_kind {
    COL_ID,    /* int64_t; 0 is none */
    COL_TEXT,  /* const char * */
    COL_INT,   /* int64_t */
    COL_STEP,  /* int64_t; 0 is none */
    COL_SMALL, /* int */
    COL_REAL,
    COL_KNOWN, /* double; 0 is unknown */
    COL_BYTES,
    COL_SECONDS,
    COL_FLAGS
};

struct column {
    const char *name; /* of machines */
    const char *head; /* of people; NULL: not for them */
    int width;        /* negative: flush left */
    enum column_kind kind;
    size_t offset;
};

/* clang-format off */
#define AT(field) offsetof(struct plan_row, field)
static const struct column columns[] = {
    {"id",           "run",     -20, COL_ID,      AT(id)},
    {"stage",        "stage",   -10, COL_TEXT,    AT(stage)},
    {"kind",         NULL,        0, COL_TEXT,    AT(kind)},
    {"state",        "state",    -9, COL_TEXT,    AT(state)},
    {"budget",       NULL,        0, COL_REAL,    AT(budget)},
    {"d_model",      "width",     6, COL_INT,     AT(d_model)},
    {"n_layer",      "depth",     6, COL_INT,     AT(n_layer)},
    {"M",            "M",         9, COL_REAL,    AT(M)},
    {"D",            "D",         9, COL_REAL,    AT(D)},
    {"flops",        "flops",     9, COL_REAL,    AT(flops)},
    {"flops_exact",  NULL,        0, COL_REAL,    AT(flops_exact)},
    {"params",       "params",    9, COL_REAL,    AT(params)},
    {"steps",        "steps",     8, COL_INT,     AT(steps)},
    {"warmup_steps", NULL,        0, COL_INT,     AT(warmup_steps)},
    {"epochs",       "epochs",    7, COL_KNOWN,   AT(epochs)},
    {"lr",           "lr",        9, COL_REAL,    AT(lr)},
    {"batch_tokens", "batch",     8, COL_INT,     AT(batch_tokens)},
    {"seed",         "seed",      5, COL_INT,     AT(seed)},
    {"n_head",       NULL,        0, COL_INT,     AT(n_head)},
    {"n_kv_head",    NULL,        0, COL_INT,     AT(n_kv_head)},
    {"d_ff",         NULL,        0, COL_INT,     AT(d_ff)},
    {"bytes",        "memory",    8, COL_BYTES,   AT(bytes)},
    {"seconds",      "time",      8, COL_SECONDS, AT(seconds)},
    {"step_seconds", NULL,        0, COL_KNOWN,   AT(step_seconds)},
    {"communication_seconds",
                     NULL,        0, COL_KNOWN,   AT(communication_seconds)},
    {"mfu",          NULL,        0, COL_KNOWN,   AT(mfu)},
    {"micro_batch",  NULL,        0, COL_STEP,    AT(micro_batch)},
    {"extension",    NULL,        0, COL_SMALL,   AT(extension)},
    {"trunk",        NULL,        0, COL_ID,      AT(trunk)},
    {"trunk_step",   "trunk",     7, COL_STEP,    AT(trunk_step)},
    {"flags",        "flags",    -1, COL_FLAGS,   AT(flags)},
};
#undef AT
/* clang-format on */

void plan_row_fill(struct plan_row *row, const struct planned *r,
                   const struct study *s)
{
    const struct model_spec *m = &r->spec.model;
    struct model_count c;

    model_count(&c, m);
    *row = (struct plan_row){
        .id = r->id,
        .stage = s->stage[r->stage].name,
        .kind = stage_kind_name(s->stage[r->stage].kind),
        .state = "planned",
        .budget = r->budget,
        .M = c.M,
        .D = (double)spec_tokens(&r->spec),
        .flops = r->flops,
        .flops_exact = run_flops_exact(&r->spec),
        .params = c.params,
        /* Each keeps its last checkpoint, which is written from a copy. */
        .bytes = run_bytes(&r->spec, 1) + run_checkpoint_bytes(&r->spec),
        .d_model = m->d_model,
        .n_layer = m->n_layer,
        .n_head = m->n_head,
        .n_kv_head = m->n_kv_head,
        .d_ff = m->d_ff,
        .steps = r->spec.steps,
        .warmup_steps = r->spec.schedule.warmup_steps,
        .batch_tokens = r->spec.batch_tokens,
        .seed = r->spec.seed,
        .lr = r->spec.optim.lr,
        .epochs = r->epochs,
        .seconds = r->seconds,
        .flags = r->flags,
        .extension = r->extension,
        .trunk = r->trunk,
        .trunk_step = r->trunk_step,
        .trunk_saved = trunk_saved(r),
    };
}

static void flag_names(struct str *out, unsigned flags)
{
    for (int i = 0; i < PLAN_FLAGS; i++)
        if (flags & (1u << i))
            str_addf(out, "%s%s", out->len ? " " : "", plan_flag_name[i]);
}

/* One cell for people, rounded. */
static void cell_text(struct str *out, const struct plan_row *row,
                      const struct column *c)
{
    const void *p = (const char *)row + c->offset;
    char buf[STR_DOUBLE];

    switch (c->kind) {
    case COL_ID:
    case COL_STEP:
        if (*(const int64_t *)p)
            str_addf(out, "%" PRId64, *(const int64_t *)p);
        else
            str_add(out, "-");
        break;
    case COL_TEXT:
        str_add(out, *(const char *const *)p);
        break;
    case COL_INT:
        str_addf(out, "%" PRId64, *(const int64_t *)p);
        break;
    case COL_SMALL:
        str_addf(out, "%d", *(const int *)p);
        break;
    case COL_REAL:
        str_addf(out, "%.3g", *(const double *)p);
        break;
    case COL_KNOWN:
        if (*(const double *)p > 0)
            str_addf(out, "%.2g", *(const double *)p);
        else
            str_add(out, "?");
        break;
    case COL_BYTES:
        str_add(out, str_bytes(buf, *(const double *)p));
        break;
    case COL_SECONDS:
        str_add(out, str_seconds(buf, *(const double *)p));
        break;
    case COL_FLAGS:
        flag_names(out, *(const unsigned *)p);
        break;
    }
}

static void put_cell(FILE *out, const struct column *c, const char *text,
                     int last)
{
    if (last)
        fprintf(out, "%s%s\n", *text ? " " : "", text);
    else
        fprintf(out, " %*s", c->width, text);
}

void plan_rows_text(FILE *out, const struct plan_row *row, size_t n)
{
    size_t last = ARRAY_LEN(columns) - 1;
    struct str cell;

    if (!n)
        return;
    str_init(&cell);
    for (size_t k = 0; k <= last; k++)
        if (columns[k].head)
            put_cell(out, &columns[k], columns[k].head, k == last);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k <= last; k++) {
            if (!columns[k].head)
                continue;
            str_clear(&cell);
            cell_text(&cell, &row[i], &columns[k]);
            put_cell(out, &columns[k], cell.text, k == last);
        }
    str_release(&cell);
}

/* One cell for machines, exact; nothing where nothing is known. */
static json_t *cell_json(const struct plan_row *row, const struct column *c)
{
    const void *p = (const char *)row + c->offset;
    json_t *list;

    switch (c->kind) {
    case COL_ID:
        return *(const int64_t *)p ? json_integer(*(const int64_t *)p)
                                   : json_null();
    case COL_TEXT:
        return json_string(*(const char *const *)p);
    case COL_INT:
    case COL_STEP:
        return json_integer(*(const int64_t *)p);
    case COL_SMALL:
        return json_integer(*(const int *)p);
    case COL_KNOWN:
        if (!(*(const double *)p > 0))
            return json_null();
        return json_real(*(const double *)p);
    case COL_REAL:
    case COL_BYTES:
    case COL_SECONDS:
        return json_real(*(const double *)p);
    case COL_FLAGS:
        list = json_array();
        for (int i = 0; i < PLAN_FLAGS; i++)
            if (*(const unsigned *)p & (1u << i))
                json_array_append_new(list, json_string(plan_flag_name[i]));
        return list;
    }
    return json_null();
}

json_t *plan_row_json(const struct plan_row *row)
{
    json_t *o = json_object();

    for (size_t k = 0; k < ARRAY_LEN(columns); k++)
        json_object_set_new(o, columns[k].name, cell_json(row, &columns[k]));
    return o;
}

/* A CSV cell holds what the JSON cell holds. */
static void put_csv(FILE *out, const struct plan_row *row,
                    const struct column *c)
{
    json_t *v = cell_json(row, c), *name;
    char buf[STR_DOUBLE];
    size_t i;

    if (json_is_integer(v))
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_real(v))
        fputs(str_double(buf, json_real_value(v)), out);
    else if (json_is_string(v))
        fputs(json_string_value(v), out);
    json_array_foreach(v, i, name)
        fprintf(out, "%s%s", i ? " " : "", json_string_value(name));
    json_decref(v);
}

void plan_rows_csv(FILE *out, const struct plan_row *row, size_t n)
{
    for (size_t k = 0; k < ARRAY_LEN(columns); k++)
        fprintf(out, "%s%s", k ? "," : "", columns[k].name);
    fputc('\n', out);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < ARRAY_LEN(columns); k++) {
            if (k)
                fputc(',', out);
            put_csv(out, &row[i], &columns[k]);
        }
        fputc('\n', out);
    }
}
