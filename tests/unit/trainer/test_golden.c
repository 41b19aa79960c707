/* golden: loss, logits, gradients and ten training steps of two small models
 * against PyTorch in double (tests/golden/make_golden.py), on every backend
 * this CPU can run. */
#include "tests/unit/trainer/models.h"

#include "tests/golden/golden.h"
#include "trainer/adamw.h"

struct golden {
    const long *shape;
    const double *nats, *last;
    const double (*grad)[4];
    const double *losses, *norms;
    const double (*after)[2];
    size_t tensors;
};

#define GOLDEN(K)                                                              \
    {                                                                          \
        golden##K##_shape, golden##K##_nats, golden##K##_last,                 \
            golden##K##_grad, golden##K##_losses, golden##K##_norms,           \
            golden##K##_after, ARRAY_LEN(golden##K##_grad)                     \
    }

static const struct golden golden[] = {GOLDEN(0), GOLDEN(1)};

/* The same hash as make_golden.py. */
static double hash01(uint64_t i, uint32_t salt)
{
    uint32_t x = (uint32_t)(i * 2654435761u + salt * 40503u);

    x ^= x >> 15;
    x *= 2246822519u;
    return (double)(x >> 8) / (1 << 24);
}

static struct model *make(const struct golden *g, const struct backend *be)
{
    const long *s = g->shape;
    const struct model_spec spec =
        MODEL_SPEC(s[0], s[1], s[2], s[3], s[4], s[5], s[6]);
    struct model *m = model_on(&spec, be);
    const struct param_table *t = model_table(m);

    assert_int_equal(t->n, g->tensors);
    for (int i = 0; i < t->n; i++) {
        const struct param *p = &t->param[i];

        for (size_t j = 0; j < (size_t)(p->rows * p->cols); j++) {
            double x = hash01(p->offset + j, 1) - 0.5;

            x = p->kind == PARAM_NORM        ? 1 + 0.5 * x
                : p->kind == PARAM_EMBEDDING ? 2 * x
                                             : x * 2 / sqrt((double)p->cols);
            model_params(m)[p->offset + j] = (float)x;
        }
    }
    model_refresh(m);
    return m;
}

static int32_t *tokens_of(const struct golden *g, int step)
{
    size_t n = (size_t)(GOLDEN_ROWS * (g->shape[1] + 1));
    int32_t *t = malloc(n * sizeof *t);

    for (size_t i = 0; i < n; i++)
        t[i] = (int32_t)(hash01((size_t)step * n + i, 2) * (double)g->shape[0]);
    return t;
}

static void near_to(double got, double want, double tolerance,
                    const char *backend, const char *what, int i)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s: %s %d: %.9g, PyTorch %.9g", backend, what, i, got, want);
}

/* One row's loss, and its last position's log softmax by trying every token
 * as the last target. */
static void check_forward(const struct golden *g, struct model *m, double tol)
{
    const char *name = model_backend(m)->name;
    int32_t *t = tokens_of(g, 0);
    double nats[GOLDEN_ROWS], base, one;
    int32_t last = t[g->shape[1]];

    model_eval(m, nats, t, GOLDEN_ROWS);
    for (int r = 0; r < GOLDEN_ROWS; r++)
        near_to(nats[r], g->nats[r], tol * g->nats[r], name, "loss of row", r);
    base = nats[0] + g->last[last];
    for (int32_t v = 0; v < g->shape[0]; v++) {
        t[g->shape[1]] = v;
        model_eval(m, &one, t, 1);
        near_to(base - one, g->last[v], 20 * tol, name, "log softmax", v);
    }
    free(t);
}

static void check_gradient(const struct golden *g, struct model *m, double tol)
{
    const char *name = model_backend(m)->name;
    const struct param_table *t = model_table(m);
    float *grad = calloc(model_size(m), sizeof *grad);
    int32_t *tokens = tokens_of(g, 0);
    double nats;

    model_grad(m, grad, &nats, tokens, GOLDEN_ROWS, 1);
    for (int i = 0; i < t->n; i++) {
        const float *d = grad + t->param[i].offset;
        size_t n = (size_t)(t->param[i].rows * t->param[i].cols);
        double norm = 0, want = g->grad[i][0];

        for (size_t j = 0; j < n; j++)
            norm += (double)d[j] * (double)d[j];
        near_to(sqrt(norm), want, tol * want, name, "gradient norm", i);
        near_to((double)d[0], g->grad[i][1], tol * want, name, "first", i);
        near_to((double)d[n / 2], g->grad[i][2], tol * want, name, "middle", i);
        near_to((double)d[n - 1], g->grad[i][3], tol * want, name, "last", i);
    }
    free(grad);
    free(tokens);
}

/* The schedule of make_golden.py. */
static double lr_of(int step)
{
    double warm = step < 3 ? step / 3.0 : 1;

    return GOLDEN_LR * warm * (step > 9 ? 0.1 : step > 8 ? 0.316 : 1);
}

static double norm_of(const float *grad, size_t n)
{
    size_t blocks = (n + ADAMW_BLOCK - 1) / ADAMW_BLOCK;
    double *sum = malloc(blocks * sizeof *sum), total = 0;

    grad_block_norms(sum, grad, n, 0, blocks);
    for (size_t b = 0; b < blocks; b++)
        total += sum[b];
    free(sum);
    return sqrt(total);
}

static void check_training(const struct golden *g, struct model *m, double tol)
{
    const struct optim_spec o = {.beta1 = GOLDEN_BETA1,
                                 .beta2 = GOLDEN_BETA2,
                                 .eps = GOLDEN_EPS,
                                 .weight_decay = GOLDEN_DECAY};
    const char *name = model_backend(m)->name;
    const struct param_table *t = model_table(m);
    size_t n = model_size(m);
    float *grad = calloc(n, sizeof *grad), *mo = calloc(n, sizeof *mo);
    float *ve = calloc(n, sizeof *ve);
    double targets = (double)(GOLDEN_ROWS * g->shape[1]);

    for (int step = 1; step <= GOLDEN_STEPS; step++) {
        int32_t *tokens = tokens_of(g, step);
        double nats, norm, scale;

        memset(grad, 0, n * sizeof *grad);
        model_grad(m, grad, &nats, tokens, GOLDEN_ROWS, (float)(1 / targets));
        norm = norm_of(grad, n);
        near_to(nats / targets, g->losses[step - 1], tol * nats / targets, name,
                "loss of step", step);
        near_to(norm, g->norms[step - 1], 10 * tol * norm, name,
                "gradient norm of step", step);
        scale = GOLDEN_CLIP / (norm + 1e-6);
        adamw_update(model_params(m), mo, ve, grad, t, &o, lr_of(step),
                     scale < 1 ? scale : 1, step, 0, n);
        model_refresh(m);
        free(tokens);
    }
    for (int i = 0; i < t->n; i++) {
        const float *p = model_params(m) + t->param[i].offset;
        double norm = 0;

        for (int64_t j = 0; j < t->param[i].rows * t->param[i].cols; j++)
            norm += (double)p[j] * (double)p[j];
        near_to(sqrt(norm), g->after[i][0], tol * g->after[i][0], name,
                "norm of tensor after training", i);
        near_to((double)p[0], g->after[i][1], 50 * tol, name,
                "first element after training", i);
    }
    free(grad);
    free(mo);
    free(ve);
}

static void on_every_backend(void (*check)(const struct golden *,
                                           struct model *, double))
{
    for (const struct backend *const *b = backend_list; *b; b++)
        for (size_t i = 0; (*b)->usable() && i < ARRAY_LEN(golden); i++) {
            struct model *m = make(&golden[i], *b);

            check(&golden[i], m, (*b)->bf16 ? 2e-2 : 3e-6);
            model_destroy(m);
        }
}

static void losses_and_logits_are_pytorchs(void **state)
{
    (void)state;
    on_every_backend(check_forward);
}

static void gradients_are_pytorchs(void **state)
{
    (void)state;
    on_every_backend(check_gradient);
}

static void ten_steps_of_training_are_pytorchs(void **state)
{
    (void)state;
    on_every_backend(check_training);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_and_logits_are_pytorchs),
        cmocka_unit_test(gradients_are_pytorchs),
        cmocka_unit_test(ten_steps_of_training_are_pytorchs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
