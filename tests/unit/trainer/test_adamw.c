/* adamw: the update and the gradient norm against a few lines in double, on
 * every backend, and the same bits for any way of splitting the block. */
#include "tests/unit/trainer/models.h"

#include "trainer/adamw.h"

static const struct model_spec spec = MODEL_SPEC(300, 8, 48, 2, 3, 3, 40);
static const struct optim_spec optim = {
    .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};

struct block {
    struct param_table table;
    float *p, *m, *v, *g;
};

static void block_init(struct block *b)
{
    params_init(&b->table, &spec);
    b->p = calloc(b->table.size, sizeof *b->p);
    b->m = calloc(b->table.size, sizeof *b->m);
    b->v = calloc(b->table.size, sizeof *b->v);
    b->g = calloc(b->table.size, sizeof *b->g);
    for (size_t i = 0; i < b->table.size; i++)
        b->p[i] = (float)rng_normal(1, RNG_TEST, i);
}

static void block_release(struct block *b)
{
    params_release(&b->table);
    free(b->p);
    free(b->m);
    free(b->v);
    free(b->g);
}

static void fill_gradient(struct block *b, int64_t t)
{
    for (size_t i = 0; i < b->table.size; i++)
        b->g[i] = (float)rng_normal((uint64_t)t + 5, RNG_TEST, i);
}

static int decays(const struct param_table *t, size_t i)
{
    int k = t->n - 1;

    while (t->param[k].offset > i)
        k--;
    return t->param[k].kind == PARAM_MATRIX;
}

/* Loshchilov and Hutter, algorithm 2, one float. */
static void oracle(double *p, double *m, double *v, double g, double lr,
                   double decay, int64_t t)
{
    double mh, vh;

    *m = 0.9 * *m + 0.1 * g;
    *v = 0.95 * *v + 0.05 * g * g;
    mh = *m / (1 - pow(0.9, (double)t));
    vh = *v / (1 - pow(0.95, (double)t));
    *p -= lr * (mh / (sqrt(vh) + 1e-8) + decay * *p);
}

static void use(const char *backend)
{
    setenv("LOGLOG_BACKEND", backend, 1);
    assert_string_equal(backend_pick(DTYPE_FP32)->name, backend);
}

static void follows_the_oracle_on(const char *backend)
{
    struct block b;
    double *p, *m, *v;

    use(backend);
    block_init(&b);
    p = calloc(3 * b.table.size, sizeof *p);
    m = p + b.table.size;
    v = m + b.table.size;
    for (size_t i = 0; i < b.table.size; i++)
        p[i] = (double)b.p[i];
    for (int64_t t = 1; t <= 20; t++) {
        double lr = 0.01 / (double)t, scale = t % 2 ? 1 : 0.25;

        fill_gradient(&b, t);
        adamw_update(b.p, b.m, b.v, b.g, &b.table, &optim, lr, scale, t, 0,
                     b.table.size);
        for (size_t i = 0; i < b.table.size; i++)
            oracle(&p[i], &m[i], &v[i], scale * (double)b.g[i], lr,
                   decays(&b.table, i) ? 0.1 : 0, t);
    }
    for (size_t i = 0; i < b.table.size; i++)
        if (fabs((double)b.p[i] - p[i]) > 3e-6)
            fail_msg("%s: %zu: %.9g, oracle %.9g", backend, i, (double)b.p[i],
                     p[i]);
    free(p);
    block_release(&b);
}

static void update_follows_an_oracle(void **state)
{
    (void)state;
    for (const struct backend *const *be = backend_list; *be; be++)
        if (!(*be)->bf16 && (*be)->usable())
            follows_the_oracle_on((*be)->name);
    unsetenv("LOGLOG_BACKEND");
}

static void any_split_of_the_block_gives_the_same_bits(void **state)
{
    struct block whole, parts;
    size_t cut[] = {0, 4096, 4096 * 3, 4096 * 4, 0};

    (void)state;
    block_init(&whole);
    block_init(&parts);
    cut[4] = whole.table.size;
    assert_true(cut[3] < cut[4]);
    for (int64_t t = 1; t <= 3; t++) {
        fill_gradient(&whole, t);
        fill_gradient(&parts, t);
        adamw_update(whole.p, whole.m, whole.v, whole.g, &whole.table, &optim,
                     0.01, 0.5, t, 0, whole.table.size);
        for (int i = 3; i >= 0; i--)
            adamw_update(parts.p, parts.m, parts.v, parts.g, &parts.table,
                         &optim, 0.01, 0.5, t, cut[i], cut[i + 1]);
    }
    assert_memory_equal(whole.p, parts.p, whole.table.size * sizeof *whole.p);
    block_release(&whole);
    block_release(&parts);
}

static void block_norms_are_sums_of_squares(void **state)
{
    static const size_t lengths[] = {1, 15, 16, 63, 64, 4096, 4097, 10001};

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(lengths); k++) {
        size_t n = lengths[k], blocks = (n + ADAMW_BLOCK - 1) / ADAMW_BLOCK;
        float *g = malloc(n * sizeof *g);
        double sum[3] = {0}, again[3] = {0}, want = 0, got = 0;

        for (size_t i = 0; i < n; i++) {
            g[i] = (float)rng_normal(3, RNG_TEST, i);
            want += (double)g[i] * (double)g[i];
        }
        grad_block_norms(sum, g, n, 0, blocks);
        for (size_t b = 0; b < blocks; b++) {
            got += sum[b];
            grad_block_norms(again, g, n, b, b + 1);
        }
        assert_true(fabs(got - want) < 1e-5 * want);
        assert_memory_equal(sum, again, sizeof sum);
        free(g);
    }
}

static void a_gradient_that_is_not_finite_shows_in_the_norm(void **state)
{
    float g[100] = {0};
    double sum;

    (void)state;
    g[77] = NAN;
    grad_block_norms(&sum, g, 100, 0, 1);
    assert_true(isnan(sum) != 0);
    g[77] = INFINITY;
    grad_block_norms(&sum, g, 100, 0, 1);
    assert_true(!isfinite(sum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(update_follows_an_oracle),
        cmocka_unit_test(any_split_of_the_block_gives_the_same_bits),
        cmocka_unit_test(block_norms_are_sums_of_squares),
        cmocka_unit_test(a_gradient_that_is_not_finite_shows_in_the_norm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
