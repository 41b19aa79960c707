/* axis: see axis.h. */
#include "sweep/axis.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

double axis_round(double v, int digits)
{
    char buf[STR_DOUBLE];

    snprintf(buf, sizeof buf, "%.*e", digits - 1, v);
    return strtod(buf, NULL);
}

int axis_same(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

static int read_value(double *v, const struct doc *d, int node,
                      const char *what, struct err *e)
{
    if (doc_double(v, d, node, what, e))
        return -1;
    if (!(*v > 0 && *v < 1e40))
        return doc_error(d, node, e, "%s: %s: a number above 0 expected", what,
                         doc_text(d, node));
    return 0;
}

static int read_list(struct axis *a, const struct doc *d, int node,
                     const char *what, int max, struct err *e)
{
    a->n = doc_count(d, node);
    if (a->n < 1 || a->n > max)
        return doc_error(d, node, e, "%s: %d values; 1 to %d expected", what,
                         a->n, max);
    for (int i = 0; i < a->n; i++) {
        int item = doc_item(d, node, i);
        if (read_value(&a->value[i], d, item, what, e))
            return -1;
        if (i && !(a->value[i] > a->value[i - 1]))
            return doc_error(d, item, e, "%s: %s: increasing values expected",
                             what, doc_text(d, item));
    }
    return 0;
}

static int read_geometric(struct axis *a, const struct doc *d, int node,
                          const char *what, int max, struct err *e)
{
    static const char *const keys[] = {"from", "to", "ratio", "per_decade"};
    int ratio = doc_get(d, node, "ratio"), per = doc_get(d, node, "per_decade");
    double from, to, by, n;

    if (doc_check_map(d, node, what, keys, ARRAY_LEN(keys), e))
        return -1;
    if (!doc_get(d, node, "from") || !doc_get(d, node, "to") || !ratio == !per)
        return doc_error(d, node, e,
                         "%s: {from, to, ratio} or {from, to, per_decade} "
                         "expected",
                         what);
    if (read_value(&from, d, doc_get(d, node, "from"), what, e) ||
        read_value(&to, d, doc_get(d, node, "to"), what, e) ||
        read_value(&by, d, ratio ? ratio : per, what, e))
        return -1;
    if (to < from)
        return doc_error(d, node, e, "%s: `to` is below `from`", what);
    if (ratio && !(by > 1))
        return doc_error(d, ratio, e, "%s: a ratio above 1 expected", what);
    by = ratio ? log10(by) : 1 / by;
    n = floor(log10(to / from) / by + 1e-6) + 1;
    if (!(n <= max))
        return doc_error(d, node, e, "%s: %.0f values; at most %d expected",
                         what, n, max);
    a->n = (int)n;
    a->value[0] = from;
    for (int i = 1; i < a->n; i++)
        a->value[i] = axis_round(from * pow(10, by * i), 12);
    for (int i = 1; i < a->n; i++)
        if (!(a->value[i] > a->value[i - 1]))
            return doc_error(d, node, e, "%s: a larger ratio expected", what);
    return 0;
}

int axis_read(struct axis *a, const struct doc *d, int node, const char *what,
              int max, struct err *e)
{
    int rc;

    *a = (struct axis){.n = 1, .ratio = 1};
    switch (doc_kind(d, node)) {
    case DOC_LIST:
        rc = read_list(a, d, node, what, max, e);
        break;
    case DOC_MAP:
        rc = read_geometric(a, d, node, what, max, e);
        break;
    default:
        rc = read_value(&a->value[0], d, node, what, e);
    }
    if (!rc && a->n > 1)
        a->ratio = axis_round(
            pow(a->value[a->n - 1] / a->value[0], 1.0 / (a->n - 1)), 9);
    return rc;
}

void axis_print(struct str *out, const struct axis *a)
{
    char buf[STR_DOUBLE];

    str_add(out, "[");
    for (int i = 0; i < a->n; i++)
        str_addf(out, "%s%s", i ? ", " : "", str_double(buf, a->value[i]));
    str_add(out, "]");
}
