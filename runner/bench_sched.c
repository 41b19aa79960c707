/* bench_sched: see bench_sched.h. */
#include "runner/bench_sched.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "runner/width.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NODE 8 /* slots a node */

/* Seconds alone from 1 to 3600, evenly in log. */
static void make_jobs(struct sched_job *job, int *most, size_t n)
{
    struct rng rng = {1, RNG_TEST, 0};

    for (size_t i = 0; i < n; i++) {
        job[i] = (struct sched_job){
            .id = (int64_t)i,
            .seconds = exp(log(3600.0) * rng_next_uniform(&rng)),
            .gang = 1};
        most[i] = 8;
    }
}

/* No schedule is shorter: all work on all slots, or the longest run. */
static double bound_of(const struct sched_job *job, size_t n, int slots)
{
    double work = 0, longest = 0;

    for (size_t i = 0; i < n; i++) {
        work += job[i].seconds * job[i].gang / slots;
        longest = fmax(longest, job[i].seconds);
    }
    return fmax(work, longest);
}

static void one(size_t n, int slots, int json)
{
    struct sched_job *job = xcalloc(n, sizeof *job);
    int *most = xcalloc(n, sizeof *most);
    int *node = xcalloc((size_t)slots, sizeof *node);
    struct width_slots on = {slots, (slots + NODE - 1) / NODE, node};
    double began, widths, starts, makespan, bound;

    for (int i = 0; i < slots; i++)
        node[i] = i / NODE;
    make_jobs(job, most, n);
    began = clock_now();
    width_choose(job, most, n, &on);
    widths = (clock_now() - began) / (double)n;
    began = clock_now();
    makespan = width_makespan(job, n, &on);
    starts = (clock_now() - began) / (double)n;
    bound = bound_of(job, n, slots);
    printf(json ? "{\"runs\":%zu,\"slots\":%d,\"width_us\":%.3f,"
                  "\"start_us\":%.3f,\"makespan_over_bound\":%.4f}\n"
                : "%7zu %6d %12.2f %12.2f %10.3f\n",
           n, slots, 1e6 * widths, 1e6 * starts, makespan / bound);
    free(job);
    free(most);
    free(node);
}

void bench_sched(int json)
{
    static const size_t runs[] = {400, 10000};
    static const int slots[] = {8, 64, 256};

    if (!json)
        printf("%7s %6s %12s %12s %10s\n", "runs", "slots", "widths, us",
               "a start, us", "makespan");
    for (size_t i = 0; i < ARRAY_LEN(runs); i++)
        for (size_t k = 0; k < ARRAY_LEN(slots); k++)
            one(runs[i], slots[k], json);
}
