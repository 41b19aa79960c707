/* The scheduler on simulated studies: no slot idles while there is work, the
 * makespan is near its lower bound, gangs stay on one node and do not starve.
 */
#include "base/mem.h"
#include "base/rng.h"
#include "runner/scheduler.h"
#include "runner/width.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS_MAX 256
#define SEED 20240105

/* A simulated job: what was predicted and what it will take. */
struct job {
    double seconds, real;
    int gang;
    double start, end;
    int runs; /* times it was started */
};

struct sim {
    struct job *job;
    int n, slots, node[SLOTS_MAX];
    double makespan;
    double tail; /* when the queue ran empty */
    double busy; /* slot-seconds used before the tail */
};

struct running {
    int job, g, slot[GANG_MAX];
    double end;
};

static void note_start(struct sim *m, struct running *r,
                       const struct sched_start *s, double now)
{
    struct job *j = &m->job[s->job.id - 1];

    r->job = (int)s->job.id - 1;
    r->g = s->job.gang;
    memcpy(r->slot, s->slot, sizeof r->slot);
    j->start = now;
    j->end = r->end = now + j->real;
    j->runs++;
}

/* Slot-seconds of [0, tail] in use. */
static double used_before(const struct sim *m, double tail)
{
    double sum = 0;

    for (int i = 0; i < m->n; i++)
        if (m->job[i].start < tail)
            sum +=
                (fmin(m->job[i].end, tail) - m->job[i].start) * m->job[i].gang;
    return sum;
}

static void simulate(struct sim *m, int per_node)
{
    struct running running[SLOTS_MAX];
    struct scheduler *s;
    int n_running = 0;
    double now = 0;

    s = sched_create(m->slots, m->node, (m->slots - 1) / per_node + 1);
    for (int i = 0; i < m->n; i++)
        sched_add(s, &(struct sched_job){i + 1, m->job[i].seconds,
                                         m->job[i].gang, 0});
    m->tail = -1;
    for (;;) {
        struct sched_start out;
        int next = -1;

        while (sched_next(s, now, &out)) {
            for (int i = 1; i < out.job.gang; i++)
                assert_int_equal(m->node[out.slot[i]], m->node[out.slot[0]]);
            note_start(m, &running[n_running++], &out, now);
        }
        if (m->tail < 0 && !sched_queued(s))
            m->tail = now;
        for (int i = 0; i < n_running; i++)
            if (next < 0 || running[i].end < running[next].end)
                next = i;
        if (next < 0)
            break;
        now = running[next].end;
        for (int i = 0; i < running[next].g; i++)
            sched_release(s, running[next].slot[i]);
        running[next] = running[--n_running];
    }
    assert_int_equal(sched_queued(s), 0);
    assert_int_equal(sched_free_slots(s), m->slots);
    m->makespan = now;
    m->busy = used_before(m, m->tail);
    sched_destroy(s);
}

/* No schedule can be shorter than the work spread evenly, or than its longest
 * run. */
static double lower_bound(const struct sim *m)
{
    double work = 0, longest = 0;

    for (int i = 0; i < m->n; i++) {
        work += m->job[i].real * m->job[i].gang;
        longest = fmax(longest, m->job[i].real);
    }
    return fmax(work / m->slots, longest);
}

/* Jobs over two and a half decades of compute, alone. */
static void make_jobs(struct sched_job *job, int n)
{
    struct rng rng = {SEED, RNG_TEST, 0};

    for (int i = 0; i < n; i++)
        job[i] = (struct sched_job){
            i + 1, 10 * pow(10, 2.5 * rng_next_uniform(&rng)), 1, 0};
}

/* A study of n runs of mixed sizes: each run the narrowest power of two that
 * brings it under a quarter of the ideal makespan; real durations `noise`
 * (relative SD) off the prediction. */
static void make_study(struct sim *m, int n, int slots, int per_node,
                       double noise)
{
    struct rng rng = {SEED + 1, RNG_TEST, 0};
    struct sched_job *plan = xcalloc((size_t)n, sizeof *plan);
    double work = 0;

    m->n = n;
    m->slots = slots;
    m->job = xcalloc((size_t)n, sizeof *m->job);
    for (int i = 0; i < slots; i++)
        m->node[i] = i / per_node;
    make_jobs(plan, n);
    for (int i = 0; i < n; i++)
        work += plan[i].seconds;
    for (int i = 0; i < n; i++) {
        struct job *j = &m->job[i];
        double s = plan[i].seconds;
        for (j->gang = 1; 2 * j->gang <= per_node &&
                          width_seconds(s, j->gang) > work / slots / 4;)
            j->gang *= 2;
        j->seconds = width_seconds(s, j->gang);
        j->real = j->seconds * exp(noise * rng_next_normal(&rng));
    }
    free(plan);
}

static void check_study(int slots, int per_node, double noise)
{
    struct sim m;
    double share, ratio;

    make_study(&m, 400, slots, per_node, noise);
    simulate(&m, per_node);
    for (int i = 0; i < m.n; i++)
        assert_int_equal(m.job[i].runs, 1);
    share = m.busy / (m.tail * slots);
    ratio = m.makespan / lower_bound(&m);
    print_message("%3d slots, %2d a node, noise %.0f %%: busy %.1f %% before "
                  "the tail, makespan %.3f of the bound\n",
                  slots, per_node, 100 * noise, 100 * share, ratio);
    assert_true(share >= 0.97);
    assert_true(ratio <= 1.08);
    free(m.job);
}

static void slots_stay_busy_and_the_makespan_is_near_its_bound(void **state)
{
    static const int slots[] = {8, 64, 256}, per_node[] = {8, 16, 64};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        for (size_t k = 0; k < ARRAY_LEN(per_node); k++)
            if (per_node[k] <= slots[i])
                for (int noise = 0; noise <= 10; noise += 10)
                    check_study(slots[i], per_node[k], noise / 100.0);
}

/* The same with the widths that a launch would choose. */
static void chosen_widths_keep_it_near_its_bound(void **state)
{
    static const int slots[] = {8, 64, 256};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        struct sched_job job[400];
        int most[400], node[SLOTS_MAX];
        struct width_slots on = {slots[i], slots[i] / 8, node};
        double work = 0, longest = 0, makespan;

        for (int k = 0; k < slots[i]; k++)
            node[k] = k / 8;
        for (int k = 0; k < 400; k++)
            most[k] = 8;
        make_jobs(job, 400);
        width_choose(job, most, 400, &on);
        for (int k = 0; k < 400; k++) {
            work += job[k].seconds * job[k].gang / slots[i];
            longest = fmax(longest, job[k].seconds);
        }
        makespan = width_makespan(job, 400, &on);
        assert_true(makespan <= 1.08 * fmax(work, longest));
    }
}

static void the_longest_run_starts_first(void **state)
{
    static const int node[] = {0};
    struct scheduler *s = sched_create(1, node, 1);
    static const struct sched_job jobs[] = {
        {11, 5, 1, 0}, {12, 50, 1, 0}, {13, 20, 1, 0}, {14, 1, 1, 7}};
    static const int64_t order[] = {14, 12, 13, 11};
    struct sched_start out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        sched_add(s, &jobs[i]);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_int_equal(sched_next(s, 0, &out), 1);
        assert_int_equal(out.job.id, order[i]);
        assert_int_equal(sched_next(s, 0, &out), 0);
        sched_release(s, out.slot[0]);
    }
    sched_destroy(s);
}

/* Four slots, two of them busy until 10.  A gang of 4 waits for them; a run of
 * 5 s may use the gap, one of 20 s would delay the gang and may not. */
static void a_short_run_fills_the_gap_and_a_long_one_does_not(void **state)
{
    static const int node[4] = {0};
    struct scheduler *s = sched_create(4, node, 1);
    struct sched_start first, out;

    (void)state;
    sched_add(s, &(struct sched_job){1, 10, 2, 9});
    assert_int_equal(sched_next(s, 0, &first), 1);
    sched_add(s, &(struct sched_job){2, 30, 4, 0});
    sched_add(s, &(struct sched_job){3, 20, 1, 0});
    sched_add(s, &(struct sched_job){4, 5, 1, 0});
    assert_int_equal(sched_next(s, 0, &out), 1);
    assert_int_equal(out.job.id, 4);
    assert_int_equal(sched_next(s, 0, &out), 0);
    sched_release(s, out.slot[0]);
    sched_release(s, first.slot[0]);
    sched_release(s, first.slot[1]);
    assert_int_equal(sched_next(s, 10, &out), 1);
    assert_int_equal(out.job.id, 2);
    assert_int_equal(out.job.gang, 4);
    sched_destroy(s);
}

static void a_gang_takes_one_node_and_the_tightest_hole(void **state)
{
    /* node 0 has four slots, node 1 has two, interleaved */
    static const int node[6] = {0, 1, 0, 1, 0, 0};
    struct scheduler *s = sched_create(6, node, 2);
    struct sched_start out;

    (void)state;
    sched_add(s, &(struct sched_job){1, 9, 2, 2});
    sched_add(s, &(struct sched_job){2, 8, 4, 1});
    sched_add(s, &(struct sched_job){3, 7, 9, 0}); /* narrowed to 4 */
    assert_int_equal(sched_next(s, 0, &out), 1);
    assert_int_equal(out.slot[0], 1);
    assert_int_equal(out.slot[1], 3);
    assert_int_equal(sched_next(s, 0, &out), 1);
    assert_int_equal(out.job.gang, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(node[out.slot[i]], 0);
    assert_int_equal(sched_widest(s), 4);
    assert_int_equal(sched_next(s, 0, &out), 0);
    assert_int_equal(sched_queued(s), 1);
    sched_destroy(s);
}

/* Wider than a node: over several, and meanwhile only what is through in time
 * may start. */
static void a_gang_may_span_nodes(void **state)
{
    static const int node[6] = {0, 1, 0, 1, 0, 0};
    struct scheduler *s = sched_create(6, node, 2);
    struct sched_start one, wide, out;
    int seen[6] = {0};

    (void)state;
    sched_span(s);
    assert_int_equal(sched_widest(s), 6);
    sched_add(s, &(struct sched_job){1, 10, 1, 9});
    assert_int_equal(sched_next(s, 0, &one), 1);
    sched_add(s, &(struct sched_job){2, 30, 6, 5});
    sched_add(s, &(struct sched_job){3, 20, 1, 0}); /* would be in its way */
    sched_add(s, &(struct sched_job){4, 5, 2, 0});
    assert_int_equal(sched_next(s, 0, &out), 1);
    assert_int_equal(out.job.id, 4);
    assert_int_equal(sched_next(s, 0, &wide), 0);
    for (int i = 0; i < 2; i++)
        sched_release(s, out.slot[i]);
    sched_release(s, one.slot[0]);
    assert_int_equal(sched_next(s, 10, &wide), 1);
    assert_int_equal(wide.job.id, 2);
    for (int i = 0; i < 6; i++)
        seen[wide.slot[i]]++;
    for (int i = 0; i < 6; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(sched_free_slots(s), 0);
    for (int i = 0; i < 6; i++)
        sched_release(s, wide.slot[i]);
    assert_int_equal(sched_room(s, 0), 4);
    assert_int_equal(sched_room(s, 1), 2);
    sched_add(s, &(struct sched_job){5, 9, 5, 0}); /* beside the third */
    assert_int_equal(sched_next(s, 10, &out), 1);
    assert_int_equal(out.job.id, 3);
    assert_int_equal(sched_next(s, 10, &wide), 1);
    assert_int_equal(wide.job.id, 5);
    assert_int_equal(sched_free_slots(s), 0);
    sched_destroy(s);
}

static void a_removed_run_does_not_start(void **state)
{
    static const int node[1] = {0};
    struct scheduler *s = sched_create(1, node, 1);
    struct sched_start out;

    (void)state;
    for (int64_t id = 1; id <= 3; id++)
        sched_add(s, &(struct sched_job){id, (double)id, 1, 0});
    assert_int_equal(sched_remove(s, 2), 1);
    assert_int_equal(sched_remove(s, 2), 0);
    assert_int_equal(sched_next(s, 0, &out), 1);
    assert_int_equal(out.job.id, 3);
    sched_release(s, 0);
    assert_int_equal(sched_next(s, 0, &out), 1);
    assert_int_equal(out.job.id, 1);
    sched_destroy(s);
}

/* One node of `slots`; the jobs' seconds alone, and what the packer makes. */
static void runs_are_widened_only_where_it_shortens_the_study(void **state)
{
    static const struct {
        const char *claim;
        double seconds[8];
        int n, slots, most, gang[8];
    } cases[] = {
        {"runs that pack evenly stay alone",
         {100, 100, 100, 100, 100, 100, 100, 100},
         8,
         4,
         4,
         {1, 1, 1, 1, 1, 1, 1, 1}},
        {"the only run takes what there is", {1000}, 1, 8, 8, {8}},
        {"but no more than it can use", {1000}, 1, 8, 3, {2}},
        {"a run that would be the tail is widened",
         {1000, 15, 15, 15},
         4,
         4,
         4,
         {4, 1, 1, 1}},
        {"short runs stay alone", {19}, 1, 8, 8, {1}},
    };
    static const int node[8] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct width_slots on = {cases[i].slots, 1, node};
        struct sched_job job[8];
        int most[8];

        for (int k = 0; k < cases[i].n; k++) {
            job[k] = (struct sched_job){k + 1, cases[i].seconds[k], 1, 0};
            most[k] = cases[i].most;
        }
        width_choose(job, most, (size_t)cases[i].n, &on);
        for (int k = 0; k < cases[i].n; k++)
            if (job[k].gang != cases[i].gang[k])
                fail_msg("%s: run %d has %d members, expected %d",
                         cases[i].claim, k, job[k].gang, cases[i].gang[k]);
    }
}

/* Whatever the number of slots, the packer's plan is no longer than all runs
 * alone, and no longer than all runs as wide as a node. */
static void the_packed_plan_is_the_shortest(void **state)
{
    static const int slots[] = {2, 8, 64, 256};
    struct sched_job alone[400], wide[400], packed[400];
    int node[SLOTS_MAX], most[400];

    (void)state;
    make_jobs(alone, 400);
    for (int i = 0; i < SLOTS_MAX; i++)
        node[i] = i / 16;
    for (size_t k = 0; k < ARRAY_LEN(slots); k++) {
        struct width_slots on = {slots[k], (slots[k] + 15) / 16, node};
        double p, a, w;

        memcpy(packed, alone, sizeof packed);
        memcpy(wide, alone, sizeof wide);
        for (int i = 0; i < 400; i++) {
            most[i] = slots[k] < 16 ? slots[k] : 16;
            wide[i].gang = most[i];
            wide[i].seconds = width_seconds(alone[i].seconds, most[i]);
        }
        width_choose(packed, most, 400, &on);
        p = width_makespan(packed, 400, &on);
        a = width_makespan(alone, 400, &on);
        w = width_makespan(wide, 400, &on);
        print_message("%3d slots: packed %.0f s, alone %.0f s, wide %.0f s\n",
                      slots[k], p, a, w);
        assert_true(p <= a && p <= w);
    }
}

static void the_makespan_of_a_known_packing(void **state)
{
    static const int node[3] = {0, 0, 0};
    struct width_slots on = {3, 1, node};
    /* 7 and 6 side by side with 5, then 4 under 5, 3 under 6: 9 s */
    static const struct sched_job jobs[] = {
        {1, 7, 1, 0}, {2, 6, 1, 0}, {3, 5, 1, 0}, {4, 4, 1, 0}, {5, 3, 1, 0}};

    (void)state;
    assert_true(fabs(width_makespan(jobs, 5, &on) - 9) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_stay_busy_and_the_makespan_is_near_its_bound),
        cmocka_unit_test(chosen_widths_keep_it_near_its_bound),
        cmocka_unit_test(the_longest_run_starts_first),
        cmocka_unit_test(a_short_run_fills_the_gap_and_a_long_one_does_not),
        cmocka_unit_test(a_gang_takes_one_node_and_the_tightest_hole),
        cmocka_unit_test(a_gang_may_span_nodes),
        cmocka_unit_test(a_removed_run_does_not_start),
        cmocka_unit_test(runs_are_widened_only_where_it_shortens_the_study),
        cmocka_unit_test(the_packed_plan_is_the_shortest),
        cmocka_unit_test(the_makespan_of_a_known_packing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
