/* cmd_data_tokenize: `loglog data tokenize` and `loglog data train-tokenizer`.
 */
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/cmd_data.h"
#include "runner/data_sets.h"
#include "trainer/pack_stage.h"
#include "trainer/pack_tokenize.h"
#include "trainer/shard.h"
#include "trainer/tokenizer.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARD_BYTES ((int64_t)1 << 30)
#define SAMPLE_BYTES ((int64_t)10 << 20)

static const struct command tokenize_command = {
    "data tokenize", "data tokenize --tokenizer FILE --out OUT DIR",
    "sets of bytes as sets of a tokenizer's tokens",
    "  DIR is what data pack made (its sets become OUT/train, OUT/valid, ...)\n"
    "  or one set of it.  FILE is one of\n"
    "    X.json                 tokenizer.json of Hugging Face, byte-level "
    "BPE\n"
    "    X.tiktoken[:PATTERN]   ranks of tiktoken; PATTERN cuts the words:\n"
    "                           gpt2, cl100k, o200k, llama3 or deepseek\n"
    "                           (default: told by the number of ranks)\n"
    "    X.model                SentencePiece\n"
    "  The tokens are those of the original programs; special tokens in the\n"
    "  text are text.  A token marks the end of each document.  What the\n"
    "  tokens stand for is compared with the text.  Bits per byte divides by\n"
    "  the bytes of the text, so it is comparable across tokenizers.\n"
    "\n"
    "  loglog data tokenize --tokenizer tokenizer.json --out data/bpe "
    "data/prose\n",
    NULL};

static void print_line(const char *name, const struct pack_tokenize_report *r)
{
    double mb = (double)r->info.bytes / 1e6;

    printf("%-12s %10" PRId64 " %12" PRId64 " %12" PRId64 " %8.3f %8" PRId64
           " %8.1f  %.12s\n",
           name, r->info.documents, r->info.bytes, r->info.tokens,
           (double)r->info.bytes / (double)r->info.tokens, r->info.distinct,
           r->seconds > 0 ? mb / r->seconds : 0, r->info.sha256);
}

/* One set to STAGE/name. */
static int one(const char *path, const char *name, const char *stage,
               const struct tokenizer *t, int threads, struct err *e)
{
    struct pack_tokenize_report r;
    struct shard_set *set;
    char dir[PATH_MAX];
    int rc;

    if (snprintf(dir, sizeof dir, "%s/%s", stage, name) >= (int)sizeof dir)
        return err_set(e, ERR_USAGE, "%.200s: path too long", stage);
    if (shard_open(&set, path, e))
        return -1;
    rc = pack_tokenize(&r, dir, set, t, threads, SHARD_BYTES, e);
    shard_close(set);
    if (!rc)
        print_line(name, &r);
    return rc;
}

static int all(const char *path, const char *stage, const struct tokenizer *t,
               int threads, struct err *e)
{
    size_t n, len = strlen(path);
    char **sets;
    int rc = 0;

    printf("tokenizer %s, vocab %" PRId64 ", mark %" PRId32 "\n\n",
           tokenizer_info(t)->name, tokenizer_info(t)->vocab,
           tokenizer_info(t)->mark);
    printf("%-12s %10s %12s %12s %8s %8s %8s  %s\n", "set", "documents",
           "bytes", "tokens", "bytes/t", "distinct", "MB/s", "sha256");
    if (data_has_manifest(path)) {
        while (len > 1 && path[len - 1] == '/')
            len--;
        sets = NULL;
        while (len > 1 && path[len - 1] != '/')
            len--;
        return one(path, path + (path[len - 1] == '/' ? len : 0), stage, t,
                   threads, e);
    }
    sets = data_sets_below(path, &n);
    for (size_t i = 0; i < n; i++) {
        rc =
            rc || one(sets[i], strrchr(sets[i], '/') + 1, stage, t, threads, e);
        free(sets[i]);
    }
    free(sets);
    if (!n)
        return err_set(e, ERR_USAGE, "%s: holds no packed set", path);
    return rc ? -1 : 0;
}

int data_tokenize(int argc, char **argv)
{
    const char *file = NULL, *out = NULL, *mark = NULL, **args;
    int64_t threads = 0;
    int force = 0, unchanged = 0, n, rc;
    const struct opt opts[] = {
        {"tokenizer", 't', OPT_STRING, &file, "FILE", "the tokenizer"},
        {"out", 'o', OPT_STRING, &out, "OUT", "where the sets go"},
        {"mark", 0, OPT_STRING, &mark, "TOKEN",
         "text or id of the token behind each document (default: the "
         "tokenizer's end of text, else one more token)"},
        {"threads", 0, OPT_INT, &threads, "N", "default: one a CPU"},
        {"force", 'f', OPT_FLAG, &force, NULL, "replace other content of OUT"},
        OPT_END};
    struct pack_stage stage;
    struct tokenizer *t;
    struct err e;

    rc = opts_parse(&tokenize_command, opts, argc, argv, &args, &n, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (!file || !out || threads < 0 || threads > 256) {
        err_set(&e, ERR_USAGE,
                "data tokenize: --tokenizer FILE and --out OUT are needed, "
                "--threads is 1 to 256");
        return opts_fail(&e);
    }
    if (tokenizer_open(&t, file, mark, &e))
        return opts_fail(&e);
    rc = pack_stage_begin(&stage, out, &e);
    if (!rc) {
        rc = all(args[0], stage.dir, t, (int)threads, &e) ||
             pack_stage_install(&stage, force, &unchanged, &e);
        pack_stage_end(&stage);
    }
    tokenizer_close(t);
    if (rc)
        return opts_fail(&e);
    printf("\n%s: %s\n", out,
           unchanged ? "held the same already, left as it is" : "written");
    return 0;
}

/* --- learning one */

static const struct command train_command = {
    "data train-tokenizer", "data train-tokenizer --out X.model SET...",
    "learn a SentencePiece model from packed text",
    "  Byte-pair encoding with all bytes as pieces and no normalisation, so\n"
    "  that every text comes back from its tokens.  It is learned from equal\n"
    "  parts of the sets, whole documents spread over each: to compare "
    "corpora\n"
    "  learn one tokenizer from all of them.\n"
    "\n"
    "  loglog data train-tokenizer --vocab 8192 --out all.model \\\n"
    "      data/prose/train data/code/train\n",
    NULL};

/* About `bytes` of text of a set, documents evenly spread, to f. */
static int write_sample(FILE *f, const char *path, int64_t bytes, struct err *e)
{
    struct shard_set *set;
    int64_t from, n, all_documents, written = 0;
    struct str text;

    if (shard_open(&set, path, e))
        return -1;
    if (!shard_indexed(set) || shard_verify(set, 0, e)) {
        shard_close(set);
        return err_set(e, ERR_USAGE, "%s: not a packed set", path);
    }
    all_documents = shard_info(set)->documents;
    str_init(&text);
    for (int64_t k = 0; k < all_documents && written < bytes; k++) {
        shard_document(&from, &n, set,
                       (int64_t)rng_permute(1, RNG_DATA, (uint64_t)k,
                                            (uint64_t)all_documents));
        str_clear(&text);
        if (shard_text(&text, set, from, n))
            break;
        fwrite(text.text, 1, text.len, f);
        fputc('\n', f);
        written += (int64_t)text.len;
    }
    str_release(&text);
    shard_close(set);
    return written ? 0 : err_set(e, ERR_USAGE, "%s: no text", path);
}

int data_train_tokenizer(int argc, char **argv)
{
    int64_t vocab = 8192, bytes = SAMPLE_BYTES, threads = 0;
    const char *out = NULL, **args;
    const struct opt opts[] = {
        {"out", 'o', OPT_STRING, &out, "X.model", "where the model goes"},
        {"vocab", 0, OPT_INT, &vocab, "N", "pieces (8192)"},
        {"bytes", 0, OPT_INT, &bytes, "N", "of text to learn from (1e7)"},
        {"threads", 0, OPT_INT, &threads, "N", "default: 2"},
        OPT_END};
    char sample[PATH_MAX];
    struct err e;
    int n, rc;
    FILE *f;

    rc = opts_parse(&train_command, opts, argc, argv, &args, &n, 1, -1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (!out || vocab < 300 || vocab > TOKENIZER_VOCAB_MAX || bytes < 1000 ||
        strlen(out) < 7 || strcmp(out + strlen(out) - 6, ".model")) {
        err_set(&e, ERR_USAGE,
                "data train-tokenizer: --out X.model is needed, --vocab is at "
                "least 300, --bytes at least 1000");
        return opts_fail(&e);
    }
    snprintf(sample, sizeof sample, "%.*s.sample", PATH_MAX - 16, out);
    f = fopen(sample, "w");
    if (!f) {
        err_errno(&e, "%s", sample);
        return opts_fail(&e);
    }
    for (int i = 0; i < n && !rc; i++)
        rc = write_sample(f, args[i], bytes / n, &e);
    if (fclose(f) && !rc)
        rc = err_errno(&e, "%s", sample);
    if (!rc)
        rc =
            tokenizer_train(out, sample, vocab, threads ? (int)threads : 2, &e);
    unlink(sample);
    if (rc)
        return opts_fail(&e);
    printf("%s: written\n", out);
    return 0;
}
