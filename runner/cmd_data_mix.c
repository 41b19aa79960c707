/* cmd_data_mix: `loglog data mix`. */
#include "base/mem.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/cmd_data.h"
#include "runner/data_sets.h"
#include "trainer/mix.h"
#include "trainer/pack_stage.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command mix_command = {
    "data mix", "data mix --out OUT [WEIGHT=]DIR...",
    "a training set out of several, or one made worse",
    "  Each DIR is what data pack made.  OUT/train has whole documents of "
    "every\n"
    "  DIR/train in proportion to the weights, none twice, as much as the\n"
    "  smallest allows, or --tokens.  The validation sets of every DIR are\n"
    "  copied unchanged: as they are called for one DIR, NAME-valid for\n"
    "  several; the share of their text that is in the new OUT/train is "
    "printed.\n"
    "\n"
    "  For a quality axis: --shuffled X puts the words of documents with a "
    "share\n"
    "  X of the text in random order; --duplicated X makes a share X of it\n"
    "  copies of other documents.  The total stays what it is.\n"
    "\n"
    "  loglog data mix --out data/mix 0.7=data/prose 0.3=data/code\n"
    "  loglog data mix --out data/worse --shuffled 0.2 data/prose\n",
    NULL};

struct request {
    struct mix_options o;
    const char *dir[MIX_SOURCES]; /* without the weight */
    struct shard_set *train[MIX_SOURCES];
};

static int read_source(struct request *q, const char *text, struct err *e)
{
    int i = q->o.n_source;
    const char *equals = strchr(text, '=');
    char path[PATH_MAX], number[64];
    double weight = 1;

    if (i == MIX_SOURCES)
        return err_set(e, ERR_USAGE, "data mix: more than %d sources",
                       MIX_SOURCES);
    if (equals && equals - text < (int)sizeof number) {
        snprintf(number, sizeof number, "%.*s", (int)(equals - text), text);
        if (str_to_double(number, &weight) || !(weight > 0 && weight < 1e9))
            return err_set(e, ERR_USAGE,
                           "data mix: %s: expected WEIGHT=DIR, the weight "
                           "positive",
                           text);
        text = equals + 1;
    }
    if (snprintf(path, sizeof path, "%s/train", text) >= (int)sizeof path)
        return err_set(e, ERR_USAGE, "%.200s: path too long", text);
    if (shard_open(&q->train[i], path, e))
        return -1;
    q->dir[i] = text;
    q->o.source[i] = (struct mix_source){q->train[i], weight};
    q->o.n_source++;
    return 0;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Copy one validation set and print its line. */
static int copy_one(const char *stage, const char *name, const char *path,
                    const struct shard_set *train, struct err *e)
{
    struct shard_set *set;
    struct shard_info info;
    char dir[PATH_MAX], share[16] = "-";
    double overlap;
    int rc;

    if (snprintf(dir, sizeof dir, "%s/%s", stage, name) >= (int)sizeof dir)
        return err_set(e, ERR_USAGE, "%.200s: path too long", stage);
    if (shard_open(&set, path, e))
        return -1;
    rc = mix_copy(&info, dir, set, e);
    overlap = rc ? -1 : mix_overlap(train, set);
    shard_close(set);
    if (overlap >= 0)
        snprintf(share, sizeof share, "%.2f %%", 100 * overlap);
    if (!rc)
        printf("%-20s %10" PRId64 " %12" PRId64 " %9s  %.12s\n", name,
               info.documents, info.tokens, share, info.sha256);
    return rc;
}

static int copy_validation(const struct request *q, const char *stage,
                           const struct shard_set *train, struct err *e)
{
    int rc = 0;

    for (int i = 0; i < q->o.n_source; i++) {
        size_t n;
        char **sets = data_sets_below(q->dir[i], &n), name[256];

        for (size_t k = 0; k < n; k++) {
            const char *set = last_part(sets[k]);

            if (q->o.n_source > 1)
                snprintf(name, sizeof name, "%.100s-%.100s",
                         last_part(q->dir[i]), set);
            else
                snprintf(name, sizeof name, "%.200s", set);
            if (strcmp(set, "train"))
                rc = rc || copy_one(stage, name, sets[k], train, e);
            free(sets[k]);
        }
        free(sets);
    }
    return rc;
}

static int write_sets(const struct request *q, const char *stage, struct err *e)
{
    struct mix_report r;
    struct shard_set *train;
    char dir[PATH_MAX];
    int rc;

    if (snprintf(dir, sizeof dir, "%s/train", stage) >= (int)sizeof dir)
        return err_set(e, ERR_USAGE, "%.200s: path too long", stage);
    if (mix(&r, dir, &q->o, e))
        return -1;
    for (int i = 0; i < q->o.n_source; i++)
        printf("%-32s %5.1f %% %12" PRId64 " of %12" PRId64 " tokens, %" PRId64
               " documents\n",
               q->dir[i], 100 * (double)r.tokens[i] / (double)r.info.tokens,
               r.tokens[i], shard_info(q->train[i])->tokens, r.documents[i]);
    if (r.shuffled)
        printf("shuffled: %.1f %% of the tokens\n",
               100 * (double)r.shuffled / (double)r.info.tokens);
    if (r.duplicated)
        printf("copies: %.1f %% of the tokens\n",
               100 * (double)r.duplicated / (double)r.info.tokens);
    printf("\n%-20s %10s %12s %9s  %s\n", "set", "documents", "tokens",
           "in train", "sha256");
    printf("%-20s %10" PRId64 " %12" PRId64 " %9s  %.12s\n", "train",
           r.info.documents, r.info.tokens, "-", r.info.sha256);
    if (shard_open(&train, dir, e))
        return -1;
    rc = copy_validation(q, stage, train, e);
    shard_close(train);
    return rc;
}

static int check(const struct request *q, const char *out, struct err *e)
{
    const struct mix_options *o = &q->o;

    if (!out)
        return err_set(e, ERR_USAGE, "data mix: --out OUT is needed");
    if (o->tokens < 0 || !(o->shuffled >= 0 && o->shuffled <= 1) ||
        !(o->duplicated >= 0 && o->duplicated < 1))
        return err_set(e, ERR_USAGE,
                       "data mix: --tokens is a count, --shuffled a share of 0 "
                       "to 1, --duplicated of less than 1");
    return 0;
}

int data_mix(int argc, char **argv)
{
    struct request *q = xcalloc(1, sizeof *q);
    const char *out = NULL, **args;
    int force = 0, unchanged = 0, n, rc;
    struct pack_stage stage;
    int64_t seed = 1;
    struct err e;
    const struct opt opts[] = {
        {"out", 'o', OPT_STRING, &out, "OUT", "where the sets go"},
        {"tokens", 0, OPT_INT, &q->o.tokens, "N",
         "of OUT/train, about (default: as many as the weights allow)"},
        {"shuffled", 0, OPT_DOUBLE, &q->o.shuffled, "X",
         "share of the text with its words in random order"},
        {"duplicated", 0, OPT_DOUBLE, &q->o.duplicated, "X",
         "share of the text that are copies"},
        {"seed", 0, OPT_INT, &seed, "N", "which documents (1)"},
        {"force", 'f', OPT_FLAG, &force, NULL, "replace other content of OUT"},
        OPT_END};

    rc = opts_parse(&mix_command, opts, argc, argv, &args, &n, 1, -1, &e);
    if (rc) {
        free(q);
        return rc > 0 ? 0 : opts_fail(&e);
    }
    q->o.seed = (uint64_t)seed;
    rc = check(q, out, &e);
    for (int i = 0; i < n && !rc; i++)
        rc = read_source(q, args[i], &e);
    if (!rc) {
        rc = pack_stage_begin(&stage, out, &e);
        if (!rc) {
            rc = write_sets(q, stage.dir, &e) ||
                 pack_stage_install(&stage, force, &unchanged, &e);
            pack_stage_end(&stage);
        }
    }
    for (int i = 0; i < MIX_SOURCES; i++)
        shard_close(q->train[i]);
    free(q);
    if (rc)
        return opts_fail(&e);
    printf("\nin train: share of 64-byte windows\n%s: %s\n", out,
           unchanged ? "held the same already, left as it is" : "written");
    return 0;
}
