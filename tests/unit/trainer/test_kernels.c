/* kernels: every operation of every backend against the plain loops, at sizes
 * where nothing divides anything. */
#include "tests/unit/trainer/models.h"

#include "trainer/cpu/bf16.h"
#include "trainer/cpu/simd.h"

/* An array of n random floats, and room to see a write beyond its end. */
#define GUARD 64
static float *floats(size_t n, uint64_t seed, double scale)
{
    float *x = malloc((n + GUARD) * sizeof *x);

    for (size_t i = 0; i < n + GUARD; i++)
        x[i] = i < n ? (float)(scale * rng_normal(seed, RNG_TEST, i)) : 77;
    return x;
}

/* got is near want, relative to the largest of want; frees both. */
static void compare(float *got, float *want, size_t n, double tolerance,
                    const struct backend *b, const char *what)
{
    double size = 0;

    for (size_t i = 0; i < n; i++)
        size = fmax(size, fabs((double)want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance * size))
            fail_msg("%s: %s[%zu] = %.9g, plain loops %.9g (largest %.3g)",
                     b->name, what, i, (double)got[i], (double)want[i], size);
    for (size_t i = n; i < n + GUARD; i++)
        if (got[i] != 77)
            fail_msg("%s: %s wrote beyond its end", b->name, what);
    free(got);
    free(want);
}

static void on_every_backend(void (*check)(const struct backend *fast,
                                           const struct backend *plain))
{
    for (const struct backend *const *b = backend_list; *b; b++)
        if ((*b)->usable() && *b != &backend_reference &&
            *b != &backend_reference_bf16)
            check(*b,
                  (*b)->bf16 ? &backend_reference_bf16 : &backend_reference);
}

/* ------------------------------------------------------- linear layers */

static const struct {
    int64_t m, n, k;
} products[] = {{1, 8, 8},      {3, 40, 24},   {13, 33, 40},  {29, 96, 32},
                {64, 1, 56},    {70, 129, 16}, {257, 64, 64}, {300, 152, 88},
                {31, 272, 264}, {9, 700, 48},  {150, 57, 640}};

struct layer {
    struct linear l;
    void *scratch;
};

static struct layer layer_on(const struct backend *b, const float *w, int64_t m,
                             int64_t n, int64_t k)
{
    const struct backend_shape s = {
        .rows = m,
        .max_n = n,
        .max_k = k,
        .att = {.seq_len = 1, .n_head = 1, .n_kv_head = 1, .head_dim = 8}};
    struct layer y = {.l = {.n = n, .k = k, .w = w}};

    y.l.pack = mem_tensor(b->pack_bytes(n, k));
    y.scratch = mem_tensor(b->scratch_bytes(&s));
    b->pack(&y.l);
    return y;
}

static void check_products(const struct backend *fast,
                           const struct backend *plain)
{
    double tolerance = 2e-6;

    for (size_t i = 0; i < ARRAY_LEN(products); i++) {
        int64_t m = products[i].m, n = products[i].n, k = products[i].k;
        size_t y_n = (size_t)(m * n), x_n = (size_t)(m * k);
        size_t w_n = (size_t)(n * k);
        float *w = floats(w_n, 1, 1), *x = floats(x_n, 2, 1);
        float *dy = floats(y_n, 3, 1), *res = floats(y_n, 4, 1);
        const struct backend *both[] = {fast, plain};
        float *y[2], *r[2], *s[2], *dx[2], *dw[2];

        for (int j = 0; j < 2; j++) {
            const struct backend *b = both[j];
            struct layer a = layer_on(b, w, m, n, k);

            y[j] = floats(y_n, 5, 1);
            r[j] = floats(y_n, 5, 1);
            s[j] = floats(y_n, 4, 1);
            dx[j] = floats(x_n, 6, 1);
            dw[j] = floats(w_n, 7, 1);
            b->linear(y[j], x, NULL, &a.l, m, a.scratch);
            b->linear(r[j], x, res, &a.l, m, a.scratch);
            b->linear(s[j], x, s[j], &a.l, m, a.scratch);
            b->linear_dx(dx[j], dy, &a.l, m, a.scratch);
            b->linear_dw(dw[j], dy, x, &a.l, m, 1, a.scratch);
            mem_tensor_free(a.l.pack);
            mem_tensor_free(a.scratch);
        }
        compare(y[0], y[1], y_n, tolerance, fast, "y");
        compare(r[0], r[1], y_n, tolerance, fast, "y + residual");
        compare(s[0], s[1], y_n, tolerance, fast, "y + residual in place");
        compare(dx[0], dx[1], x_n, tolerance, fast, "dx");
        compare(dw[0], dw[1], w_n, tolerance, fast, "dw");
        free(w);
        free(x);
        free(dy);
        free(res);
    }
}

static void linear_layers(void **state)
{
    (void)state;
    on_every_backend(check_products);
}

/* A linear layer on rows [0, a), then on [a, m), is the layer on [0, m). */
static void check_parts(const struct backend *b, const struct backend *plain)
{
    int64_t m = 301, n = 72, k = 40;
    int64_t a = strstr(b->name, "pairs") ? 134 : 133; /* cpu/pairs.h */
    float *w = floats((size_t)(n * k), 1, 1),
          *x = floats((size_t)(m * k), 2, 1);
    float *dy = floats((size_t)(m * n), 3, 1);
    float *y[2], *dw[2];
    struct layer l = layer_on(b, w, m, n, k);

    (void)plain;
    for (int j = 0; j < 2; j++) {
        y[j] = floats((size_t)(m * n), 4, 1);
        dw[j] = floats((size_t)(n * k), 5, 1);
    }
    b->linear(y[0], x, NULL, &l.l, m, l.scratch);
    b->linear(y[1], x, NULL, &l.l, a, l.scratch);
    b->linear(y[1] + a * n, x + a * k, NULL, &l.l, m - a, l.scratch);
    b->linear_dw(dw[0], dy, x, &l.l, m, 1, l.scratch);
    b->linear_dw(dw[1], dy, x, &l.l, a, 1, l.scratch);
    b->linear_dw(dw[1], dy + a * n, x + a * k, &l.l, m - a, 1, l.scratch);
    assert_memory_equal(dw[0], dw[1], (size_t)(n * k) * sizeof **dw);
    /* Written, it is what is added to zeros. */
    memset(dw[0], 0, (size_t)(n * k) * sizeof **dw);
    b->linear_dw(dw[0], dy, x, &l.l, m, 1, l.scratch);
    b->linear_dw(dw[1], dy, x, &l.l, m, 0, l.scratch);
    assert_memory_equal(dw[0], dw[1], (size_t)(n * k) * sizeof **dw);
    assert_memory_equal(y[0], y[1], (size_t)(m * n) * sizeof **y);
    for (int j = 0; j < 2; j++) {
        free(y[j]);
        free(dw[j]);
    }
    free(w);
    free(x);
    free(dy);
    mem_tensor_free(l.l.pack);
    mem_tensor_free(l.scratch);
}

static void linear_layers_in_parts(void **state)
{
    (void)state;
    on_every_backend(check_parts);
}

/* ----------------------------------------------------------- attention */

static const struct {
    int64_t t, h, g, hd;
} heads[] = {{1, 1, 1, 8},    {7, 2, 2, 8},    {33, 3, 1, 16}, {64, 2, 2, 16},
             {65, 4, 2, 24},  {100, 2, 1, 32}, {97, 1, 1, 40}, {130, 1, 1, 64},
             {70, 2, 1, 128}, {259, 1, 1, 16}, {40, 1, 1, 72}};

static void check_attention(const struct backend *fast,
                            const struct backend *plain)
{
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct attention a = {.seq_len = heads[i].t,
                              .n_head = heads[i].h,
                              .n_kv_head = heads[i].g,
                              .head_dim = heads[i].hd};
        const struct backend_shape shape = {
            .rows = a.seq_len, .max_n = 8, .max_k = 8, .att = a};
        const struct backend *both[] = {fast, plain};
        size_t half = (size_t)(a.head_dim / 2 * a.seq_len);
        size_t n_o = (size_t)(a.seq_len * a.n_head * a.head_dim);
        size_t n_q =
            (size_t)(a.seq_len * a.head_dim * (a.n_head + 2 * a.n_kv_head));
        float *qkv = floats(n_q, 1, 1.5), *dout = floats(n_o, 2, 1);
        float *cs = floats(2 * half, 3, 0), *o[2], *dqkv[2];

        for (size_t j = 0; j < half; j++) {
            double angle = rng_uniform(4, RNG_TEST, j) * 6.28;

            cs[j] = (float)cos(angle);
            cs[half + j] = (float)sin(angle);
        }
        a.cos = cs;
        a.sin = cs + half;
        for (int j = 0; j < 2; j++) {
            void *scratch = mem_tensor(both[j]->scratch_bytes(&shape));
            float *stat = floats((size_t)(2 * a.n_head * a.seq_len), 5, 1);

            o[j] = floats(n_o, 6, 1);
            dqkv[j] = floats(n_q, 7, 1);
            both[j]->attention(o[j], stat, qkv, &a, scratch);
            both[j]->attention_bwd(dqkv[j], dout, o[j], stat, qkv, &a, scratch);
            mem_tensor_free(scratch);
            free(stat);
        }
        compare(o[0], o[1], n_o, 2e-6, fast, "o");
        compare(dqkv[0], dqkv[1], n_q, 5e-6, fast, "dqkv");
        free(qkv);
        free(dout);
        free(cs);
    }
}

static void attention_both_ways(void **state)
{
    (void)state;
    on_every_backend(check_attention);
}

/* Scores far apart: the largest decides, nothing overflows, and what lies
 * above the diagonal counts for nothing however large. */
static void check_extremes(const struct backend *fast,
                           const struct backend *plain)
{
    enum { T = 40, HD = 8 };
    float qkv[T * 3 * HD] = {0}, ones[HD / 2 * T], zeros[HD / 2 * T] = {0};
    float o[T * HD], stat[2 * T];
    const struct attention a = {.seq_len = T,
                                .n_head = 1,
                                .n_kv_head = 1,
                                .head_dim = HD,
                                .cos = ones,
                                .sin = zeros};
    const struct backend_shape shape = {
        .rows = T, .max_n = 8, .max_k = 8, .att = a};
    void *scratch = mem_tensor(fast->scratch_bytes(&shape));

    (void)plain;
    for (int i = 0; i < HD / 2 * T; i++)
        ones[i] = 1;
    for (int t = 0; t < T; t++) {
        qkv[t * 3 * HD] = 1000;
        qkv[t * 3 * HD + HD] = (float)t; /* later keys score higher */
        qkv[t * 3 * HD + 2 * HD] = (float)t;
    }
    fast->attention(o, stat, qkv, &a, scratch);
    for (int t = 0; t < T; t++)
        assert_true(fabsf(o[t * HD] - (float)t) < 1e-3f);
    mem_tensor_free(scratch);
}

static void attention_of_extreme_scores(void **state)
{
    (void)state;
    on_every_backend(check_extremes);
}

/* ---------------------------------------------------------------- rows */

static const struct {
    int64_t m, c;
} rows[] = {{1, 8}, {5, 24}, {7, 40}, {3, 64}, {9, 104}, {2, 1000}, {4, 16}};

static void check_norms(const struct backend *fast, const struct backend *plain)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t m = rows[i].m, c = rows[i].c;
        size_t n = (size_t)(m * c);
        float *x = floats(n, 1, 2), *g = floats((size_t)c, 2, 1);
        float *dy = floats(n, 3, 1);
        const struct backend *both[] = {fast, plain};
        float *y[2], *rstd[2], *dx[2], *dg[2], *again[2];

        for (int j = 0; j < 2; j++) {
            y[j] = floats(n, 4, 1);
            rstd[j] = floats((size_t)m, 5, 1);
            dx[j] = floats(n, 6, 1);
            dg[j] = floats((size_t)c, 7, 1);
            again[j] = floats(n, 8, 1);
            both[j]->rmsnorm(y[j], rstd[j], x, g, 1e-5f, m, c);
            both[j]->rmsnorm_bwd(dx[j], dg[j], again[j], dy, x, g, rstd[j], m,
                                 c);
            assert_memory_equal(y[j], again[j], n * sizeof *x);
        }
        compare(y[0], y[1], n, 1e-6, fast, "norm");
        compare(rstd[0], rstd[1], (size_t)m, 1e-6, fast, "1 / rms");
        compare(dx[0], dx[1], n, 1e-6, fast, "norm dx");
        compare(dg[0], dg[1], (size_t)c, 1e-6, fast, "norm dg");
        for (int j = 0; j < 2; j++)
            free(again[j]);
        free(x);
        free(g);
        free(dy);
    }
}

static void norms(void **state)
{
    (void)state;
    on_every_backend(check_norms);
}

static void check_swiglu(const struct backend *fast,
                         const struct backend *plain)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t m = rows[i].m, f = rows[i].c;
        size_t n = (size_t)(m * f);
        float *gu = floats(2 * n, 1, 4), *dact = floats(n, 2, 1);
        const struct backend *both[] = {fast, plain};
        float *act[2], *again[2], *dgu[2];

        gu[0] = -200; /* exp(200) does not fit a float */
        gu[1] = 200;
        for (int j = 0; j < 2; j++) {
            act[j] = floats(n, 3, 1);
            again[j] = floats(n, 4, 1);
            dgu[j] = floats(2 * n, 5, 1);
            both[j]->swiglu(act[j], gu, m, f);
            both[j]->swiglu_bwd(dgu[j], again[j], dact, gu, m, f);
            assert_memory_equal(act[j], again[j], n * sizeof *gu);
            free(again[j]);
        }
        compare(act[0], act[1], n, 1e-6, fast, "swiglu");
        compare(dgu[0], dgu[1], 2 * n, 1e-6, fast, "swiglu backward");
        free(gu);
        free(dact);
    }
}

static void swiglus(void **state)
{
    (void)state;
    on_every_backend(check_swiglu);
}

static void check_xent(const struct backend *fast, const struct backend *plain)
{
    static const int64_t vocab[] = {1, 2, 15, 16, 31, 64, 129, 1003, 4096};

    for (size_t i = 0; i < ARRAY_LEN(vocab); i++) {
        int64_t m = 5, v = vocab[i];
        size_t n = (size_t)(m * v);
        int32_t target[5];
        const struct backend *both[] = {fast, plain};
        float *z[2], *spoilt;
        double nats[2] = {1, 1}, loss = 1;

        for (size_t j = 0; j < 5; j++)
            target[j] = (int32_t)rng_below(3, RNG_TEST, j, (uint64_t)v);
        for (int j = 0; j < 2; j++) {
            z[j] = floats(n, 1, 5);
            z[j][0] = 300; /* exp overflows unless the largest is taken off */
            both[j]->xent(&nats[j], z[j], target, m, v, 0.25f);
        }
        spoilt = floats(n, 1, 5);
        spoilt[0] = 300;
        fast->xent_loss(&loss, spoilt, target, m, v);
        assert_true(loss == nats[0]);
        assert_true(fabs(nats[0] - nats[1]) < 1e-6 * fabs(nats[1]));
        compare(z[0], z[1], n, 1e-6, fast, "cross entropy");
        free(spoilt);
    }
}

static void cross_entropy(void **state)
{
    (void)state;
    on_every_backend(check_xent);
}

static void check_embedding(const struct backend *fast,
                            const struct backend *plain)
{
    enum { M = 6, V = 9, C = 40 };
    static const int32_t token[M] = {3, 8, 3, 0, 3, 8};
    const struct backend *both[] = {fast, plain};
    float *x[2], *d[2], *table = floats(V * C, 1, 1);

    for (int j = 0; j < 2; j++) {
        x[j] = floats(M * C, 2, 1);
        d[j] = floats(V * C, 3, 1);
        both[j]->embed(x[j], table, token, M, C);
        assert_memory_equal(x[j] + C, table + 8 * C, C * sizeof **x);
        both[j]->embed_bwd(d[j], x[j], token, M, C);
    }
    compare(x[0], x[1], M * C, 0, fast, "embedding");
    compare(d[0], d[1], V * C, 1e-6, fast, "embedding gradient");
    free(table);
}

static void embeddings(void **state)
{
    (void)state;
    on_every_backend(check_embedding);
}

/* ---------------------------------------------------- vector functions */

static void exp2_is_within_one_unit_in_the_last_place(void **state)
{
    double worst = 0;

    (void)state;
    for (size_t i = 0; i < 400000; i++) {
        float x = (float)(rng_uniform(1, RNG_TEST, i) * 253.9 - 126);
        double want = exp2((double)x);
        float got = vexp2(vset(x))[0], up = nextafterf(got, INFINITY);
        double ulp = (double)up - (double)got;

        worst = fmax(worst, fabs((double)got - want) / ulp);
    }
    print_message("largest error %.3f ulp\n", worst);
    assert_true(worst <= 1);
    assert_true(vexp2(vset(0))[0] == 1);
    assert_true(vexp2(vset(-130))[0] == 0);
    assert_true(vexp2(vset(-1e30f))[0] == 0);
    assert_true(isnan(vexp2(vset(NAN))[0]) != 0);
}

static void fused_multiply_add_is_fused(void **state)
{
    /* clang-format off */
    static const float hard[][3] = {
        {1 + 0x1p-12f, 1 + 0x1p-12f, -1},   /* low bits of the product */
        {1 + 0x1p-23f, 1 - 0x1p-23f, 0x1p-60f}, /* just above a tie */
        {1 + 0x1p-23f, 1 - 0x1p-23f, -0x1p-60f},
        {0x1p-100f, 0x1p-40f, 0x1p-140f},   /* denormal result */
        {0x1p100f, 0x1p100f, -1},           /* infinite */
        {0, -1, 0}, {3, 5, -15},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < 200000; i++) {
        float x[3], got, want;

        for (uint64_t j = 0; j < 3; j++) {
            uint64_t r = rng_u64(7, RNG_TEST, 3 * i + j);

            x[j] =
                ldexpf((float)(r >> 40) * 0x1p-24f - 0.5f, (int)(r & 63) - 32);
            if (i < ARRAY_LEN(hard))
                x[j] = hard[i][j];
        }
        got = vfma(vset(x[0]), vset(x[1]), vset(x[2]))[0];
        want = fmaf(x[0], x[1], x[2]);
        if (memcmp(&got, &want, sizeof got))
            fail_msg("%a * %a + %a = %a, not %a", (double)x[0], (double)x[1],
                     (double)x[2], (double)want, (double)got);
    }
}

static void bf16_rounds_to_even(void **state)
{
    static const float hard[] = {
        0,           -0.0f,           1,
        1 + 0x1p-8f, 1 + 3 * 0x1p-8f, 1 + 0x1p-8f + 0x1p-20f,
        0x1p-140f,   3.3e38f,         -3.3e38f,
        INFINITY};

    (void)state;
    for (size_t i = 0; i < 100000 + ARRAY_LEN(hard); i++) {
        float x, got, want;
        uint32_t bits = (uint32_t)rng_u64(5, RNG_TEST, i);

        memcpy(&x, &bits, sizeof x);
        if (i < ARRAY_LEN(hard))
            x = hard[i];
        got = vbf16(vset(x))[0];
        want = bf16_round(x);
        if (x == x ? memcmp(&got, &want, sizeof got) != 0 : got == got)
            fail_msg("%a rounds to %a, not %a", (double)x, (double)want,
                     (double)got);
    }
    assert_true(vbf16(vset(1 + 0x1p-8f))[0] == 1);
    assert_true(vbf16(vset(1 + 3 * 0x1p-8f))[0] == 1 + 0x1p-6f);
}

static void transposition(void **state)
{
    vec x[VW];

    (void)state;
    for (int i = 0; i < VW; i++)
        for (int j = 0; j < VW; j++)
            x[i][j] = (float)(i * VW + j);
    vtranspose(x);
    for (int i = 0; i < VW; i++)
        for (int j = 0; j < VW; j++)
            assert_true(x[i][j] == (float)(j * VW + i));
}

/* The numbers of rng_normal, from any position on, to the last bit or one. */
static void check_normals(const struct backend *fast,
                          const struct backend *plain)
{
    static const struct {
        uint64_t at;
        size_t n;
    } part[] = {{0, 1}, {5, 777}, {(UINT64_C(1) << 32) - 300, 600}};
    const uint64_t seed = UINT64_C(0x123456789abcdef);

    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        size_t n = part[i].n;
        float *w[3];

        for (int j = 0; j < 3; j++)
            w[j] = floats(n, 1, 1);
        fast->normals(w[0], seed, part[i].at, 0.02, n);
        plain->normals(w[1], seed, part[i].at, 0.02, n);
        backend_portable.normals(w[2], seed, part[i].at, 0.02, n);
        assert_memory_equal(w[0], w[2], n * sizeof *w[0]);
        for (size_t k = 0; k < n; k++)
            assert_true(fabsf(w[0][k] - w[1][k]) <= 1.2e-7f * fabsf(w[1][k]));
        assert_true(w[0][n] == 77);
        for (int j = 0; j < 3; j++)
            free(w[j]);
    }
}

static void initial_weights(void **state)
{
    (void)state;
    on_every_backend(check_normals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_layers),
        cmocka_unit_test(linear_layers_in_parts),
        cmocka_unit_test(attention_both_ways),
        cmocka_unit_test(initial_weights),
        cmocka_unit_test(attention_of_extreme_scores),
        cmocka_unit_test(norms),
        cmocka_unit_test(swiglus),
        cmocka_unit_test(cross_entropy),
        cmocka_unit_test(embeddings),
        cmocka_unit_test(exp2_is_within_one_unit_in_the_last_place),
        cmocka_unit_test(fused_multiply_add_is_fused),
        cmocka_unit_test(bf16_rounds_to_even),
        cmocka_unit_test(transposition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
