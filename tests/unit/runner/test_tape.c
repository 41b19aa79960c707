/* The tape: plays back what was recorded up to a step, forgets the rest, and
 * survives a writer that was killed in the middle of a record. */
#include "runner/tape.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What was played: steps as positive numbers, evaluations as negative. */
struct heard {
    int n;
    int64_t what[64];
    double loss[64];
};

static int hear_step(void *ctx, const struct step_report *r)
{
    struct heard *h = ctx;

    h->loss[h->n] = r->loss;
    h->what[h->n++] = r->step;
    return 0;
}

static int hear_eval(void *ctx, const struct eval_report *r)
{
    struct heard *h = ctx;

    h->loss[h->n] = r->loss;
    h->what[h->n++] = -r->step;
    return 0;
}

static int hear_position(void *ctx, const struct position_report *r)
{
    struct heard *h = ctx;

    h->loss[h->n] = r->loss;
    h->what[h->n++] = 100 * r->step;
    return 0;
}

static char dir[] = "/tmp/loglog-tape-XXXXXX";
static char path[64];

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/" TAPE_NAME, dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void record(int steps, int eval_at)
{
    struct tape *t;
    struct err e;

    unlink(path);
    assert_int_equal(tape_open(&t, dir, &e), 0);
    for (int i = 1; i <= steps; i++) {
        struct step_report s = {.step = i, .loss = 1.0 / i};
        struct eval_report v = {.step = i, .loss = 2.0 / i};
        assert_int_equal(tape_step(t, &s, &e), 0);
        if (i == eval_at) {
            struct position_report p = {.step = i, .loss = 3.0 / i};
            assert_int_equal(tape_eval(t, &v, &e), 0);
            assert_int_equal(tape_position(t, &p, &e), 0);
        }
    }
    tape_close(t);
}

static struct heard play(int64_t upto)
{
    struct heard h = {0};
    const struct observer obs = {.ctx = &h,
                                 .on_step = hear_step,
                                 .on_eval = hear_eval,
                                 .on_position = hear_position};
    struct tape *t;
    struct err e;

    assert_int_equal(tape_open(&t, dir, &e), 0);
    assert_int_equal(tape_play(t, upto, &obs, &e), 0);
    tape_close(t);
    return h;
}

static void it_plays_up_to_a_step_and_forgets_the_rest(void **state)
{
    static const int64_t first[] = {1, 2, 3, -3, 300, 4};
    struct heard h;

    (void)state;
    record(10, 3);
    h = play(4);
    assert_int_equal(h.n, 6);
    assert_memory_equal(h.what, first, sizeof first);
    assert_true(h.loss[1] == 0.5 && h.loss[3] == 2.0 / 3 && h.loss[4] == 1);
    h = play(10);
    assert_int_equal(h.n, 6);
}

static void it_goes_on_behind_what_was_played(void **state)
{
    const struct step_report s = {.step = 3, .loss = 7};
    const struct observer deaf = {0};
    struct heard h;
    struct tape *t;
    struct err e;

    (void)state;
    record(10, 0);
    assert_int_equal(tape_open(&t, dir, &e), 0);
    assert_int_equal(tape_play(t, 2, &deaf, &e), 0);
    assert_int_equal(tape_step(t, &s, &e), 0);
    tape_close(t);
    h = play(10);
    assert_int_equal(h.n, 3);
    assert_true(h.what[2] == 3 && h.loss[2] == 7);
}

static void a_run_from_scratch_has_an_empty_tape(void **state)
{
    (void)state;
    record(5, 5);
    assert_int_equal(play(0).n, 0);
    assert_int_equal(play(5).n, 0);
}

static void a_torn_or_damaged_record_ends_it(void **state)
{
    char *bytes;
    size_t len;
    struct err e;

    (void)state;
    record(5, 0);
    assert_int_equal(file_read(&bytes, &len, path, 1 << 20, &e), 0);
    assert_int_equal(truncate(path, (off_t)len - 5), 0);
    assert_int_equal(play(5).n, 4);
    bytes[len / 5 * 2 + 20] ^= 1; /* in the third record */
    assert_int_equal(file_write(path, bytes, len, &e), 0);
    assert_int_equal(play(5).n, 2);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_plays_up_to_a_step_and_forgets_the_rest),
        cmocka_unit_test(it_goes_on_behind_what_was_played),
        cmocka_unit_test(a_run_from_scratch_has_an_empty_tape),
        cmocka_unit_test(a_torn_or_damaged_record_ends_it),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
