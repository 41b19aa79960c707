/* opts: see opts.h. */
#include "runner/opts.h"

#include "base/mem.h"
#include "base/str.h"
#include "runner/manual.h"

#include <stdio.h>
#include <string.h>

#define OPT_HELP "help"

static void print_option(const struct opt *o)
{
    char left[64];

    snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter ? "-" : "",
             o->letter ? o->letter : ' ', o->letter ? ", " : "   ", o->name,
             o->arg ? " " : "", o->arg ? o->arg : "");
    if (strlen(left) > 27)
        printf("  %s\n%31s%s\n", left, "", o->help);
    else
        printf("  %-27s  %s\n", left, o->help);
}

static const struct opt help_option = {
    OPT_HELP, 'h', OPT_FLAG, NULL, NULL, "show this help and exit"};

static void print_help(const struct command *c, const struct opt *opts)
{
    printf("usage: loglog %s\n\n%s\n", c->synopsis, c->summary);
    if (c->help && *c->help)
        printf("\n%s", c->help);
    puts("\noptions:");
    for (const struct opt *o = opts; o->name; o++)
        print_option(o);
    print_option(&help_option);
}

static int set_value(const struct opt *o, const char *text, struct err *e)
{
    struct opt_list *list;

    switch (o->kind) {
    case OPT_FLAG:
        *(int *)o->value = 1;
        return 0;
    case OPT_INT:
        if (str_to_i64(text, o->value))
            return err_set(e, ERR_USAGE, "--%s: '%s' is no integer", o->name,
                           text);
        return 0;
    case OPT_DOUBLE:
        if (str_to_double(text, o->value))
            return err_set(e, ERR_USAGE, "--%s: '%s' is no number", o->name,
                           text);
        return 0;
    case OPT_STRING:
        *(const char **)o->value = text;
        return 0;
    case OPT_LIST:
        list = o->value;
        if (list->n == OPT_LIST_MAX)
            return err_set(e, ERR_USAGE, "--%s: given more than %d times",
                           o->name, OPT_LIST_MAX);
        list->value[list->n++] = text;
        return 0;
    }
    BUG_ON(1);
}

static const struct opt *find_letter(const struct opt *opts, char letter)
{
    for (const struct opt *o = opts; o->name; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

/* The option of this name, or the only one that it abbreviates. */
static const struct opt *find_name(const struct opt *opts, const char *name,
                                   size_t len)
{
    const struct opt *found = NULL;

    for (const struct opt *o = opts; o->name; o++) {
        if (strncmp(o->name, name, len))
            continue;
        if (strlen(o->name) == len)
            return o;
        if (found)
            return NULL;
        found = o;
    }
    return found;
}

static int unknown(const struct command *c, const struct opt *opts,
                   const char *arg, struct err *e)
{
    const char *names[64], *near;
    size_t n = 0;

    for (const struct opt *o = opts; o->name && n + 1 < ARRAY_LEN(names); o++)
        names[n++] = o->name;
    names[n++] = OPT_HELP;
    near = arg[1] == '-' ? str_nearest(arg + 2, names, n) : NULL;
    if (near)
        return err_set(e, ERR_USAGE,
                       "%s: unknown option '%s', did you mean --%s?", c->name,
                       arg, near);
    return err_set(e, ERR_USAGE,
                   "%s: unknown option '%s' (see loglog %s --help)", c->name,
                   arg, c->name);
}

/* One argument that begins with '-': returns how many of argv it used. */
static int parse_option(const struct command *c, const struct opt *opts,
                        char **argv, struct err *e)
{
    const char *arg = argv[0], *value = NULL;
    const struct opt *o;

    if (arg[1] == '-') {
        size_t len = strcspn(arg + 2, "=");
        if (arg[2 + len] == '=')
            value = arg + 2 + len + 1;
        o = find_name(opts, arg + 2, len);
        if (!o && !strncmp(arg + 2, "no-", 3)) {
            o = find_name(opts, arg + 5, len - 3);
            if (o && o->kind == OPT_FLAG && !value) {
                *(int *)o->value = 0;
                return 1;
            }
            o = NULL;
        }
    } else {
        o = find_letter(opts, arg[1]);
        if (o && arg[2])
            value = arg + 2;
    }
    if (!o)
        return unknown(c, opts, arg, e);
    if (o->kind == OPT_FLAG) {
        if (value)
            return err_set(e, ERR_USAGE, "%s: --%s takes no value", c->name,
                           o->name);
        return set_value(o, NULL, e) ? -1 : 1;
    }
    if (value)
        return set_value(o, value, e) ? -1 : 1;
    if (!argv[1])
        return err_set(e, ERR_USAGE, "%s: --%s needs a value", c->name,
                       o->name);
    return set_value(o, argv[1], e) ? -1 : 2;
}

static int is_negative_number(const char *arg)
{
    double v;

    return arg[0] == '-' && !str_to_double(arg, &v);
}

int opts_parse(const struct command *self, const struct opt *opts, int argc,
               char **argv, const char ***args, int *n_args, int min, int max,
               struct err *e)
{
    int n = 0, literal = 0;

    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--"))
            break;
        else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            print_help(self, opts);
            return 1;
        } else if (!strcmp(argv[i], OPTS_HELP_MAN)) {
            manual_command(stdout, self, opts, &help_option);
            return 1;
        } else if (!strcmp(argv[i], OPTS_HELP_NAME)) {
            puts(self->name);
            return 1;
        }
    for (int i = 1; i < argc;) {
        if (!literal && !strcmp(argv[i], "--")) {
            literal = 1;
            i++;
        } else if (literal || argv[i][0] != '-' || !argv[i][1] ||
                   is_negative_number(argv[i])) {
            argv[1 + n++] = argv[i++];
        } else {
            int used = parse_option(self, opts, argv + i, e);
            if (used < 0)
                return -1;
            i += used;
        }
    }
    if (n < min || (max >= 0 && n > max))
        return err_set(e, ERR_USAGE, "%s: %s arguments; usage: loglog %s",
                       self->name, n < min ? "too few" : "too many",
                       self->synopsis);
    *args = (const char **)(argv + 1);
    *n_args = n;
    return 0;
}

int opts_fail(const struct err *e)
{
    fflush(stdout);
    fprintf(stderr, "loglog: %s\n", e->text);
    return (int)e->cls;
}
