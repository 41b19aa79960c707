/* memory: a run takes the bytes that a plan says. */
#include "tests/unit/trainer/gang.h"

#include "sweep/flops.h"

#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

/* Peak resident bytes of a child that trains this run, or does nothing. */
static double resident(const struct run_spec *s, struct place *place)
{
    struct rusage use;
    int status;
    pid_t pid;

    fflush(NULL);
    if (!(pid = fork())) {
        const struct observer quiet = {0};
        struct train_result result;
        struct train_env env;
        struct err e;

        if (!s)
            _exit(0);
        env = env_at(place, new_dir(place));
        _exit(train(&result, s, &env, &quiet, &e) || result.end != TRAIN_DONE);
    }
    assert_true(pid > 0);
    assert_int_equal(wait4(pid, &status, 0, &use), pid);
    assert_int_equal(status, 0);
    return 1024 * (double)use.ru_maxrss;
}

static void a_run_takes_what_a_plan_says(void **state)
{
    static const struct {
        int64_t d_model, n_layer, rows;
    } shape[] = {{128, 6, 8}, {256, 6, 8}, {256, 6, 1}};
    struct place place;

    (void)state;
#ifdef SANITIZED
    skip();
#endif
    place_init(&place);
    for (size_t i = 0; i < ARRAY_LEN(shape); i++) {
        struct run_spec s = tiny_spec();
        double bytes, took;

        s.model.d_model = shape[i].d_model;
        s.model.n_layer = shape[i].n_layer;
        s.model.n_head = s.model.n_kv_head = shape[i].d_model / 32;
        s.model.d_ff = shape[i].d_model / 8 * 22;
        s.batch_tokens = shape[i].rows * s.model.seq_len;
        s.steps = 1;
        s.schedule.warmup_steps = 0;
        bytes = run_bytes(&s, 1);
        took = resident(&s, &place) - resident(NULL, &place);
        print_message("%.1f MB planned, %.1f MB taken\n", bytes / 1e6,
                      took / 1e6);
        assert_true(fabs(took / bytes - 1) < 0.10);
    }
    place_release(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_takes_what_a_plan_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
