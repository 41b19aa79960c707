/* The bytes and flops of each kernel, counted, against the table from which
 * `loglog plan --device` predicts (sweep/gpu_model.c).
 *
 * The kernels of this program are compiled with the calls that ThreadSanitizer
 * would get at every load and store, and here they only count: of each launch
 * the bytes of device memory that are read, and those that are written, each
 * once (what a cache that holds everything leaves to the memory).  Flops are
 * the tensor cores'.  Products are counted where cuBLASLt is emulated. */
#include "harness.h"

#include <cstring>
#include <map>
#include <string>

extern "C" {
#include "sweep/gpu_model.h"
#include "trainer/cuda/engine.h"
}

extern "C" const struct engine_api *loglog_engine(uint32_t abi);

struct Total {
    double launches, bytes, flops;
};

static std::map<std::string, Total> totals;

/* ------------------------------------------------------------- counting */

enum { READ = 1, WRITTEN = 2 };

struct Range {
    uintptr_t at, end;
    std::vector<unsigned char> flag; /* of each two bytes */
    std::vector<size_t> touched;
};

static std::vector<Range> ranges;
static bool inside;
static double mma_before;

static void touch(const void *p, size_t n, unsigned char how)
{
    uintptr_t at = reinterpret_cast<uintptr_t>(p);

    if (!inside)
        return;
    for (Range &r : ranges)
        if (at >= r.at && at < r.end)
            for (size_t i = (at - r.at) / 2; i <= (at - r.at + n - 1) / 2;
                 i++) {
                if (!r.flag[i])
                    r.touched.push_back(i);
                r.flag[i] |= how;
            }
}

#define COUNT(size)                                                            \
    void __tsan_read##size(void *p)                                            \
    {                                                                          \
        touch(p, size, READ);                                                  \
    }                                                                          \
    void __tsan_write##size(void *p)                                           \
    {                                                                          \
        touch(p, size, WRITTEN);                                               \
    }                                                                          \
    void __tsan_unaligned_read##size(void *p)                                  \
    {                                                                          \
        touch(p, size, READ);                                                  \
    }                                                                          \
    void __tsan_unaligned_write##size(void *p)                                 \
    {                                                                          \
        touch(p, size, WRITTEN);                                               \
    }

extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-declarations"
COUNT(1)
COUNT(2)
COUNT(4)
COUNT(8)
COUNT(16)
void __tsan_init(void)
{
}
void __tsan_func_entry(void *)
{
}
void __tsan_func_exit(void)
{
}
void __tsan_read_range(void *p, size_t n)
{
    touch(p, n, READ);
}
void __tsan_write_range(void *p, size_t n)
{
    touch(p, n, WRITTEN);
}
void *__tsan_memcpy(void *to, const void *from, size_t n)
{
    touch(from, n, READ);
    touch(to, n, WRITTEN);
    return memcpy(to, from, n);
}
void *__tsan_memset(void *to, int c, size_t n)
{
    touch(to, n, WRITTEN);
    return memset(to, c, n);
}
#pragma GCC diagnostic pop
}

static double mma(void)
{
    struct cuemu_counts c;

    cuemu_get_counts(&c);
    return static_cast<double>(c.mma) / 32 * 2 * 16 * 8 * 16;
}

static void launch_begins(const char *)
{
    struct cuemu_allocation a[32];
    size_t n = cuemu_get_allocations(a, 32);

    bool same = ranges.size() == n;

    for (size_t i = 0; same && i < n; i++)
        same = ranges[i].at == reinterpret_cast<uintptr_t>(a[i].p);
    if (!same) {
        ranges.clear();
        for (size_t i = 0; i < n; i++) {
            uintptr_t at = reinterpret_cast<uintptr_t>(a[i].p);

            ranges.push_back({at,
                              at + a[i].bytes,
                              std::vector<unsigned char>(a[i].bytes / 2 + 1),
                              {}});
        }
    }
    mma_before = mma();
    inside = true;
}

static void launch_ends(const char *name)
{
    std::string plain(name[0] == '(' ? name + 1 : name);
    Total &t = totals[plain.substr(0, plain.find_first_of("< ,)"))];

    inside = false;
    t.launches++;
    t.flops += mma() - mma_before;
    for (Range &r : ranges) {
        for (size_t i : r.touched) {
            t.bytes += 2 * ((r.flag[i] & READ) != 0) +
                       2 * ((r.flag[i] & WRITTEN) != 0);
            r.flag[i] = 0;
        }
        r.touched.clear();
    }
}

/* -------------------------------------------------------------- the test */

static struct run_spec spec_of(int d_model, int n_head, int n_kv_head)
{
    struct run_spec s;

    spec_defaults(&s);
    s.model.vocab = 320;
    s.model.seq_len = 192;
    s.model.d_model = d_model;
    s.model.n_layer = 2;
    s.model.n_head = n_head;
    s.model.n_kv_head = n_kv_head;
    s.model.d_ff = 96;
    s.dtype = DTYPE_BF16;
    s.batch_tokens = 4 * 192;
    return s;
}

/* One step of one micro-batch of four sequences. */
static void count_step(const struct run_spec *s, int recompute)
{
    const struct engine_api *api = loglog_engine(ENGINE_ABI);
    struct engine_options o = {};
    struct cuemu_counts before, after;
    struct engine *g;
    struct err e = {};
    Random random = {5};
    std::vector<int32_t> tokens =
        random.tokens(static_cast<size_t>(4 * (s->model.seq_len + 1)),
                      static_cast<int>(s->model.vocab));
    std::vector<double> nats(4);
    double norm;

    o.rows = o.micro_rows = 4;
    o.gang = 1;
    o.no_graphs = 1;
    o.recompute = recompute ? ENGINE_RECOMPUTE_ALWAYS : ENGINE_RECOMPUTE_NEVER;
    if (api->create(&g, s, &o, &e) || api->init(g, 1, &e))
        abort();
    totals.clear();
    cuemu_get_counts(&before);
    cuemu_set_meter(launch_begins, launch_ends);
    if (api->grad(g, nats.data(), tokens.data(), 4, 1, 1, &e) ||
        api->norm(g, &norm, &e) || api->step(g, 1e-3, 1, 1, &e))
        abort();
    cuemu_set_meter(nullptr, nullptr);
    cuemu_get_counts(&after);
    totals["gemm"] = {static_cast<double>(after.gemms - before.gemms),
                      after.gemm_bytes - before.gemm_bytes,
                      after.gemm_flops - before.gemm_flops};
    api->destroy(g);
}

static void compare(const char *what, const char *kernel, double got,
                    double want, double tolerance)
{
    if (fabs(got - want) <= tolerance * want)
        return;
    printf("FAIL %s of %s: counted %.6g, the table says %.6g\n", what, kernel,
           got, want);
    failed();
}

/* Every kernel of the table, and none that it does not know but the tail of a
 * sum, the table's rows being what a step consists of. */
static void table_is(const struct run_spec *s, int recompute)
{
    struct gpu_kernel k[GPU_KERNELS];
    size_t n = gpu_kernels(k, s, 4, 1, recompute);

    count_step(s, recompute);
    printf("%-22s %8s %12s %12s   (table)\n", "kernel", "launches", "bytes",
           "flops");
    for (size_t i = 0; i < n; i++) {
        auto found = totals.find(k[i].name);
        Total t = found == totals.end() ? Total{} : found->second;

        if (!strcmp(k[i].name, "memset"))
            continue; /* by the runtime, not a kernel */
        printf("%-22s %8.0f %12.0f %12.0f   (%.0f, %.0f, %.0f)\n", k[i].name,
               t.launches, t.bytes, t.flops, k[i].launches, k[i].bytes,
               k[i].flops);
        compare("launches", k[i].name, t.launches, k[i].launches, 0);
        if (!strncmp(k[i].name, "embed", 5))
            check("rows of the embedding, at most once a token",
                  t.bytes <= k[i].bytes && t.bytes > k[i].bytes / 3);
        else
            compare("bytes", k[i].name, t.bytes, k[i].bytes, 0.06);
        compare("flops", k[i].name, t.flops, k[i].flops, 0.001);
        totals.erase(k[i].name);
    }
    totals.erase("squares_end_kernel");
    for (const auto &left : totals) {
        printf("FAIL %s is not in the table\n", left.first.c_str());
        failed();
    }
}

static void heads_of_32(void)
{
    struct run_spec s = spec_of(64, 2, 1);

    table_is(&s, 0);
    table_is(&s, 1);
}

static void heads_of_64(void)
{
    struct run_spec s = spec_of(128, 2, 2);

    table_is(&s, 0);
}

/* The bytes of device memory are those that the engine takes. */
static void memory(void)
{
    const struct engine_api *api = loglog_engine(ENGINE_ABI);
    static const struct {
        int64_t C, H, KV, F, L, T, V, rows;
        int gang;
    } shape[] = {{64, 2, 1, 96, 2, 192, 320, 4, 1},
                 {768, 12, 12, 2048, 12, 1024, 50304, 16, 1},
                 {1024, 16, 4, 2816, 24, 2048, 32000, 8, 4},
                 {96, 6, 6, 256, 4, 512, 256, 8, 2},
                 {4096, 32, 32, 11008, 30, 4096, 102400, 1, 8}};

    for (const auto &x : shape)
        for (int again = 0; again < 2; again++) {
            struct engine_options o = {};
            struct run_spec s;
            struct gpu_memory b;
            double real;

            spec_defaults(&s);
            s.model.d_model = x.C;
            s.model.n_head = x.H;
            s.model.n_kv_head = x.KV;
            s.model.d_ff = x.F;
            s.model.n_layer = x.L;
            s.model.seq_len = x.T;
            s.model.vocab = x.V;
            o.rows = x.rows;
            o.gang = x.gang;
            o.recompute =
                again ? ENGINE_RECOMPUTE_ALWAYS : ENGINE_RECOMPUTE_NEVER;
            real = static_cast<double>(api->bytes_needed(&s, &o, x.rows));
            gpu_bytes(&b, &s, x.rows, x.gang, again);
            compare("bytes", "a model", b.total, real, 0.01);
        }
}

static const Test tests[] = {
    {"heads_of_32", heads_of_32},
    {"heads_of_64", heads_of_64},
    {"memory", memory},
};

int main(int argc, char **argv)
{
    return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
