/* cmd_data_pack: `loglog data pack`. */
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/cmd_data.h"
#include "trainer/pack.h"
#include "trainer/tokenizer.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the options are bound to before they are checked. */
struct request {
    const char *out, *split, *invalid, *field, *note, *tokenizer, *mark, *list;
    struct opt_list glob, dirs, valid, more;
    double share, overlap, near;
    int64_t bytes, documents, depth, seed, shard, threads;
    int force, json;
};

static int choose(int *value, const char *name, const char *text,
                  const char *const *words, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(text, words[i])) {
            *value = (int)i;
            return 0;
        }
    return err_set(e, ERR_USAGE, "data pack: --%s %s: expected %s, %s or %s",
                   name, text, words[0], words[1], words[2]);
}

/* The input and pattern lists that the options point into. */
struct lists {
    struct pack_input *input;
    struct str dir_glob[2 * OPT_LIST_MAX];
    int n_dir_glob;
};

static void add_input(struct pack_options *o, struct lists *l, const char *path,
                      int set)
{
    l->input[o->n_input++] = (struct pack_input){path, set};
    o->input = l->input;
}

/* --set NAME=PATH: a further validation set. */
static int add_set(struct pack_options *o, struct lists *l, const char *text,
                   struct err *e)
{
    size_t len = strcspn(text, "=");
    int set;

    if (!text[len] || !text[len + 1] || !len || len >= PACK_NAME ||
        strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") < len)
        return err_set(e, ERR_USAGE,
                       "data pack: --set %s: expected NAME=PATH, the name of "
                       "a-z, 0-9, - and _",
                       text);
    for (set = 0; set < o->n_set; set++)
        if (strlen(o->set_name[set]) == len &&
            !strncmp(o->set_name[set], text, len))
            break;
    if (set < PACK_MORE)
        return err_set(e, ERR_USAGE,
                       "data pack: --set %s: the name is taken by the split",
                       text);
    if (set == PACK_SETS)
        return err_set(e, ERR_USAGE, "data pack: more than %d sets", PACK_SETS);
    if (set == o->n_set)
        snprintf(o->set_name[o->n_set++], PACK_NAME, "%.*s", (int)len, text);
    add_input(o, l, text + len + 1, set);
    return 0;
}

/* Everything in DIR and below it. */
static void add_dir_glob(struct pack_options *o, struct lists *l,
                         const char *dir)
{
    struct str *s = &l->dir_glob[l->n_dir_glob++];

    str_init(s);
    for (; *dir; dir++)
        str_addf(s, strchr("*?[\\", *dir) ? "\\%c" : "%c", *dir);
    while (s->len && s->text[s->len - 1] == '/')
        s->text[--s->len] = '\0';
    str_add(s, "/*");
    o->valid_glob[o->n_valid_glob++] = s->text;
}

static int check_numbers(const struct request *q, struct err *e)
{
    if (!(q->share > 0 && q->share < 1))
        return err_set(e, ERR_USAGE,
                       "data pack: --valid-share %g: expected a share between "
                       "0 and 1",
                       q->share);
    if (!(q->overlap >= 0 && q->overlap <= 1))
        return err_set(e, ERR_USAGE,
                       "data pack: --max-overlap %g: expected 0 to 1",
                       q->overlap);
    if (!(q->near >= 0 && q->near <= 1))
        return err_set(e, ERR_USAGE,
                       "data pack: --near %g: expected a similarity, 0 to 1",
                       q->near);
    if (q->bytes < 0 || q->documents < 0 || q->depth < 0 || q->depth > 1000 ||
        q->shard < 4096 || q->threads < 0 || q->threads > 256)
        return err_set(e, ERR_USAGE,
                       "data pack: a count is negative, --shard-bytes is less "
                       "than 4096 or --threads more than 256");
    if (q->glob.n + q->dirs.n > PACK_PATTERNS)
        return err_set(e, ERR_USAGE, "data pack: more than %d patterns",
                       PACK_PATTERNS);
    return 0;
}

static int resolve(struct pack_options *o, struct lists *l,
                   const struct request *q, const char **args, int n,
                   struct err *e)
{
    static const char *const splits[] = {"document", "directory", "none"};
    static const char *const invalids[] = {"keep", "drop", "refuse"};
    int split = 0, invalid = 0;

    if (!q->out)
        return err_set(e, ERR_USAGE, "data pack: --out DIR is needed");
    if (choose(&split, "split", q->split, splits, 3, e) ||
        choose(&invalid, "invalid", q->invalid, invalids, 3, e) ||
        check_numbers(q, e))
        return -1;
    o->out = q->out;
    o->split = (enum pack_split)split;
    o->invalid = (enum pack_invalid)invalid;
    o->split_depth = (int)q->depth;
    o->valid_share = q->share;
    o->valid_bytes = q->bytes;
    o->valid_documents = q->documents;
    o->max_overlap = q->overlap;
    o->seed = (uint64_t)q->seed;
    o->shard_bytes = q->shard;
    o->force = q->force;
    o->text_field = q->field;
    o->note = q->note;
    o->threads = (int)q->threads;
    o->valid_list = q->list;
    o->near = q->near;
    l->input = xcalloc((size_t)(n + q->valid.n + q->more.n), sizeof *l->input);
    for (int i = 0; i < n; i++)
        add_input(o, l, args[i], PACK_TRAIN);
    for (int i = 0; i < q->valid.n; i++)
        add_input(o, l, q->valid.value[i], PACK_VALID);
    for (int i = 0; i < q->more.n; i++)
        if (add_set(o, l, q->more.value[i], e))
            return -1;
    for (int i = 0; i < q->glob.n; i++)
        o->valid_glob[o->n_valid_glob++] = q->glob.value[i];
    for (int i = 0; i < q->dirs.n; i++)
        add_dir_glob(o, l, q->dirs.value[i]);
    return 0;
}

static void print_text(const struct pack_report *r, const char *out)
{
    char b[STR_DOUBLE];

    printf("%" PRId64 " files, %" PRId64 " documents, %s\n", r->files,
           r->documents, str_bytes(b, (double)r->bytes));
    if (r->blank)
        printf("left out: %" PRId64 " blank documents\n", r->blank);
    if (r->duplicates)
        printf("left out: %" PRId64 " exact copies, %s (listed in "
               "%s/notes.tsv)\n",
               r->duplicates, str_bytes(b, (double)r->duplicate_bytes), out);
    if (r->near)
        printf("left out: %" PRId64 " near copies, %s (notes.tsv)\n", r->near,
               str_bytes(b, (double)r->near_bytes));
    if (r->overlapping)
        printf("left out: %" PRId64 " validation documents that overlap with "
               "train (notes.tsv)\n",
               r->overlapping);
    if (r->invalid_documents)
        printf("not UTF-8: %" PRId64 " bytes in %" PRId64
               " documents (notes.tsv)\n",
               r->invalid_bytes, r->invalid_documents);
    if (r->other_files)
        printf("passed over: %" PRId64 " that are no regular files\n",
               r->other_files);
    printf("\n%-12s %9s %12s %12s %8s %7s %9s  %s\n", "set", "documents",
           "bytes", "tokens", "distinct", "unique", "in train", "sha256");
    for (int k = 0; k < r->n_set; k++) {
        const struct pack_set_report *s = &r->set[k];
        char overlap[32] = "-";

        if (!s->documents)
            continue;
        if (k != PACK_TRAIN)
            snprintf(overlap, sizeof overlap, "%.2f %%", 100 * s->overlap);
        printf("%-12s %9" PRId64 " %12" PRId64 " %12" PRId64 " %8" PRId64
               " %5.1f %% %9s  %.12s\n",
               s->name, s->documents, s->bytes, s->tokens, s->distinct,
               100 * s->unique, overlap, s->sha256);
    }
    printf("\nunique, in train: shares of 64-byte windows\n%s: %s\n", out,
           r->unchanged ? "held the same already, left as it is" : "written");
}

static void print_json(const struct pack_report *r, const char *out)
{
    json_t *sets = json_array(), *j;
    char *text;

    for (int k = 0; k < r->n_set; k++) {
        const struct pack_set_report *s = &r->set[k];
        if (!s->documents)
            continue;
        json_array_append_new(
            sets,
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "name",
                      s->name, "sha256", s->sha256, "documents",
                      (json_int_t)s->documents, "tokens", (json_int_t)s->tokens,
                      "bytes", (json_int_t)s->bytes, "distinct",
                      (json_int_t)s->distinct, "unique", s->unique, "in_train",
                      s->overlap, "in_train_max", s->overlap_max));
    }
    j = json_pack(
        "{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
        "s:o}",
        "out", out, "unchanged", r->unchanged, "files", (json_int_t)r->files,
        "documents", (json_int_t)r->documents, "bytes", (json_int_t)r->bytes,
        "blank", (json_int_t)r->blank, "copies", (json_int_t)r->duplicates,
        "copy_bytes", (json_int_t)r->duplicate_bytes, "near_copies",
        (json_int_t)r->near, "near_copy_bytes", (json_int_t)r->near_bytes,
        "invalid_documents", (json_int_t)r->invalid_documents, "invalid_bytes",
        (json_int_t)r->invalid_bytes, "overlapping", (json_int_t)r->overlapping,
        "sets", sets);
    text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    puts(text ? text : "{}");
    free(text);
    json_decref(j);
}

static const struct command pack_command = {
    "data pack", "data pack --out DIR FILE|DIR...",
    "pack text into training and validation sets of tokens",
    "  A document is a file, or what lies between NUL bytes in it; its tokens\n"
    "  are its bytes and a NUL that ends it.  JSON lines (.jsonl) give a\n"
    "  document a line; .gz .bz2 .xz and .zst are unpacked by the way.  Exact\n"
    "  copies and blank documents are left out, near copies with --near "
    "(MinHash\n"
    "  over 16-byte shingles).\n"
    "  Validation documents are chosen by a hash of their text (or of their\n"
    "  directory), so the same input always splits the same way, or by name\n"
    "  (--valid-glob, --valid-dirs, --valid-list).  The share of the "
    "validation\n"
    "  text whose 64-byte windows are in train is printed; --max-overlap "
    "leaves\n"
    "  out the documents that make it.  What was left out, and why: "
    "notes.tsv.\n"
    "\n"
    "  loglog data pack --out data/mine ~/texts\n"
    "  loglog data pack --out data/code --split directory --depth 3 ~/src\n"
    "  loglog data pack --out data/mine --valid-glob 'test/*' --set "
    "ood=other.txt ~/texts\n",
    NULL};

int data_pack(int argc, char **argv)
{
    struct pack_options o;
    struct pack_report r;
    struct tokenizer *tokenizer = NULL;
    struct lists lists = {0};
    struct request q;
    const char **args;
    struct err e;
    int n, rc;

    pack_defaults(&o);
    q = (struct request){.split = "document",
                         .invalid = "keep",
                         .field = o.text_field,
                         .share = o.valid_share,
                         .overlap = o.max_overlap,
                         .documents = o.valid_documents,
                         .depth = o.split_depth,
                         .shard = o.shard_bytes};
    /* clang-format off */
    const struct opt opts[] = {
        {"out", 'o', OPT_STRING, &q.out, "DIR", "where DIR/train and DIR/valid go"},
        {"split", 0, OPT_STRING, &q.split, "HOW", "document, directory or none (default: document)"},
        {"depth", 0, OPT_INT, &q.depth, "N", "--split directory: components that count (3; 0: all)"},
        {"valid-share", 0, OPT_DOUBLE, &q.share, "X", "share of the bytes that validates (0.02, at most 4 MB)"},
        {"valid-bytes", 0, OPT_INT, &q.bytes, "N", "instead: about N bytes of whole documents"},
        {"valid-documents", 0, OPT_INT, &q.documents, "N", "at least so many, where lengths allow (30)"},
        {"valid-glob", 0, OPT_LIST, &q.glob, "PATTERN", "instead: names, relative to their input, that validate"},
        {"valid-dirs", 0, OPT_LIST, &q.dirs, "NAME", "instead: directories that validate"},
        {"valid-list", 0, OPT_STRING, &q.list, "FILE", "instead: names that validate, a line each"},
        {"valid", 0, OPT_LIST, &q.valid, "PATH", "instead: text that validates"},
        {"set", 0, OPT_LIST, &q.more, "NAME=PATH", "a further validation set, packed whole"},
        {"max-overlap", 0, OPT_DOUBLE, &q.overlap, "X", "leave out validation documents with more of their text in train"},
        {"near", 0, OPT_DOUBLE, &q.near, "X", "leave out near copies too, from a similarity of X (0.8 is usual)"},
        {"invalid", 0, OPT_STRING, &q.invalid, "HOW", "documents that are not UTF-8: keep, drop or refuse (keep)"},
        {"text-field", 0, OPT_STRING, &q.field, "NAME", "of JSON lines (.jsonl): which holds the text (text)"},
        {"tokenizer", 't', OPT_STRING, &q.tokenizer, "FILE", "tokens instead of bytes: see data tokenize --help"},
        {"mark", 0, OPT_STRING, &q.mark, "TOKEN", "--tokenizer: text or id of the token behind each document"},
        {"threads", 0, OPT_INT, &q.threads, "N", "--tokenizer: how many encode (one a CPU)"},
        {"seed", 0, OPT_INT, &q.seed, "N", "another split"},
        {"shard-bytes", 0, OPT_INT, &q.shard, "N", "size at which a shard is closed (2^30)"},
        {"note", 0, OPT_STRING, &q.note, "TEXT", "kept in the manifests: where the text is from"},
        {"force", 'f', OPT_FLAG, &q.force, NULL, "replace packed sets with other content"},
        {"json", 0, OPT_FLAG, &q.json, NULL, "one JSON object"},
        OPT_END};
    /* clang-format on */

    rc = opts_parse(&pack_command, opts, argc, argv, &args, &n, 1, -1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    rc = resolve(&o, &lists, &q, args, n, &e);
    if (!rc && q.tokenizer)
        rc = tokenizer_open(&tokenizer, q.tokenizer, q.mark, &e);
    o.tokenizer = tokenizer;
    rc = rc || pack(&r, &o, &e);
    tokenizer_close(tokenizer);
    for (int i = 0; i < lists.n_dir_glob; i++)
        str_release(&lists.dir_glob[i]);
    free(lists.input);
    if (rc)
        return opts_fail(&e);
    if (q.json)
        print_json(&r, q.out);
    else
        print_text(&r, q.out);
    return 0;
}
