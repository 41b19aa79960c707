/* pairs: the products of bf16 pairs against the plain loops.  The source is
 * compiled here with the instruction written out, so that packing, pairing and
 * blocking are tested on every CPU; the instruction itself where there is
 * one. */
#include "tests/unit/trainer/models.h"

#include "trainer/cpu/pairs.h"

static const struct {
    int64_t m, n, k;
} shapes[] = {{1, 8, 8},      {3, 40, 24},    {13, 33, 41}, {70, 129, 16},
              {257, 64, 63},  {31, 272, 264}, {9, 300, 48}, {129, 57, 150},
              {131, 300, 32}, {1, 1, 1}};

static float *floats(int64_t n, uint64_t seed)
{
    float *x = malloc((size_t)n * sizeof *x);

    for (int64_t i = 0; i < n; i++)
        x[i] = (float)rng_normal(seed, RNG_TEST, (uint64_t)i);
    return x;
}

/* got is near want, relative to the largest of want; frees both. */
static void compare(float *got, float *want, int64_t n, const char *what)
{
    double size = 0;

    for (int64_t i = 0; i < n; i++)
        size = fmax(size, fabs((double)want[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= 2e-6 * size))
            fail_msg("%s[%lld] = %.9g, plain loops %.9g", what, (long long)i,
                     (double)got[i], (double)want[i]);
    free(got);
    free(want);
}

static void products_are_those_of_plain_loops(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        const struct backend *plain = &backend_reference_bf16;
        int64_t m = shapes[i].m, n = shapes[i].n, k = shapes[i].k;
        const struct backend_shape s = {
            .rows = m,
            .max_n = n,
            .max_k = k,
            .att = {.seq_len = 1, .n_head = 1, .n_kv_head = 1, .head_dim = 8}};
        float *w = floats(n * k, 1), *x = floats(m * k, 2);
        float *dy = floats(m * n, 3), *res = floats(m * n, 4);
        float *y[2], *dx[2], *dw[2];
        struct linear fast = {.n = n, .k = k, .w = w}, slow = fast;
        void *scratch[2];

        fast.pack = mem_tensor(pairs_pack_bytes(n, k));
        slow.pack = mem_tensor(plain->pack_bytes(n, k));
        scratch[0] = mem_tensor(pairs_scratch_bytes(&s));
        scratch[1] = mem_tensor(plain->scratch_bytes(&s));
        pairs_pack(&fast);
        plain->pack(&slow);
        for (int j = 0; j < 2; j++) {
            y[j] = floats(m * n, 5);
            dx[j] = floats(m * k, 6);
            dw[j] = floats(n * k, 7);
        }
        pairs_linear(y[0], x, res, &fast, m, scratch[0]);
        plain->linear(y[1], x, res, &slow, m, scratch[1]);
        pairs_linear_dx(dx[0], dy, &fast, m, scratch[0]);
        plain->linear_dx(dx[1], dy, &slow, m, scratch[1]);
        pairs_linear_dw(dw[0], dy, x, &fast, m, 1, scratch[0]);
        plain->linear_dw(dw[1], dy, x, &slow, m, 1, scratch[1]);
        compare(y[0], y[1], m * n, "y");
        compare(dx[0], dx[1], m * k, "dx");
        compare(dw[0], dw[1], n * k, "dw");
        mem_tensor_free(fast.pack);
        mem_tensor_free(slow.pack);
        mem_tensor_free(scratch[0]);
        mem_tensor_free(scratch[1]);
        free(w);
        free(x);
        free(dy);
        free(res);
    }
}

/* test_kernels holds it to the plain loops with all others. */
static void the_cpu_has_the_instruction(void **state)
{
    (void)state;
    if (!backend_find("avx512-bf16-pairs")) {
        print_message("this CPU has no AVX512-BF16: its kernels are compiled "
                      "and not run\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_those_of_plain_loops),
        cmocka_unit_test(the_cpu_has_the_instruction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
