/* cmd_data_link: `loglog data link`. */
#include "runner/cmd.h"
#include "runner/cmd_data.h"
#include "trainer/shard_link.h"

#include <stdio.h>

static const struct command link_command = {
    "data link", "data link --out DIR FILE|PATTERN...",
    "use another program's token files where they are",
    "  llm.c's .bin, NumPy's .npy and Megatron's .bin with .idx are known by\n"
    "  their first bytes; nanoGPT's bare 16-bit tokens need --layout u16.  "
    "DIR\n"
    "  gets a manifest and is then named in a study like a packed set.\n"
    "  Bits per byte needs the bytes of the text: exact from the tokenizer's\n"
    "  file (llm.c's or tiktoken's), or in proportion from their total.\n"
    "\n"
    "  loglog data link --out data/fineweb --token-file gpt2_tokenizer.bin \\\n"
    "      --mark 50256 'fineweb_train_*.bin'\n"
    "  loglog data link --out data/shakespeare --layout u16 --vocab 50257 \\\n"
    "      --bytes 1003854 train.bin\n",
    NULL};

int data_link(int argc, char **argv)
{
    struct link_options o = {.mark = -1};
    const struct opt opts[] = {
        {"out", 'o', OPT_STRING, &o.out, "DIR", "where the manifest goes"},
        {"layout", 0, OPT_STRING, &o.layout, "NAME",
         "llmc, npy, megatron, u16, u32 or bytes (default: told by the files)"},
        {"vocab", 0, OPT_INT, &o.vocab, "N",
         "tokens are below N (default: llm.c's, else as they occur)"},
        {"tokenizer", 0, OPT_STRING, &o.tokenizer, "NAME", "for people"},
        {"bytes", 0, OPT_INT, &o.bytes, "N", "bytes of the text in all"},
        {"token-file", 0, OPT_STRING, &o.token_file, "FILE",
         "the tokenizer: bytes of each token"},
        {"mark", 0, OPT_INT, &o.mark, "ID",
         "the token that marks documents, counted as one byte"},
        {"force", 'f', OPT_FLAG, &o.force, NULL, "replace a linked set"},
        OPT_END};
    char info[] = "info";
    const char **args;
    struct err e;
    int n, rc;

    rc = opts_parse(&link_command, opts, argc, argv, &args, &n, 1, -1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (!o.out) {
        err_set(&e, ERR_USAGE, "data link: --out DIR is needed");
        return opts_fail(&e);
    }
    if (o.vocab < 0 || o.vocab > INT64_C(1) << 31 || o.bytes < 0 ||
        o.mark < -1) {
        err_set(&e, ERR_USAGE,
                "data link: --vocab, --bytes and --mark are counts, --vocab "
                "at most 2^31");
        return opts_fail(&e);
    }
    o.input = args;
    o.n_input = n;
    if (shard_link(&o, &e))
        return opts_fail(&e);
    return data_info(2, (char *[]){info, (char *)(uintptr_t)o.out, NULL});
}
