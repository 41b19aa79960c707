/* tokens_llmc: llm.c's data files (its dev/data/data_common.py).
 *
 * 256 int32: magic, version, number of tokens, zeros; then the tokens.
 *   20240520, 1: uint16, GPT-2's tokenizer (50257)
 *   20240801, 7: uint32, Llama 3's (128256) */
#include "base/mem.h"
#include "trainer/shard_impl.h"

#include <inttypes.h>

#define HEADER 1024

static const struct variant {
    uint32_t magic, version;
    int width;
    int64_t vocab;
    const char *tokenizer;
} variants[] = {{20240520, 1, 2, 50257, "gpt2"},
                {20240801, 7, 4, 128256, "llama3"}};
/* its file of multiple-choice questions is no stream of tokens */
#define EVAL_MAGIC 20240522

static int llmc_sniff(const uint8_t *data, size_t len)
{
    uint32_t magic = len >= 4 ? (uint32_t)le_get(data, 4) : 0;

    for (size_t i = 0; i < ARRAY_LEN(variants); i++)
        if (magic == variants[i].magic)
            return 1;
    return magic == EVAL_MAGIC;
}

static int llmc_open(struct shard_piece *p, struct err *e)
{
    const struct variant *v = NULL;
    uint32_t magic, version;
    int64_t n;

    if (p->map.len < HEADER)
        return err_set(e, ERR_USAGE, "%s: shorter than llm.c's header",
                       p->path);
    magic = (uint32_t)le_get(p->map.data, 4);
    version = (uint32_t)le_get(p->map.data + 4, 4);
    n = (int32_t)(uint32_t)le_get(p->map.data + 8, 4);
    if (magic == EVAL_MAGIC)
        return err_set(e, ERR_USAGE,
                       "%s: a file of llm.c with multiple-choice questions, "
                       "not a stream of tokens",
                       p->path);
    for (size_t i = 0; i < ARRAY_LEN(variants); i++)
        if (magic == variants[i].magic && version == variants[i].version)
            v = &variants[i];
    if (!v)
        return err_set(e, ERR_USAGE,
                       "%s: llm.c's magic %" PRIu32 " version %" PRIu32
                       ", expected 20240520 version 1 or 20240801 version 7",
                       p->path, magic, version);
    if (n < 1 || (uint64_t)n * (unsigned)v->width != p->map.len - HEADER)
        return err_set(e, ERR_USAGE,
                       "%s: the header says %" PRId64 " tokens of %d bits, "
                       "the file has %zu bytes of them",
                       p->path, n, 8 * v->width, p->map.len - HEADER);
    p->tokens = p->map.data + HEADER;
    p->width = v->width;
    p->n = n;
    p->vocab = v->vocab;
    p->tokenizer = v->tokenizer;
    return 0;
}

const struct token_reader tokens_llmc = {
    "llmc", "gpt2", "llm.c's .bin, versions 1 and 7", llmc_sniff, llmc_open,
    NULL,   NULL};
