/* fit_print: a fit as the table a person reads; see fit_json.h. */
#include "analysis/fit_json.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TABLE_ROWS 60
#define TABLE_CELL 48

static void cell_text(char text[TABLE_CELL], const json_t *v)
{
    if (json_is_number(v))
        snprintf(text, TABLE_CELL, "%.5g", json_number_value(v));
    else if (json_is_string(v))
        snprintf(text, TABLE_CELL, "%s", json_string_value(v));
    else
        snprintf(text, TABLE_CELL, "%s",
                 !json_is_boolean(v) ? "-"
                 : json_is_true(v)   ? "yes"
                                     : "no");
}

static int column_width(const json_t *rows, const char *key)
{
    char text[TABLE_CELL];
    int width = (int)strlen(key);
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        cell_text(text, json_object_get(row, key));
        int n = (int)strlen(text);
        width = n > width ? n : width;
    }
    return width;
}

static int is_flat(const json_t *o)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)o, key,
                        v) if (json_is_object(v) || json_is_array(v)) return 0;
    return json_is_object(o);
}

/* {name: {...}, ...} as rows that begin with the name; NULL when v is not of
 * this kind. */
static json_t *named_rows(json_t *v)
{
    json_t *rows = json_array(), *value;
    const char *name;

    json_object_foreach(v, name, value)
    {
        json_t *row = json_object();
        if (!is_flat(value)) {
            json_decref(row);
            json_decref(rows);
            return NULL;
        }
        json_object_set_new(row, "", json_string(name));
        json_object_update(row, value);
        json_array_append_new(rows, row);
    }
    return rows;
}

/* Two numbers: an interval. */
static int is_pair(const json_t *v)
{
    return json_array_size(v) == 2 && json_is_number(json_array_get(v, 0)) &&
           json_is_number(json_array_get(v, 1));
}

/* The scalars and pairs of an object in one line. */
static void print_line(struct str *out, const char *title, json_t *o)
{
    char text[TABLE_CELL];
    const char *key;
    json_t *v;

    str_addf(out, "  %-22s", title);
    json_object_foreach(o, key, v)
    {
        if (json_is_null(v) || (json_is_array(v) && !is_pair(v)))
            continue;
        cell_text(text, json_is_array(v) ? json_array_get(v, 0) : v);
        str_addf(out, " %s %s", key, text);
        if (json_is_array(v)) {
            cell_text(text, json_array_get(v, 1));
            str_addf(out, " .. %s", text);
        }
    }
    str_add(out, "\n");
}

/* An array of flat objects as a table; longer ones are for JSON. */
static void print_table(struct str *out, const char *title, const json_t *rows)
{
    char text[TABLE_CELL];
    const char *key;
    size_t i;
    json_t *row, *v;

    if (json_array_size(rows) > TABLE_ROWS ||
        !json_is_object(json_array_get(rows, 0)))
        return;
    if (!is_flat(json_array_get(rows, 0)))
        return;
    str_addf(out, "\n%s\n", title);
    json_object_foreach(json_array_get(rows, 0), key, v)
        str_addf(out, "  %*s", column_width(rows, key), key);
    str_add(out, "\n");
    json_array_foreach(rows, i, row)
    {
        json_object_foreach(json_array_get(rows, 0), key, v)
        {
            cell_text(text, json_object_get(row, key));
            str_addf(out, "  %*s", column_width(rows, key), text);
        }
        str_add(out, "\n");
    }
}

/* Diagnostics that are one number, one line or a small table. */
static void print_diagnostics(struct str *out, const struct fit_result *r)
{
    const char *key;
    json_t *v;

    json_object_foreach(r->diagnostics, key, v)
    {
        if (json_is_real(v))
            str_addf(out, "  %-22s %.6g\n", key, json_real_value(v));
        else if (json_is_integer(v))
            str_addf(out, "  %-22s %lld\n", key,
                     (long long)json_integer_value(v));
        else if (json_is_boolean(v))
            str_addf(out, "  %-22s %s\n", key, json_is_true(v) ? "yes" : "no");
        else if (json_is_string(v))
            str_addf(out, "  %-22s %s\n", key, json_string_value(v));
    }
    json_object_foreach(r->diagnostics, key, v)
    {
        json_t *rows = json_is_object(v) ? named_rows(v) : NULL;
        if (rows && json_array_size(rows))
            print_table(out, key, rows);
        else if (json_is_object(v) && !json_object_get(v, "rows"))
            print_line(out, key, v);
        json_decref(rows);
        print_table(out, key, v);
        print_table(out, key, json_object_get(v, "rows"));
    }
}

void fit_result_print(struct str *out, const struct fit_result *r)
{
    str_addf(out, "law %s%s%s, method %s, %zu points", r->law,
             r->form[0] ? " " : "", r->form, r->method, r->n);
    if (r->excluded)
        str_addf(out, ", %zu left out", r->excluded);
    if (r->repeated && strcmp(r->form, "repeated") != 0)
        str_addf(
            out,
            "\nepochs: %zu points saw their text more than once; --law "
            "surface --form\nrepeated counts that, and --where leaves them "
            "out (epochs <= 1; of a file,\nd <= unique)",
            r->repeated);
    if (r->objective_name[0])
        str_addf(out, "\n%s objective %.10g", r->objective_name, r->objective);
    if (r->exploratory)
        str_add(out, "\nexploratory: a holdout of this study was opened "
                     "before");
    str_add(out, "\n\n");
    for (size_t i = 0; i < r->n_params; i++) {
        const struct fit_param *p = &r->param[i];
        if (isnan(p->value)) {
            str_addf(out, "  %-14s not known\n", p->name);
            continue;
        }
        str_addf(out, "  %-14s %-14.8g", p->name, p->value);
        if (isfinite(p->se))
            str_addf(out, " se %-10.4g", p->se);
        if (!isnan(p->lo) || !isnan(p->hi))
            str_addf(out, " %g %% %s %.6g .. %.6g", 100 * r->level, r->interval,
                     p->lo, p->hi);
        str_add(out, "\n");
    }
    str_add(out, "\n");
    print_diagnostics(out, r);
    if (!r->identified)
        str_addf(out, "\nnot identified: %s\n",
                 r->refused[0] ? r->refused : "no reason given");
}
