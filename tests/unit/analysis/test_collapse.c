/* Loss-curve collapse on curves that collapse by construction. */
#include "analysis/bootstrap.h"
#include "analysis/collapse.h"
#include "analysis/fit_json.h"
#include "base/rng.h"
#include "tests/unit/analysis/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define E 1.7

/* Sizes of compute C end at E + 40 C^-0.1; all go down z(x) = x^-0.3. */
static void add_size(struct series_set *t, double flops, int seeds,
                     double common, double own, double bend)
{
    struct err e;

    for (int k = 0; k < seeds; k++) {
        struct rng r = {(uint64_t)k + 7, RNG_BOOT, (uint64_t)(log(flops) * 64)};
        double end = 40 * pow(flops, -0.1);
        /* a seed is luckier or not all along, and noisy at each step */
        double luck = 1 + common * rng_next_normal(&r);
        char label[64], cell[64];
        snprintf(label, sizeof label, "%g/%d", flops, k);
        snprintf(cell, sizeof cell, "%g", flops);
        struct series *s = series_add(t, label, "", cell);
        s->flops = flops;
        for (int i = 1; i <= 400; i++) {
            double x = i / 400.0, z = pow(x, -0.3 - bend);
            ok(series_row(s, i, NAN,
                          E + end * luck * z * (1 + own * rng_next_normal(&r)),
                          &e));
        }
    }
}

static void test_collapses(void **state)
{
    struct collapse_options o;
    struct collapse_fit f;
    struct series_set t;
    struct fit_result r;
    struct err e;

    (void)state;
    series_init(&t);
    for (double C = 1e12; C < 2e15; C *= 10)
        add_size(&t, C, 5, 0.01, 0.002, 0);
    collapse_options_default(&o);
    ok(collapse_fit(&f, &t, &o, &e));
    assert_true(f.identified);
    assert_int_equal(f.n_cell, 4);
    between(f.L0, E - 0.25, E + 0.25);
    o.L0 = E;
    collapse_fit_release(&f);
    ok(collapse_fit(&f, &t, &o, &e));
    /* each run is scaled by its own luck, so the sizes lie closer together than
     * seeds do */
    assert_true(f.super);
    assert_true(f.scatter_rms < 0.002);
    between(f.noise_rms, 0.002, 0.008);
    for (int i = 8; i < COLLAPSE_GRID; i++)
        near(f.mean[i], pow((i + 0.5) / COLLAPSE_GRID, -0.3), 0.01);
    collapse_fit_result(&r, &f);
    assert_true(json_is_true(json_object_get(r.diagnostics, "supercollapse")));
    assert_int_equal(json_array_size(json_object_get(r.diagnostics, "curve")),
                     COLLAPSE_GRID);
    fit_result_release(&r);
    collapse_fit_release(&f);
    series_release(&t);
}

/* Draws of the sizes: all of them again say what the data say; others differ,
 * in both numbers, by every kind of interval. */
static void test_intervals(void **state)
{
    struct collapse_options o;
    struct collapse_fit f, g;
    struct series_set t;
    struct err e;
    char path[] = "/tmp/loglog-collapse-XXXXXX";
    int fd = mkstemp(path);
    FILE *out = fdopen(fd, "w");

    (void)state;
    series_init(&t);
    for (double C = 1e12; C < 2e17; C *= 10)
        add_size(&t, C, 3, 0.01, 0.002, 0);
    collapse_options_default(&o);
    o.bootstrap = 60;
    for (int kind = 0; kind < BOOT_KINDS; kind++) {
        o.interval = kind;
        ok(collapse_fit(&f, &t, &o, &e));
        assert_true(f.scatter_ci[0] < f.scatter_ci[1]);
        assert_true(f.noise_ci[0] < f.noise_ci[1]);
        assert_true(f.L0_ci[0] < f.L0_ci[1]);
        ok(collapse_fit(&g, &t, &o, &e));
        assert_memory_equal(f.scatter_ci, g.scatter_ci, sizeof f.scatter_ci);
        collapse_fit_release(&f);
        collapse_fit_release(&g);
    }
    o.interval = BOOT_PERCENTILE;
    fprintf(out, "0 1 2 3 4 5\n5 4 3 2 1 0\n");
    fflush(out);
    o.indices = path;
    ok(collapse_fit(&f, &t, &o, &e));
    for (int k = 0; k < 2; k++) {
        near(f.scatter_ci[k], f.scatter_rms, 1e-12);
        near(f.noise_ci[k], f.noise_rms, 1e-12);
        near(f.L0_ci[k], f.L0, 1e-6);
    }
    collapse_fit_release(&f);
    fprintf(out, "0 1 2 3 4 6\n");
    fclose(out);
    assert_int_equal(collapse_fit(&f, &t, &o, &e), -1);
    assert_non_null(strstr(e.text, ":3: index 6, expected 0 to 5"));
    unlink(path);
    series_release(&t);
}

/* A size that bends differently does not lie on the curve, and is named. */
static void test_odd(void **state)
{
    struct collapse_options o;
    struct collapse_fit f;
    struct series_set t;
    struct err e;
    int odd = 0;

    (void)state;
    series_init(&t);
    for (double C = 1e12; C < 2e17; C *= 10)
        add_size(&t, C, 2, 0.005, 0.001, C > 5e15 && C < 5e16 ? 0.1 : 0);
    collapse_options_default(&o);
    o.L0 = E;
    ok(collapse_fit(&f, &t, &o, &e));
    assert_false(f.super);
    for (size_t i = 0; i < f.n; i++) {
        odd += f.run[i].odd;
        assert_int_equal(f.run[i].odd, strncmp(f.run[i].cell, "1e+16", 5) == 0);
    }
    assert_int_equal(odd, 2);
    collapse_fit_release(&f);
    series_release(&t);
}

static void test_refuses(void **state)
{
    struct collapse_options o;
    struct collapse_fit f;
    struct series_set t;
    struct err e;

    (void)state;
    collapse_options_default(&o);
    series_init(&t);
    assert_int_equal(collapse_fit(&f, &t, &o, &e), -1);
    add_size(&t, 1e12, 1, 0, 0, 0);
    add_size(&t, 1e13, 1, 0, 0, 0);
    ok(collapse_fit(&f, &t, &o, &e));
    assert_false(f.identified);
    assert_non_null(strstr(f.refused, "needs 3"));
    collapse_fit_release(&f);
    add_size(&t, 1e14, 1, 0, 0, 0);
    o.L0 = 100;
    ok(collapse_fit(&f, &t, &o, &e));
    assert_non_null(strstr(f.refused, "not below"));
    collapse_fit_release(&f);
    t.s[0].flops = NAN;
    o.L0 = NAN;
    ok(collapse_fit(&f, &t, &o, &e));
    assert_non_null(strstr(f.refused, "no compute"));
    collapse_fit_release(&f);
    series_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collapses),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_odd),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
