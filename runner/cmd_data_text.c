/* cmd_data_text: `loglog data text`. */
#include "base/rng.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/cmd_data.h"
#include "trainer/shard.h"

#include <stdio.h>

static const struct command text_command = {
    "data text", "data text [--bytes N] SET", "the text of a set, on stdout",
    "  A NUL behind each document, as bits per byte counts it: a compressor's\n"
    "  bytes of it, times 8, over its bytes are comparable with a loss.\n"
    "\n"
    "  loglog data text data/prose/valid | xz -9e | wc -c\n",
    NULL};

int data_text(int argc, char **argv)
{
    int64_t bytes = 0, seed = 1, from, n_token, documents, written = 0;
    const struct opt opts[] = {
        {"bytes", 0, OPT_INT, &bytes, "N",
         "about N bytes of whole documents, drawn at random (default: all)"},
        {"seed", 0, OPT_INT, &seed, "N", "which (1)"},
        OPT_END};
    struct shard_set *set;
    const char **args;
    struct str text;
    struct err e;
    size_t skip;
    int n, rc;

    rc = opts_parse(&text_command, opts, argc, argv, &args, &n, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (shard_open(&set, args[0], &e))
        return opts_fail(&e);
    str_init(&text);
    rc = shard_verify(set, 0, &e);
    if (!rc && (!shard_indexed(set) || shard_text(&text, set, 0, 0)))
        rc = err_set(&e, ERR_USAGE, "%s: its text or documents are not known",
                     args[0]);
    documents = shard_info(set)->documents;
    for (int64_t k = 0; k < documents && !rc && (!bytes || written < bytes);
         k++) {
        shard_document(&from, &n_token, set,
                       bytes ? (int64_t)rng_permute((uint64_t)seed, RNG_DATA,
                                                    (uint64_t)k,
                                                    (uint64_t)documents)
                             : k);
        str_clear(&text);
        shard_text(&text, set, from, n_token);
        str_add_n(&text, "", 1);
        /* a mark of no bytes: a space before the document stands for it */
        skip = text.len > 1 && !shard_bytes(set, from + n_token - 1, 1);
        written += (int64_t)(text.len - skip);
        if (fwrite(text.text + skip, 1, text.len - skip, stdout) !=
            text.len - skip)
            rc = err_errno(&e, "standard output");
    }
    str_release(&text);
    shard_close(set);
    if (!rc && fflush(stdout))
        rc = err_errno(&e, "standard output");
    return rc ? opts_fail(&e) : 0;
}
