/* Formulas: recursive descent into a flat array of nodes, children first. */
#include "analysis/expr_impl.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 64 /* of nesting */

/* Operators by how tightly they bind; longer spellings first. */
static const struct {
    const char *spelling;
    enum op op;
    int level;
} binary[] = {
    {"||", OP_OR, 1}, {"or", OP_OR, 1}, {"&&", OP_AND, 2}, {"and", OP_AND, 2},
    {"==", OP_EQ, 3}, {"!=", OP_NE, 3}, {"<=", OP_LE, 3},  {">=", OP_GE, 3},
    {"=", OP_EQ, 3},  {"<", OP_LT, 3},  {">", OP_GT, 3},   {"~", OP_HAS, 3},
    {"+", OP_ADD, 4}, {"-", OP_SUB, 4}, {"**", OP_POW, 6}, {"*", OP_MUL, 5},
    {"/", OP_DIV, 5}, {"^", OP_POW, 6},
};

struct parser {
    struct expr *x;
    const char *text, *at;
    const char *const *names;
    int n_names, depth;
    struct err *e;
};

static int fail(struct parser *p, const char *what)
{
    return err_set(p->e, ERR_USAGE, "in '%.120s' at character %td: %s", p->text,
                   p->at - p->text + 1, what);
}

static int add(struct parser *p, enum op op, int a, int b)
{
    struct expr *x = p->x;

    x->node = mem_grow(x->node, &x->cap, x->n + 1, sizeof(*x->node));
    x->node[x->n] = (struct node){.op = op, .a = a, .b = b};
    return (int)x->n++;
}

static void space(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static int is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '#' ||
           c == '@' || c == '%' || (c & 0x80);
}

static int unknown(struct parser *p, const char *name)
{
    const char *list[TABLE_COLS + EXPR_NAMES];
    size_t n = 0;

    for (size_t c = 0; c < p->x->t->cols; c++)
        list[n++] = p->x->t->name[c];
    for (int i = 0; i < p->n_names; i++)
        list[n++] = p->names[i];
    const char *near = str_nearest(name, list, n);
    struct str s;
    str_init(&s);
    str_addf(&s, "%s has no column '%.60s'", p->x->t->path, name);
    if (near)
        str_addf(&s, ", did you mean '%s'?", near);
    else
        for (size_t c = 0; c < p->x->t->cols && c < 12; c++)
            str_addf(&s, "%s%s", c ? ", " : "; it has ", p->x->t->name[c]);
    fail(p, s.text);
    str_release(&s);
    return -1;
}

static int name_node(struct parser *p, const char *name)
{
    int col = table_column(p->x->t, name);

    /* a column of exactly this name, then a mapped one, then any case */
    for (int i = 0; i < p->n_names && col >= 0; i++)
        if (strcmp(p->names[i], name) == 0 &&
            strcmp(p->x->t->name[col], name) != 0)
            col = -1;
    if (col >= 0) {
        int k = add(p, OP_COLUMN, -1, -1);
        p->x->node[k].index = col;
        return k;
    }
    for (int i = 0; i < p->n_names; i++)
        if (strcmp(p->names[i], name) == 0) {
            int k = add(p, OP_NAMED, -1, -1);
            p->x->node[k].index = i;
            return k;
        }
    return unknown(p, name);
}

static int parse(struct parser *p, int level);

static int call(struct parser *p, int function)
{
    int two = expr_functions[function].two != NULL;
    int a = parse(p, 1), b = -1;

    if (a < 0)
        return -1;
    space(p);
    if (two) {
        if (*p->at != ',')
            return fail(p, "expected ',' and a second argument");
        p->at++;
        b = parse(p, 1);
        if (b < 0)
            return -1;
        space(p);
    }
    if (*p->at != ')')
        return fail(p, "expected ')'");
    p->at++;
    int k = add(p, OP_CALL, a, b);
    p->x->node[k].index = function;
    return k;
}

static int word(struct parser *p)
{
    char name[256];
    size_t n = 0;

    while (is_word(p->at[n]))
        n++;
    if (n >= sizeof(name))
        return fail(p, "a name of more than 255 characters");
    memcpy(name, p->at, n);
    name[n] = '\0';
    if (p->at[n] == '(')
        for (size_t f = 0; f < EXPR_FUNCTIONS; f++)
            if (strcmp(name, expr_functions[f].name) == 0) {
                p->at += n + 1;
                return call(p, (int)f);
            }
    if (strcmp(name, "not") == 0) {
        p->at += n;
        int a = parse(p, 3);
        return a < 0 ? -1 : add(p, OP_NOT, a, -1);
    }
    int k = name_node(p, name);
    if (k >= 0)
        p->at += n;
    return k;
}

/* 'text', or "column" and `column`. */
static int quoted(struct parser *p)
{
    char quote = *p->at;
    const char *end = strchr(p->at + 1, quote);
    int k;

    if (!end)
        return fail(p, "a quote is never closed");
    size_t n = (size_t)(end - p->at - 1);
    char *text = xmalloc(n + 1);
    memcpy(text, p->at + 1, n);
    text[n] = '\0';
    if (quote == '\'') {
        k = add(p, OP_TEXT, -1, -1);
        p->x->node[k].text = text;
    } else {
        k = name_node(p, text);
        free(text);
    }
    if (k >= 0)
        p->at = end + 1;
    return k;
}

static int number(struct parser *p)
{
    char buf[64];
    size_t n = 0;

    while (isdigit((unsigned char)p->at[n]) || p->at[n] == '.')
        n++;
    if ((p->at[n] == 'e' || p->at[n] == 'E')) {
        size_t k = n + 1 + (p->at[n + 1] == '+' || p->at[n + 1] == '-');
        if (isdigit((unsigned char)p->at[k])) {
            while (isdigit((unsigned char)p->at[k]))
                k++;
            n = k;
        }
    }
    double v;
    if (n >= sizeof(buf))
        return fail(p, "a number of more than 63 characters");
    memcpy(buf, p->at, n);
    buf[n] = '\0';
    if (str_to_double(buf, &v) || is_word(p->at[n]))
        return fail(p, "not a number");
    p->at += n;
    int k = add(p, OP_NUMBER, -1, -1);
    p->x->node[k].number = v;
    return k;
}

static int primary(struct parser *p)
{
    space(p);
    char c = *p->at;

    if (c == '(') {
        p->at++;
        int k = parse(p, 1);
        if (k < 0)
            return -1;
        space(p);
        if (*p->at != ')')
            return fail(p, "expected ')'");
        p->at++;
        return k;
    }
    if (c == '-' || c == '!') {
        p->at++;
        int k = parse(p, c == '-' ? 6 : 3);
        return k < 0 ? -1 : add(p, c == '-' ? OP_NEG : OP_NOT, k, -1);
    }
    if (c == '\'' || c == '"' || c == '`')
        return quoted(p);
    if (isdigit((unsigned char)c) || c == '.')
        return number(p);
    if (is_word(c))
        return word(p);
    return fail(p, c ? "expected a number, a column or '('"
                     : "the formula ends too early");
}

/* The operator at this place that binds at `level` or tighter, or -1. */
static int operator_at(const struct parser *p, int level)
{
    for (size_t i = 0; i < ARRAY_LEN(binary); i++) {
        size_t n = strlen(binary[i].spelling);
        if (strncmp(p->at, binary[i].spelling, n) != 0)
            continue;
        if (isalpha((unsigned char)*p->at) && is_word(p->at[n]))
            continue;
        return binary[i].level >= level ? (int)i : -1;
    }
    return -1;
}

/* Precedence climbing. */
static int parse(struct parser *p, int level)
{
    if (++p->depth > DEPTH)
        return fail(p, "nested too deeply");
    int a = primary(p);
    while (a >= 0) {
        space(p);
        int i = operator_at(p, level);
        if (i < 0)
            break;
        p->at += strlen(binary[i].spelling);
        /* powers associate to the right */
        int next =
            binary[i].op == OP_POW ? binary[i].level : binary[i].level + 1;
        int b = parse(p, next);
        a = b < 0 ? -1 : add(p, binary[i].op, a, b);
    }
    p->depth--;
    return a;
}

int expr_parse(struct expr **x, const char *text, const struct table *t,
               const char *const *names, int n, struct err *e)
{
    struct parser p = {.text = text, .at = text, .names = names, .n_names = n};

    BUG_ON(n > EXPR_NAMES);
    p.e = e;
    p.x = xcalloc(1, sizeof(*p.x));
    p.x->t = t;
    p.x->root = parse(&p, 1);
    if (p.x->root >= 0) {
        space(&p);
        if (*p.at)
            p.x->root = fail(&p, "expected an operator or the end");
    }
    if (p.x->root < 0) {
        expr_free(p.x);
        return -1;
    }
    *x = p.x;
    return 0;
}

void expr_free(struct expr *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->n; i++)
        free(x->node[i].text);
    free(x->node);
    free(x);
}
