/* status: the right counts, progress and time left. */
#include "db/listing.h"
#include "db/status.h"

#include "lab.h"

static struct err err;

static struct status get(struct lab *l, int events)
{
    struct status s;

    ok(db_status(&s, l->db, l->study, events, &err));
    return s;
}

static void an_empty_study_has_a_page(void **state)
{
    struct lab *l = *state;
    struct status s = get(l, 5);

    assert_string_equal(s.study, "lab");
    assert_int_equal(s.n_stage, 0);
    assert_true(s.flops == 0 && s.flops_done == 0);
    assert_true(isnan(s.eta));
    assert_non_null(strstr(s.writer, "pid ")); /* we are the writer */
    status_release(&s);
}

/* One done in 2 s of training, one half way, one not begun, one diverged; the
 * done one serves two stages. */
static void counts_progress_and_time_left(void **state)
{
    struct lab *l = *state;
    struct planned done = lab_run(0, 64, 1e-3, 1),
                   half = lab_run(0, 64, 2e-3, 1);
    struct planned wait = lab_run(1, 64, 3e-3, 1),
                   bad = lab_run(0, 64, 9e-3, 1);
    struct planned again = done;
    struct db_step step = {
        .run = half.id, .attempt = 1, .step = 50, .loss = 2.25};
    double flops = done.flops, exact = run_flops_exact(&done.spec);
    struct status s;

    again.stage = 1;
    lab_result(l, &done, "hyper", RUN_DONE, 2.5);
    lab_result(l, &bad, "hyper", RUN_DIVERGED, NAN);
    ok(db_plan_put(l->db, l->study, "isoflop", &again, 1, &err));
    ok(db_plan_put(l->db, l->study, "isoflop", &wait, 1, &err));
    ok(db_plan_put(l->db, l->study, "hyper", &half, 1, &err));
    lab_begin(l, half.id);
    ok(db_steps_add(l->db, &step, 1, &err));
    ok(db_stage_put(l->db, l->study, 0, "hyper", "hyper", "open", "why not",
                    &err));
    s = get(l, 5);
    assert_int_equal(s.runs[RUN_DONE], 1); /* once, though in two stages */
    assert_int_equal(s.runs[RUN_DIVERGED], 1);
    assert_int_equal(s.runs[RUN_RUNNING], 1);
    assert_int_equal(s.runs[RUN_PENDING], 1);
    close_to(s.flops, 4 * flops, 1);
    close_to(s.flops_done, 2.5 * flops, 1);
    assert_int_equal(s.n_stage, 2);
    assert_string_equal(s.stage[0].name, "hyper");
    assert_string_equal(s.stage[0].reason, "why not");
    assert_int_equal(s.stage[0].runs[RUN_DONE], 1);
    close_to(s.stage[0].flops_done, 2.5 * flops, 1);
    assert_true(s.stage[0].best == 2.5);
    assert_int_equal(s.stage[1].runs[RUN_DONE], 1);
    assert_int_equal(s.stage[1].runs[RUN_PENDING], 1);
    assert_int_equal(s.n_running, 1);
    assert_int_equal(s.running[0].run, half.id);
    assert_int_equal(s.running[0].step, 50);
    assert_true(s.running[0].loss == 2.25);
    assert_string_equal(s.running[0].host, "node1");
    assert_int_equal(s.slots, 1);
    /* two runs of `exact` took 2 s of training each; 1.5 are left */
    close_to(s.rate, exact / 2, 1e-9 * exact);
    close_to(s.eta, 1.5 * 2, 1e-6);
    assert_int_equal(s.n_failure, 1);
    assert_string_equal(s.failure[0].state, "diverged");
    assert_string_equal(s.failure[0].reason, "a reason");
    assert_int_equal(s.n_best, 2);
    assert_int_equal(s.best[0].run, done.id);
    status_release(&s);
}

static void the_last_events_in_order(void **state)
{
    struct lab *l = *state;
    struct status s;
    char text[16];

    for (int i = 0; i < 9; i++) {
        snprintf(text, sizeof text, "event %d", i);
        ok(db_event(l->db, l->study, 0, "note", text, &err));
    }
    s = get(l, 3);
    assert_int_equal(s.n_event, 3);
    assert_string_equal(s.event[0].text, "event 6");
    assert_string_equal(s.event[2].text, "event 8");
    status_release(&s);
}

static void nobody_writes_when_nobody_does(void **state)
{
    struct lab *l = *state;
    struct status s;

    store_close(l->db);
    ok(store_open(&l->db, l->path, STORE_READ, &err));
    s = get(l, 3);
    assert_string_equal(s.writer, "");
    status_release(&s);
}

/* 64 of 100 steps of half a second: speed, share of the peak, time left and the
 * shape of the curve. */
static void a_running_run_is_seen_closely(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 1);
    struct db_attempt a = {.run = p.id,
                           .gang = 2,
                           .host = "node1",
                           .ranks = "3 1",
                           .device = "cpu",
                           .peak_flops = run_flops_exact(&p.spec) / 100};
    struct db_step step[64];
    struct status_running *r;
    struct status s;
    int64_t attempt;

    ok(store_slots(l->db, 5, &err));
    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    ok(db_attempt_begin(&attempt, l->db, &a, &err));
    for (int i = 0; i < 64; i++)
        step[i] = (struct db_step){.run = p.id,
                                   .attempt = attempt,
                                   .step = i + 1,
                                   .tokens = 1024 * (i + 1),
                                   .loss = 10.0 - i,
                                   .seconds = 0.5};
    ok(db_steps_add(l->db, step, 64, &err));
    s = get(l, 0);
    assert_int_equal(s.slots, 2);
    assert_int_equal(s.of_slots, 5);
    r = &s.running[0];
    assert_string_equal(r->ranks, "3 1");
    assert_int_equal(r->d_model, 64);
    close_to(r->tokens_rate, 2048, 1e-9);
    close_to(r->eta, 36 * 0.5, 1e-9);
    /* 2 steps a second of 100; two peaks of a hundredth each */
    close_to(r->flops_rate / r->peak, 1, 1e-9);
    close_to(s.peak_share, 1, 1e-9);
    close_to(s.tokens_rate, 2048, 1e-9);
    /* nothing has ended: the running run tells the rate */
    close_to(s.rate, run_flops_exact(&p.spec) / 100, 1e-3);
    close_to(s.eta, 18, 1e-6);
    close_to(s.stage[0].eta, 18, 1e-6);
    close_to(r->spark[0], 8.5, 1e-12); /* steps 1 to 4 */
    assert_true(!isnan(r->spark[15])); /* steps 63 to 66 */
    assert_true(isnan(r->spark[16]));
    status_release(&s);
}

static void a_listing_in_order_of_planning(void **state)
{
    struct lab *l = *state;
    struct planned p = lab_run(0, 64, 1e-3, 1), bad = lab_run(0, 32, 1e-3, 1);
    struct listing list;

    lab_result(l, &bad, "hyper", RUN_FAILED, NAN);
    ok(db_plan_put(l->db, l->study, "hyper", &p, 1, &err));
    ok(db_listing(&list, l->db, l->study, &err));
    assert_int_equal(list.n, 2);
    assert_int_equal(list.run[0].state, RUN_FAILED);
    assert_string_equal(list.run[0].reason, "a reason");
    assert_true(isnan(list.run[0].bpb));
    assert_int_equal(list.run[1].d_model, 64);
    listing_release(&list);
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(an_empty_study_has_a_page),
        STUDY(counts_progress_and_time_left),
        STUDY(a_running_run_is_seen_closely),
        STUDY(a_listing_in_order_of_planning),
        STUDY(the_last_events_in_order),
        STUDY(nobody_writes_when_nobody_does),
    };

    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
