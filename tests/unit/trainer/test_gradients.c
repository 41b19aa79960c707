/* gradients: every tensor of the model against finite differences of a loss
 * computed in double by an independent program (oracle.h), at shapes chosen
 * to be awkward, on every backend this CPU can run. */
#include "tests/unit/trainer/models.h"
#include "tests/unit/trainer/oracle.h"

/* clang-format off */
static const struct model_spec shapes[] = {
    /*          vocab T   C   L  H  Hkv F */
    MODEL_SPEC(    40, 24, 32, 2, 2, 2, 96), /* plain */
    MODEL_SPEC(    37, 21, 24, 2, 3, 3, 40), /* nothing divides 16 or 32 */
    MODEL_SPEC(    50, 40, 48, 1, 6, 2, 56), /* grouped queries, head of 8 */
    MODEL_SPEC(    19, 67, 64, 1, 2, 1, 24), /* head of 32, T over one block */
    MODEL_SPEC(     9,  7,  8, 3, 1, 1,  8), /* smallest */
    MODEL_SPEC(    33, 35, 64, 1, 1, 1, 72), /* head of 64 */
    MODEL_SPEC(    20, 33,128, 1, 1, 1, 16), /* head of 128 */
};
/* clang-format on */

/* The gradient of tensor p along the direction of its computed gradient and
 * along a random one, both ways. */
static void check_tensor(const struct param *p, const float *grad,
                         double *params, const struct param_table *tab,
                         const struct model_spec *s, const int32_t *tokens,
                         int64_t rows, const char *name, double tolerance)
{
    size_t n = (size_t)(p->rows * p->cols);
    double *old = malloc(n * sizeof *old), *dir = malloc(n * sizeof *dir);

    memcpy(old, params + p->offset, n * sizeof *old);
    for (int way = 0; way < 2; way++) {
        double norm = 0, want, got = 0, loss[2], size = 0, h = 1e-5;

        for (size_t i = 0; i < n; i++) {
            dir[i] = way ? rng_normal(9, RNG_TEST, i + p->offset)
                         : (double)grad[p->offset + i];
            norm += dir[i] * dir[i];
            size += (double)grad[p->offset + i] * (double)grad[p->offset + i];
        }
        if (norm == 0)
            fail_msg("%s: %s has no gradient", name, p->name);
        for (size_t i = 0; i < n; i++) {
            dir[i] /= sqrt(norm);
            got += dir[i] * (double)grad[p->offset + i];
        }
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++)
                params[p->offset + i] = old[i] + (side ? h : -h) * dir[i];
            loss[side] = 0;
            for (int64_t r = 0; r < rows; r++)
                loss[side] +=
                    oracle_loss(params, tab, s, tokens + r * (s->seq_len + 1));
        }
        want = (loss[1] - loss[0]) / (2 * h);
        if (!(fabs(got - want) <= tolerance * sqrt(size)))
            fail_msg("%s: %s, direction %d: gradient %.9g, difference %.9g",
                     name, p->name, way, got, want);
        memcpy(params + p->offset, old, n * sizeof *old);
    }
    free(old);
    free(dir);
}

static void check_shape(const struct model_spec *s, const struct backend *be)
{
    struct model *m = model_on(s, be);
    const struct param_table *tab = model_table(m);
    size_t size = model_size(m);
    int64_t rows = 2;
    int32_t *tokens = random_tokens(s, rows, 5);
    float *grad = calloc(size, sizeof *grad);
    double *params = malloc(size * sizeof *params), nats, want = 0;

    randomise(m, 3);
    for (size_t i = 0; i < size; i++)
        params[i] = (double)model_params(m)[i];
    model_grad(m, grad, &nats, tokens, rows, 1);
    for (int64_t r = 0; r < rows; r++)
        want += oracle_loss(params, tab, s, tokens + r * (s->seq_len + 1));
    if (!(fabs(nats - want) < 2e-6 * want))
        fail_msg("%s: loss %.9g, oracle %.9g", be->name, nats, want);
    for (int i = 0; i < tab->n; i++)
        check_tensor(&tab->param[i], grad, params, tab, s, tokens, rows,
                     be->name, 2e-5);
    free(grad);
    free(params);
    free(tokens);
    model_destroy(m);
}

static void every_gradient_agrees_with_differences(void **state)
{
    (void)state;
    for (const struct backend *const *b = backend_list; *b; b++) {
        if ((*b)->bf16 || !(*b)->usable())
            continue;
        for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
            check_shape(&shapes[i], *b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gradient_agrees_with_differences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
