/* width: see width.h. */
#include "runner/width.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Longest run allowed, as a multiple of the ideal makespan (all work spread
 * evenly over all slots); from no widening to a lot.  Where runs are few a slot
 * the makespan jumps about between limits: more of them are tried. */
#define LIMIT_MOST 1.1
#define LIMIT_LEAST 0.12
#define LIMITS_FEW 8
#define LIMITS_MANY 26
#define MANY_RUNS 2000

#define WORTH 0.99 /* a wider plan must be this much shorter */

static double limit(int k, int limits)
{
    return k ? LIMIT_MOST *
                   pow(LIMIT_LEAST / LIMIT_MOST, (double)(k - 1) / (limits - 2))
             : INFINITY;
}

double width_seconds(double seconds, int g)
{
    return seconds / g * (1 + GANG_LOSS * (g - 1));
}

struct running {
    double end;
    int g, slot[GANG_MAX];
};

/* The jobs at work, the one that ends first on top. */
struct heap {
    struct running *at;
    size_t n;
};

static void swap(struct running *a, struct running *b)
{
    struct running t = *a;

    *a = *b;
    *b = t;
}

static void heap_push(struct heap *h, const struct running *r)
{
    size_t i = h->n++;

    h->at[i] = *r;
    for (; i && h->at[(i - 1) / 2].end > h->at[i].end; i = (i - 1) / 2)
        swap(&h->at[i], &h->at[(i - 1) / 2]);
}

static struct running heap_pop(struct heap *h)
{
    struct running top = h->at[0];

    h->at[0] = h->at[--h->n];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1;
        for (size_t k = left; k < left + 2 && k < h->n; k++)
            if (h->at[k].end < h->at[least].end)
                least = k;
        if (least == i)
            return top;
        swap(&h->at[i], &h->at[least]);
        i = least;
    }
}

double width_makespan(const struct sched_job *job, size_t n,
                      const struct width_slots *on)
{
    struct scheduler *s = sched_create(on->n_slots, on->node, on->n_nodes);
    struct heap h = {xcalloc((size_t)on->n_slots, sizeof *h.at), 0};
    double now = 0;

    for (size_t i = 0; i < n; i++)
        sched_add(s, &job[i]);
    for (;;) {
        struct sched_start out;
        struct running r;

        while (sched_next(s, now, &out)) {
            r.end = now + out.job.seconds;
            r.g = out.job.gang;
            memcpy(r.slot, out.slot, sizeof r.slot);
            heap_push(&h, &r);
        }
        if (!h.n)
            break;
        r = heap_pop(&h);
        now = r.end;
        for (int i = 0; i < r.g; i++)
            sched_release(s, r.slot[i]);
    }
    BUG_ON(sched_queued(s));
    free(h.at);
    sched_destroy(s);
    return now;
}

/* Gangs that keep every run under `longest` seconds, where they may. */
static void widen(struct sched_job *out, const struct sched_job *alone,
                  const int *most, size_t n, double longest, int widest)
{
    for (size_t i = 0; i < n; i++) {
        int g = 1, top = most[i] < widest ? most[i] : widest;

        if (alone[i].seconds >= GANG_MIN_SECONDS)
            while (2 * g <= top && 2 * g <= GANG_MAX &&
                   width_seconds(alone[i].seconds, g) > longest)
                g *= 2;
        out[i] = alone[i];
        out[i].gang = g;
        out[i].seconds = width_seconds(alone[i].seconds, g);
    }
}

static int widest_node(const struct width_slots *on)
{
    int *count = xcalloc((size_t)on->n_nodes, sizeof *count), widest = 0;

    for (int i = 0; i < on->n_slots; i++)
        if (++count[on->node[i]] > widest)
            widest = count[on->node[i]];
    free(count);
    return widest;
}

void width_choose(struct sched_job *job, const int *most, size_t n,
                  const struct width_slots *on)
{
    struct sched_job *alone, *trial;
    double ideal = 0, best = INFINITY;
    int widest = widest_node(on),
        limits = n > MANY_RUNS ? LIMITS_FEW : LIMITS_MANY;

    if (!n)
        return;
    alone = xcalloc(n, sizeof *alone);
    trial = xcalloc(n, sizeof *trial);
    memcpy(alone, job, n * sizeof *alone);
    for (size_t i = 0; i < n; i++)
        ideal += alone[i].seconds / on->n_slots;
    /* no plan is shorter than the ideal */
    for (int k = 0; k < limits && best * WORTH > ideal; k++) {
        double makespan;

        widen(trial, alone, most, n, limit(k, limits) * ideal, widest);
        makespan = width_makespan(trial, n, on);
        if (makespan < best * WORTH || k == 0) {
            memcpy(job, trial, n * sizeof *job);
            best = makespan;
        }
    }
    free(alone);
    free(trial);
}
