/* affinity: slots of a machine get cores of their own, whatever a launcher had
 * bound before; unknown words are refused. */
#include "base/mem.h"
#include "runner/affinity.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void words_are_checked(void **state)
{
    enum affinity how;
    struct err e;

    (void)state;
    assert_int_equal(affinity_parse(&how, "auto", &e), 0);
    assert_int_equal(how, AFFINITY_AUTO);
    assert_int_equal(affinity_parse(&how, "none", &e), 0);
    assert_int_equal(how, AFFINITY_NONE);
    assert_int_equal(affinity_parse(&how, "spred", &e), -1);
    assert_non_null(strstr(e.text, "did you mean spread"));
}

/* The cores that a process bound as slot `place` of two may use, having been
 * on the first of `all` alone. */
static cpu_set_t bound(enum affinity how, int place, const cpu_set_t *all)
{
    cpu_set_t one, set;
    size_t first = 0;
    int fd[2];
    pid_t pid;

    while (!CPU_ISSET(first, all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(pipe(fd), 0);
    pid = fork();
    if (!pid) {
        char text[64];
        struct err e;

        sched_setaffinity(0, sizeof one, &one);
        if (affinity_bind(how, &(struct affinity_slot){place, 2, ""}, text,
                          sizeof text, &e) ||
            sched_getaffinity(0, sizeof set, &set) ||
            write(fd[1], &set, sizeof set) != sizeof set)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(read(fd[0], &set, sizeof set), sizeof set);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(fd[0]);
    close(fd[1]);
    return set;
}

static void slots_share_the_cores(void **state)
{
    cpu_set_t all, a, b, both;
    enum affinity how;
    struct err e;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    if (affinity_parse(&how, "spread", &e) || CPU_COUNT(&all) < 2)
        skip();
    a = bound(AFFINITY_SPREAD, 0, &all);
    b = bound(AFFINITY_SPREAD, 1, &all);
    CPU_AND(&both, &a, &b);
    assert_true(CPU_COUNT(&a) > 0 && CPU_COUNT(&b) > 0);
    assert_int_equal(CPU_COUNT(&both), 0);
    a = bound(AFFINITY_NUMA, 1, &all);
    CPU_AND(&both, &a, &b);
    assert_int_equal(CPU_COUNT(&both), CPU_COUNT(&b));
}

/* Not ours to change: none, and auto when the launcher has bound us. */
static void a_launcher_is_respected(void **state)
{
    cpu_set_t all, set;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    set = bound(AFFINITY_NONE, 1, &all);
    assert_int_equal(CPU_COUNT(&set), 1);
    if (CPU_COUNT(&all) < 2)
        skip();
    set = bound(AFFINITY_AUTO, 1, &all);
    assert_int_equal(CPU_COUNT(&set), 1);
}

/* Two packages of four cores, each a NUMA node with two GPUs. */
static void a_device_takes_its_slot_along(void **state)
{
    static const struct {
        struct affinity_slot slot;
        const char *cores;
    } cases[] = {
        {{0, 4, "0000:17:00.0"}, "cores 0-3"},
        {{1, 4, "0000:65:00.0"}, "cores 0-3"},
        {{2, 4, "0000:98:00.0"}, "cores 4-7"},
        {{3, 4, "0000:e3:00.0"}, "cores 4-7"},
        {{0, 4, "0000:e3:00.0"}, "cores 4-7"}, /* whatever the slot */
        {{3, 4, "0000:aa:00.0"}, "cores 4-7"}, /* not known: as on the CPU */
        {{0, 4, ""}, "cores 0-3"},
    };
    enum affinity how;
    char text[64];
    struct err e;

    (void)state;
    if (affinity_parse(&how, "numa", &e))
        skip(); /* built without hwloc */
    setenv("HWLOC_XMLFILE", TWO_NODES, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(
            affinity_say(how, &cases[i].slot, text, sizeof text, &e), 0);
        assert_string_equal(text, cases[i].cores);
    }
    assert_int_equal(affinity_say(AFFINITY_SPREAD,
                                  &(struct affinity_slot){2, 4, ""}, text,
                                  sizeof text, &e),
                     0);
    assert_string_equal(text, "cores 4-5");
    unsetenv("HWLOC_XMLFILE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_checked),
        cmocka_unit_test(slots_share_the_cores),
        cmocka_unit_test(a_launcher_is_respected),
        cmocka_unit_test(a_device_takes_its_slot_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
