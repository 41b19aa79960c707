/* hosts: what mpirun is told, and what it is told without the dead. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS 16

/* "a b c" as words; the text is cut up. */
static int split(char **word, char *text)
{
    char *save = NULL;
    int n = 0;

    for (char *w = strtok_r(text, " ", &save); w;
         w = strtok_r(NULL, " ", &save))
        word[n++] = w;
    return n;
}

static char *join(char **word)
{
    struct str s;

    str_init(&s);
    for (; *word; word++)
        str_addf(&s, "%s%s", s.len ? " " : "", *word);
    return s.text; /* the caller frees it */
}

static void clean_environment(void)
{
    unsetenv("SLURM_JOB_NODELIST");
    unsetenv("SLURM_TASKS_PER_NODE");
    unsetenv("PBS_NODEFILE");
}

static void the_dead_are_left_out(void **state)
{
    static const struct {
        const char *given, *dead, *expected;
    } cases[] = {
        {"-n 5 --bind-to none", "x", "-n 5 --bind-to none"},
        {"-n 5 --host a:2,b:2,c:1", "x", "-n 5 --host a:2,b:2,c:1"},
        {"-n 5 --host a:2,b:2,c:1", "b", "--host a:2,c:1 -n 3"},
        {"--host a,b,a --bind-to none", "b", "--bind-to none --host a:2"},
        {"-np 2 -H a:2,b:2", "b", "--host a:2 -n 2"},
        {"-n 9 -hostfile hosts", "n2", "--host n1:4,n3:2 -n 6"},
        {"-n 6 --host a:auto,b:auto,c:auto", "c", "--host a:auto,b:auto -n 4"},
        {"-n 2 --host a:1,b:1", "a b", "--host  -n 1"},
    };
    static const char file[] = "# ours\nn1 slots=4\n\n n2 slots=4 max_slots=8\n"
                               "n3 slots=2 # old\n";
    struct err e;

    (void)state;
    clean_environment();
    assert_int_equal(file_write("hosts", file, strlen(file), &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *copy = xstrdup(cases[i].given), *word[WORDS], **out, *text;
        int n = split(word, copy);
        struct hosts h;

        assert_int_equal(hosts_read(&h, word, n, &e), 0);
        for (int k = 0; k < h.n; k++)
            h.host[k].dead = strstr(cases[i].dead, h.host[k].name) != NULL;
        out = hosts_options(&h, word, n);
        text = join(out);
        assert_string_equal(text, cases[i].expected);
        free(text);
        free(out);
        hosts_release(&h);
        free(copy);
    }
    unlink("hosts");
}

static void a_missing_host_file_is_told(void **state)
{
    char *word[] = {(char *)(uintptr_t) "--hostfile",
                    (char *)(uintptr_t) "no-such-file"};
    struct hosts h;
    struct err e;

    (void)state;
    assert_int_equal(hosts_read(&h, word, 2, &e), -1);
    assert_non_null(strstr(e.text, "no-such-file"));
    hosts_release(&h);
}

static void allocations_are_understood(void **state)
{
    static const char nodes[] = "p1\np1\np2\n";
    char **out, *text;
    struct hosts h;
    struct err e;

    (void)state;
    clean_environment();
    setenv("SLURM_JOB_NODELIST", "n[08-10,3],gpu5,r[1-2]c[1-2]", 1);
    setenv("SLURM_TASKS_PER_NODE", "2(x3),1,4(x5)", 1);
    assert_int_equal(hosts_read(&h, NULL, 0, &e), 0);
    assert_int_equal(h.n, 9);
    assert_string_equal(h.host[0].name, "n08");
    assert_string_equal(h.host[2].name, "n10");
    assert_string_equal(h.host[3].name, "n3");
    assert_string_equal(h.host[4].name, "gpu5");
    assert_string_equal(h.host[8].name, "r2c2");
    assert_int_equal(h.host[2].slots, 2);
    assert_int_equal(h.host[3].slots, 1);
    assert_int_equal(h.host[8].slots, 4);
    hosts_release(&h);
    setenv("SLURM_JOB_NODELIST", "n[1-", 1);
    assert_int_equal(hosts_read(&h, NULL, 0, &e), 0);
    assert_int_equal(h.n, 0);
    hosts_release(&h);
    clean_environment();
    assert_int_equal(file_write("nodes", nodes, strlen(nodes), &e), 0);
    setenv("PBS_NODEFILE", "nodes", 1);
    assert_int_equal(hosts_read(&h, NULL, 0, &e), 0);
    assert_int_equal(h.n, 2);
    assert_int_equal(h.host[0].slots, 2);
    out = hosts_options(&h, NULL, 0); /* mpirun may not know PBS */
    text = join(out);
    assert_non_null(strstr(text, "--host "));
    assert_non_null(strstr(text, h.host[0].name));
    free(text);
    free(out);
    hosts_release(&h);
    unlink("nodes");
    clean_environment();
}

static void one_host_is_asked_alone(void **state)
{
    char copy[] = "-n 8 --mca plm_rsh_agent ssh --host a:4,b:4", *word[WORDS];
    int n = split(word, copy);
    char **out, *text;
    struct hosts h;
    struct err e;

    (void)state;
    assert_int_equal(hosts_read(&h, word, n, &e), 0);
    out = hosts_probe(&h, 1, word, n);
    text = join(out);
    assert_string_equal(text, "--mca plm_rsh_agent ssh --host b:1 -n 1");
    free(text);
    free(out);
    hosts_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dead_are_left_out),
        cmocka_unit_test(a_missing_host_file_is_told),
        cmocka_unit_test(allocations_are_understood),
        cmocka_unit_test(one_host_is_asked_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
