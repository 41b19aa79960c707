/* gpu_model: predictions that must hold whatever the efficiencies are. */
#include "sweep/flops.h"
#include "sweep/gpu_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* DeepSeek LLM 7B, Table 2. */
static struct run_spec seven_billion(void)
{
    struct run_spec s;

    spec_defaults(&s);
    s.dtype = DTYPE_BF16;
    s.model.vocab = 102400;
    s.model.seq_len = 4096;
    s.model.d_model = 4096;
    s.model.n_layer = 30;
    s.model.n_head = s.model.n_kv_head = 32;
    s.model.d_ff = 11008;
    s.batch_tokens = 2304 * 4096;
    s.steps = 1000;
    return s;
}

static const struct gpu_chip *chip(const char *name)
{
    const struct gpu_chip *c = NULL;

    assert_int_equal(gpu_chip_find(&c, name, NULL), 0);
    return c;
}

static void seven_billion_fit_on_eight(void **state)
{
    struct run_spec s = seven_billion();
    struct gpu_prediction p;
    struct err e;

    (void)state;
    assert_int_equal(gpu_predict(&p, chip("h100"), &s, 8, &e), 0);
    assert_true(p.bytes.total < 80e9 && p.bytes.total > 50e9);
    assert_true(p.micro_rows >= 1 && p.micros * p.micro_rows >= 2304 / 8);
    assert_true(p.mfu > 0.2 && p.mfu < GPU_EFF_GEMM);
    /* on one, weights and state alone are too much */
    assert_int_equal(gpu_predict(&p, chip("h100"), &s, 1, &e), -1);
    assert_int_equal(e.cls, ERR_ENV);
    assert_non_null(strstr(e.text, "one sequence needs"));
}

static void flops_are_the_models(void **state)
{
    struct run_spec s = seven_billion();
    struct gpu_kernel k[GPU_KERNELS];
    double flops = 0, tokens = 2 * 4096;
    struct model_count c;
    size_t n = gpu_kernels(k, &s, 2, 8, 0);

    (void)state;
    model_count(&c, &s.model);
    for (size_t i = 0; i < n; i++)
        flops += k[i].flops;
    /* more than the exact count: attention makes the scores again, twice, and
     * whole tiles at the diagonal */
    assert_true(flops > c.exact * tokens && flops < 1.15 * c.exact * tokens);
    n = gpu_kernels(k, &s, 2, 8, 1);
    for (size_t i = 0; i < n; i++)
        flops -= k[i].flops;
    /* a forward pass again of the body of all layers but one */
    assert_true(-flops > 0.25 * c.body * tokens &&
                -flops < 0.40 * (c.body + c.attention) * tokens);
}

static void more_gpus_are_faster_and_hold_less(void **state)
{
    struct run_spec s = seven_billion();
    struct gpu_prediction few, many;

    (void)state;
    assert_int_equal(gpu_predict(&few, chip("h200"), &s, 8, NULL), 0);
    assert_int_equal(gpu_predict(&many, chip("h200"), &s, 64, NULL), 0);
    assert_true(many.seconds < few.seconds / 6);
    assert_true(many.bytes.state < few.bytes.state);
    assert_true(many.communication > few.communication);
    assert_true(many.flops == few.flops);
}

static void what_cannot_be_is_refused(void **state)
{
    struct run_spec s = seven_billion();
    const struct gpu_chip *c;
    struct gpu_prediction p;
    struct err e;

    (void)state;
    assert_int_equal(gpu_chip_find(&c, "h101", &e), -1);
    assert_non_null(strstr(e.text, "a100, h100, h200 or b200"));
    assert_int_equal(gpu_predict(&p, chip("a100"), &s, 4096, &e), -1);
    assert_non_null(strstr(e.text, "at least one each"));
    s.model.d_ff = 11001;
    assert_int_equal(gpu_predict(&p, chip("a100"), &s, 8, &e), -1);
    assert_non_null(strstr(e.text, "multiples of 8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seven_billion_fit_on_eight),
        cmocka_unit_test(flops_are_the_models),
        cmocka_unit_test(more_gpus_are_faster_and_hold_less),
        cmocka_unit_test(what_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
