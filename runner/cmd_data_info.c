/* cmd_data_info: `loglog data info` and `loglog data sample`: what packed sets
 * hold. */
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/cmd_data.h"
#include "runner/data_sets.h"
#include "trainer/shard.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct look {
    int check, json;
    int shown; /* sets so far */
};

static void print_json(const struct shard_set *set, const struct look *l)
{
    const struct shard_info *i = shard_info(set);
    json_t *j = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "path",
        shard_path(set), "sha256", i->sha256, "tokenizer", shard_tokenizer(set),
        "vocab", (json_int_t)i->vocab, "tokens", (json_int_t)i->tokens,
        "documents", (json_int_t)i->documents, "bytes", (json_int_t)i->bytes,
        "distinct", (json_int_t)i->distinct, "shards", (json_int_t)i->shards,
        "checked", l->check);
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

    puts(text ? text : "{}");
    free(text);
    json_decref(j);
}

static int show(const char *path, struct look *l, struct err *e)
{
    const struct shard_info *i;
    struct shard_set *set;

    if (shard_open(&set, path, e))
        return -1;
    if (l->check && shard_verify(set, 1, e)) {
        shard_close(set);
        return -1;
    }
    i = shard_info(set);
    if (l->json) {
        print_json(set, l);
    } else {
        if (!l->shown)
            printf("%-32s %-9s %6s %12s %10s %9s %7s  %s\n", "set", "tokenizer",
                   "vocab", "tokens", "documents", "distinct", "shards",
                   "sha256");
        printf("%-32s %-9s %6" PRId64 " %12" PRId64 " %10" PRId64 " %9" PRId64
               " %7" PRId64 "  %.12s%s\n",
               path, shard_tokenizer(set), i->vocab, i->tokens, i->documents,
               i->distinct, i->shards, i->sha256,
               l->check ? "  every byte checked" : "");
    }
    l->shown++;
    shard_close(set);
    return 0;
}

static int show_all(const char *path, struct look *l, struct err *e)
{
    size_t n;
    char **sets;
    int rc = 0;

    if (data_has_manifest(path))
        return show(path, l, e);
    sets = data_sets_below(path, &n);
    for (size_t i = 0; i < n; i++) {
        rc = rc || show(sets[i], l, e);
        free(sets[i]);
    }
    free(sets);
    return rc ? -1 : n ? 0 : show(path, l, e);
}

static const struct command info_command = {
    "data info", "data info [--check] [--json] DIR...", "what packed sets hold",
    "  DIR is a set, a directory of sets, or a file or pattern of another\n"
    "  program's tokens.  `distinct` counts the token values that occur.  "
    "--check reads every byte: checksums, sha256, the\n"
    "  index of documents, each token inside the vocabulary.\n",
    NULL};

int data_info(int argc, char **argv)
{
    struct look l = {0};
    const struct opt opts[] = {
        {"check", 0, OPT_FLAG, &l.check, NULL, "read and check every byte"},
        {"json", 0, OPT_FLAG, &l.json, NULL, "a JSON object a line"},
        OPT_END};
    const char **args;
    struct err e;
    int n, rc;

    rc = opts_parse(&info_command, opts, argc, argv, &args, &n, 1, -1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    for (int i = 0; i < n; i++)
        if (show_all(args[i], &l, &e))
            return opts_fail(&e);
    return 0;
}

/* At most `max` of n tokens: their text where it is known, else their ids. */
static void print_tokens(const struct shard_set *set, int64_t from, int64_t n,
                         int64_t max)
{
    int64_t shown = n < max ? n : max;
    struct str text;
    int32_t token;

    str_init(&text);
    if (!shard_text(&text, set, from, shown)) {
        fwrite(text.text, 1, text.len, stdout);
        puts(shown < n ? "..." : "");
        str_release(&text);
        return;
    }
    str_release(&text);
    for (int64_t i = 0; i < shown; i++) {
        shard_read(&token, set, from + i, 1);
        printf("%s%" PRId32, i ? " " : "", token);
    }
    puts(shown < n ? " ..." : "");
}

/* Where documents are not known: a place of the set, by chance. */
static void print_place(const struct shard_set *set, double where, int64_t max)
{
    int64_t all = shard_info(set)->tokens;
    int64_t n = max < all ? max : all;
    int64_t from = (int64_t)(where * (double)(all - n + 1));

    printf("--- token %" PRId64 " of %" PRId64 "\n", from, all);
    print_tokens(set, from, n, n);
}

static void print_document(const struct shard_set *set, int64_t k, int64_t max)
{
    int64_t from, n;

    shard_document(&from, &n, set, k);
    printf("--- document %" PRId64 ", %" PRId64 " tokens, %" PRId64 " bytes\n",
           k, n - 1, shard_bytes(set, from, n - 1));
    print_tokens(set, from, n - 1, max);
}

static const struct command sample_command = {
    "data sample", "data sample [--documents N] [--bytes N] [--seed N] DIR",
    "some of the text of a packed set",
    "  The ids, where the text of the tokens is not known.  Documents drawn at "
    "random (by "
    "the seed), each from its start.\n",
    NULL};

int data_sample(int argc, char **argv)
{
    int64_t documents = 3, bytes = 400, seed = 1;
    const struct opt opts[] = {
        {"documents", 'n', OPT_INT, &documents, "N", "how many (3)"},
        {"bytes", 0, OPT_INT, &bytes, "N",
         "at most so many bytes (tokens) of each (400)"},
        {"seed", 0, OPT_INT, &seed, "N", "which (1)"},
        OPT_END};
    struct shard_set *set;
    const char **args;
    struct err e;
    int64_t all;
    int n, rc;

    rc = opts_parse(&sample_command, opts, argc, argv, &args, &n, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (documents < 1 || bytes < 1) {
        err_set(&e, ERR_USAGE, "data sample: counts must be positive");
        return opts_fail(&e);
    }
    /* The index is followed below, so it is checked first. */
    if (shard_open(&set, args[0], &e))
        return opts_fail(&e);
    if (shard_verify(set, 0, &e)) {
        shard_close(set);
        return opts_fail(&e);
    }
    all = shard_indexed(set) ? shard_info(set)->documents : 0;
    for (int64_t i = 0; i < documents && !all; i++)
        print_place(set, rng_uniform((uint64_t)seed, RNG_TEST, (uint64_t)i),
                    bytes);
    for (int64_t i = 0; i < documents && i < all; i++)
        print_document(set,
                       (int64_t)rng_permute((uint64_t)seed, RNG_TEST,
                                            (uint64_t)i, (uint64_t)all),
                       bytes);
    shard_close(set);
    return 0;
}
