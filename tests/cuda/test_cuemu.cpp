/* The emulator itself: the tensor core's layouts against a table that was not
 * written here, every check with a kernel that deserves it, and streams that
 * show a missing wait. */
#include "harness.h"
#include "trainer/cuda/tile.h"

#include <string>
#include <sys/wait.h>
#include <unistd.h>

/* Thread and value to element, as strides over (thread % 4, thread / 4) and
 * the bits of the value: CUTLASS, MMA_Traits<SM80_16x8x16_F32BF16BF16F32_TN>,
 * with elements numbered down the columns: m + 16 k, n + 8 k, m + 16 n. */
struct Layout {
    int thread[2], value[3];
};
static const Layout layout_a = {{32, 1}, {16, 8, 128}};
static const Layout layout_b = {{16, 1}, {8, 64, 0}};
static const Layout layout_d = {{32, 1}, {16, 8, 0}};

static size_t element(const Layout &l, int lane, int value)
{
    return static_cast<size_t>(
        l.thread[0] * (lane % 4) + l.thread[1] * (lane / 4) +
        l.value[0] * (value & 1) + l.value[1] * (value >> 1 & 1) +
        l.value[2] * (value >> 2));
}

static __global__ void mma_kernel(float *d, const uint32_t *a,
                                  const uint32_t *b)
{
    float sum[4] = {1, 1, 1, 1};

    mma(sum, a + threadIdx.x * 4, b + threadIdx.x * 2);
    for (int i = 0; i < 4; i++)
        d[threadIdx.x * 4 + static_cast<unsigned>(i)] = sum[i];
}

static void mma_layout(void)
{
    Random r = {21};
    std::vector<bf16> a = r.halves(16 * 16), b = r.halves(8 * 16);
    std::vector<uint32_t> ra(32 * 4), rb(32 * 2);
    std::vector<double> want(32 * 4);
    bf16 pair[2];

    for (int lane = 0; lane < 32; lane++) {
        for (int v = 0; v < 8; v += 2) {
            pair[0] = a[element(layout_a, lane, v)];
            pair[1] = a[element(layout_a, lane, v + 1)];
            memcpy(&ra[static_cast<size_t>(lane * 4 + v / 2)],
                   static_cast<void *>(pair), 4);
        }
        for (int v = 0; v < 4; v += 2) {
            pair[0] = b[element(layout_b, lane, v)];
            pair[1] = b[element(layout_b, lane, v + 1)];
            memcpy(&rb[static_cast<size_t>(lane * 2 + v / 2)],
                   static_cast<void *>(pair), 4);
        }
        for (int v = 0; v < 4; v++) {
            size_t e = element(layout_d, lane, v), m = e % 16, n = e / 16;
            double sum = 1;

            for (size_t k = 0; k < 16; k++)
                sum += number(a[m + 16 * k]) * number(b[n + 8 * k]);
            want[static_cast<size_t>(lane * 4 + v)] = sum;
        }
    }
    in_all_orders("mma", [&] {
        Device<uint32_t> da(ra), db(rb);
        Device<float> d(32 * 4);
        Bits bits;

        LAUNCH(mma_kernel, dim3(1), dim3(32), 0, nullptr, d.p, da.p, db.p);
        check_close("mma", d.get(), want, 1e-6);
        bits.add(d.get());
        return bits;
    });
}

/* A result turned into a left operand is the operand that ldmatrix loads of
 * the same matrix: one layout is proven by the table, the other by this. */
static __global__ void ldmatrix_kernel(uint32_t *out, const bf16 *m)
{
    SHARED(bf16, tile, [16 * (16 + TILE_PAD)]);
    unsigned lane = threadIdx.x, g = lane / 4, t = lane % 4;
    uint32_t a[4], plain[4], turned[4];

    for (unsigned i = lane; i < 256; i += 32)
        tile[i / 16 * (16 + TILE_PAD) + i % 16] = m[i];
    __syncthreads();
    load_a<16>(a, tile);
    load_b<16>(plain, tile);
    load_bt<16>(turned, tile);
    for (unsigned i = 0; i < 4; i++) {
        unsigned row = g + (i & 1) * 8, column = 2 * t + (i >> 1) * 8;
        unsigned n = g + (i >> 1) * 8, k = 2 * t + (i & 1) * 8;
        uint32_t want_a, want_b, want_t;
        bf16 pair[2] = {m[k * 16 + n], m[(k + 1) * 16 + n]};

        memcpy(&want_a, static_cast<const void *>(m + row * 16 + column), 4);
        memcpy(&want_b, static_cast<const void *>(m + n * 16 + k), 4);
        memcpy(&want_t, static_cast<const void *>(pair), 4);
        out[lane * 4 + i] =
            (a[i] == want_a) + (plain[i] == want_b) + (turned[i] == want_t);
    }
}

static void ldmatrix_layout(void)
{
    Random r = {22};
    Device<bf16> m(r.halves(256));
    Device<uint32_t> out(32 * 4);
    int right = 0;

    LAUNCH(ldmatrix_kernel, dim3(1), dim3(32), 0, nullptr, out.p, m.p);
    for (uint32_t x : out.get())
        right += x == 3;
    check("ldmatrix gives all three operands", right == 128);
}

/* ---------------------------------------------------- kernels at fault */

static __global__ void diverge_kernel(float *x)
{
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads(); /* on another line */
    x[threadIdx.x] = 0;
}

static __global__ void ended_lane_kernel(float *x)
{
    if (threadIdx.x == 3)
        return;
    x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, x[threadIdx.x], 1);
}

static __global__ void left_out_kernel(float *x)
{
    x[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, x[threadIdx.x], 1);
}

static __global__ void two_collectives_kernel(float *x)
{
    if (threadIdx.x & 1)
        x[0] = __shfl_sync(0xffffffffu, 1.0f, 0);
    else
        __syncwarp();
}

/* Half of the block waits at the barrier, the other half ends in a shuffle
 * that never comes together. */
static __global__ void deadlock_kernel(float *x)
{
    if (threadIdx.x < 16)
        __syncthreads();
    else
        x[threadIdx.x] = __shfl_sync(0xffffffffu, 1.0f, 0);
}

static __global__ void big_kernel(float *x)
{
    SHARED(float, a, [8192]);
    SHARED(float, b, [8192]);

    a[0] = b[0] = 0;
    x[0] = a[0];
}

static __global__ void nothing_kernel(float *x)
{
    (void)x;
}

struct Fault {
    const char *what, *message;
    void (*kernel)(float *);
    unsigned grid_y, block;
    size_t shared;
};

/* Run it in a child; its standard error, or "" unless it ended with 86. */
static std::string message_of(const Fault &f)
{
    int end[2], status;
    char text[512];
    pid_t child;
    ssize_t n;
    size_t used = 0;

    if (pipe(end))
        abort();
    fflush(stdout);
    child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        Device<float> x(1024);

        dup2(end[1], 2);
        LAUNCH(f.kernel, dim3(1, f.grid_y), dim3(f.block), f.shared, nullptr,
               x.p);
        cudaDeviceSynchronize();
        _exit(0);
    }
    close(end[1]);
    while ((n = read(end[0], text + used, sizeof text - 1 - used)) > 0)
        used += static_cast<size_t>(n);
    text[used] = 0;
    close(end[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 86 ? text : "";
}

static void faults(void)
{
    const Fault fault[] = {
        {"a divergent barrier", "divergent __syncthreads", diverge_kernel, 1,
         64, 0},
        {"a lane that ended", "lane", ended_lane_kernel, 1, 32, 0},
        {"a lane left out", "leaves it out", left_out_kernel, 1, 32, 0},
        {"two collectives", "divergent warp collective", two_collectives_kernel,
         1, 32, 0},
        {"a deadlock", "deadlock", deadlock_kernel, 1, 32, 0},
        {"shared arrays of 64 KiB", "more than 48 KiB", big_kernel, 1, 32, 0},
        {"a block of 2048", "a block of 2048", nothing_kernel, 1, 2048, 0},
        {"a grid of 70000", "a grid of", nothing_kernel, 70000, 32, 0},
        {"dynamic shared memory", "60000 bytes", nothing_kernel, 1, 32, 60000},
    };

    for (const Fault &f : fault)
        check(f.what, message_of(f).find(f.message) != std::string::npos);
    /* and a sound kernel is not */
    check("a sound kernel",
          message_of({"", "", nothing_kernel, 1, 32, 0}).empty());
}

/* -------------------------------------------------------------- streams */

static __global__ void set_kernel(float *x, float v)
{
    *x = v;
}

/* Stream 1 writes, stream 2 copies; does the copy see it without a wait?  One
 * policy at least must say no, and with the wait all must say yes. */
static int copy_sees(int policy, int wait)
{
    Device<float> x(std::vector<float>{0}), y(1);
    cudaStream_t first, second;
    cudaEvent_t written;
    float seen;

    cuemu_set_policy(policy);
    cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking);
    cudaEventCreateWithFlags(&written, cudaEventDisableTiming);
    LAUNCH(set_kernel, dim3(1), dim3(1), 0, first, x.p, 1.0f);
    cudaEventRecord(written, first);
    if (wait)
        cudaStreamWaitEvent(second, written, 0);
    cudaMemcpyAsync(y.p, x.p, sizeof(float), cudaMemcpyDeviceToDevice, second);
    cudaStreamSynchronize(second);
    cudaDeviceSynchronize();
    seen = y.get()[0];
    cudaEventDestroy(written);
    cudaStreamDestroy(second);
    cudaStreamDestroy(first);
    cuemu_set_policy(POLICY_LAZY);
    return number(seen) == 1;
}

static void streams(void)
{
    int missed = 0;

    for (int p = 0; p < POLICIES; p++) {
        check("a wait is kept under every policy", copy_sees(p, 1));
        missed += !copy_sees(p, 0);
    }
    check("a missing wait shows", missed > 0);
    check("and is not there to be seen when work is done at once",
          copy_sees(POLICY_EAGER, 0));
}

static void memory(void)
{
    void *p = nullptr, *q = nullptr;

    cuemu_set_memory(1000);
    check("too much memory", cudaMalloc(&p, 1001) == cudaErrorMemoryAllocation);
    check("enough memory", cudaMalloc(&p, 600) == cudaSuccess);
    check("no more memory", cudaMalloc(&q, 600) == cudaErrorMemoryAllocation);
    cudaFree(p);
    check("all of it back", cuemu_memory_used() == 0);
    cuemu_set_memory(0);
    Device<float> x(3);
    check("it begins as NaN", std::isnan(number(x.get()[0])));
}

static const Test tests[] = {
    {"mma_layout", mma_layout}, {"ldmatrix_layout", ldmatrix_layout},
    {"faults", faults},         {"streams", streams},
    {"memory", memory},
};

int main(int argc, char **argv)
{
    return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
