/* tokens_raw: tokens and nothing else, little-endian.  nanoGPT's prepare.py
 * writes train.bin and val.bin this way with 16 bits a token.  Nothing in such
 * a file says so, hence only by name. */
#include "trainer/shard_impl.h"

static int raw_open(struct shard_piece *p, int width, int64_t vocab,
                    struct err *e)
{
    if (!p->map.len)
        return err_set(e, ERR_USAGE, "%s: empty", p->path);
    if (p->map.len % (size_t)width)
        return err_set(e, ERR_USAGE,
                       "%s: %zu bytes are not a whole number of %d-bit tokens",
                       p->path, p->map.len, 8 * width);
    p->tokens = p->map.data;
    p->width = width;
    p->n = (int64_t)(p->map.len / (size_t)width);
    p->vocab = vocab;
    return 0;
}

static int u8_open(struct shard_piece *p, struct err *e)
{
    return raw_open(p, 1, 256, e);
}

static int u16_open(struct shard_piece *p, struct err *e)
{
    return raw_open(p, 2, 65536, e);
}

static int u32_open(struct shard_piece *p, struct err *e)
{
    return raw_open(p, 4, INT64_C(1) << 31, e);
}

const struct token_reader tokens_bytes = {
    "bytes", "bytes", "each byte of the file is a token", NULL, u8_open,
    NULL,    NULL};
const struct token_reader tokens_u16 = {
    "u16", "unknown", "bare 16-bit tokens, as nanoGPT's", NULL, u16_open,
    NULL,  NULL};
const struct token_reader tokens_u32 = {
    "u32", "unknown", "bare 32-bit tokens", NULL, u32_open, NULL, NULL};
