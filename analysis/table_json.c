/* Tables from JSON lines, or from one array of objects. */
#include "analysis/table_impl.h"
#include "base/mem.h"
#include "base/str.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int json_cells(struct table *t, json_t *object, const char *prefix,
                      int depth, struct err *e)
{
    char number[STR_DOUBLE];
    const char *key;
    json_t *v;

    json_object_foreach(object, key, v)
    {
        struct str name;
        str_init(&name);
        str_addf(&name, "%s%s", prefix, key);
        if (json_is_object(v)) {
            str_add(&name, ".");
            int rc = depth < 8 ? json_cells(t, v, name.text, depth + 1, e) : 0;
            str_release(&name);
            if (rc)
                return -1;
            continue;
        }
        int col = -1;
        for (size_t k = 0; k < t->cols && col < 0; k++)
            if (strcmp(t->name[k], name.text) == 0)
                col = (int)k;
        if (col < 0 && t->cols == TABLE_COLS) {
            str_release(&name);
            return err_set(e, ERR_USAGE, "%s:%d: more than %d columns", t->path,
                           t->line[t->rows - 1], TABLE_COLS);
        }
        if (col < 0) {
            col = table_add_column(t, name.text);
            table_widen(t, t->cols);
        }
        str_release(&name);
        if (json_is_string(v))
            table_set_cell(t, (size_t)col, json_string_value(v));
        else if (json_is_number(v))
            table_set_cell(t, (size_t)col,
                           str_double(number, json_number_value(v)));
        else if (json_is_boolean(v))
            table_set_cell(t, (size_t)col, json_is_true(v) ? "1" : "0");
        /* null and arrays: an empty cell */
    }
    return 0;
}

static int json_row(struct table *t, json_t *v, int line, struct err *e)
{
    if (!json_is_object(v))
        return err_set(e, ERR_USAGE, "%s:%d: expected an object {...}", t->path,
                       line);
    if (t->rows == TABLE_ROWS)
        return err_set(e, ERR_USAGE, "%s:%d: more than %d rows", t->path, line,
                       TABLE_ROWS);
    table_add_row(t, line);
    return json_cells(t, v, "", 0, e);
}

/* Python writes NaN and Infinity, which are not JSON: empty them, outside
 * strings.  Returns a copy of the same length, the caller's to free. */
static char *without_nan(const char *text, size_t len)
{
    static const char *const words[] = {"NaN", "-Infinity", "Infinity"};
    char *copy = xmalloc(len + 1);
    int quoted = 0;

    memcpy(copy, text, len);
    copy[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if (quoted && copy[i] == '\\') {
            i++;
            continue;
        }
        if (copy[i] == '"')
            quoted = !quoted;
        for (size_t k = 0; !quoted && k < ARRAY_LEN(words); k++) {
            size_t n = strlen(words[k]);
            if (i + n > len || memcmp(copy + i, words[k], n) != 0)
                continue;
            /* an empty string is an empty cell, and fits into NaN's place */
            memset(copy + i, ' ', n);
            memset(copy + i, '"', 2);
            i += n - 1;
            break;
        }
    }
    return copy;
}

static json_t *load(const char *text, size_t len, const char *path, int line,
                    struct err *e)
{
    char *copy = without_nan(text, len);
    json_error_t why;
    json_t *v = json_loadb(copy, len, JSON_DECODE_INT_AS_REAL, &why);

    free(copy);
    if (!v)
        err_set(e, ERR_USAGE, "%s:%d: %s", path, line + why.line - 1, why.text);
    return v;
}

int table_read_json(struct table *t, const char *text, size_t len, int line,
                    struct err *e)
{
    const char *end = text + len, *at = text;

    if (text[strspn(text, " \t")] == '[') {
        json_t *all = load(text, len, t->path, line, e);
        size_t i;
        json_t *v;
        int rc = all ? 0 : -1;
        json_array_foreach(all, i, v) if (rc == 0) rc =
            json_row(t, v, (int)i + 1, e);
        json_decref(all);
        return rc;
    }
    for (; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        size_t n = (size_t)(stop - at), blank = strspn(at, " \t\r");
        if (n > blank) {
            json_t *v = load(at, n, t->path, line, e);
            int rc = v ? json_row(t, v, line, e) : -1;
            json_decref(v);
            if (rc)
                return -1;
        }
        at = stop + 1;
    }
    return 0;
}
