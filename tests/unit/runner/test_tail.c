/* Which run is widened when slots idle at the end of a study. */
#include "base/mem.h"
#include "runner/tail.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void the_longest_run_that_can_use_the_room_is_widened(void **state)
{
    static const struct {
        const char *claim;
        struct tail_run run[3]; /* gang, most, room, left, per_step */
        int n, best, gang;
    } cases[] = {
        {"the longest",
         {{1, 8, 1, 50, 1}, {1, 8, 1, 90, 1}, {1, 8, 1, 60, 1}},
         3,
         1,
         2},
        {"as wide as there is room, in powers of two",
         {{1, 8, 4, 90, 1}},
         1,
         0,
         4},
        {"as wide as its batch splits", {{1, 2, 7, 90, 1}}, 1, 0, 2},
        {"not the longest if it has no room",
         {{2, 8, 1, 90, 1}, {1, 8, 1, 50, 1}},
         2,
         1,
         2},
        {"not the longest if it can be no wider",
         {{4, 4, 4, 90, 1}, {1, 8, 4, 50, 1}},
         2,
         1,
         4},
        {"none that is nearly done", {{1, 8, 4, 19, 1}}, 1, -1, 0},
        {"none of unknown time", {{1, 8, 4, NAN, 1}}, 1, -1, 0},
        {"none whose steps are too short", {{1, 8, 4, 90, 0.001}}, 1, -1, 0},
        {"none without room", {{1, 8, 0, 90, 1}}, 1, -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int gang = 0;
        int best = tail_pick(&gang, cases[i].run, cases[i].n, 20);

        if (best != cases[i].best || gang != cases[i].gang)
            fail_msg("%s: run %d to %d members, expected %d to %d",
                     cases[i].claim, best, gang, cases[i].best, cases[i].gang);
    }
}

/* With little left, stopping and beginning again costs more than it wins. */
static void a_widening_has_to_pay(void **state)
{
    const struct tail_run run = {1, 2, 1, 1.9, 0.1};
    int gang;

    (void)state;
    assert_int_equal(tail_pick(&gang, &run, 1, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_run_that_can_use_the_room_is_widened),
        cmocka_unit_test(a_widening_has_to_pay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
