/* params: the table of a model's tensors. */
#include "tests/unit/trainer/models.h"

static const struct model_spec spec = MODEL_SPEC(37, 16, 24, 3, 3, 1, 40);

static void tensors_do_not_overlap_and_start_on_lines(void **state)
{
    struct param_table t;
    size_t at = 0;

    (void)state;
    params_init(&t, &spec);
    assert_int_equal(t.n, 3 + 6 * 3);
    for (int i = 0; i < t.n; i++) {
        assert_int_equal(t.param[i].offset % 16, 0);
        assert_true(t.param[i].offset >= at);
        assert_true(t.param[i].offset < at + 16);
        at = t.param[i].offset + (size_t)(t.param[i].rows * t.param[i].cols);
    }
    assert_true(t.size >= at && t.size < at + 16 && t.size % 16 == 0);
    params_release(&t);
    assert_null(t.param);
}

static void shapes_are_those_of_the_equations(void **state)
{
    /* clang-format off */
    static const struct { const char *name; int kind; long rows, cols; }
    want[] = {
        {"embed", PARAM_EMBEDDING, 37, 24},
        {"layer0.norm1", PARAM_NORM, 1, 24},
        {"layer0.wqkv", PARAM_MATRIX, 3 * 8 + 2 * 8, 24},
        {"layer0.wo", PARAM_MATRIX, 24, 24},
        {"layer0.norm2", PARAM_NORM, 1, 24},
        {"layer0.wgu", PARAM_MATRIX, 80, 24},
        {"layer0.wdown", PARAM_MATRIX, 24, 40},
        {"layer1.norm1", PARAM_NORM, 1, 24},
    };
    /* clang-format on */
    struct param_table t;

    (void)state;
    params_init(&t, &spec);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_string_equal(t.param[i].name, want[i].name);
        assert_int_equal(t.param[i].kind, want[i].kind);
        assert_int_equal(t.param[i].rows, want[i].rows);
        assert_int_equal(t.param[i].cols, want[i].cols);
    }
    assert_string_equal(t.param[t.n - 2].name, "norm");
    assert_string_equal(t.param[t.n - 1].name, "head");
    assert_int_equal(t.param[t.n - 1].rows, 37);
    params_release(&t);
}

static void only_matrices_decay(void **state)
{
    struct param_table t;
    int matrices = 0;

    (void)state;
    params_init(&t, &spec);
    for (int i = 0; i < t.n; i++) {
        assert_int_equal(t.param[i].decay, t.param[i].kind == PARAM_MATRIX);
        matrices += t.param[i].decay;
    }
    assert_int_equal(matrices, 4 * 3 + 1);
    params_release(&t);
}

static void depth_scales_output_projections_alone(void **state)
{
    struct model_spec deep = spec;
    struct param_table t;

    (void)state;
    deep.init_depth = 1;
    params_init(&t, &deep);
    for (int i = 0; i < t.n; i++) {
        const struct param *p = &t.param[i];
        int out = strstr(p->name, ".wo") || strstr(p->name, ".wdown");
        double std = p->kind == PARAM_NORM ? 0 : out ? 0.02 / sqrt(6.0) : 0.02;

        assert_true(fabs((double)p->init_std - std) < 1e-8);
    }
    params_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_do_not_overlap_and_start_on_lines),
        cmocka_unit_test(shapes_are_those_of_the_equations),
        cmocka_unit_test(only_matrices_decay),
        cmocka_unit_test(depth_scales_output_projections_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
