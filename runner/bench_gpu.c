/* bench_gpu: see bench_gpu.h. */
#include "runner/bench_gpu.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "sweep/flops.h"
#include "sweep/gpu_model.h"
#include "trainer/bench.h"
#include "trainer/device.h"

#include <stdio.h>
#include <stdlib.h>

#define UNCOUNTED 2 /* the first finds algorithms, the second makes a graph */

struct shape {
    int64_t width, layers, vocab, seq_len, head_dim, rows;
};

/* Of sweeps, then of what they are for. */
static const struct shape shapes[] = {
    {64, 4, 256, 256, 32, 16},      {128, 6, 4096, 256, 32, 32},
    {256, 6, 4096, 256, 32, 32},    {512, 8, 32000, 1024, 64, 16},
    {1024, 8, 32000, 1024, 64, 16}, {2048, 8, 32000, 2048, 64, 4},
};
static const struct shape emulated = {64, 2, 101, 40, 32, 2};

static struct run_spec spec_of(const struct shape *x)
{
    struct run_spec s;

    spec_defaults(&s);
    s.model.vocab = x->vocab;
    s.model.seq_len = x->seq_len;
    s.model.d_model = x->width;
    s.model.n_layer = x->layers;
    s.model.n_head = s.model.n_kv_head = x->width / x->head_dim;
    s.model.d_ff = (x->width * 8 / 3 + 31) / 32 * 32;
    s.model.init_std = 0.02;
    s.dtype = DTYPE_BF16;
    s.batch_tokens = x->rows * x->seq_len;
    return s;
}

struct times {
    double median, least, most; /* seconds of a step */
};

static int one_step(const struct engine_api *api, struct engine *g, int64_t t,
                    const int32_t *tokens, double *nats, int64_t rows,
                    struct err *e)
{
    double norm;

    return api->zero(g, e) || api->grad(g, nats, tokens, rows, 1e-6f, 1, e) ||
                   api->norm(g, &norm, e) || api->step(g, 1e-4, 1, t, e)
               ? -1
               : 0;
}

static int time_steps(struct times *t, const struct engine_api *api,
                      const struct run_spec *s, int steps, struct err *e)
{
    int64_t rows = s->batch_tokens / s->model.seq_len;
    struct engine_options o = {.rows = rows, .gang = 1};
    size_t n = (size_t)(rows * (s->model.seq_len + 1));
    struct rng r = {1, RNG_TEST, 0};
    struct engine *g;
    double *nats, *took;
    int32_t *tokens;
    int bad = 0;

    if (api->create(&g, s, &o, e))
        return -1;
    nats = xcalloc((size_t)rows, sizeof *nats);
    took = xcalloc((size_t)steps, sizeof *took);
    tokens = xcalloc(n, sizeof *tokens);
    for (size_t i = 0; i < n; i++)
        tokens[i] = (int32_t)rng_next_below(&r, (uint64_t)s->model.vocab);
    bad = api->init(g, 1, e);
    for (int i = -UNCOUNTED; i < steps && !bad; i++) {
        double begun = clock_now();

        bad = one_step(api, g, i + UNCOUNTED + 1, tokens, nats, rows, e);
        if (i >= 0)
            took[i] = clock_now() - begun;
    }
    qsort(took, (size_t)steps, sizeof *took, bench_by_value);
    *t = (struct times){bench_median(took, steps), took[0], took[steps - 1]};
    api->destroy(g);
    free(tokens);
    free(took);
    free(nats);
    return bad;
}

static void print_row(const struct shape *x, const struct run_spec *s,
                      const struct times *t, double predicted, int json)
{
    double tokens = (double)s->batch_tokens;
    struct model_count c;
    double flops;

    model_count(&c, &s->model);
    flops = c.exact * tokens / t->median;
    if (json) {
        printf("{\"d_model\":%lld,\"n_layer\":%lld,\"vocab\":%lld,"
               "\"seq_len\":%lld,\"rows\":%lld,\"ms\":%.6g,\"ms_min\":%.6g,"
               "\"ms_max\":%.6g,\"tokens_per_s\":%.6g,\"flops_per_s\":%.6g",
               (long long)x->width, (long long)x->layers, (long long)x->vocab,
               (long long)x->seq_len, (long long)x->rows, 1e3 * t->median,
               1e3 * t->least, 1e3 * t->most, tokens / t->median, flops);
        if (predicted > 0)
            printf(",\"predicted_ms\":%.6g", 1e3 * predicted);
        printf("}\n");
        return;
    }
    printf("  %7lld %7lld %6lld %7lld %5lld %11.3f %8.3f-%-8.3f %9.0f %9.3g",
           (long long)x->width, (long long)x->layers, (long long)x->vocab,
           (long long)x->seq_len, (long long)x->rows, 1e3 * t->median,
           1e3 * t->least, 1e3 * t->most, tokens / t->median, flops / 1e12);
    if (predicted > 0)
        printf(" %9.3f", 1e3 * predicted);
    printf("\n");
}

int bench_gpu(enum device_kind kind, int steps, int json, struct err *e)
{
    const struct shape *x = kind == DEVICE_CUEMU ? &emulated : shapes;
    size_t n = kind == DEVICE_CUEMU ? 1 : ARRAY_LEN(shapes);
    const struct engine_api *api;
    const struct gpu_chip *chip;
    struct engine_device d;

    if (device_open(&api, kind, e) || api->describe(&d, 0, e))
        return -1;
    chip = gpu_chip_of(d.name);
    if (!json)
        printf("  d_model n_layer  vocab seq_len  rows   ms a step       "
               "least-most  tokens/s   Tflop/s%s\n",
               chip ? " predicted" : "");
    for (size_t i = 0; i < n; i++) {
        struct run_spec s = spec_of(&x[i]);
        struct gpu_prediction p = {0};
        struct times t;

        if (time_steps(&t, api, &s, steps, e) ||
            (chip && gpu_predict(&p, chip, &s, 1, e)))
            return -1;
        print_row(&x[i], &s, &t, p.seconds, json);
        fflush(stdout);
    }
    return 0;
}
