/* The coordinator's tables: jobs by run, ranks and slots by hello, members of
 * a gang. */
#include "base/mem.h"
#include "base/rng.h"
#include "runner/gang.h"
#include "runner/jobs.h"
#include "runner/workers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct db_run a_run(int64_t id, double seconds, int64_t sequences)
{
    struct db_run r;

    memset(&r, 0, sizeof r);
    r.id = r.plan.id = id;
    r.plan.seconds = seconds;
    spec_defaults(&r.plan.spec);
    r.plan.spec.batch_tokens = sequences * r.plan.spec.model.seq_len;
    return r;
}

static void a_run_is_one_job_whoever_asks(void **state)
{
    struct jobs j;

    (void)state;
    jobs_init(&j);
    assert_null(jobs_find(&j, 5));
    for (int64_t i = 1; i <= 3000; i++) {
        /* ids that collide in their low bits */
        struct db_run r = a_run(i << 20, 1, 8);
        jobs_add(&j, &r);
        jobs_add(&j, &r);
    }
    assert_int_equal(j.n, 3000);
    for (int64_t i = 1; i <= 3000; i++) {
        const struct job *job = jobs_find(&j, i << 20);
        assert_non_null(job);
        assert_int_equal(job->number, i - 1);
    }
    assert_null(jobs_find(&j, (int64_t)3001 << 20));
    jobs_release(&j);
}

/* Steps that a trunk takes are no work of the run. */
static void a_share_is_of_the_steps_that_are_its_own(void **state)
{
    struct job job;

    (void)state;
    memset(&job, 0, sizeof job);
    job.run.plan.spec.steps = 100;
    assert_true(job_share(&job, 0) == 0 && job_share(&job, 25) == 0.25);
    job.run.plan.trunk_step = 80;
    assert_true(job_share(&job, 0) == 0 && job_share(&job, 80) == 0);
    assert_true(job_share(&job, 95) == 0.75 && job_share(&job, 100) == 1);
}

/* A study may ask for a width; a batch that splits into fewer parts, or a node
 * with fewer slots, narrows it. */
static void widths_respect_the_batch_and_the_node(void **state)
{
    static const struct {
        int ask, slots;
        int64_t sequences;
        int gang;
    } cases[] = {
        {0, 4, 8, 4},  /* the only run, by the packer: as wide as it can be */
        {0, 4, 2, 2},  /* two sequences: two members */
        {0, 4, 3, 1},  /* an odd number does not split */
        {2, 4, 8, 2},  /* as asked */
        {8, 4, 16, 4}, /* as wide as the node */
        {8, 16, 4, 4}, /* as the batch allows */
    };
    static const int node[16] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct width_slots on = {cases[i].slots, 1, node};
        struct scheduler *s = sched_create(cases[i].slots, node, 1);
        struct db_run r = a_run(9, 1000, cases[i].sequences);
        struct sched_start out;
        struct jobs j;

        jobs_init(&j);
        jobs_add(&j, &r)->asked = cases[i].ask;
        jobs_queue(&j, s, &on);
        assert_int_equal(sched_queued(s), 1);
        assert_int_equal(sched_next(s, 0, &out), 1);
        assert_int_equal(out.job.gang, cases[i].gang);
        assert_int_equal(j.job[0]->gang, cases[i].gang);
        jobs_release(&j);
        sched_destroy(s);
    }
}

static double makespan(const double *seconds, int n, int asked, int slots)
{
    struct plan p;
    double end;

    plan_init(&p);
    for (int i = 0; i < n; i++) {
        struct db_run r = a_run(i + 1, seconds[i], 4);
        plan_add(&p, &r.plan);
    }
    end = jobs_makespan(&p, asked, slots);
    plan_release(&p);
    return end;
}

/* The best makespan of runs alone, by trying every assignment. */
static double brute(const double *seconds, int n, double *busy, int slots)
{
    double best = INFINITY;

    if (n == 0) {
        double end = 0;
        for (int j = 0; j < slots; j++)
            end = fmax(end, busy[j]);
        return end;
    }
    for (int j = 0; j < slots; j++) {
        busy[j] += seconds[n - 1];
        best = fmin(best, brute(seconds, n - 1, busy, slots));
        busy[j] -= seconds[n - 1];
    }
    return best;
}

/* Longest first is within 4/3 - 1/(3 slots) of the best (Graham 1969). */
static void a_plan_of_single_runs_is_near_the_best(void **state)
{
    struct rng r = {3, RNG_TEST, 0};

    (void)state;
    for (int trial = 0; trial < 200; trial++) {
        double seconds[8], busy[3] = {0, 0, 0}, best, got, sum = 0;
        int n = 1 + (int)rng_next_below(&r, 8);
        int slots = 1 + (int)rng_next_below(&r, 3);
        for (int i = 0; i < n; i++) {
            seconds[i] = 1 + (double)rng_next_below(&r, 30);
            sum += seconds[i];
        }
        got = makespan(seconds, n, 1, slots);
        best = brute(seconds, n, busy, slots);
        assert_true(got >= best - 1e-9);
        assert_true(got <= best * (4.0 / 3 - 1.0 / (3 * slots)) + 1e-9);
        if (slots == 1)
            assert_true(fabs(got - sum) < 1e-9);
    }
}

/* What `loglog plan` says of a study is what the scheduler will do. */
static void a_plan_has_the_gangs_of_its_runs(void **state)
{
    static const double five[] = {2, 3, 4, 5, 6}, one[] = {100};
    const double loss = 1 + GANG_LOSS;
    static const int slots[] = {1, 2, 1000000};

    (void)state;
    assert_true(makespan(five, 0, 0, 2) == 0);
    assert_true(makespan(five, 5, 1, 2) == 11); /* 6 3 2 against 5 4 */
    assert_true(makespan(five, 5, 0, 2) == 11); /* too short for gangs */
    assert_true(makespan(five, 5, 1, 1000000) == 6);
    assert_true(fabs(makespan(five, 5, 2, 2) - 10 * loss) < 1e-9);
    assert_true(fabs(makespan(five, 5, 2, 4) - 5.5 * loss) < 1e-9);
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        int g = slots[i] < 4 ? slots[i] : 4; /* of four sequences */
        assert_true(makespan(one, 1, 1, slots[i]) == 100);
        assert_true(
            fabs(makespan(one, 1, 0, slots[i]) - width_seconds(100, g)) < 1e-9);
    }
}

static void queueing_again_leaves_active_runs_alone(void **state)
{
    static const int node[2] = {0, 0};
    struct width_slots on = {2, 1, node};
    struct scheduler *s = sched_create(2, node, 1);
    struct db_run one = a_run(1, 5, 1), two = a_run(2, 4, 1);
    struct sched_start out;
    struct jobs j;

    (void)state;
    jobs_init(&j);
    jobs_add(&j, &one)->now = JOB_ACTIVE;
    jobs_add(&j, &two);
    jobs_queue(&j, s, &on);
    jobs_queue(&j, s, &on);
    assert_int_equal(sched_queued(s), 1);
    assert_int_equal(sched_next(s, 0, &out), 1);
    assert_int_equal(j.job[out.job.id]->run.id, 2);
    jobs_requeue(j.job[0], s, 0);
    assert_int_equal(sched_next(s, 0, &out), 1);
    assert_int_equal(j.job[out.job.id]->run.id, 1);
    jobs_release(&j);
    sched_destroy(s);
}

/* The run of the study that goes first starts first, however short; a run that
 * is to be last is so within its study. */
static void studies_start_by_priority(void **state)
{
    static const int node[1] = {0};
    static const int64_t expected[] = {3, 2, 1, 4};
    struct width_slots on = {1, 1, node};
    struct scheduler *s = sched_create(1, node, 1);
    struct jobs j;

    (void)state;
    jobs_init(&j);
    for (int64_t i = 1; i <= 4; i++) {
        struct db_run r = a_run(i, (double)(10 - i), 1);
        struct job *job = jobs_add(&j, &r);
        job->priority = i == 2 || i == 3 ? 7 : -1;
        job->asked = i == 4; /* with and without a width of its own */
    }
    jobs_queue(&j, s, &on);
    sched_remove(s, 1);
    jobs_requeue(j.job[1], s, 1);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct sched_start out;

        assert_int_equal(sched_next(s, 0, &out), 1);
        assert_int_equal(j.job[out.job.id]->run.id, expected[i]);
        sched_release(s, out.slot[0]);
    }
    jobs_release(&j);
    sched_destroy(s);
}

static struct msg_hello a_hello(uint64_t node, int slots, int cpus, int cores)
{
    struct msg_hello m;

    memset(&m, 0, sizeof m);
    m.magic = PROTO_MAGIC;
    m.version = PROTO_VERSION;
    m.spec_size = (int32_t)sizeof(struct run_spec);
    m.slots = slots;
    m.cpus = cpus;
    m.cores = cores;
    m.node = node;
    snprintf(m.host, sizeof m.host, "n%llu", (unsigned long long)node);
    return m;
}

static void slots_are_numbered_over_ranks_and_nodes(void **state)
{
    static const struct {
        uint64_t node;
        int slots;
    } ranks[] = {{7, 2}, {9, 1}, {7, 1}};
    static const int slot_node[] = {0, 0, 1, 0};
    static const int slot_rank[] = {0, 0, 1, 2};
    struct workers w;
    struct err e;

    (void)state;
    workers_init(&w, 3);
    for (int i = 2; i >= 0; i--) { /* in any order */
        struct msg_hello m = a_hello(ranks[i].node, ranks[i].slots, 8, 8);
        assert_int_equal(workers_missing(&w), 0);
        assert_int_equal(workers_hello(&w, i, &m, &e), i == 0);
    }
    assert_int_equal(workers_missing(&w), -1);
    assert_int_equal(w.n_slots, 4);
    assert_int_equal(w.n_nodes, 2);
    assert_memory_equal(w.slot_node, slot_node, sizeof slot_node);
    assert_memory_equal(w.slot_rank, slot_rank, sizeof slot_rank);
    for (int i = 0; i < 4; i++)
        assert_int_equal(workers_slot(&w, w.slot_rank[i], workers_local(&w, i)),
                         i);
    assert_int_equal(workers_slot(&w, 1, 1), -1);
    assert_int_equal(workers_slot(&w, 3, 0), -1);
    workers_release(&w);
}

static void another_build_is_refused(void **state)
{
    struct msg_hello m = a_hello(1, 1, 1, 1);
    struct workers w;
    struct err e;

    (void)state;
    workers_init(&w, 2);
    m.version++;
    assert_int_equal(workers_hello(&w, 1, &m, &e), -1);
    assert_non_null(strstr(e.text, "rank 1 on n1 runs another build"));
    m.version--;
    m.spec_size++;
    assert_int_equal(workers_hello(&w, 1, &m, &e), -1);
    workers_release(&w);
}

static void crowded_nodes_are_named(void **state)
{
    static const struct {
        int slots, cpus, cores;
        const char *says; /* NULL: nothing */
    } cases[] = {
        {1, 2, 2, NULL},
        {2, 1, 8, "rank 0 on n1 has 2 slots but is bound to 1 core of 8"},
        {2, 2, 2, "n1 has 4 slots on 2 cores"},
        {1, 1, 1, "n1 has 2 slots on 1 core"},
        {1, 1, 2, NULL}, /* bound to a core each */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[256] = "";
        struct workers w;
        struct err e;

        workers_init(&w, 2);
        for (int r = 0; r < 2; r++) {
            struct msg_hello m =
                a_hello(1, cases[i].slots, cases[i].cpus, cases[i].cores);
            workers_hello(&w, r, &m, &e);
        }
        assert_int_equal(workers_crowded(&w, text, sizeof text),
                         cases[i].says != NULL);
        if (cases[i].says)
            assert_non_null(strstr(text, cases[i].says));
        workers_release(&w);
    }
}

static void a_gang_ends_with_its_last_member(void **state)
{
    struct gang g = {.size = 3, .slot = {4, 6, 9}, .at_work = 3};

    (void)state;
    assert_int_equal(gang_member(&g, 6), 1);
    assert_int_equal(gang_member(&g, 5), -1);
    assert_int_equal(gang_end(&g, 1), 0);
    assert_int_equal(gang_end(&g, 1), -1);
    assert_int_equal(gang_end(&g, 0), 0);
    assert_int_equal(gang_end(&g, 2), 1);
}

/* A meeting place of a process that is gone is removed, one of a process that
 * lives is not; whoever else's is none of our business. */
static void only_dead_meeting_places_are_swept(void **state)
{
    char dead[PROTO_NAME], alive[PROTO_NAME], path[2][PROTO_NAME + 16];
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    gang_name(dead, pid, 1, 1);
    gang_name(alive, getpid(), 1, 1);
    snprintf(path[0], sizeof path[0], "/dev/shm/%s", dead);
    snprintf(path[1], sizeof path[1], "/dev/shm/%s", alive);
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(path[i], "w");
        assert_non_null(f);
        fclose(f);
    }
    assert_true(gang_sweep() >= 1);
    assert_int_equal(access(path[0], F_OK), -1);
    assert_int_equal(access(path[1], F_OK), 0);
    unlink(path[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_one_job_whoever_asks),
        cmocka_unit_test(a_share_is_of_the_steps_that_are_its_own),
        cmocka_unit_test(widths_respect_the_batch_and_the_node),
        cmocka_unit_test(a_plan_of_single_runs_is_near_the_best),
        cmocka_unit_test(a_plan_has_the_gangs_of_its_runs),
        cmocka_unit_test(queueing_again_leaves_active_runs_alone),
        cmocka_unit_test(studies_start_by_priority),
        cmocka_unit_test(slots_are_numbered_over_ranks_and_nodes),
        cmocka_unit_test(another_build_is_refused),
        cmocka_unit_test(crowded_nodes_are_named),
        cmocka_unit_test(a_gang_ends_with_its_last_member),
        cmocka_unit_test(only_dead_meeting_places_are_swept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
