/* The value of a formula in a row. */
#include "analysis/expr_impl.h"

#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct expr_function expr_functions[EXPR_FUNCTIONS] = {
    {"log", log, NULL},  {"log2", log2, NULL}, {"log10", log10, NULL},
    {"exp", exp, NULL},  {"sqrt", sqrt, NULL}, {"abs", fabs, NULL},
    {"min", NULL, fmin}, {"max", NULL, fmax},  {"pow", NULL, pow},
};

/* The text of a node that has one, or NULL. */
static const char *text_of(const struct expr *x, int k, size_t row)
{
    const struct node *n = &x->node[k];

    if (n->op == OP_TEXT)
        return n->text;
    return n->op == OP_COLUMN ? table_cell(x->t, row, (size_t)n->index) : NULL;
}

/* Comparison of texts, where either side is a text literal; 0 if not. */
static int compare_text(double *v, const struct expr *x, const struct node *n,
                        size_t row)
{
    if (n->op < OP_EQ || n->op > OP_HAS ||
        (x->node[n->a].op != OP_TEXT && x->node[n->b].op != OP_TEXT &&
         n->op != OP_HAS))
        return 0;
    const char *a = text_of(x, n->a, row), *b = text_of(x, n->b, row);
    if (!a || !b)
        return 0;
    int order = strcmp(a, b);
    *v = n->op == OP_HAS  ? strstr(a, b) != NULL
         : n->op == OP_EQ ? order == 0
         : n->op == OP_NE ? order != 0
         : n->op == OP_LT ? order < 0
         : n->op == OP_LE ? order <= 0
         : n->op == OP_GT ? order > 0
                          : order >= 0;
    return 1;
}

static double apply(enum op op, double a, double b)
{
    switch (op) {
    case OP_ADD:
        return a + b;
    case OP_SUB:
        return a - b;
    case OP_MUL:
        return a * b;
    case OP_DIV:
        return a / b;
    case OP_POW:
        return pow(a, b);
    case OP_EQ:
        return a == b;
    case OP_NE:
        return a < b || a > b;
    case OP_LT:
        return a < b;
    case OP_LE:
        return a <= b;
    case OP_GT:
        return a > b;
    case OP_GE:
        return a >= b;
    case OP_AND:
        return (a != 0) && (b != 0);
    case OP_OR:
        return (a != 0) || (b != 0);
    default:
        return NAN;
    }
}

static int eval(double *v, const struct expr *x, int k, size_t row,
                const double *named, struct err *e)
{
    const struct node *n = &x->node[k];
    double a = NAN, b = NAN;

    switch (n->op) {
    case OP_NUMBER:
        *v = n->number;
        return 0;
    case OP_NAMED:
        *v = named[n->index];
        return 0;
    case OP_COLUMN:
        return table_number(v, x->t, row, (size_t)n->index, e);
    case OP_TEXT:
        return err_set(e, ERR_USAGE, "'%s' is a text, expected a number",
                       n->text);
    default:
        break;
    }
    if (compare_text(v, x, n, row))
        return 0;
    if (eval(&a, x, n->a, row, named, e) ||
        (n->b >= 0 && eval(&b, x, n->b, row, named, e)))
        return -1;
    if (n->op == OP_NEG)
        *v = -a;
    else if (n->op == OP_NOT)
        *v = a == 0;
    else if (n->op == OP_CALL)
        *v = n->b >= 0 ? expr_functions[n->index].two(a, b)
                       : expr_functions[n->index].one(a);
    else
        *v = apply(n->op, a, b);
    return 0;
}

int expr_eval(double *v, const struct expr *x, size_t row, const double *named,
              struct err *e)
{
    return eval(v, x, x->root, row, named, e);
}

int expr_text(char *buf, size_t size, const struct expr *x, size_t row,
              const double *named, struct err *e)
{
    const char *text = text_of(x, x->root, row);
    char number_text[STR_DOUBLE];
    double v;

    if (!text) {
        if (expr_eval(&v, x, row, named, e))
            return -1;
        text = str_double(number_text, v);
    }
    snprintf(buf, size, "%s", text);
    return 0;
}
