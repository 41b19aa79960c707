/* batches: see batches.h. */
#include "trainer/batches.h"

#include "base/mem.h"
#include "base/rng.h"

#include <inttypes.h>

/* rng_permute uses the indices of its stream whose top byte is 1..4; the
 * epochs' keys are drawn far from them. */
#define EPOCH_KEY (UINT64_C(0xff) << 56)

int64_t batches_windows(int64_t tokens, int64_t seq_len)
{
    return tokens > 0 ? (tokens - 1) / seq_len : 0;
}

int batches_check(const struct shard_set *set, const struct run_spec *spec,
                  struct err *e)
{
    const struct shard_info *info = shard_info(set);

    if (batches_windows(info->tokens, spec->model.seq_len) < 1)
        return err_set(e, ERR_USAGE,
                       "%s: %" PRId64 " tokens, at least seq_len + 1 = %" PRId64
                       " expected",
                       shard_path(set), info->tokens, spec->model.seq_len + 1);
    if (info->vocab > spec->model.vocab)
        return err_set(e, ERR_USAGE,
                       "%s: its tokens need a vocabulary of %" PRId64
                       ", model.vocab is %" PRId64,
                       shard_path(set), info->vocab, spec->model.vocab);
    return 0;
}

int batches_init(struct batches *b, const struct shard_set *set,
                 const struct run_spec *spec, struct err *e)
{
    int64_t T = spec->model.seq_len;

    if (batches_check(set, spec, e))
        return -1;
    *b = (struct batches){
        .set = set,
        .windows = batches_windows(shard_info(set)->tokens, T),
        .seq_len = T,
        .rows = spec->batch_tokens / T,
        .seed = (uint64_t)spec->seed,
    };
    return 0;
}

int64_t batches_window(const struct batches *b, int64_t t, int64_t row)
{
    uint64_t n = (uint64_t)b->windows;
    uint64_t sample = (uint64_t)(t - 1) * (uint64_t)b->rows + (uint64_t)row;
    uint64_t key = rng_u64(b->seed, RNG_DATA, EPOCH_KEY | sample / n);

    BUG_ON(t < 1 || row < 0 || row >= b->rows);
    return (int64_t)rng_permute(key, RNG_DATA, sample % n, n);
}

void batches_read(int32_t *out, const struct batches *b, int64_t t,
                  int64_t from, int64_t rows)
{
    int64_t T = b->seq_len;

    for (int64_t r = 0; r < rows; r++)
        shard_read(out + r * (T + 1), b->set,
                   batches_window(b, t, from + r) * T, T + 1);
}

double batches_epochs(const struct batches *b, int64_t steps)
{
    return (double)steps * (double)b->rows / (double)b->windows;
}
