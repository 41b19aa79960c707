/* Step Law's dense grid (step-law/steplaw, data/dense_lr_bs_loss.csv; arXiv
 * 2503.04715), where it is there as LOGLOG_PUBLISHED/steplaw/, and a grid made
 * by its published surface, always. */
#include "analysis/hyper_fit.h"

#include "check.h"
#include "published_set.h"
#include "table_row.h"

static void step_law(void **state)
{
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;

    (void)state;
    read_set(&p, "steplaw/dense_lr_bs_loss.csv",
             "n=N, d=D, m=6*(4*h+3*ffnh+2*2048)*numl*h, flops=m*d, lr=lr, "
             "batch=bs*2048, loss=`smooth loss`",
             NULL);
    hyper_opts_default(&o);
    o.bootstrap = 400;
    o.optimum = HYPER_POOLED;
    ok(hyper_fit(&f, &p, &o, &e));
    table_row("Step Law", "near-optimal points", 129, f.lr.n_point);
    table_row("Step Law", "lr: exponent of C", -0.0750, f.lr.exponent);
    table_row("Step Law", "batch: exponent of C", 0.3723, f.batch.exponent);
    table_row("Step Law", "lr: exponent of N", -0.766, f.lr_nd.n);
    table_row("Step Law", "lr: exponent of D", 0.197, f.lr_nd.d);
    table_row("Step Law", "batch: exponent of D", 0.6125, f.batch_d.d);
    table_row("Step Law", "lr: factor of C", 0.0725, f.lr.coef);
    table_row("Step Law", "batch: factor of C", 0.0212, f.batch.coef);
    table_row("Step Law", "lr: factor of N, D", 77.7, f.lr_nd.coef);
    table_row("Step Law", "batch: factor of D", 0.2085, f.batch_d.coef);
    assert_int_equal(f.lr.n_point, 129);
    assert_false(f.lr.identified); /* -0.27 to +0.16 */
    within(f.lr.exponent, -0.0750, 1e-3);
    within(f.batch.exponent, 0.3723, 1e-3);
    near(f.lr.coef, 0.0725, 0.02);
    near(f.batch.coef, 0.0212, 0.02);
    assert_true(f.lr_nd.ok && f.batch_d.ok);
    within(f.lr_nd.n, -0.766, 2e-3);
    within(f.lr_nd.d, 0.197, 2e-3);
    within(f.batch_d.d, 0.6125, 1e-3);
    near(f.lr_nd.coef, 77.7, 0.02);
    near(f.batch_d.coef, 0.2085, 0.02);
    assert_true(f.score[HYPER_FORM_ND].mean < f.score[HYPER_FORM_PAPER].mean);
    hyper_fit_release(&f);
    points_release(&p);
}

/* Step Law's own surface on its own kind of grid: sqrt 2 in lr, 2 in batch. */
static void step_law_stand_in(void **state)
{
    struct hyper_opts o;
    struct hyper_fit f;
    struct points p;
    struct err e;

    (void)state;
    points_init(&p);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 4; j++) {
            double N = 2.15e8 * pow(1.5, i), D = 4e9 * pow(2.9, j);
            double lr0 = 1.79 * pow(N, -0.713) * pow(D, 0.307);
            double b0 = 0.58 * pow(D, 0.571);
            for (int a = 0; a < 14; a++)
                for (int k = 0; k < 8; k++) {
                    struct point r;
                    double lr = 2.44e-4 * pow(2, a / 2.0);
                    double batch = 2048 * 16.0 * pow(2, k);
                    double x = log(lr / lr0), y = log(batch / b0);
                    point_init(&r);
                    r.col[POINT_N] = N;
                    r.col[POINT_D] = D;
                    r.col[POINT_LR] = lr;
                    r.col[POINT_BATCH] = batch;
                    r.col[POINT_LOSS] =
                        (1.8 + 480 / pow(N, 0.348) + 2085 / pow(D, 0.366)) *
                        (1 + 0.006 * x * x + 0.004 * y * y);
                    points_add(&p, &r);
                }
        }
    points_derive(&p);
    hyper_opts_default(&o);
    o.bootstrap = 200;
    ok(hyper_fit(&f, &p, &o, &e));
    assert_true(f.lr_nd.ok && f.batch_d.ok);
    table_row("Step Law, stand-in", "lr: exponent of N", -0.713, f.lr_nd.n);
    table_row("Step Law, stand-in", "lr: exponent of D", 0.307, f.lr_nd.d);
    table_row("Step Law, stand-in", "batch: exponent of D", 0.571, f.batch_d.d);
    within(f.lr_nd.n, -0.713, 0.04);
    within(f.lr_nd.d, 0.307, 0.04);
    within(f.batch_d.d, 0.571, 0.04);
    assert_true(f.score[HYPER_FORM_ND].mean <
                0.2 * f.score[HYPER_FORM_PAPER].mean);
    assert_true(f.score[HYPER_FORM_ND].mean < 0.3 * f.score[HYPER_FORM_C].mean);
    hyper_fit_release(&f);
    points_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_law),
        cmocka_unit_test(step_law_stand_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
