/* memory: a run takes the bytes that a plan says. */
#include "tests/unit/sanitized.h"
#include "tests/unit/trainer/gang.h"

#include "sweep/flops.h"
#include "trainer/bench.h"

#include <sys/mman.h>
#include <sys/wait.h>

/* Resident bytes of this process that are not of files: neither the program
 * nor the data, which the kernel can read again. */
static double own_bytes(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    double bytes = 0;
    char line[256];

    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "RssAnon:", 8) || !strncmp(line, "RssShmem:", 9))
            bytes += 1024 * strtod(strchr(line, ':') + 1, NULL);
    fclose(f);
    return bytes;
}

/* Behind the last step, when a run has touched all that it has. */
static int weigh(void *ctx, const struct step_report *r)
{
    (void)r;
    *(double *)ctx = own_bytes();
    return 0;
}

/* The copy that a checkpoint was written from is still there. */
static int weigh_copy(void *ctx, int64_t step, double seconds)
{
    (void)step, (void)seconds;
    *(double *)ctx = own_bytes();
    return 0;
}

/* Bytes that a child takes to train this run, and to keep its end. */
static double taken(const struct run_spec *s, struct place *place, int keep)
{
    double *bytes = mmap(NULL, 2 * sizeof *bytes, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct observer obs = {
        .ctx = &bytes[1], .on_step = weigh, .on_checkpoint = weigh_copy};
    double took;
    int status;
    pid_t pid;

    assert_true(bytes != MAP_FAILED);
    fflush(NULL);
    if (!(pid = fork())) {
        struct train_result result;
        struct train_env env;
        struct err e;

        bytes[0] = own_bytes();
        env = env_at(place, new_dir(place));
        env.keep_checkpoint = keep;
        _exit(train(&result, s, &env, &obs, &e) || result.end != TRAIN_DONE);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    took = bytes[1] - bytes[0];
    munmap(bytes, 2 * sizeof *bytes);
    return took;
}

static void a_run_takes_what_a_plan_says(void **state)
{
    /* Of bench's table; 768 is left to `loglog train` (docs/performance.md). */
    static const struct {
        int row;
        int64_t batch;
    } shape[] = {{0, 8}, {1, 8}, {2, 8}, {3, 8}, {3, 1}};
    struct place place;

    (void)state;
    if (SANITIZED)
        skip();
    place_init(&place);
    for (size_t i = 0; i < ARRAY_LEN(shape); i++) {
        struct run_spec s = tiny_spec();
        double bytes, took;

        s.model = bench_cases[shape[i].row].model;
        s.batch_tokens = shape[i].batch * s.model.seq_len;
        s.eval_tokens = s.model.seq_len;
        s.steps = 1;
        s.schedule.warmup_steps = 0;
        for (int keep = 0; keep < 2; keep++) {
            bytes = run_bytes(&s, 1) + keep * run_checkpoint_bytes(&s);
            took = taken(&s, &place, keep);
            print_message("%.1f MB planned, %.1f MB taken\n", bytes / 1e6,
                          took / 1e6);
            assert_true(fabs(took / bytes - 1) < 0.10);
        }
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
