/* run_state: the table of states and moves is the one of the header. */
#include "db/run_state.h"

#include "lab.h"

/* Rows: from.  Columns: to, in the order of the enum. */
static const int moves[RUN_STATES][RUN_STATES] = {
    [RUN_PENDING] = {0, 1, 0, 0, 0, 1}, [RUN_RUNNING] = {1, 0, 1, 1, 1, 1},
    [RUN_DONE] = {0, 0, 0, 0, 0, 0},    [RUN_DIVERGED] = {0, 0, 0, 0, 0, 0},
    [RUN_FAILED] = {1, 0, 0, 0, 0, 1},  [RUN_STOPPED] = {1, 0, 0, 0, 0, 0},
};

static void moves_are_those_of_the_header(void **state)
{
    (void)state;
    for (enum run_state from = 0; from < RUN_STATES; from++)
        for (enum run_state to = 0; to < RUN_STATES; to++)
            assert_int_equal(run_state_may(from, to), moves[from][to]);
}

static void names_read_back(void **state)
{
    static const char *const names[] = {"pending",  "running", "done",
                                        "diverged", "failed",  "stopped"};

    (void)state;
    for (enum run_state s = 0; s < RUN_STATES; s++) {
        assert_string_equal(run_state_name(s), names[s]);
        assert_int_equal(run_state_parse(names[s]), s);
    }
    assert_int_equal(run_state_parse("preempted"), -1);
    assert_int_equal(run_state_parse(""), -1);
}

static void final_states_move_only_by_request(void **state)
{
    (void)state;
    for (enum run_state s = 0; s < RUN_STATES; s++) {
        assert_int_equal(run_state_final(s),
                         s != RUN_PENDING && s != RUN_RUNNING);
        if (run_state_final(s))
            assert_false(run_state_may(s, RUN_RUNNING));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_are_those_of_the_header),
        cmocka_unit_test(names_read_back),
        cmocka_unit_test(final_states_move_only_by_request),
    };

    return cmocka_run_group_tests_name("run_state", tests, NULL, NULL);
}
