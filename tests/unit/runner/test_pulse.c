/* When a silent run counts as hung, and what an attempt's end makes of its
 * run. */
#include "base/mem.h"
#include "runner/attempt.h"
#include "runner/pulse.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void step(struct pulse *p, double now, double seconds, int eval_due)
{
    struct step_report r = {.step = p->step + 1, .seconds = seconds};

    pulse_step(p, now, &r, eval_due);
}

static void silence_is_measured_against_the_median_step(void **state)
{
    struct pulse p;

    (void)state;
    pulse_start(&p, 0, 10, 0);
    for (int i = 1; i <= 9; i++) /* one slow step does not count */
        step(&p, i, i == 5 ? 1000 : 2, 0);
    assert_true(pulse_median(&p) == 2);
    assert_true(pulse_patience(&p) == 10 + PULSE_FACTOR * 2);
    assert_false(pulse_hung(&p, 9 + 69));
    assert_true(pulse_hung(&p, 9 + 71));
    pulse_news(&p, 60);
    assert_false(pulse_hung(&p, 9 + 71));
}

static void a_run_that_has_not_begun_has_the_floor(void **state)
{
    struct pulse p;

    (void)state;
    pulse_start(&p, 100, 10, 0);
    assert_false(pulse_hung(&p, 109));
    assert_true(pulse_hung(&p, 111));
}

static void an_evaluation_that_is_due_gets_its_time(void **state)
{
    struct pulse p;

    (void)state;
    pulse_start(&p, 0, 10, 50);
    step(&p, 1, 0.1, 0);
    assert_true(pulse_hung(&p, 20));
    step(&p, 2, 0.1, 1);
    assert_false(pulse_hung(&p, 400));
    assert_true(pulse_hung(&p, 2 + 10 + 3 + PULSE_EVAL * 50 + 1));
    pulse_eval(&p, 30, 2); /* it took 2 s: the next is expected to, too */
    assert_true(pulse_hung(&p, 30 + 10 + 3 + PULSE_EVAL * 2 + 1));
}

static void only_the_last_steps_count(void **state)
{
    struct pulse p;

    (void)state;
    pulse_start(&p, 0, 10, 0);
    for (int i = 0; i < 100; i++)
        step(&p, i, 9, 0);
    for (int i = 0; i < PULSE_STEPS; i++)
        step(&p, 100 + i, 1, 0);
    assert_true(pulse_median(&p) == 1);
}

static void how_an_attempt_ends_decides_what_its_run_becomes(void **state)
{
    static struct study study;
    static const struct {
        enum train_end end;
        int failing, preempting, failures;
        enum run_state becomes;
        int preempted, has_reason;
    } cases[] = {
        {TRAIN_DONE, 0, 0, 0, RUN_DONE, 0, 0},
        {TRAIN_DIVERGED, 0, 0, 0, RUN_DIVERGED, 0, 1},
        {TRAIN_NO_MEMORY, 0, 0, 0, RUN_FAILED, 0, 1},
        {TRAIN_STOPPED, 0, 1, 0, RUN_PENDING, 1, 1},
        {TRAIN_DONE, 1, 0, 0, RUN_PENDING, 0, 1}, /* one of three */
        {TRAIN_DONE, 1, 0, 1, RUN_PENDING, 0, 1},
        {TRAIN_DONE, 1, 0, 2, RUN_FAILED, 0, 1},  /* the third */
        {TRAIN_DONE, 1, 1, 2, RUN_PENDING, 1, 1}, /* killed when stopping */
    };

    (void)state;
    study.max_attempts = 3;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct job job = {.run = {.failures = cases[i].failures}};
        struct attempt a = {.job = &job,
                            .failing = cases[i].failing,
                            .preempting = cases[i].preempting,
                            .why = ""};
        struct db_outcome o;

        job.run.plan.spec.batch_tokens = 100;
        a.pulse.step = 7;
        a.result.end = cases[i].end;
        a.result.loss = 1.5;
        if (cases[i].has_reason)
            strncpy(a.why, "the reason", sizeof a.why - 1);
        strncpy(a.result.text, "why", sizeof a.result.text - 1);
        attempt_outcome(&o, &a, &study);
        assert_int_equal(o.state, cases[i].becomes);
        assert_int_equal(o.preempted, cases[i].preempted);
        assert_int_equal(o.reason != NULL, cases[i].has_reason);
        if (cases[i].failing) {
            assert_int_equal(o.steps, 7);
            assert_int_equal(o.tokens, 700);
            assert_true(isnan(o.loss));
        } else {
            assert_true(o.loss == 1.5);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_measured_against_the_median_step),
        cmocka_unit_test(a_run_that_has_not_begun_has_the_floor),
        cmocka_unit_test(an_evaluation_that_is_due_gets_its_time),
        cmocka_unit_test(only_the_last_steps_count),
        cmocka_unit_test(how_an_attempt_ends_decides_what_its_run_becomes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
