/* bench: see bench.h. */
#include "trainer/bench.h"
#include "trainer/bench_impl.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sweep/flops.h"
#include "trainer/backend.h"

#include <math.h>
#include <stdlib.h>

#define SEQ_LEN BENCH_SEQ_LEN

/* clang-format off */
#define CASE(V, T, C, L, H, F, TOKENS)                                         \
    {.model = {.vocab = V, .seq_len = T, .d_model = C, .n_layer = L,           \
               .n_head = H, .n_kv_head = H, .d_ff = F, .rope_theta = 1e4,      \
               .norm_eps = 1e-6, .init_std = 0.02},                            \
     .tokens = TOKENS}

const struct bench_case bench_cases[BENCH_CASES] = {
    /*   vocab        T    C   L   H     F  tokens */
    CASE(  256, SEQ_LEN,  32,  4,  2,   96, 2048),
    CASE(  256, SEQ_LEN,  64,  4,  4,  192, 2048),
    CASE( 4096, SEQ_LEN, 128,  6,  4,  352, 2048),
    CASE( 4096, SEQ_LEN, 256,  6,  4,  704, 2048),
    CASE(32000, SEQ_LEN, 768, 12, 12, 2048,  512),
    CASE(  256,      64,  40,  5,  5,  112, 2048),
};
/* clang-format on */

const char *bench_kind_name(int kind)
{
    static const char *const more[] = {"norm of the gradient", "adamw"};

    return kind < OP_KINDS ? model_op_name[kind] : more[kind - OP_KINDS];
}

enum bench_group bench_group_of(int kind)
{
    switch (kind) {
    case OP_LINEAR:
    case OP_LINEAR_DX:
    case OP_LINEAR_DW:
        return BENCH_GEMM;
    case OP_ATTENTION:
    case OP_ATTENTION_BWD:
        return BENCH_ATTENTION;
    case OP_PACK:
    case BENCH_CLIP:
    case BENCH_ADAMW:
        return BENCH_OPTIMISER;
    default:
        return BENCH_ELEMENTWISE;
    }
}

const char *const bench_group_name[BENCH_GROUPS] = {
    [BENCH_GEMM] = "gemm",
    [BENCH_ATTENTION] = "attention",
    [BENCH_ELEMENTWISE] = "elementwise",
    [BENCH_OPTIMISER] = "optimiser"};

void bench_case_for(struct bench_case *c, int64_t d_model)
{
    int64_t hd = d_model >= 256 ? 64 : d_model >= 128 ? 32 : 16;
    int best = 0;

    for (int i = 0; i < BENCH_CASES; i++)
        if (bench_cases[i].model.d_model == d_model) {
            *c = bench_cases[i];
            return;
        }
    for (int i = 1; i < BENCH_WIDTHS; i++)
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
    a->be->linear_dw(a->dw, a->y, a->x, &a->l, a->m, 1, a->scratch);
}

/* Median flops a second of one product. */
static double product_speed(struct layer *a, void (*product)(struct layer *))
{
    double speed[GEMM_REPEATS], flops = 2 * (double)(a->m * a->l.n * a->l.k);

    for (int i = 0; i < GEMM_REPEATS; i++) {
        double t = clock_now(), spent = 0;
        int64_t calls = 0;

        for (; spent < GEMM_SECONDS; calls++, spent = clock_now() - t)
            product(a);
        speed[i] = flops * (double)calls / spent;
    }
    qsort(speed, GEMM_REPEATS, sizeof *speed, bench_by_value);
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
        r->peak_flops = bench_peak_of(be);
        r->flops_per_s[0] = product_speed(&a, forward);
        r->flops_per_s[1] = product_speed(&a, back_x);
        r->flops_per_s[2] = product_speed(&a, back_w);
        r->peak_flops = fmax(r->peak_flops, bench_peak_of(be));
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

#define RATE_STEPS 5
#define RATE_ROWS 4

int bench_rate(double *flops_per_s, const struct run_spec *spec, struct err *e)
{
    int64_t rows = spec->batch_tokens / spec->model.seq_len;
    struct bench_case c = {.model = spec->model, .dtype = spec->dtype};
    struct model_count count;
    struct bench_step r;

    rows = rows < 1 ? 1 : rows > RATE_ROWS ? RATE_ROWS : rows;
    c.tokens = rows * c.model.seq_len;
    if (bench_step(&r, &c, RATE_STEPS, e))
        return -1;
    model_count(&count, &c.model);
    *flops_per_s = count.exact * (double)c.tokens / (r.cpu_ms * 1e-3);
    return 0;
}

int bench_throughput(struct cost_model *cost, int64_t dtype, struct err *e)
{
    static const int64_t width[] = {16, 32, 64, 128, 256};
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(width); i++) {
        struct run_spec s = {.dtype = dtype};
        struct bench_case c;

        /* Small in everything but the width: one layer kind repeated costs
         * the same a layer, and a byte vocabulary is the usual one. */
        bench_case_for(&c, width[i]);
        s.model = c.model;
        s.model.vocab = 256;
        s.model.n_layer = 2;
        s.batch_tokens = width[i] > 64 ? SEQ_LEN : 2 * SEQ_LEN;
        if (bench_rate(&cost->flops_per_s[n], &s, e))
            return -1;
        cost->d_model[n++] = (double)width[i];
    }
    cost->n = n;
    return 0;
}
