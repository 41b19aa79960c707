/* main: the table of commands, and nothing else. */
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/child.h"
#include "runner/cmd.h"
#include "runner/manual.h"
#include "runner/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order in which a user meets them. */
static const struct command *const commands[] = {
    &cmd_plan,   &cmd_run,    &cmd_launch, &cmd_train, &cmd_cancel,
    &cmd_retry,  &cmd_skip,   &cmd_status, &cmd_top,   &cmd_serve,
    &cmd_query,  &cmd_export, &cmd_import, &cmd_fit,   &cmd_predict,
    &cmd_design, &cmd_report, &cmd_data,   &cmd_db,    &cmd_bench,
    &cmd_doctor,
};

static void print_usage(FILE *out)
{
    fputs("usage: loglog COMMAND [ARGUMENTS]\n\n"
          "Plan, train, record and fit scaling-law experiments.\n\n"
          "commands:\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n`loglog COMMAND --help` says more.  "
          "`loglog --version` prints versions.\n"
          "Exit status: 0 done, 1 some runs failed or a fit was refused, "
          "2 bad usage or\ninput, 3 environment, 4 database, 75 stopped "
          "early: run the same command again.\n",
          out);
}

static int unknown_command(const char *name)
{
    const char *names[ARRAY_LEN(commands)], *near;

    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        names[i] = commands[i]->name;
    near = str_nearest(name, names, ARRAY_LEN(commands));
    fprintf(stderr, "loglog: unknown command '%s'", name);
    if (near)
        fprintf(stderr, ", did you mean %s?", near);
    fputs(" (see loglog --help)\n", stderr);
    return ERR_USAGE;
}

static int run_command(int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (!strcmp(argv[0], commands[i]->name))
            return commands[i]->main(commands[i], argc, argv);
    return unknown_command(argv[0]);
}

/* help [--man|--list] [COMMAND [PART]]: the help of a command is asked for as
 * its option, since the command has the table. */
static int help(int argc, char **argv)
{
    static char as_help[] = "--help", as_man[] = OPTS_HELP_MAN,
                as_name[] = OPTS_HELP_NAME;
    int man = argc > 1 && !strcmp(argv[1], "--man");

    if (argc > 1 && !strcmp(argv[1], "--list")) {
        for (size_t i = 0; i < ARRAY_LEN(commands); i++)
            commands[i]->main(commands[i], 2,
                              (char *[]){argv[0], as_name, NULL});
        return 0;
    }
    argc -= man;
    argv += man;
    if (argc == 1 && man)
        manual_program(stdout, commands, ARRAY_LEN(commands));
    else if (argc == 1)
        print_usage(stdout);
    if (argc == 1)
        return 0;
    argv[0] = argv[1]; /* the command, its part, the option */
    argv[1] = argc > 2 ? argv[2] : NULL;
    argv[argc - 1] = man ? as_man : as_help;
    return run_command(argc, argv);
}

int main(int argc, char **argv)
{
    const char *level = getenv("LOGLOG_LOG");
    int parsed = level ? log_level_parse(level) : LOG_INFO;

    log_init(parsed < 0 ? LOG_INFO : (enum log_level)parsed, -1, NULL);
    if (argc < 2) {
        print_usage(stderr);
        return ERR_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        print_usage(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "help"))
        return help(argc - 1, argv + 1);
    if (!strcmp(argv[1], "--version")) {
        version_print(stdout);
        return 0;
    }
    if (!strcmp(argv[1], CHILD_COMMAND))
        return child_main(argc - 1, argv + 1);
    return run_command(argc - 1, argv + 1);
}
