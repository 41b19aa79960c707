/* manual: see manual.h.  Plain man(7) macros: paragraphs of a help are filled,
 * what is indented there is shown as it is. */
#include "runner/manual.h"

#include "base/mem.h"
#include "runner/version.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *name, *text;
} environment[] = {
    {"LOGLOG_LOG", "How much is said on stderr: error, warn, info (the usual) "
                   "or debug."},
    {"NO_COLOR", "Set to anything: no colours, but with --color always."},
    {"LC_ALL, LC_CTYPE, LANG",
     "Where they name a UTF-8 locale, bars and curves in the terminal are "
     "drawn with blocks and braille."},
    {"LOGLOG_BACKEND", "The kernels to train with, by name; for tests."},
    {"LOGLOG_SCRIPTS", "The folder with the recipes of loglog data get."},
    {"SLURM_JOB_ID, SLURM_JOB_END_TIME",
     "The job that the lock of a database names, and the time limit that run "
     "keeps to."},
};
static const struct {
    const char *name, *text;
} statuses[] = {
    {"0", "Done."},
    {"1", "Some runs failed, or a fit was refused."},
    {"2", "Bad usage or input; nothing was changed."},
    {"3", "The environment: a file that cannot be read or written, memory, the "
          "network."},
    {"4", "The database: locked, damaged, full disk, or a contradiction."},
    {"75", "Stopped early; run the same command again."},
};
static const struct {
    const char *name, *text;
} files[] = {
    {"F", "A results database; loglog-database(7)."},
    {"F.journal.jsonl", "What was written to it, to make it again."},
    {"F.lock", "Who writes it."},
    {"F.ckpt", "Checkpoints of runs that are not done."},
};

/* Text as roff would not take it for its own. */
static void put(FILE *out, const char *text, int as_is)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++)
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-' && (as_is || text[1] == '-'))
            fputs("\\-", out);
        else if (*text == '-' && isspace((unsigned char)text[-1]))
            fputs("\\-", out); /* -o */
        else
            fputc(*text, out);
}

/* A page's name: "loglog-data-pack" of "data pack". */
static void put_name(FILE *out, const char *command, int upper)
{
    fputs(upper ? "LOGLOG\\-" : "loglog\\-", out);
    for (; *command; command++)
        if (*command == ' ' || *command == '-')
            fputs("\\-", out);
        else
            fputc(upper ? toupper((unsigned char)*command) : *command, out);
}

static void head(FILE *out, const char *command)
{
    fputs(".TH ", out);
    if (command)
        put_name(out, command, 1);
    else
        fputs("LOGLOG", out);
    fprintf(out, " 1 \"%s\" \"loglog %s\" \"loglog manual\"\n.SH NAME\n",
            version_date(), VERSION_TEXT);
}

/* One line of a help; *shown: inside an example. */
static void put_line(FILE *out, const char *line, int *shown, int *broken)
{
    int indented = line[0] == ' ' && line[1] == ' ';

    if (!*line) {
        if (*shown)
            fputs(".EE\n", out);
        *shown = 0;
        *broken = 1;
        return;
    }
    if (*shown && !indented)
        fputs(".EE\n", out);
    if (*broken)
        fputs(".PP\n", out);
    if (!*shown && indented)
        fputs(".EX\n", out);
    *shown = indented;
    *broken = 0;
    put(out, line, indented);
    fputc('\n', out);
}

static void put_help(FILE *out, const char *help)
{
    int shown = 0, broken = 0;

    while (help && *help) {
        char line[256];
        size_t n = strcspn(help, "\n");
        BUG_ON(n >= sizeof line);
        memcpy(line, help, n);
        line[n] = '\0';
        put_line(out, line, &shown, &broken);
        help += n + (help[n] == '\n');
    }
    if (shown)
        fputs(".EE\n", out);
}

static void put_option(FILE *out, const struct opt *o)
{
    fputs(".TP\n", out);
    if (o->letter)
        fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", out);
    put(out, o->name, 1);
    fputs("\\fR", out);
    if (o->arg) {
        fputs(" \\fI", out);
        put(out, o->arg, 1);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put(out, o->help, 0);
    fputc('\n', out);
}

void manual_command(FILE *out, const struct command *c, const struct opt *opts,
                    const struct opt *extra)
{
    head(out, c->name);
    put_name(out, c->name, 0);
    fputs(" \\- ", out);
    put(out, c->summary, 0);
    fputs("\n.SH SYNOPSIS\n.nf\nloglog ", out);
    put(out, c->synopsis, 1);
    fputs("\n.fi\n", out);
    if (c->help && *c->help) {
        fputs(".SH DESCRIPTION\n", out);
        put_help(out, c->help);
    }
    fputs(".SH OPTIONS\nNames may be abbreviated; \\-\\-no\\-NAME undoes one "
          "that takes no value.\n",
          out);
    for (const struct opt *o = opts; o->name; o++)
        put_option(out, o);
    put_option(out, extra);
    fputs(".SH EXIT STATUS\nSee\n.BR loglog (1).\n.SH SEE ALSO\n"
          ".BR loglog (1),\n.BR loglog\\-study (5),\n"
          ".BR loglog\\-database (7)\n",
          out);
}

#define PUT_TABLE(out, table)                                                  \
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {                            \
        fputs(".TP\n.B ", out);                                                \
        put(out, table[i].name, 1);                                            \
        fputc('\n', out);                                                      \
        put(out, table[i].text, 0);                                            \
        fputc('\n', out);                                                      \
    }

void manual_program(FILE *out, const struct command *const *commands, size_t n)
{
    head(out, NULL);
    fputs("loglog \\- plan, train, record and fit scaling\\-law experiments\n"
          ".SH SYNOPSIS\n.nf\nloglog COMMAND [ARGUMENTS]\n"
          "loglog help [\\-\\-man] [COMMAND]\nloglog \\-\\-version\n.fi\n"
          ".SH DESCRIPTION\n"
          "A study file says what is to be trained; \\fBloglog run\\fR trains "
          "it, alone or under\nmpirun, writes every loss into one SQLite file, "
          "fits the laws, registers a\nprediction and verifies it.\n"
          ".SH COMMANDS\n",
          out);
    for (size_t i = 0; i < n; i++) {
        fputs(".TP\n.BR ", out);
        put_name(out, commands[i]->name, 0);
        fputs(" (1)\n", out);
        put(out, commands[i]->summary, 0);
        fputc('\n', out);
    }
    fputs(".SH EXIT STATUS\n", out);
    PUT_TABLE(out, statuses)
    fputs(".SH ENVIRONMENT\n", out);
    PUT_TABLE(out, environment)
    fputs(".SH FILES\n", out);
    PUT_TABLE(out, files)
    fputs(".SH SEE ALSO\n.BR loglog\\-study (5),\n"
          ".BR loglog\\-database (7),\n.BR mpirun (1),\n.BR sqlite3 (1)\n",
          out);
}
