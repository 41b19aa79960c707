/* engine: the table of engine.h, and the life of an engine. */
#include "trainer/cuda/engine_impl.h"

#include <math.h>
#include <new>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef __CUDACC__
#define ENGINE_NAME "cuda"
#else
#define ENGINE_NAME "cuemu"
#endif
#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x
#define GIB (1024.0 * 1024 * 1024)

/* Of the free device memory this much is left to the libraries. */
#define SPARE 0.05

void engine_fail(struct engine *g, const char *format, ...)
{
    va_list args;

    if (g->failed)
        return;
    g->failed = 1;
    g->first.cls = ERR_ENV;
    va_start(args, format);
    vsnprintf(g->first.text, sizeof g->first.text, format, args);
    va_end(args);
}

int engine_check(struct engine *g, cudaError_t r, const char *what)
{
    if (r == cudaSuccess)
        return 0;
    engine_fail(g, "CUDA: %s: %s", what, cudaGetErrorString(r));
    return -1;
}

int engine_wait(struct engine *g, struct err *e)
{
    engine_check(g, cudaGetLastError(), "launch");
    if (!g->failed && g->gang)
        gang_wait(g);
    else if (!g->failed)
        engine_check(g, cudaStreamSynchronize(g->main), "the device");
    return g->failed ? err_set(e, g->first.cls, "%s", g->first.text) : 0;
}

static int devices(int *n, struct err *e)
{
    cudaError_t r = cudaGetDeviceCount(n);

    int driver = 0;

    if (r == cudaSuccess && *n > 0)
        return 0;
    if (r == cudaErrorInsufficientDriver) {
        cudaDriverGetVersion(&driver);
        if (!driver)
            return err_set(e, ERR_ENV,
                           "there is no NVIDIA driver (libcuda.so.1) here");
        return err_set(e, ERR_ENV,
                       "the driver knows CUDA %d.%d and %d.%d is needed: "
                       "update the driver or build with an older CUDA",
                       driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000,
                       CUDART_VERSION % 1000 / 10);
    }
    return err_set(e, ERR_ENV, "no device: %s",
                   r == cudaSuccess ? "none is visible"
                                    : cudaGetErrorString(r));
}

static int describe(struct engine_device *d, int device, struct err *e)
{
    struct cudaDeviceProp p;
    cudaError_t r = cudaGetDeviceProperties(&p, device);

    if (r != cudaSuccess)
        return err_set(e, ERR_ENV, "device %d: %s", device,
                       cudaGetErrorString(r));
    *d = {};
    snprintf(d->name, sizeof d->name, "%.63s", p.name);
    for (int i = 0; i < 16; i++)
        snprintf(d->uuid + 2 * i, 3, "%02x",
                 static_cast<unsigned>(p.uuid.bytes[i]) & 0xffu);
    if (p.pciDomainID || p.pciBusID || p.pciDeviceID)
        snprintf(d->pci, sizeof d->pci, "%04x:%02x:%02x.0",
                 static_cast<unsigned>(p.pciDomainID) & 0xffffu,
                 static_cast<unsigned>(p.pciBusID) & 0xffu,
                 static_cast<unsigned>(p.pciDeviceID) & 0xffu);
    d->major = p.major;
    d->minor = p.minor;
    d->bytes = p.totalGlobalMem;
    return 0;
}

/* What the kernels ask of a shape. */
static int check_shape(const struct run_spec *s, const struct engine_options *o,
                       struct err *e)
{
    const struct model_spec *m = &s->model;
    int64_t head_dim = m->d_model / m->n_head;
    int flash = o->attention != ENGINE_ATTENTION_MATERIALISED &&
                flash_supports(static_cast<int>(head_dim));

    if (s->dtype != DTYPE_BF16)
        return err_set(e, ERR_USAGE,
                       "a device trains in bf16, not %s: set dtype to bf16",
                       s->dtype == DTYPE_FP32 ? "fp32" : "this dtype");
    if (m->d_model % 8 || m->d_ff % 8 || head_dim % 8)
        return err_set(e, ERR_USAGE,
                       "d_model, d_ff and head_dim must be multiples of 8 on "
                       "a device");
    if (m->d_model > NORM_MAX_C)
        return err_set(e, ERR_USAGE, "d_model is at most %d on a device",
                       NORM_MAX_C);
    if (!flash && m->seq_len % 8)
        return err_set(e, ERR_USAGE,
                       "seq_len must be a multiple of 8 with a head_dim other "
                       "than 8, 16, 32, 64 and 128");
    return 0;
}

static void turn_table(struct engine *g)
{
    int half_dim = g->D / 2;
    std::vector<float2> turn(static_cast<size_t>(g->T) *
                             static_cast<size_t>(half_dim));

    for (int t = 0; t < g->T; t++)
        for (int i = 0; i < half_dim; i++) {
            double a = t * pow(g->spec.rope_theta, -2.0 * i / g->D);

            turn[static_cast<size_t>(t * half_dim + i)] = make_float2(
                static_cast<float>(cos(a)), static_cast<float>(sin(a)));
        }
    engine_check(g,
                 cudaMemcpyAsync(g->turn, turn.data(),
                                 turn.size() * sizeof(float2),
                                 cudaMemcpyHostToDevice, g->main),
                 "table of RoPE");
    /* The table is ours no longer than this function. */
    engine_check(g, cudaStreamSynchronize(g->main), "table of RoPE");
}

static size_t bytes_for(struct engine *g, int64_t rows)
{
    int64_t call = g->opt.rows > rows ? g->opt.rows : rows;

    return engine_carve(g, nullptr, rows) + attention_bytes(g, rows) +
           static_cast<size_t>(call) *
               (5 * static_cast<size_t>(g->T) * sizeof(int32_t) + 16);
}

static size_t bytes_needed(const struct run_spec *spec,
                           const struct engine_options *o, int64_t rows)
{
    struct engine *g = new engine();
    size_t bytes;

    engine_sizes(g, spec, o);
    bytes = bytes_for(g, rows);
    params_release(&g->table);
    delete g;
    return bytes;
}

/* The largest number of rows, up to `most`, that fits; 0: not one. */
static int64_t rows_that_fit(struct engine *g, int64_t most, size_t bytes)
{
    int64_t low = 0;

    while (low < most) {
        int64_t mid = (low + most + 1) / 2;

        if (bytes_for(g, mid) <= bytes)
            low = mid;
        else
            most = mid - 1;
    }
    return low;
}

static double gib(size_t bytes)
{
    return static_cast<double>(bytes) / GIB;
}

/* Why `rows` do not fit, and what would: 1. */
static int does_not_fit(struct engine *g, int64_t rows, int64_t fit,
                        size_t usable, struct err *e)
{
    const char *again = g->recompute ? ", activations computed again" : "";

    if (fit)
        err_set(e, ERR_ENV,
                "micro-batches of %lld need %.3f GiB, %.3f GiB of the device "
                "are free: %lld would fit%s",
                static_cast<long long>(rows), gib(bytes_for(g, rows)),
                gib(usable), static_cast<long long>(fit), again);
    else
        err_set(e, ERR_ENV,
                "one sequence needs %.3f GiB%s, %.3f GiB of the device are "
                "free",
                gib(bytes_for(g, 1)), again, gib(usable));
    return 1;
}

/* The one block of device memory, for as many rows as were asked for; 1 when
 * it does not fit. */
static int allocate(struct engine *g, struct err *e)
{
    size_t available = 0, total = 0, usable;
    int64_t want = g->opt.micro_rows, fit, rows;
    int64_t most = g->opt.rows > 0 ? g->opt.rows : 1;
    cudaError_t r;
    void *p = nullptr;

    if (engine_check(g, cudaMemGetInfo(&available, &total), "free memory"))
        return engine_wait(g, e);
    usable = static_cast<size_t>(static_cast<double>(available) * (1 - SPARE));
    fit = rows_that_fit(g, want ? want : most, usable);
    if (fit < (want ? want : 1) && g->opt.recompute == ENGINE_RECOMPUTE_AUTO) {
        g->recompute = 1;
        fit = rows_that_fit(g, want ? want : most, usable);
    }
    rows = want ? want : fit;
    if (!rows || rows > fit)
        return does_not_fit(g, rows, fit, usable, e);
    r = cudaMalloc(&p, engine_carve(g, nullptr, rows));
    if (r == cudaErrorMemoryAllocation) {
        cudaGetLastError(); /* it is dealt with */
        return does_not_fit(g, rows, rows / 2, usable, e);
    }
    if (engine_check(g, r, "memory of the model"))
        return engine_wait(g, e);
    g->block = static_cast<char *>(p);
    engine_carve(g, g->block, rows);
    return 0;
}

static void destroy(struct engine *g)
{
    if (!g)
        return;
    gang_close(g);
    attention_close(g);
    gemm_close(g);
    cudaFreeHost(g->host_ints);
    cudaFreeHost(g->host_nats);
    cudaFree(g->dev_ints);
    cudaFree(g->dev_nats);
    if (g->graph)
        cudaGraphExecDestroy(g->graph);
    cudaFree(g->block);
    if (g->ready)
        cudaEventDestroy(g->ready);
    if (g->done)
        cudaEventDestroy(g->done);
    if (g->side)
        cudaStreamDestroy(g->side);
    if (g->main)
        cudaStreamDestroy(g->main);
    params_release(&g->table);
    delete g;
}

static int open_device(struct engine *g)
{
    return engine_check(g, cudaSetDevice(g->opt.device), "device") ||
           engine_check(
               g, cudaStreamCreateWithFlags(&g->main, cudaStreamNonBlocking),
               "stream") ||
           engine_check(
               g, cudaStreamCreateWithFlags(&g->side, cudaStreamNonBlocking),
               "stream") ||
           engine_check(
               g, cudaEventCreateWithFlags(&g->ready, cudaEventDisableTiming),
               "event") ||
           engine_check(
               g, cudaEventCreateWithFlags(&g->done, cudaEventDisableTiming),
               "event");
}

static int create(struct engine **out, const struct run_spec *spec,
                  const struct engine_options *o, struct err *e)
{
    struct engine *g;
    int rc = -1;

    if (check_shape(spec, o, e))
        return -1;
    g = new engine();
    engine_sizes(g, spec, o);
    g->place.resize(static_cast<size_t>(g->V));
    if (open_device(g)) {
        err_set(e, ERR_ENV, "%s", g->first.text);
        goto failed;
    }
    rc = allocate(g, e);
    if (rc || gemm_open(g, e))
        goto failed;
    attention_open(g);
    for (float *p : {g->p, g->m, g->v})
        engine_check(g,
                     cudaMemsetAsync(p, 0,
                                     static_cast<size_t>(g->local) * sizeof *p,
                                     g->main),
                     "zero the state");
    engine_check(
        g, cudaMemsetAsync(g->w, 0, g->table.size * sizeof(bf16), g->main),
        "zero the weights");
    turn_table(g);
    engine_put_stretches(g);
    if (engine_zero(g, e) || engine_wait(g, e))
        goto failed;
    *out = g;
    return 0;
failed:
    destroy(g);
    return rc ? rc : -1;
}

static size_t size_of(const struct engine *g)
{
    return g->table.size;
}

static int64_t micro_rows(const struct engine *g)
{
    return g->rows;
}

static int recomputes(const struct engine *g)
{
    return g->recompute;
}

static const char *note(const struct engine *g)
{
    return g->note.text;
}

static const struct engine_piece *pieces(const struct engine *g, int *n)
{
    *n = static_cast<int>(g->pieces.size());
    return g->pieces.data();
}

static float *host_alloc(size_t floats)
{
    void *p = nullptr;

    return cudaMallocHost(&p, floats * sizeof(float)) == cudaSuccess
               ? static_cast<float *>(p)
               : nullptr;
}

static void host_free(float *p)
{
    cudaFreeHost(p);
}

static void give_up(struct engine *g)
{
    engine_fail(g, "given up");
}

static const struct engine_api api = {
    ENGINE_ABI,
    sizeof(struct engine_api),
    ENGINE_NAME,
    "CUDA " TEXT(CUDART_VERSION) ", NCCL " TEXT(NCCL_VERSION_CODE),
    devices,
    describe,
    gang_new_id,
    bytes_needed,
    check_shape,
    create,
    gang_join_all,
    give_up,
    destroy,
    size_of,
    micro_rows,
    recomputes,
    note,
    host_alloc,
    host_free,
    engine_init,
    pieces,
    engine_save,
    engine_load,
    engine_get,
    engine_zero,
    engine_grad,
    engine_eval,
    engine_norm,
    engine_step,
    engine_selftest,
    engine_get_grad,
    engine_try_cudnn,
};

extern "C" __attribute__((visibility("default"))) const struct engine_api *
loglog_engine(uint32_t abi)
{
    return abi == ENGINE_ABI ? &api : nullptr;
}
