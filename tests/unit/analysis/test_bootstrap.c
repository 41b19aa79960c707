/* bootstrap: what is resampled, that threads do not matter, and that the
 * three intervals are what they are called. */
#include "analysis/bootstrap.h"
#include "analysis/stat.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double sample[] = {2.1, 3.7, 1.2, 9.8,  4.4, 0.3,
                                6.1, 2.2, 5.5, 12.4, 3.3, 1.9};

static int mean_of(double *stat, const size_t *idx, size_t m,
                   const struct boot_turn *turn, void *ctx)
{
    const double *x = ctx;
    double sum = 0;

    (void)turn;
    for (size_t i = 0; i < m; i++)
        sum += x[idx[i]];
    stat[0] = sum / (double)m;
    stat[1] = (double)m;
    return 0;
}

static void run_mean(struct bootstrap *b, const struct boot_options *o)
{
    double x[ARRAY_LEN(sample)], estimate[2];
    struct err e;

    memcpy(x, sample, sizeof(x));
    estimate[0] = stat_mean(sample, 12);
    estimate[1] = 12;
    ok(bootstrap_run(b, o, 12, NULL, 0, estimate, 2, mean_of, x, &e));
}

static void intervals_agree_with_scipy(void **state)
{
    struct boot_options o = {.resamples = 100000, .seed = 3, .jackknife = 1};
    struct bootstrap b;
    double lo, hi, blo, bhi;

    (void)state;
    run_mean(&b, &o);
    assert_int_equal(bootstrap_interval(&lo, &hi, &b, 0, BOOT_BCA, 0.9), 0);
    within(lo, 3.0333, 0.02); /* scipy.stats.bootstrap, 200,000 resamples */
    within(hi, 6.4250, 0.03);
    bootstrap_interval(&lo, &hi, &b, 0, BOOT_PERCENTILE, 0.9);
    within(lo, 2.8667, 0.02);
    within(hi, 6.1417, 0.03);
    bootstrap_interval(&blo, &bhi, &b, 0, BOOT_BASIC, 0.9);
    near(blo, 2 * stat_mean(sample, 12) - hi, 1e-12);
    near(bhi, 2 * stat_mean(sample, 12) - lo, 1e-12);
    /* standard error of a mean, with n and not n - 1 below the root */
    near(bootstrap_se(&b, 0), stat_sd(sample, 12) * sqrt(11.0) / 12, 0.01);
    bootstrap_release(&b);
}

static void threads_change_nothing(void **state)
{
    struct boot_options one = {.resamples = 999, .seed = 8, .jackknife = 1};
    struct boot_options four = one;
    struct bootstrap a, b;

    (void)state;
    four.threads = 4;
    run_mean(&a, &one);
    run_mean(&b, &four);
    assert_int_equal(a.good, 999);
    assert_memory_equal(a.value, b.value, 999 * 2 * sizeof(double));
    assert_memory_equal(a.jack, b.jack, 12 * 2 * sizeof(double));
    bootstrap_release(&b);
    four.seed = 9;
    run_mean(&b, &four);
    assert_memory_not_equal(a.value, b.value, 999 * 2 * sizeof(double));
    bootstrap_release(&a);
    bootstrap_release(&b);
}

/* Three groups of 1, 2 and 3 rows: every resample must consist of whole
 * groups. */
struct whole {
    size_t group[6];
    int broken;
};

static int whole_groups(double *stat, const size_t *idx, size_t m,
                        const struct boot_turn *turn, void *ctx)
{
    static const int size[3] = {1, 2, 3};
    struct whole *w = ctx;
    int count[6] = {0};

    (void)turn;
    for (size_t i = 0; i < m; i++)
        count[idx[i]]++;
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++)
            if (w->group[i] == w->group[j] && count[i] != count[j])
                w->broken = 1;
    stat[0] = 0;
    for (size_t i = 0; i < m; i++)
        stat[0] += 1.0 / size[w->group[idx[i]]];
    return 0;
}

static void groups_are_resampled_whole(void **state)
{
    static const char *const label[] = {"b", "a", "c", "a", "c", "c"};
    struct boot_options o = {.resamples = 200, .seed = 1};
    struct whole w = {.broken = 0};
    struct bootstrap b;
    struct err e;
    size_t n_groups;
    double three = 3;

    (void)state;
    boot_groups_of_text(w.group, &n_groups, label, 6);
    assert_int_equal(n_groups, 3);
    assert_int_equal(w.group[3], 1);
    ok(bootstrap_run(&b, &o, 6, w.group, n_groups, &three, 1, whole_groups, &w,
                     &e));
    assert_int_equal(w.broken, 0);
    for (size_t i = 0; i < b.good; i++) /* as many groups as there are */
        near(b.value[i], 3, 1e-12);
    bootstrap_release(&b);
}

static void write_text(char *path, const char *text)
{
    struct err e;

    strcpy(path, "/tmp/loglog-boot-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    ok(file_write(path, text, strlen(text), &e));
}

static void draws_come_from_a_file(void **state)
{
    char path[64];
    struct boot_options o = {.indices = path};
    struct bootstrap b;

    (void)state;
    write_text(path, "0 0 1\n11, 10, 9\n\n3\t3\t3\n");
    run_mean(&b, &o);
    assert_int_equal(b.good, 3);
    near(b.value[0], (2 * 2.1 + 3.7) / 3, 1e-14);
    near(b.value[2], (1.9 + 3.3 + 12.4) / 3, 1e-14);
    near(b.value[4], 9.8, 1e-14);
    bootstrap_release(&b);
    unlink(path);
}

static void bad_draws_are_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"0 1\n0 12\n", ":2: index 12, expected 0 to 11"},
        {"0 1\n0 1 2\n", ":2: 3 indices, expected 2"},
        {"0 1\n0 x\n", ":2: unexpected 'x'"},
        {"0 -1\n", ":1: unexpected '-'"},
        {"\n\n", "no resamples"},
        {"99999999999999999999999 1\n", ":1: index"},
    };
    double x[12], estimate[2] = {0, 0};
    char path[64];
    struct boot_options o = {.indices = path};
    struct bootstrap b;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        write_text(path, bad[i].text);
        assert_int_equal(
            bootstrap_run(&b, &o, 12, NULL, 0, estimate, 2, mean_of, x, &e),
            -1);
        if (!strstr(e.text, bad[i].why))
            print_error("%s\n", e.text);
        assert_non_null(strstr(e.text, bad[i].why));
        assert_int_equal(e.cls, ERR_USAGE);
        unlink(path);
    }
}

static int fails_often(double *stat, const size_t *idx, size_t m,
                       const struct boot_turn *turn, void *ctx)
{
    (void)m;
    (void)turn;
    stat[0] = 1;
    return idx[0] < *(size_t *)ctx ? -1 : 0;
}

static void failed_refits_are_counted(void **state)
{
    struct boot_options o = {.resamples = 400, .seed = 4};
    size_t limit = 2;
    struct bootstrap b;
    struct err e;
    double one = 1;

    (void)state;
    ok(bootstrap_run(&b, &o, 8, NULL, 0, &one, 1, fails_often, &limit, &e));
    between((double)b.good, 260, 340); /* 3 of 4 */
    assert_int_equal(b.resamples, 400);
    bootstrap_release(&b);
    limit = 6;
    assert_int_equal(
        bootstrap_run(&b, &o, 8, NULL, 0, &one, 1, fails_often, &limit, &e),
        -1);
    assert_non_null(strstr(e.text, "of 400"));
}

/* A nominal 90 % percentile interval of a mean of 40 covers about 89 %. */
static void coverage_is_nominal(void **state)
{
    enum { N = 40, STUDIES = 400 };
    struct rng r = {77, RNG_TEST, 0};
    int covered = 0;

    (void)state;
    for (int s = 0; s < STUDIES; s++) {
        double x[N], estimate[2], lo, hi;
        struct boot_options o = {.resamples = 400, .seed = (uint64_t)s};
        struct bootstrap b;
        struct err e;
        for (int i = 0; i < N; i++)
            x[i] = 5 + rng_next_normal(&r);
        estimate[0] = stat_mean(x, N);
        estimate[1] = N;
        ok(bootstrap_run(&b, &o, N, NULL, 0, estimate, 2, mean_of, x, &e));
        bootstrap_interval(&lo, &hi, &b, 0, BOOT_PERCENTILE, 0.9);
        covered += lo <= 5 && 5 <= hi;
        bootstrap_release(&b);
    }
    between(covered / (double)STUDIES, 0.84, 0.94);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_agree_with_scipy),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(groups_are_resampled_whole),
        cmocka_unit_test(draws_come_from_a_file),
        cmocka_unit_test(bad_draws_are_refused),
        cmocka_unit_test(failed_refits_are_counted),
        cmocka_unit_test(coverage_is_nominal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
