/* opts: command lines as tables.
 *
 * A command declares an array of options, each bound to a variable with its
 * help; parsing, --help, abbreviations, --no-x and "did you mean" come from
 * the table (git's parse-options).  Bad usage exits 2 through the caller. */
#ifndef LOGLOG_RUNNER_OPTS_H
#define LOGLOG_RUNNER_OPTS_H

#include "base/err.h"

#include <stdint.h>

enum opt_kind {
    OPT_FLAG,   /* int *: 1, or 0 by --no-x */
    OPT_INT,    /* int64_t *; 1e6 is fine */
    OPT_DOUBLE, /* double * */
    OPT_STRING, /* const char **: borrowed from argv */
    OPT_LIST    /* struct opt_list *: may be given several times */
};

#define OPT_LIST_MAX 64
struct opt_list {
    int n;
    const char *value[OPT_LIST_MAX];
};

/* What --help can be asked for besides text for people: a page for man(1), and
 * the name that the page has. */
#define OPTS_HELP_MAN "--help=man"
#define OPTS_HELP_NAME "--help=name"

struct opt {
    const char *name; /* "bootstrap": --bootstrap N or --bootstrap=N */
    char letter;      /* 'n': -n N; 0: none */
    enum opt_kind kind;
    void *value;
    const char *arg;  /* "N" in the help; NULL for flags */
    const char *help; /* one line */
};
#define OPT_END                                                                \
    {                                                                          \
        NULL, 0, OPT_FLAG, NULL, NULL, NULL                                    \
    }

struct command {
    const char *name;
    const char *synopsis; /* "plan STUDY [--db F] [--json]" */
    const char *summary;  /* one line in `loglog --help` */
    const char *help;     /* paragraphs and examples */
    /* argc, argv begin with the command's name; returns the exit code. */
    int (*main)(const struct command *self, int argc, char **argv);
};

/* Parse argv[1..]; positional arguments are left in *args (borrowed), n_args
 * of them, and must number between min and max (max < 0: any).  Everything
 * after "--" is positional.  Returns 0 to go on; 1 when --help (or --help=man,
 * a page for man) was printed (exit 0); -1 with *e (ERR_USAGE). */
int opts_parse(const struct command *self, const struct opt *opts, int argc,
               char **argv, const char ***args, int *n_args, int min, int max,
               struct err *e);

/* Print "loglog: TEXT" on stderr and return the exit code of its class. */
int opts_fail(const struct err *e);

#endif
