/* expr_impl: the tree of a formula; for expr.c and expr_parse.c alone. */
#ifndef LOGLOG_ANALYSIS_EXPR_IMPL_H
#define LOGLOG_ANALYSIS_EXPR_IMPL_H

#include "analysis/expr.h"

enum op {
    OP_NUMBER,
    OP_TEXT,
    OP_COLUMN,
    OP_NAMED,
    OP_NEG,
    OP_NOT,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_POW,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_HAS,
    OP_AND,
    OP_OR,
    OP_CALL
};

struct node {
    enum op op;
    int a, b;  /* children, or -1 */
    int index; /* column, named value or function */
    double number;
    char *text;
};

struct expr {
    const struct table *t;
    struct node *node;
    size_t n, cap;
    int root;
};

struct expr_function {
    const char *name;
    double (*one)(double); /* one of the two */
    double (*two)(double, double);
};
#define EXPR_FUNCTIONS 9
extern const struct expr_function expr_functions[EXPR_FUNCTIONS];

#endif
