/* Loading an engine: the emulated one works through its table, and whatever
 * is missing is said in one line. */
#include "trainer/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void names(void **state)
{
    enum device_kind kind;
    struct err e = {0};

    (void)state;
    assert_int_equal(device_parse(&kind, "cuemu", &e), 0);
    assert_int_equal(kind, DEVICE_CUEMU);
    assert_int_equal(device_parse(&kind, "gpu", &e), -1);
    assert_int_equal(e.cls, ERR_USAGE);
    assert_non_null(strstr(e.text, "cpu, auto, cuda or cuemu expected"));
}

static void the_cpu_needs_nothing(void **state)
{
    const struct engine_api *api = (const void *)&state;
    struct err e = {.text = "untouched"};

    assert_int_equal(device_open(&api, DEVICE_CPU, &e), 0);
    assert_null(api);
    assert_string_equal(e.text, "untouched");
}

static void no_plugin(void **state)
{
    const struct engine_api *api;
    struct err e = {0};

    (void)state;
    setenv("LOGLOG_PLUGINS", "/nowhere", 1);
    assert_int_equal(device_open(&api, DEVICE_CUDA, &e), -1);
    assert_int_equal(e.cls, ERR_ENV);
    assert_non_null(strstr(e.text, "no libloglog_cuda.so in LOGLOG_PLUGINS"));
    e.text[0] = 0;
    assert_int_equal(device_open(&api, DEVICE_AUTO, &e), 0);
    assert_null(api);
    assert_non_null(strstr(e.text, "no libloglog_cuda.so"));
    unsetenv("LOGLOG_PLUGINS");
}

static void not_a_plugin(void **state)
{
    const struct engine_api *api;
    struct err e = {0};

    (void)state;
    assert_int_equal(device_load(&api, "libm.so.6", &e), -1);
    assert_non_null(strstr(e.text, "is not a plugin"));
    assert_int_equal(device_load(&api, "/nowhere/lib.so", &e), -1);
    assert_non_null(strstr(e.text, "/nowhere/lib.so"));
}

static void cannot_be_used(const char *folder, const char *text)
{
    const struct engine_api *api;
    char path[512];
    struct err e = {0};

    snprintf(path, sizeof path, "%s/%s", LOGLOG_CUEMU_DIR, folder);
    setenv("LOGLOG_PLUGINS", path, 1);
    assert_int_equal(device_open(&api, DEVICE_CUDA, &e), -1);
    unsetenv("LOGLOG_PLUGINS");
    assert_int_equal(e.cls, ERR_ENV);
    print_message("%s\n", e.text);
    assert_non_null(strstr(e.text, text));
    assert_null(strchr(e.text, '\n'));
}

static void of_another_version(void **state)
{
    (void)state;
    cannot_be_used("other", "is of another version than this program");
}

static void libraries_hidden(void **state)
{
    (void)state;
    cannot_be_used("hidden", "are the CUDA libraries installed");
}

/* The emulated engine, from its file to a loss. */
static void the_emulated_one(void **state)
{
    const struct engine_api *api;
    struct engine_options o = {.rows = 1, .gang = 1};
    struct engine_device d;
    struct engine *g;
    struct run_spec s;
    struct err e = {0};
    int32_t tokens[17] = {0};
    double nats;
    int n;

    (void)state;
    setenv("LOGLOG_PLUGINS", LOGLOG_CUEMU_DIR, 1);
    assert_int_equal(device_open(&api, DEVICE_CUEMU, &e), 0);
    unsetenv("LOGLOG_PLUGINS");
    assert_string_equal(api->name, "cuemu");
    assert_int_equal(api->devices(&n, &e), 0);
    assert_int_equal(n, 1);
    assert_int_equal(api->describe(&d, 0, &e), 0);
    assert_int_equal(strlen(d.uuid), 32);
    spec_defaults(&s);
    s.model.vocab = 64;
    s.model.seq_len = 16;
    s.model.d_model = 32;
    s.model.n_layer = s.model.n_head = s.model.n_kv_head = 1;
    s.model.d_ff = 64;
    s.dtype = DTYPE_BF16;
    assert_int_equal(api->create(&g, &s, &o, &e), 0);
    assert_int_equal(api->init(g, 1, &e), 0);
    assert_int_equal(api->eval(g, &nats, tokens, 1, &e), 0);
    /* 16 guesses among 64, by weights near zero */
    assert_true(nats / 16 > 4.0 && nats / 16 < 4.3);
    api->destroy(g);
}

static void two_processes_on_one_gpu(void **state)
{
    const char *const uuid[] = {"a", "b", "a"};
    struct err e = {0};

    (void)state;
    assert_int_equal(device_distinct(uuid, 2, &e), 0);
    assert_int_equal(device_distinct(uuid, 3, &e), -1);
    assert_int_equal(e.cls, ERR_USAGE);
    assert_non_null(strstr(e.text, "processes 0 and 2"));
    assert_non_null(strstr(e.text, "srun --gpus-per-task=1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(the_cpu_needs_nothing),
        cmocka_unit_test(no_plugin),
        cmocka_unit_test(not_a_plugin),
        cmocka_unit_test(of_another_version),
        cmocka_unit_test(libraries_hidden),
        cmocka_unit_test(the_emulated_one),
        cmocka_unit_test(two_processes_on_one_gpu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
