/* A fit as JSON and as a table. */
#include "analysis/fit_json.h"

#include "base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fit_result_init(struct fit_result *r, const char *law)
{
    memset(r, 0, sizeof(*r));
    snprintf(r->law, sizeof(r->law), "%s", law);
    r->objective = NAN;
    r->level = NAN;
    r->identified = 1;
    r->options = json_object();
    r->diagnostics = json_object();
}

void fit_result_release(struct fit_result *r)
{
    json_decref(r->options);
    json_decref(r->diagnostics);
    r->options = r->diagnostics = NULL;
}

void fit_result_add(struct fit_result *r, const char *name, double value,
                    double se, double lo, double hi)
{
    BUG_ON(r->n_params >= FIT_PARAMS);
    struct fit_param *p = &r->param[r->n_params++];
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->value = value;
    p->se = se;
    p->lo = lo;
    p->hi = hi;
}

const struct fit_param *fit_result_find(const struct fit_result *r,
                                        const char *name)
{
    for (size_t i = 0; i < r->n_params; i++)
        if (strcmp(r->param[i].name, name) == 0)
            return &r->param[i];
    return NULL;
}

void fit_result_refuse(struct fit_result *r, const char *fmt, ...)
{
    va_list ap;

    r->identified = 0;
    if (r->refused[0])
        return;
    va_start(ap, fmt);
    vsnprintf(r->refused, sizeof(r->refused), fmt, ap);
    va_end(ap);
}

json_t *fit_json_number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

void fit_result_number(struct fit_result *r, const char *key, double value)
{
    json_object_set_new(r->diagnostics, key, fit_json_number(value));
}

void fit_result_text(struct fit_result *r, const char *key, const char *text)
{
    json_object_set_new(r->diagnostics, key, json_string(text));
}

void fit_result_json(struct fit_result *r, const char *key, json_t *v)
{
    json_object_set_new(r->diagnostics, key, v);
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

json_t *fit_result_to_json(const struct fit_result *r)
{
    json_t *o = json_object(), *params = json_object();
    json_t *ci = json_object(), *se = json_object();

    for (size_t i = 0; i < r->n_params; i++) {
        const struct fit_param *p = &r->param[i];
        json_object_set_new(params, p->name, fit_json_number(p->value));
        if (isfinite(p->se))
            json_object_set_new(se, p->name, json_real(p->se));
        if (!isnan(p->lo) || !isnan(p->hi))
            json_object_set_new(ci, p->name,
                                json_pack("[o, o]", fit_json_number(p->lo),
                                          fit_json_number(p->hi)));
    }
    json_object_set_new(o, "law", json_string(r->law));
    json_object_set_new(o, "form", text_or_null(r->form));
    json_object_set_new(o, "method", json_string(r->method));
    json_object_set_new(o, "n", json_integer((json_int_t)r->n));
    json_object_set_new(o, "excluded", json_integer((json_int_t)r->excluded));
    json_object_set_new(o, "repeated", json_integer((json_int_t)r->repeated));
    json_object_set_new(o, "objective", fit_json_number(r->objective));
    json_object_set_new(o, "objective_name", text_or_null(r->objective_name));
    json_object_set_new(o, "params", params);
    json_object_set_new(o, "se", se);
    json_object_set_new(o, "ci", ci);
    json_object_set_new(o, "level", fit_json_number(r->level));
    json_object_set_new(o, "interval", text_or_null(r->interval));
    json_object_set_new(o, "identified", json_boolean(r->identified));
    json_object_set_new(o, "refused", text_or_null(r->refused));
    json_object_set_new(o, "exploratory", json_boolean(r->exploratory));
    json_object_set_new(o, "input", text_or_null(r->input));
    json_object_set_new(o, "version", text_or_null(r->version));
    json_object_set(o, "options", r->options);
    json_object_set(o, "diagnostics", r->diagnostics);
    return o;
}

char *fit_result_dump(const struct fit_result *r)
{
    json_t *o = fit_result_to_json(r);
    char *text = json_dumps(o, JSON_REAL_PRECISION(17));

    BUG_ON(!text);
    json_decref(o);
    return text;
}

static void get_text(char *to, size_t size, const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    snprintf(to, size, "%s", s ? s : "");
}

static double get_number(const json_t *v)
{
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static size_t get_count(const json_t *o, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(o, key));

    return v > 0 ? (size_t)v : 0;
}

static void get_params(struct fit_result *r, json_t *o)
{
    json_t *ci = json_object_get(o, "ci"), *se = json_object_get(o, "se");
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(o, "params"), name, value)
    {
        json_t *pair = json_object_get(ci, name);
        if (r->n_params == FIT_PARAMS)
            break;
        fit_result_add(r, name, get_number(value),
                       get_number(json_object_get(se, name)),
                       get_number(json_array_get(pair, 0)),
                       get_number(json_array_get(pair, 1)));
    }
}

int fit_result_from_json(struct fit_result *r, const char *text, struct err *e)
{
    json_error_t why;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, &why);

    if (!o || !json_is_object(o) ||
        !json_is_string(json_object_get(o, "law")) ||
        !json_is_object(json_object_get(o, "params"))) {
        json_decref(o);
        return err_set(e, ERR_USAGE, "not a fit: %s",
                       o ? "expected an object with 'law' and 'params'"
                         : why.text);
    }
    fit_result_init(r, json_string_value(json_object_get(o, "law")));
    get_text(r->form, sizeof(r->form), o, "form");
    get_text(r->method, sizeof(r->method), o, "method");
    get_text(r->objective_name, sizeof(r->objective_name), o, "objective_name");
    get_text(r->interval, sizeof(r->interval), o, "interval");
    get_text(r->refused, sizeof(r->refused), o, "refused");
    get_text(r->input, sizeof(r->input), o, "input");
    get_text(r->version, sizeof(r->version), o, "version");
    r->n = get_count(o, "n");
    r->excluded = get_count(o, "excluded");
    r->repeated = get_count(o, "repeated");
    r->objective = get_number(json_object_get(o, "objective"));
    r->level = get_number(json_object_get(o, "level"));
    r->identified = json_is_true(json_object_get(o, "identified"));
    r->exploratory = json_is_true(json_object_get(o, "exploratory"));
    get_params(r, o);
    if (json_is_object(json_object_get(o, "options")))
        json_object_update(r->options, json_object_get(o, "options"));
    if (json_is_object(json_object_get(o, "diagnostics")))
        json_object_update(r->diagnostics, json_object_get(o, "diagnostics"));
    json_decref(o);
    return 0;
}
