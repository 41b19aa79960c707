/* trial: attention by flash and by cuDNN on the same numbers, for doctor:
 * where they differ, and how long each takes. */
#include "trainer/cuda/engine_impl.h"

#include <algorithm>
#include <chrono>
#include <math.h>

/* One shape's arrays on the device: inputs, then what each of the two makes. */
struct arrays {
    bf16 *qkv, *dout;
    struct {
        bf16 *o, *dqkv;
        float *lse, *dot;
    } by[2];
};
enum { FLASH, CUDNN };

struct trial {
    struct flash_shape f;
    struct fused *fused;
    struct arrays a;
    int64_t n_qkv, n_o, n_lse;
    std::vector<void *> made;
    int failed; /* of memory */
};

template <class T> static void array(struct trial *t, T *&p, int64_t n)
{
    void *v = nullptr;

    if (cudaMalloc(&v, static_cast<size_t>(n) * sizeof(T)) != cudaSuccess)
        t->failed = 1;
    else
        t->made.push_back(v);
    p = static_cast<T *>(v);
}

/* About uniform in -1 .. 1, times scale. */
static std::vector<bf16> numbers(int64_t n, unsigned seed, float scale)
{
    std::vector<bf16> out(static_cast<size_t>(n));

    for (bf16 &x : out) {
        seed = seed * 1664525u + 1013904223u;
        x = __float2bfloat16_rn(
            scale * (static_cast<float>(seed >> 8) / 8388608.0f - 1));
    }
    return out;
}

template <class T> static std::vector<T> fetch(const T *p, int64_t n)
{
    std::vector<T> out(static_cast<size_t>(n));

    cudaMemcpy(static_cast<void *>(out.data()), p, out.size() * sizeof(T),
               cudaMemcpyDeviceToHost);
    return out;
}

static double number(float x)
{
    return x;
}

static double number(bf16 x)
{
    return __bfloat162float(x);
}

/* The largest difference, in parts of b's largest; NaN is INFINITY. */
template <class T> static double apart(const T *pa, const T *pb, int64_t n)
{
    std::vector<T> a = fetch(pa, n), b = fetch(pb, n);
    double most = 0, size = 0;

    for (size_t i = 0; i < a.size(); i++) {
        double d = fabs(number(a[i]) - number(b[i]));

        most = std::max(most, isfinite(d) ? d : INFINITY);
        size = std::max(size, fabs(number(b[i])));
    }
    return most / size;
}

static int forward(struct trial *t, int by, struct err *e)
{
    auto &to = t->a.by[by];

    if (by == CUDNN)
        return fused_forward(t->fused, to.o, to.lse, t->a.qkv, t->f, nullptr,
                             e);
    flash_forward(to.o, to.lse, t->a.qkv, t->f, nullptr);
    return 0;
}

static int backward(struct trial *t, int by, struct err *e)
{
    auto &to = t->a.by[by];

    if (by == CUDNN)
        return fused_backward(t->fused, to.dqkv, to.dot, t->a.dout, to.o,
                              to.lse, t->a.qkv, t->f, nullptr, e);
    flash_backward(to.dqkv, to.dot, t->a.dout, to.o, to.lse, t->a.qkv, t->f,
                   nullptr);
    return 0;
}

static int wait(struct err *e)
{
    cudaError_t r = cudaDeviceSynchronize();

    return r == cudaSuccess
               ? 0
               : err_set(e, ERR_ENV, "CUDA: %s", cudaGetErrorString(r));
}

/* Milliseconds of one of `times`. */
static int clocked(double *ms, struct trial *t, int by, int times,
                   int (*f)(struct trial *t, int by, struct err *e),
                   struct err *e)
{
    std::chrono::steady_clock::time_point begun;

    if (f(t, by, e) || wait(e)) /* the first is not like the others */
        return -1;
    begun = std::chrono::steady_clock::now();
    for (int i = 0; i < times; i++)
        if (f(t, by, e))
            return -1;
    if (wait(e))
        return -1;
    *ms = std::chrono::duration<double, std::milli>(
              std::chrono::steady_clock::now() - begun)
              .count() /
          times;
    return 0;
}

static int setup(struct trial *t, struct err *e)
{
    const struct flash_shape &f = t->f;
    int64_t rows = static_cast<int64_t>(f.batch) * f.seq_len;

    t->n_lse = rows * f.n_head;
    t->n_o = t->n_lse * f.head_dim;
    t->n_qkv = rows * (f.n_head + 2 * f.n_kv_head) * f.head_dim;
    array(t, t->a.qkv, t->n_qkv);
    array(t, t->a.dout, t->n_o);
    for (auto &to : t->a.by) {
        array(t, to.o, t->n_o);
        array(t, to.dqkv, t->n_qkv);
        array(t, to.lse, t->n_lse);
        array(t, to.dot, t->n_lse);
    }
    if (t->failed)
        return err_set(e, ERR_ENV, "no device memory for a trial");
    cudaMemcpy(t->a.qkv, numbers(t->n_qkv, 1, 2).data(),
               static_cast<size_t>(t->n_qkv) * sizeof(bf16),
               cudaMemcpyHostToDevice);
    cudaMemcpy(t->a.dout, numbers(t->n_o, 2, 1).data(),
               static_cast<size_t>(t->n_o) * sizeof(bf16),
               cudaMemcpyHostToDevice);
    return 0;
}

static int compare(struct engine_trial *out, struct trial *t, struct err *e)
{
    const auto &flash = t->a.by[FLASH], &cudnn = t->a.by[CUDNN];
    std::vector<bf16> once;

    for (int by : {FLASH, CUDNN}) {
        double *ms = by == FLASH ? out->flash_ms : out->cudnn_ms;

        if (clocked(&ms[0], t, by, out->times, forward, e) ||
            clocked(&ms[1], t, by, out->times, backward, e))
            return -1;
    }
    out->o = apart(cudnn.o, flash.o, t->n_o);
    out->lse = apart(cudnn.lse, flash.lse, t->n_lse);
    out->gradient = apart(cudnn.dqkv, flash.dqkv, t->n_qkv);
    out->workspace = fused_bytes(t->fused);
    once = fetch(cudnn.dqkv, t->n_qkv);
    if (backward(t, CUDNN, e) || wait(e))
        return -1;
    out->repeats =
        !memcmp(static_cast<const void *>(once.data()),
                fetch(cudnn.dqkv, t->n_qkv).data(), once.size() * sizeof(bf16));
    return 0;
}

int engine_try_cudnn(struct engine_trial *out, struct err *e)
{
    struct trial t = {};
    int rc = 1;

    t.f = {out->batch, out->seq_len, out->n_head, out->n_kv_head,
           out->head_dim};
    if (cudaSetDevice(0) != cudaSuccess)
        rc = err_set(e, ERR_ENV, "CUDA: device 0 cannot be used");
    else if (!fused_open(&t.fused, t.f, e)) {
        rc = setup(&t, e) || compare(out, &t, e) ? -1 : 0;
        fused_close(t.fused);
    }
    for (void *p : t.made)
        cudaFree(p);
    return rc;
}
