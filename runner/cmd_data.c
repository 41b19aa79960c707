/* cmd_data: `loglog data`: the table of its subcommands, and `data get`, which
 * hands over to the script with the recipes of the corpora. */
#include "runner/cmd_data.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/cmd.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} subcommands[] = {
    {"pack", data_pack},
    {"info", data_info},
    {"sample", data_sample},
    {"link", data_link},
    {"get", data_get},
    {"tokenize", data_tokenize},
    {"train-tokenizer", data_train_tokenizer},
    {"synth", data_synth},
    {"mix", data_mix},
    {"text", data_text},
};

#define RECIPES "get-corpus"

/* Where the recipes may lie: named by the environment, beside a build folder
 * of the source tree, installed, or in the source tree this was built from. */
static int find_recipes(char path[PATH_MAX], struct err *e)
{
    const char *env = getenv("LOGLOG_SCRIPTS");
    char exe[PATH_MAX], source[PATH_MAX] = __FILE__;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    const char *base[] = {env, exe, exe, source};
    const char *below[] = {"", "/../scripts", "/../share/loglog",
                           "/../scripts"};

    exe[n < 0 ? 0 : n] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(base); i++) {
        size_t len;

        if (!base[i] || !base[i][0])
            continue;
        len = strlen(base[i]);
        if (i > 0) /* the folder of a file */
            while (len && base[i][len - 1] != '/')
                len--;
        if (snprintf(path, PATH_MAX, "%.*s%s/" RECIPES, (int)len, base[i],
                     below[i]) < PATH_MAX &&
            !access(path, X_OK))
            return 0;
    }
    return err_set(e, ERR_ENV,
                   "scripts/" RECIPES " not found; set LOGLOG_SCRIPTS to the "
                   "folder that holds it");
}

static const struct command get_command = {
    "data get", "data get NAME [--out DIR]",
    "fetch a corpus from Debian packages and pack it",
    "  NAME is prose, docs, code or chinese; without a NAME they are listed\n"
    "  with their licences and sizes.  The packages are downloaded with apt,\n"
    "  not installed; the same package versions make the same sha256.\n",
    NULL};

int data_get(int argc, char **argv)
{
    const char *out = NULL;
    const struct opt opts[] = {
        {"out", 'o', OPT_STRING, &out, "DIR",
         "where the packed sets go (default: data/NAME)"},
        OPT_END};
    char script[PATH_MAX], exe[PATH_MAX];
    const char **args;
    struct err e;
    ssize_t len;
    int n, rc;

    rc = opts_parse(&get_command, opts, argc, argv, &args, &n, 0, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (find_recipes(script, &e))
        return opts_fail(&e);
    len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[len < 0 ? 0 : len] = '\0';
    setenv("LOGLOG", exe, 1);
    fflush(stdout);
    execl(script, script, n ? args[0] : "--list", n && out ? "--out" : NULL,
          out, NULL);
    err_errno(&e, "%s", script);
    return opts_fail(&e);
}

static int data_main(const struct command *self, int argc, char **argv)
{
    const char *names[ARRAY_LEN(subcommands)], *near;
    static const struct opt none[] = {OPT_END};
    const char **args;
    struct err e;
    int n, rc;

    if (argc == 2 && !strcmp(argv[1], OPTS_HELP_NAME))
        for (size_t i = 0; i < ARRAY_LEN(subcommands); i++)
            subcommands[i].main(2, (char *[]){argv[0], argv[1], NULL});
    for (size_t i = 0; i < ARRAY_LEN(subcommands); i++) {
        names[i] = subcommands[i].name;
        if (argc > 1 && !strcmp(argv[1], names[i]))
            return subcommands[i].main(argc - 1, argv + 1);
    }
    rc = opts_parse(self, none, argc, argv, &args, &n, 1, -1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    near = str_nearest(args[0], names, ARRAY_LEN(names));
    err_set(&e, ERR_USAGE, "data: unknown subcommand '%s'%s%s", args[0],
            near ? ", did you mean " : " (see loglog data --help)",
            near ? near : "");
    return opts_fail(&e);
}

const struct command cmd_data = {
    "data", "data pack|tokenize|info|sample|link|get|... ...",
    "text to packed token sets, and what is in them",
    "  data pack --out DIR FILE|DIR...   text files into DIR/train, DIR/valid\n"
    "  data info DIR...                  what packed sets hold; --check reads\n"
    "                                    every byte\n"
    "  data sample DIR                   some of the text of a set\n"
    "  data tokenize --tokenizer FILE --out OUT DIR\n"
    "                                    the same under a tokenizer: Hugging\n"
    "                                    Face, tiktoken or SentencePiece\n"
    "  data train-tokenizer --out X.model SET...\n"
    "                                    learn a SentencePiece model\n"
    "  data mix --out OUT [WEIGHT=]DIR...\n"
    "                                    a training set out of several, or "
    "one\n"
    "                                    with words shuffled or text repeated\n"
    "  data synth --out DIR              text of known entropy\n"
    "  data text SET                     all of its text, for compressors\n"
    "  data link --out DIR FILE...       another program's token files as a\n"
    "                                    set, where they are\n"
    "  data get NAME                     a corpus by name: prose, docs, code,\n"
    "                                    chinese\n"
    "\n  Each has its own --help.\n",
    data_main};
