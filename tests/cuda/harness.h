/* harness: what the tests of the kernels share: device arrays, random numbers,
 * comparison with a reference in double, and the demand that the order in
 * which threads run does not change a bit (on a real device: that three runs
 * give the same). */
#ifndef LOGLOG_TESTS_CUDA_HARNESS_H
#define LOGLOG_TESTS_CUDA_HARNESS_H

#ifdef __CUDACC__ /* on a real device, where nobody sets an order */
enum { ORDER_FORWARD, ORDERS = 3 };
#define cuemu_set_order(order, seed) (void)(order)
#else
#include "control.h"
#endif
#include "trainer/cuda/kernels.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <unistd.h>
#include <vector>

#ifdef CUEMU_MSAN
#include <sanitizer/msan_interface.h>
#endif

static int failures;

/* tests/cuda/mutations has seen enough with the first. */
static inline void failed(void)
{
    failures++;
    fflush(stdout);
    if (getenv("LOGLOG_FAIL_FAST"))
        _exit(1);
}

/* An array on the device; it begins as NaN. */
template <class T> struct Device {
    T *p;
    size_t n;

    explicit Device(size_t count) : p(nullptr), n(count)
    {
        void *v = nullptr;

        if (cudaMalloc(&v, n * sizeof(T)) != cudaSuccess)
            abort();
        p = static_cast<T *>(v);
    }
    explicit Device(const std::vector<T> &h) : Device(h.size())
    {
        cudaMemcpy(p, h.data(), n * sizeof(T), cudaMemcpyHostToDevice);
    }
    ~Device()
    {
        cudaFree(p);
    }
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;

    std::vector<T> get() const
    {
        std::vector<T> h(n);

        cudaMemcpy(h.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost);
#ifdef CUEMU_MSAN
        __msan_check_mem_is_initialized(h.data(), n * sizeof(T));
#endif
        return h;
    }
};

/* Numbers in (-1, 1), the same in every run. */
struct Random {
    unsigned state;

    double next()
    {
        state = state * 1664525u + 1013904223u;
        return static_cast<double>(state >> 8) / 8388608.0 - 1.0;
    }
    std::vector<float> floats(size_t n, double scale = 1)
    {
        std::vector<float> v(n);

        for (float &x : v)
            x = static_cast<float>(next() * scale);
        return v;
    }
    std::vector<bf16> halves(size_t n, double scale = 1)
    {
        std::vector<bf16> v(n);

        for (bf16 &x : v)
            x = __float2bfloat16_rn(static_cast<float>(next() * scale));
        return v;
    }
    std::vector<int32_t> tokens(size_t n, int vocab)
    {
        std::vector<int32_t> v(n);

        for (int32_t &x : v) {
            next();
            x = static_cast<int32_t>((state >> 8) %
                                     static_cast<unsigned>(vocab));
        }
        return v;
    }
};

static inline double number(float x)
{
    return static_cast<double>(x);
}

static inline double number(double x)
{
    return x;
}

static inline double number(bf16 x)
{
    return static_cast<double>(__bfloat162float(x));
}

/* The largest error is at most tol of the largest value. */
template <class T>
void check_close(const char *what, const std::vector<T> &got,
                 const std::vector<double> &want, double tol)
{
    double worst = 0, largest = 0;

    if (got.size() != want.size())
        abort();
    for (size_t i = 0; i < got.size(); i++) {
        double error = fabs(number(got[i]) - want[i]);

        largest = fmax(largest, fabs(want[i]));
        if (!(error <= worst)) /* NaN counts */
            worst = std::isfinite(error) ? error : INFINITY;
    }
    if (!(worst <= tol * largest)) {
        printf("FAIL %s: error %g of %g, allowed %g\n", what, worst, largest,
               tol * largest);
        failed();
    }
}

static inline void check(const char *what, int ok)
{
    if (!ok) {
        printf("FAIL %s\n", what);
        failed();
    }
}

/* Everything a kernel wrote, as bits. */
struct Bits {
    std::vector<unsigned char> b;

    template <class T> void add(const std::vector<T> &v)
    {
        const unsigned char *p =
            reinterpret_cast<const unsigned char *>(v.data());

        b.insert(b.end(), p, p + v.size() * sizeof(T));
    }
};

/* run() launches, compares, and returns what was written; here in the three
 * orders, which must agree to the bit. */
static inline void in_all_orders(const char *what,
                                 const std::function<Bits()> &run)
{
    Bits first;

    for (int order = 0; order < ORDERS; order++) {
        Bits b;

        cuemu_set_order(order, 7);
        b = run();
        if (order == 0)
            first = b;
        else if (b.b != first.b) {
            printf("FAIL %s: order %d changes the result\n", what, order);
            failed();
        }
    }
    cuemu_set_order(ORDER_FORWARD, 1);
}

struct Test {
    const char *name;
    void (*run)(void);
};

/* The tests of a file: a program, or in the plugin a function that `doctor
 * --gpu` calls (selftest.cpp). */
#ifdef LOGLOG_SELFTEST
#define TESTS_MAIN(name, tests)                                                \
    int selftest_##name(void)                                                  \
    {                                                                          \
        return run_tests(tests, sizeof tests / sizeof *tests, 1, nullptr);     \
    }
#else
#define TESTS_MAIN(name, tests)                                                \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);     \
    }
#endif

static inline bool among(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name))
            return true;
    return argc <= 1;
}

/* Run all, or those that are named; the exit status of the program. */
static inline int run_tests(const Test *t, size_t n, int argc, char **argv)
{
    int ran = 0;

    setvbuf(stdout, nullptr, _IOLBF, 0);
    for (size_t i = 0; i < n; i++) {
        int before = failures;

        if (!among(t[i].name, argc, argv))
            continue;
        t[i].run();
        ran++;
        printf("%s %s\n", failures == before ? "ok  " : "FAIL", t[i].name);
    }
    return failures || !ran;
}

#endif
