/* The shape rule is smooth, whole and inverts to the nearest member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sweep/flops.h"
#include "sweep/shape.h"

#include <math.h>

static const struct shape_rule rules[] = {
    {.head_dim = 16,
     .aspect = 24,
     .ff_multiple = 16,
     .kv_group = 1,
     .max_d_model = 4096},
    {.head_dim = 4,
     .aspect = 8,
     .ff_multiple = 1,
     .kv_group = 1,
     .max_d_model = 512},
    {.head_dim = 32,
     .aspect = 32,
     .ff_multiple = 32,
     .kv_group = 4,
     .max_d_model = 8192},
    {.head_dim = 128,
     .aspect = 100,
     .ff_multiple = 256,
     .kv_group = 8,
     .max_d_model = 16384},
    {.head_dim = 12,
     .aspect = 30,
     .ff_multiple = 8,
     .kv_group = 1,
     .max_d_model = 1000},
};

static double M_of(const struct model_spec *m)
{
    struct model_count c;

    model_count(&c, m);
    return c.M;
}

static struct model_spec base(void)
{
    struct run_spec s;

    spec_defaults(&s);
    return s.model;
}

static void every_width_is_a_possible_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct shape_rule *r = &rules[i];
        struct run_spec s;
        double last = 0;

        spec_defaults(&s);
        s.optim.lr = 1;
        s.batch_tokens = s.model.seq_len;
        s.steps = 1;
        for (int64_t d = shape_unit(r); d; d = shape_next(r, d, 1)) {
            const struct model_spec *m = &s.model;
            struct err e;
            double layers = (double)d / r->aspect;
            shape_for_width(&s.model, r, d);
            if (spec_check(&s, &e))
                fail_msg("%s", e.text);
            assert_int_equal(m->d_model, d);
            assert_int_equal(d % 8, 0);
            assert_int_equal(m->n_head * r->head_dim, d);
            assert_int_equal(m->n_kv_head * r->kv_group, m->n_head);
            assert_true(m->n_layer == 1 ||
                        fabs((double)m->n_layer - layers) <= 0.5);
            assert_int_equal(m->d_ff % r->ff_multiple, 0);
            assert_true(3 * m->d_ff >= 8 * d);
            assert_true(3 * (m->d_ff - r->ff_multiple) < 8 * d);
            assert_true(M_of(m) > last);
            last = M_of(m);
        }
    }
}

/* 8/3 d_model rounded up, as in the released 7B and 67B. */
static void d_ff_of_the_released_models(void **state)
{
    static const struct shape_rule r = {.head_dim = 128,
                                        .aspect = 100,
                                        .ff_multiple = 256,
                                        .kv_group = 1,
                                        .max_d_model = 16384};
    struct model_spec m = base();

    (void)state;
    shape_for_width(&m, &r, 4096);
    assert_int_equal(m.d_ff, 11008);
    assert_int_equal(m.n_head, 32);
    shape_for_width(&m, &r, 8192);
    assert_int_equal(m.d_ff, 22016);
}

static void the_nearest_size_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct shape_rule *r = &rules[i];
        for (double M = 1e3; M < 1e14; M *= 1.37) {
            struct model_spec m = base(), t = base();
            double best = INFINITY;
            shape_for_M(&m, r, M);
            for (int64_t d = shape_unit(r); d; d = shape_next(r, d, 1)) {
                shape_for_width(&t, r, d);
                best = fmin(best, fabs(log(M_of(&t) / M)));
            }
            assert_true(fabs(log(M_of(&m) / M)) <= best + 1e-12);
        }
    }
}

static void widths_end_at_both_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct shape_rule *r = &rules[i];
        int64_t unit = shape_unit(r), last = r->max_d_model / unit * unit;
        assert_int_equal(shape_next(r, unit, -1), 0);
        assert_int_equal(shape_next(r, unit, 1), 2 * unit);
        assert_int_equal(shape_next(r, last, 1), 0);
        assert_int_equal(shape_next(r, last, -1), last - unit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_width_is_a_possible_model),
        cmocka_unit_test(d_ff_of_the_released_models),
        cmocka_unit_test(the_nearest_size_is_found),
        cmocka_unit_test(widths_end_at_both_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
