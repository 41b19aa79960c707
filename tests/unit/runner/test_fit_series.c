/* fit_series: the rates of steps whose rows were thinned out. */
#include "runner/fit_input.h"

#include "../db/lab.h"
#include "analysis/anneal.h"
#include "db/upkeep.h"
#include "sweep/schedule.h"

#define STEPS 4000

static struct err err;

static const struct anneal_law law = {2, 0.4, 0.5, 1, 0.99};

/* A finished run of a steep schedule whose losses are those of the law, step
 * by step. */
static int64_t put_run(struct lab *l)
{
    struct planned p = lab_run(0, 64, 4e-3, 1);
    struct db_step *s = xcalloc(STEPS, sizeof *s);
    double S1 = 0, S2 = 0, m = 0, before = 0;

    p.spec.steps = STEPS;
    p.spec.schedule.name = SCHED_COSINE;
    p.spec.schedule.warmup_steps = 100;
    p.spec.schedule.floor = 0.05;
    p.id = p.family = spec_id(&p.spec);
    ok(db_plan_put(l->db, l->study, "isoflop", &p, 1, &err));
    int64_t attempt = lab_begin(l, p.id);
    for (int64_t t = 1; t <= STEPS; t++) {
        double lr = schedule_lr(&p.spec.schedule, p.spec.optim.lr, t, STEPS);
        S1 += lr;
        m = law.lambda * m + (t > 100 ? before - lr : 0);
        S2 += m;
        before = lr;
        s[t - 1] = (struct db_step){
            .run = p.id,
            .attempt = attempt,
            .step = t,
            .tokens = t * 1024,
            .lr = lr,
            .loss = law.L0 + law.A * pow(S1, -law.alpha) - law.C * S2};
    }
    ok(db_steps_add(l->db, s, STEPS, &err));
    free(s);
    struct db_outcome o = {.state = RUN_DONE,
                           .steps = STEPS,
                           .tokens = STEPS * 1024,
                           .loss = 1,
                           .bpb = 1};
    ok(db_attempt_end(l->db, p.id, attempt, &o, &err));
    return p.id;
}

/* S1 and S2 at the end of the run, and the law's worst relative error. */
static void sums(double end[2], double *worst, struct lab *l, int64_t run)
{
    struct series_set t;
    struct points p;
    struct point r;

    point_init(&r);
    r.run = run;
    r.col[POINT_STEPS] = STEPS;
    r.col[POINT_LR] = 4e-3;
    points_init(&p);
    points_add(&p, &r);
    series_init(&t);
    ok(fit_series_read(&t, l->db, &p, 0, &err));
    size_t n = t.s[0].n;
    double *v = xmalloc(3 * n * sizeof *v);
    anneal_sums(v, v + n, &t.s[0], law.lambda);
    end[0] = v[n - 1];
    end[1] = v[2 * n - 1];
    anneal_predict(v + 2 * n, &law, &t.s[0]);
    *worst = 0;
    for (size_t i = 0; i < n; i++)
        if (t.s[0].step[i] > 400 && isfinite(t.s[0].loss[i]))
            *worst = fmax(*worst, fabs(v[2 * n + i] / t.s[0].loss[i] - 1));
    free(v);
    points_release(&p);
    series_release(&t);
}

static void thinned_rows_had_rates_too(void **state)
{
    struct lab *l = *state;
    int64_t run = put_run(l), dropped;
    double whole[2], thin[2], worst;

    sums(whole, &worst, l, run);
    assert_true(worst < 3e-3);
    ok(db_thin(&dropped, l->db, &(struct retain){.per_decade = 20}, &err));
    assert_true(dropped > STEPS - 120);
    sums(thin, &worst, l, run);
    close_to(thin[0], whole[0], 1e-6 * whole[0]);
    close_to(thin[1], whole[1], 1e-2 * whole[1]);
    assert_true(worst < 3e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(thinned_rows_had_rates_too, lab_study,
                                        lab_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
