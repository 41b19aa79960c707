/* gpu_model: see gpu_model.h. */
#include "sweep/gpu_model.h"

#include "base/mem.h"
#include "base/str.h"
#include "sweep/flops.h"

#include <math.h>
#include <string.h>

/* NVIDIA's data sheets of the SXM boards (A100 80GB, H100, H200, B200); half of
 * NVLink's total, which counts both ways; a network of 400 Gb/s a GPU. */
static const struct gpu_chip chips[] = {
    {"a100", 312e12, 2.039e12, 80e9, 300e9, 50e9},
    {"h100", 989.4e12, 3.35e12, 80e9, 450e9, 50e9},
    {"h200", 989.4e12, 4.8e12, 141e9, 450e9, 50e9},
    {"b200", 2250e12, 8e12, 180e9, 900e9, 50e9},
};

int gpu_chip_find(const struct gpu_chip **chip, const char *name, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(chips); i++)
        if (!strcmp(chips[i].name, name)) {
            *chip = &chips[i];
            return 0;
        }
    return err_set(e, ERR_USAGE,
                   "no GPU '%.40s' known: a100, h100, h200 or b200 expected",
                   name);
}

const struct gpu_chip *gpu_chip_of(const char *device)
{
    for (size_t i = 0; i < ARRAY_LEN(chips); i++)
        if (strcasestr(device, chips[i].name))
            return &chips[i];
    return NULL;
}

/* --- the kernels --- */

/* What a kernel's bytes and flops are proportional to. */
enum unit {
    TOKENS, /* n */
    WIDTH,  /* n C */
    FF,     /* n F */
    QKV,    /* n (H + 2 KV) D */
    TURNED, /* n (H + KV) D */
    TABLE,  /* T D: angles of RoPE */
    HEADS,  /* n H */
    PAIRS,  /* pairs of query and key, in whole tiles, times H D, D >= 16 */
    LOGITS, /* n V */
    NORMS,  /* C, of which the first pass leaves NORM_BLOCKS sums */
    PARAMS, /* P / gang */
    WHOLE,  /* P */
    UNITS
};

/* How many times: of a model with L layers, a L + b; those that are `forward`
 * once more in all layers but the last when activations are recomputed. */
struct times {
    int a, b, forward;
};

static const struct counted {
    const char *name;
    enum unit unit;
    double bytes, flops; /* a unit */
    enum unit more;      /* bytes2 a unit of another kind */
    double bytes2;
    struct times times;
    int per_step, flash;
} counted[] = {
    /* clang-format off */
    {"embed_kernel",         WIDTH,  6,  0, TOKENS, 4, {0, 1, 0}, 0, 0},
    {"rmsnorm_kernel",       WIDTH,  6,  0, TOKENS, 4, {2, 1, 1}, 0, 0},
    {"rope_kernel",         TURNED, 4,  0, TABLE, 4, {2, 0, 1}, 0, 0},
    {"flash_forward_kernel", QKV,    2,  4, WIDTH,  2, {1, 0, 1}, 0, 1},
    {"swiglu_kernel",        FF,     6,  0, TOKENS, 0, {1, 0, 1}, 0, 0},
    {"xent_kernel",          LOGITS, 4,  0, TOKENS, 8, {0, 1, 0}, 0, 0},
    {"row_sums_kernel",      TOKENS, 4,  0, TOKENS, 0, {0, 1, 0}, 0, 0},
    {"swiglu_back_kernel",   FF,     12, 0, TOKENS, 0, {1, 0, 0}, 0, 0},
    {"dot_kernel",           WIDTH,  4,  0, HEADS,  4, {1, 0, 0}, 0, 1},
    {"flash_dq_kernel",      QKV,    2,  6, WIDTH,  4, {1, 0, 0}, 0, 1},
    {"flash_dkv_kernel",     QKV,    4,  8, WIDTH,  0, {1, 0, 0}, 0, 1},
    {"rmsnorm_back_kernel",  WIDTH,  18, 0, NORMS,  4, {2, 1, 0}, 0, 0},
    {"column_sum_kernel",    NORMS,  4,  0, TOKENS, 0, {2, 1, 0}, 0, 0},
    {"embed_back_kernel",    WIDTH,  12, 0, TOKENS, 0, {0, 1, 0}, 0, 0},
    {"squares_kernel",       PARAMS, 4,  0, TOKENS, 0, {0, 1, 0}, 1, 0},
    {"adamw_kernel",         PARAMS, 30, 0, TOKENS, 0, {0, 1, 0}, 1, 0},
    {"memset",               WHOLE,  4,  0, TOKENS, 0, {0, 1, 0}, 1, 0},
    /* clang-format on */
};

#define NORM_BLOCKS 256 /* trainer/cuda/kernels.h */
#define TILE 64         /* queries of a block of flash attention */

struct sizes {
    double n, C, F, V, L, T, H, KV, D, Q, P;
    int flash;
};

static void sizes_of(struct sizes *z, const struct run_spec *s, int64_t rows)
{
    const struct model_spec *m = &s->model;
    struct model_count c;

    model_count(&c, m);
    z->T = (double)m->seq_len;
    z->n = (double)rows * z->T;
    z->C = (double)m->d_model;
    z->F = (double)m->d_ff;
    z->V = (double)m->vocab;
    z->L = (double)m->n_layer;
    z->H = (double)m->n_head;
    z->KV = (double)m->n_kv_head;
    z->D = z->C / z->H;
    z->Q = (z->H + 2 * z->KV) * z->D;
    z->P = c.params;
    z->flash =
        z->D == 8 || z->D == 16 || z->D == 32 || z->D == 64 || z->D == 128;
}

static double units(enum unit u, const struct sizes *z, int gang)
{
    double reached = z->n < NORM_BLOCKS ? z->n : NORM_BLOCKS;

    switch (u) {
    case TOKENS:
        return z->n;
    case WIDTH:
        return z->n * z->C;
    case FF:
        return z->n * z->F;
    case QKV:
        return z->n * z->Q;
    case TURNED:
        return z->n * (z->H + z->KV) * z->D;
    case TABLE:
        return z->T * z->D;
    case HEADS:
        return z->n * z->H;
    case PAIRS: {
        double tiles = ceil(z->T / TILE);

        return z->n / z->T * z->H * fmax(z->D, 16) * TILE * TILE * tiles *
               (tiles + 1) / 2;
    }
    case LOGITS:
        return z->n * z->V;
    case NORMS:
        return reached * z->C;
    case PARAMS:
        return z->P / gang;
    case WHOLE:
        return z->P;
    default:
        return 0;
    }
}

/* The three products of a matrix W[rows, cols]: forward, dx, dW; those of the
 * forward pass `again` once more.  Operands are bf16, dW is added to in fp32,
 * and with `residual` so is the output. */
static void products(struct gpu_kernel *k, double n, double rows, double cols,
                     int residual, double times, double again)
{
    double x = n * cols, y = n * rows, w = rows * cols;
    double forward = 2 * (x + w) + (residual ? 8 * y : 2 * y);

    k->launches += (3 + again) * times;
    k->flops += (3 + again) * times * 2 * n * w;
    k->bytes += times * ((1 + again) * forward + 2 * (y + w) + 2 * x +
                         2 * (x + y) + 8 * w);
}

static void gemms(struct gpu_kernel *k, const struct sizes *z, int recompute)
{
    double again = recompute * (z->L - 1) / z->L;

    *k = (struct gpu_kernel){.name = "gemm"};
    products(k, z->n, z->Q, z->C, 0, z->L, again);
    products(k, z->n, z->C, z->C, 1, z->L, again);
    products(k, z->n, 2 * z->F, z->C, 0, z->L, again);
    products(k, z->n, z->C, z->F, 1, z->L, again);
    products(k, z->n, z->V, z->C, 0, 1, 0);
}

/* Scores in memory: per head and sequence a product and a softmax forward, four
 * products and a softmax back; scores are fp32, weights bf16. */
static void materialised(struct gpu_kernel *k, const struct sizes *z,
                         int recompute)
{
    double pairs = z->n * z->T * z->H;
    double again = recompute * (z->L - 1) / z->L;

    *k = (struct gpu_kernel){
        .name = "scores",
        .launches = z->L * z->n / z->T * (3 * (1 + again) + 8),
        .flops = z->L * pairs * z->D * (4 * (1 + again) + 10),
        .bytes = z->L * pairs * (12 * (1 + again) + 36),
    };
}

size_t gpu_kernels(struct gpu_kernel out[GPU_KERNELS], const struct run_spec *s,
                   int64_t rows, int gang, int recompute)
{
    struct sizes z;
    size_t n = 0;

    sizes_of(&z, s, rows);
    gemms(&out[n++], &z, recompute);
    if (!z.flash)
        materialised(&out[n++], &z, recompute);
    for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
        const struct counted *c = &counted[i];
        double times = c->times.a * z.L + c->times.b, bytes;

        if (c->flash && !z.flash)
            continue;
        if (recompute && c->times.forward) /* once more a layer, or twice */
            times += (z.L - 1) * (c->unit == WIDTH ? 2 : 1);
        bytes = c->bytes * units(c->unit, &z, gang) +
                c->bytes2 * units(c->more, &z, gang);
        out[n++] = (struct gpu_kernel){
            .name = c->name,
            .per_step = c->per_step,
            .launches = times,
            .bytes = times * bytes,
            .flops = times * c->flops * units(PAIRS, &z, gang),
        };
    }
    return n;
}

/* --- memory --- */

#define LOGIT_VALUES 134217728.0 /* trainer/cuda/memory.cu */
#define WORKSPACE 33554432.0

void gpu_bytes(struct gpu_memory *b, const struct run_spec *s, int64_t rows,
               int gang, int recompute)
{
    struct sizes z;
    double n, layer, logits, scores;

    sizes_of(&z, s, rows);
    n = z.n;
    layer = n * (2 * z.Q + 2 * z.C + 4 * z.C + 4 * z.F + 8 +
                 (z.flash ? 4 * z.H : 0));
    logits = fmin(fmax(floor(LOGIT_VALUES / z.V), 128), n) * z.V * 2;
    scores = z.flash ? 4 * n * z.H : 8 * z.H * z.T * z.T + 8 * z.T * z.KV * z.D;
    b->weights = 2 * z.P;
    b->gradient = 4 * z.P;
    b->state = 12 * z.P / gang;
    b->activations = (z.L + 1) * 4 * n * z.C + (recompute ? 1 : z.L) * layer;
    b->scratch =
        n * (2 * z.C + 4 * z.F + 4 * z.C + 4 * z.F + 2 * z.Q + 8 + 4 * z.C) +
        4 * z.T * z.D + logits + scores + 4 * NORM_BLOCKS * z.C + z.P / 512 +
        40 * n + WORKSPACE;
    b->total =
        b->weights + b->gradient + b->state + b->activations + b->scratch;
}

/* --- a step --- */

#define USABLE 0.95 /* of the memory, as the engine has it */
#define DRIVER 1e9  /* what the driver and the libraries take of it */

/* The largest micro-batch that fits, of at most `most` sequences; 0: none. */
static int64_t fit(const struct run_spec *s, int64_t most, int gang,
                   int recompute, double usable)
{
    int64_t low = 0;

    while (low < most) {
        int64_t mid = (low + most + 1) / 2;
        struct gpu_memory b;

        gpu_bytes(&b, s, mid, gang, recompute);
        if (b.total <= usable)
            low = mid;
        else
            most = mid - 1;
    }
    return low;
}

static double seconds_of(const struct gpu_kernel *k,
                         const struct gpu_chip *chip)
{
    double eff = strncmp(k->name, "flash", 5) ? GPU_EFF_GEMM : GPU_EFF_FLASH;
    double busy = fmax(k->flops / (chip->flops * eff),
                       k->bytes / (chip->bandwidth * GPU_EFF_MEMORY));

    return busy + k->launches * GPU_LAUNCH;
}

/* ZeRO-1: gradients reduce-scattered in fp32 while the last micro-batch is on
 * its way back, weights gathered in bf16 behind the step. */
static void communicate(struct gpu_prediction *p, const struct gpu_chip *chip,
                        double params, int gang, double back)
{
    double speed = (gang > GPU_NODE ? chip->net : chip->link) * GPU_EFF_LINK;
    double share = (double)(gang - 1) / gang;
    double scatter = 4 * params * share / speed;
    double gather = 2 * params * share / speed;

    p->communication = scatter + gather;
    p->exposed = gather + fmax(scatter - back, 0);
}

static int check(const struct run_spec *s, int gang, struct err *e)
{
    const struct model_spec *m = &s->model;

    if (m->d_model % 8 || m->d_ff % 8 || m->d_model / m->n_head % 8)
        return err_set(e, ERR_USAGE,
                       "d_model, d_ff and head_dim must be multiples of 8 on "
                       "a GPU");
    if (gang < 1 || s->batch_tokens / m->seq_len < gang)
        return err_set(e, ERR_USAGE,
                       "%d GPUs for a batch of %lld sequences: at least one "
                       "each expected",
                       gang, (long long)(s->batch_tokens / m->seq_len));
    return 0;
}

int gpu_predict(struct gpu_prediction *p, const struct gpu_chip *chip,
                const struct run_spec *s, int gang, struct err *e)
{
    struct gpu_kernel k[GPU_KERNELS];
    double usable = (chip->memory - DRIVER) * USABLE, micro = 0, end = 0;
    char need[STR_DOUBLE], have[STR_DOUBLE];
    struct model_count c;
    int64_t rows;
    size_t n;

    if (check(s, gang, e))
        return -1;
    *p = (struct gpu_prediction){0};
    rows = (s->batch_tokens / s->model.seq_len + gang - 1) / gang;
    p->micro_rows = fit(s, rows, gang, 0, usable);
    if (!p->micro_rows) {
        p->recompute = 1;
        p->micro_rows = fit(s, rows, gang, 1, usable);
    }
    gpu_bytes(&p->bytes, s, p->micro_rows ? p->micro_rows : 1, gang,
              p->recompute);
    if (!p->micro_rows)
        return err_set(e, ERR_ENV,
                       "one sequence needs %s with activations computed "
                       "again, %s of the %s can be had",
                       str_bytes(need, p->bytes.total), str_bytes(have, usable),
                       chip->name);
    p->micros = (rows + p->micro_rows - 1) / p->micro_rows;
    n = gpu_kernels(k, s, p->micro_rows, gang, p->recompute);
    for (size_t i = 0; i < n; i++)
        *(k[i].per_step ? &end : &micro) += seconds_of(&k[i], chip);
    /* the last one may be smaller */
    p->compute = micro * (double)rows / (double)p->micro_rows + end;
    model_count(&c, &s->model);
    communicate(p, chip, c.params, gang, micro * 2 / 3);
    p->seconds = p->compute + p->exposed;
    p->flops = c.exact * (double)s->batch_tokens;
    p->mfu = p->flops / (p->seconds * chip->flops * gang);
    return 0;
}
