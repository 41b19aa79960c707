/* bench: see bench.h. */
#include "trainer/bench.h"

#include "base/mem.h"
#include "base/rng.h"
#include "sweep/flops.h"
#include "trainer/adamw.h"
#include "trainer/backend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEQ_LEN 256

/* clang-format off */
#define CASE(V, C, L, H, F, TOKENS)                                            \
    {.model = {.vocab = V, .seq_len = SEQ_LEN, .d_model = C, .n_layer = L,     \
               .n_head = H, .n_kv_head = H, .d_ff = F, .rope_theta = 1e4,      \
               .norm_eps = 1e-6, .init_std = 0.02},                            \
     .tokens = TOKENS}

const struct bench_case bench_cases[BENCH_CASES] = {
    /*   vocab    C   L   H     F  tokens */
    CASE(  256,  32,  4,  2,   96, 2048),
    CASE(  256,  64,  4,  4,  192, 2048),
    CASE( 4096, 128,  6,  4,  352, 2048),
    CASE( 4096, 256,  6,  4,  704, 2048),
    CASE(32000, 768, 12, 12, 2048,  512),
};
/* clang-format on */

const char *bench_kind_name(int kind)
{
    static const char *const more[] = {"zero", "norm of the gradient", "adamw"};

    return kind < OP_KINDS ? model_op_name[kind] : more[kind - OP_KINDS];
}

void bench_case_for(struct bench_case *c, int64_t d_model)
{
    int64_t hd = d_model >= 256 ? 64 : d_model >= 128 ? 32 : 16;
    int best = 0;

    for (int i = 1; i < BENCH_CASES; i++)
        if (fabs(log((double)d_model / (double)bench_cases[i].model.d_model)) <
            fabs(
                log((double)d_model / (double)bench_cases[best].model.d_model)))
            best = i;
    *c = bench_cases[best];
    while (d_model % hd)
        hd -= 8;
    c->model.d_model = d_model;
    c->model.n_head = c->model.n_kv_head = d_model / hd;
    c->model.d_ff = (d_model * 8 / 3 + 31) / 32 * 32;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The highest of a few short runs: the peak is what nothing can exceed. */
static double peak(const struct backend *be)
{
    double best = 0;

    for (int i = 0; i < 5; i++) {
        double t = now(), flops = be->peak(20000);

        t = now() - t;
        best = fmax(best, flops / t);
    }
    return best;
}

double bench_peak(int64_t dtype)
{
    return peak(backend_pick(dtype));
}

/* ------------------------------------------------------------- a step */

/* A model in training, as train() has it. */
struct bench {
    struct model *m;
    size_t n;
    float *grad, *m1, *v1;
    double *sums;
    int32_t *tokens;
    int64_t rows, t;
    double seconds[BENCH_KINDS];
};

static void bench_release(struct bench *b)
{
    model_destroy(b->m);
    mem_tensor_free(b->grad);
    mem_tensor_free(b->m1);
    mem_tensor_free(b->v1);
    free(b->sums);
    free(b->tokens);
}

static int bench_init(struct bench *b, const struct bench_case *c,
                      struct err *e)
{
    const struct run_spec spec = {.model = c->model, .dtype = c->dtype};
    const struct param_table *table;
    int64_t width = c->model.seq_len + 1;
    float *p;

    *b = (struct bench){.rows = c->tokens / c->model.seq_len};
    if (model_create(&b->m, &spec, e))
        return -1;
    b->n = model_size(b->m);
    b->grad = mem_tensor(b->n * sizeof *b->grad);
    b->m1 = mem_tensor(b->n * sizeof *b->m1);
    b->v1 = mem_tensor(b->n * sizeof *b->v1);
    if (!b->grad || !b->m1 || !b->v1) {
        bench_release(b);
        return err_set(e, ERR_ENV, "no memory for the optimiser's state");
    }
    b->sums = xcalloc(b->n / ADAMW_BLOCK + 1, sizeof *b->sums);
    b->tokens = xcalloc((size_t)(b->rows * width), sizeof *b->tokens);
    for (int64_t i = 0; i < b->rows * width; i++)
        b->tokens[i] = (int32_t)rng_below(1, RNG_TEST, (uint64_t)i,
                                          (uint64_t)c->model.vocab);
    /* Uniform weights: model_init's normal ones take long and train alike. */
    table = model_table(b->m);
    p = model_params(b->m);
    for (int i = 0; i < table->n; i++)
        for (size_t j = table->param[i].offset;
             j < table->param[i].offset +
                     (size_t)(table->param[i].rows * table->param[i].cols);
             j++)
            p[j] =
                table->param[i].kind == PARAM_NORM
                    ? 1
                    : 0.04f * ((float)(j * 2654435761u % 65536) / 65536 - 0.5f);
    model_refresh(b->m);
    return 0;
}

static void one_step(struct bench *b)
{
    static const struct optim_spec o = {
        .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    size_t blocks = (b->n + ADAMW_BLOCK - 1) / ADAMW_BLOCK;
    double nats, norm = 0, at[5];

    at[0] = now();
    memset(b->grad, 0, b->n * sizeof *b->grad);
    at[1] = now();
    model_grad(b->m, b->grad, &nats, b->tokens, b->rows,
               1 / (float)(b->rows * SEQ_LEN));
    at[2] = now();
    grad_block_norms(b->sums, b->grad, b->n, 0, blocks);
    for (size_t i = 0; i < blocks; i++)
        norm += b->sums[i];
    at[3] = now();
    adamw_update(model_params(b->m), b->m1, b->v1, b->grad, model_table(b->m),
                 &o, 1e-3, 1 / fmax(1, sqrt(norm)), ++b->t, 0, b->n);
    at[4] = now();
    model_refresh(b->m);
    b->seconds[BENCH_ZERO] += at[1] - at[0];
    b->seconds[BENCH_NORM] += at[3] - at[2];
    b->seconds[BENCH_ADAMW] += at[4] - at[3];
}

/* Weights of the matrices of the layers and the head. */
static double matmul_weights(const struct model_spec *s)
{
    double d = (double)s->d_model, hd = d / (double)s->n_head;
    double qkv = hd * (double)(s->n_head + 2 * s->n_kv_head);

    return (double)s->n_layer * d * (qkv + d + 3 * (double)s->d_ff) +
           (double)s->vocab * d;
}

static double step_flops(const struct bench_case *c)
{
    const struct model_spec *s = &c->model;

    return (6 * matmul_weights(s) +
            6 * (double)(s->n_layer * s->seq_len * s->d_model)) *
           (double)c->tokens;
}

int bench_step(struct bench_step *r, const struct bench_case *c, int steps,
               struct err *e)
{
    double *ms = xcalloc((size_t)steps, sizeof *ms), total = 0;
    const struct backend *be;
    struct bench b;

    if (bench_init(&b, c, e)) {
        free(ms);
        return -1;
    }
    be = model_backend(b.m);
    *r = (struct bench_step){.backend = be->name, .flops = step_flops(c)};
    one_step(&b);
    memset(b.seconds, 0, sizeof b.seconds);
    model_profile(b.m, b.seconds);
    for (int i = 0; i < steps; i++) {
        double t;

        r->peak_flops = fmax(r->peak_flops, peak(be));
        t = now();
        one_step(&b);
        ms[i] = 1e3 * (now() - t);
    }
    qsort(ms, (size_t)steps, sizeof *ms, by_value);
    r->ms = steps % 2 ? ms[steps / 2] : (ms[steps / 2 - 1] + ms[steps / 2]) / 2;
    r->ms_min = ms[0];
    r->ms_max = ms[steps - 1];
    for (int k = 0; k < BENCH_KINDS; k++)
        total += b.seconds[k];
    for (int k = 0; k < BENCH_KINDS; k++)
        r->share[k] = b.seconds[k] / total;
    bench_release(&b);
    free(ms);
    return 0;
}

/* -------------------------------------------------------- the products */

#define GEMM_REPEATS 7
#define GEMM_SECONDS 2e-3 /* at least, a sample */

struct layer {
    const struct backend *be;
    struct linear l;
    int64_t m;
    float *x, *y, *dw;
    void *scratch;
};

static void forward(struct layer *a)
{
    a->be->linear(a->y, a->x, NULL, &a->l, a->m, a->scratch);
}

static void back_x(struct layer *a)
{
    a->be->linear_dx(a->x, a->y, &a->l, a->m, a->scratch);
}

static void back_w(struct layer *a)
{
    a->be->linear_dw(a->dw, a->y, a->x, &a->l, a->m, a->scratch);
}

/* Median flops a second of one product. */
static double product_speed(struct layer *a, void (*product)(struct layer *))
{
    double speed[GEMM_REPEATS], flops = 2 * (double)(a->m * a->l.n * a->l.k);

    for (int i = 0; i < GEMM_REPEATS; i++) {
        double t = now(), spent = 0;
        int64_t calls = 0;

        for (; spent < GEMM_SECONDS; calls++, spent = now() - t)
            product(a);
        speed[i] = flops * (double)calls / spent;
    }
    qsort(speed, GEMM_REPEATS, sizeof *speed, by_value);
    return speed[GEMM_REPEATS / 2];
}

static int gemm_row(struct bench_gemm *r, const struct bench_case *c,
                    struct err *e)
{
    const struct backend *be = backend_pick(c->dtype);
    const struct backend_shape shape = {
        .rows = r->m,
        .max_n = r->n,
        .max_k = r->k,
        .att = {.seq_len = 1, .n_head = 1, .n_kv_head = 1, .head_dim = 8}};
    struct layer a = {.be = be, .l = {.n = r->n, .k = r->k}, .m = r->m};
    float *w = mem_tensor((size_t)(r->n * r->k) * sizeof *w);
    int rc = 0;

    a.l.w = w;
    a.l.pack = mem_tensor(be->pack_bytes(r->n, r->k));
    a.x = mem_tensor((size_t)(r->m * r->k) * sizeof *a.x);
    a.y = mem_tensor((size_t)(r->m * r->n) * sizeof *a.y);
    a.dw = mem_tensor((size_t)(r->n * r->k) * sizeof *a.dw);
    a.scratch = mem_tensor(be->scratch_bytes(&shape));
    if (w && a.l.pack && a.x && a.y && a.dw && a.scratch) {
        be->pack(&a.l);
        r->peak_flops = peak(be);
        r->flops_per_s[0] = product_speed(&a, forward);
        r->flops_per_s[1] = product_speed(&a, back_x);
        r->flops_per_s[2] = product_speed(&a, back_w);
        r->peak_flops = fmax(r->peak_flops, peak(be));
    } else {
        rc = err_set(e, ERR_ENV, "no memory for a layer of %lld x %lld",
                     (long long)r->n, (long long)r->k);
    }
    mem_tensor_free(w);
    mem_tensor_free(a.l.pack);
    mem_tensor_free(a.x);
    mem_tensor_free(a.y);
    mem_tensor_free(a.dw);
    mem_tensor_free(a.scratch);
    return rc;
}

int bench_gemm(struct bench_gemm *rows, const struct bench_case *c,
               struct err *e)
{
    const struct model_spec *s = &c->model;
    int64_t d = s->d_model, hd = d / s->n_head;
    const struct bench_gemm want[BENCH_LAYERS] = {
        {.layer = "wqkv", .n = (s->n_head + 2 * s->n_kv_head) * hd, .k = d},
        {.layer = "wo", .n = d, .k = d},
        {.layer = "wgu", .n = 2 * s->d_ff, .k = d},
        {.layer = "wdown", .n = d, .k = s->d_ff},
        {.layer = "head", .n = s->vocab, .k = d}};

    for (int i = 0; i < BENCH_LAYERS; i++) {
        rows[i] = want[i];
        rows[i].m = s->seq_len;
        if (gemm_row(&rows[i], c, e))
            return -1;
    }
    return 0;
}

/* ---------------------------------------------------------- throughput */

int bench_throughput(struct cost_model *cost, int64_t dtype, struct err *e)
{
    static const int64_t width[] = {16, 32, 64, 128, 256};
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(width); i++) {
        struct bench_case c;
        struct model_count count;
        struct bench_step r;

        /* Small in everything but the width: one layer kind repeated costs
         * the same a layer, and a byte vocabulary is the usual one. */
        bench_case_for(&c, width[i]);
        c.model.vocab = 256;
        c.model.n_layer = 2;
        c.tokens = width[i] > 64 ? SEQ_LEN : 2 * SEQ_LEN;
        c.dtype = dtype;
        if (bench_step(&r, &c, 5, e))
            return -1;
        model_count(&count, &c.model);
        cost->d_model[n] = (double)width[i];
        cost->flops_per_s[n++] = count.exact * (double)c.tokens / (r.ms * 1e-3);
    }
    cost->n = n;
    return 0;
}
