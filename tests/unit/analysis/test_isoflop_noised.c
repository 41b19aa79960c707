/* isoflop_noised: the observation of Porian et al. against the same written
 * again in Python, tests/golden/porian_noised.py, whose study and numbers these
 * are. */
#include "analysis/isoflop_fit.h"

#include "check.h"
#include "profiles.h"

static const struct {
    double flops, N, se; /* N 0: refused */
} golden[] = {
    {1e18, 61087605.1559961, 0.134475865000703},
    {4e18, 120612214.412852, 0.134475865000688},
    {1.6e19, 234288211.425601, 0.149588288634176},
    {6.4e19, 406028261.580634, 0.185359339061366},
    {2.56e20, 0, 0},
};
#define EXPONENT 0.46251966283596

static void make(struct points *p)
{
    points_init(p);
    for (int b = 0; b < 5; b++)
        for (int k = 0; k < 9; k++) {
            double C = golden[b].flops, best = 0.3 * pow(C, 0.45);
            double N = best * pow(1.5, k - 4 + (b == 4 ? 9 : 0.3 * b));
            struct point q;
            point_init(&q);
            q.col[POINT_BUDGET] = q.col[POINT_FLOPS] = C;
            q.col[POINT_N] = N;
            q.col[POINT_M] = 6 * N;
            q.col[POINT_D] = C / 6 / N;
            q.col[POINT_LOSS] = 1.8 + 400 / pow(N, 0.34) +
                                1000 / pow(C / 6 / N, 0.32) +
                                (b == 3 ? 0.004 * (k % 2) : 0);
            points_add(p, &q);
        }
}

static void agrees_with_python(void **state)
{
    struct isoflop_opts o;
    struct isoflop_fit f;
    struct points p;
    struct err e;

    (void)state;
    make(&p);
    isoflop_opts_default(&o);
    o.method = ISOFLOP_AKIMA;
    o.observation = ISOFLOP_NOISED;
    o.log_loss = 1;
    o.bootstrap = 0;
    ok(isoflop_fit(&f, &p, &o, &e));
    for (int b = 0; b < 5; b++) {
        const struct isoflop_budget *y = &f.budget[b];
        if (golden[b].N > 0) {
            assert_int_equal(y->ok, 1);
            near(y->N, golden[b].N, 1e-9);
            near(y->log_M_se, golden[b].se, 1e-9);
        } else {
            assert_int_equal(y->ok, 0);
            assert_int_equal(y->dir, -1);
            assert_non_null(strstr(y->refused, "noised curves"));
        }
    }
    near(f.N.exponent, EXPONENT, 1e-9);
    isoflop_fit_release(&f);
    points_release(&p);
}

/* Other seeds draw other noise, and the same seed the same. */
static void a_seed_decides(void **state)
{
    static const uint64_t seed[] = {1, 2, 1};
    double N[3];

    (void)state;
    for (int k = 0; k < 3; k++) {
        struct isoflop_opts o;
        struct isoflop_fit f;
        struct points p;
        struct err e;
        make(&p);
        isoflop_opts_default(&o);
        o.method = ISOFLOP_AKIMA;
        o.observation = ISOFLOP_NOISED;
        o.seed = seed[k];
        ok(isoflop_fit(&f, &p, &o, &e));
        N[k] = f.budget[3].log_M_se;
        isoflop_fit_release(&f);
        points_release(&p);
    }
    assert_true(N[0] != N[1] && N[0] == N[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_python),
        cmocka_unit_test(a_seed_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
