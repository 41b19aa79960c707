/* evaluate: see evaluate.h. */
#include "trainer/evaluate.h"

#include "base/mem.h"
#include "trainer/batches.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE 8
#define LN2 0.69314718055994530942

/* 1, 2, 4, ... and the last position. */
static void cut(struct eval_set *s, int by_position)
{
    for (int64_t end = 1; by_position && end < s->seq_len; end *= 2)
        if (s->parts < EVAL_PARTS - 1)
            s->end[s->parts++] = end;
    s->end[s->parts++] = s->seq_len;
}

int eval_init(struct eval_set *s, const struct shard_set *set,
              const struct run_spec *spec, int by_position, struct comm *c,
              struct err *e)
{
    int64_t T = spec->model.seq_len, windows, asked;

    if (batches_check(set, spec, e))
        return -1;
    windows = batches_windows(shard_info(set)->tokens, T);
    asked = spec->eval_tokens / T;
    if (spec->eval_tokens && asked < windows)
        windows = asked > 0 ? asked : 1;
    *s = (struct eval_set){
        .set = set,
        .seq_len = T,
        .windows = windows,
        .at_once = AT_ONCE,
        .tokens = windows * T,
        .bytes = shard_bytes(set, 1, windows * T),
    };
    cut(s, by_position);
    s->nats.element = (size_t)s->parts * sizeof(double);
    for (int m = 0; m <= comm_size(c); m++)
        s->nats.bound[m] = (size_t)(windows * m / comm_size(c));
    return comm_alloc(&s->nats, c, e);
}

int eval_by_model(void *ctx, double *nats, const int32_t *tokens,
                  int64_t windows, const struct eval_set *s, struct err *e)
{
    (void)e;
    model_eval_parts(ctx, nats, tokens, windows, s->end, s->parts);
    return 0;
}

int evaluate(double *nats, struct eval_set *s, eval_losses *losses, void *ctx,
             struct comm *c, const volatile sig_atomic_t *stop, struct err *e)
{
    struct comm_array *shared[] = {&s->nats};
    int64_t T = s->seq_len;
    int64_t at = (int64_t)s->nats.bound[comm_member(c)];
    int64_t end = (int64_t)s->nats.bound[comm_member(c) + 1];
    int32_t *tokens = xmalloc(sizeof *tokens * (size_t)(s->at_once * (T + 1)));
    double *sums = (double *)s->nats.data;
    unsigned stopped;
    int rc = 0;

    while (!rc && at < end && !(stop && *stop)) {
        int64_t rows = end - at < s->at_once ? end - at : s->at_once;

        for (int64_t r = 0; r < rows; r++)
            shard_read(tokens + r * (T + 1), s->set, (at + r) * T, T + 1);
        rc = losses(ctx, sums + at * s->parts, tokens, rows, s, e);
        comm_beat(c);
        at += rows;
    }
    free(tokens);
    if (rc)
        return -1;
    stopped = at < end;
    if (comm_agree(c, &stopped, NULL, e))
        return -1;
    if (stopped)
        return 1;
    if (comm_share(c, shared, 1, e))
        return -1;
    *nats = 0;
    for (int64_t w = 0; w < s->windows; w++)
        *nats += sums[w * s->parts + s->parts - 1];
    return 0;
}

void eval_part(double *nats, int64_t *bytes, const struct eval_set *s, int p)
{
    const double *sums = s->nats.data;
    int64_t from = p ? s->end[p - 1] : 0;

    *nats = 0;
    *bytes = 0;
    for (int64_t w = 0; w < s->windows; w++, sums += s->parts) {
        *nats += sums[p] - (p ? sums[p - 1] : 0);
        *bytes +=
            shard_bytes(s->set, w * s->seq_len + from + 1, s->end[p] - from);
    }
}

double bits_per_byte(double nats, int64_t bytes)
{
    return nats / LN2 / (double)bytes;
}
