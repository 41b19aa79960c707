/* scheduler: see scheduler.h.  The queue is one array in starting order; new
 * jobs are collected behind it and merged by one sort when the next job is
 * asked for, so that a plan of thousands is queued in one go. */
#include "runner/scheduler.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    int node, busy;
    double until; /* predicted end of what it does */
};

struct scheduler {
    struct slot *slot;
    int n_slots, n_nodes;
    int widest;    /* node, in slots */
    int span;      /* gangs may */
    int *of_node;  /* (n_slots) slots by node, increasing; node i has ... */
    int *first_of; /* (n_nodes + 1) ... of_node[first_of[i] .. first_of[i+1]) */
    int *free;     /* (n_nodes) free slots of each */
    int n_free;
    struct sched_job *queue; /* [first, n): queued, in order if !unsorted */
    size_t first, n, cap;
    int unsorted;
    double *scratch; /* (n_slots) */
};

struct scheduler *sched_create(int n_slots, const int *node, int n_nodes)
{
    struct scheduler *s = xcalloc(1, sizeof *s);

    s->slot = xcalloc((size_t)n_slots, sizeof *s->slot);
    s->free = xcalloc((size_t)n_nodes, sizeof *s->free);
    s->of_node = xcalloc((size_t)n_slots, sizeof *s->of_node);
    s->first_of = xcalloc((size_t)n_nodes + 1, sizeof *s->first_of);
    s->scratch = xcalloc((size_t)n_slots, sizeof *s->scratch);
    s->n_slots = s->n_free = n_slots;
    s->n_nodes = n_nodes;
    for (int i = 0; i < n_slots; i++) {
        BUG_ON(node[i] < 0 || node[i] >= n_nodes);
        s->slot[i].node = node[i];
        if (++s->free[node[i]] > s->widest)
            s->widest = s->free[node[i]];
    }
    for (int k = 0, n = 0; k < n_nodes; k++) {
        for (int i = 0; i < n_slots; i++)
            if (node[i] == k)
                s->of_node[n++] = i;
        s->first_of[k + 1] = n;
    }
    return s;
}

void sched_destroy(struct scheduler *s)
{
    if (!s)
        return;
    free(s->slot);
    free(s->free);
    free(s->of_node);
    free(s->first_of);
    free(s->scratch);
    free(s->queue);
    free(s);
}

static int by_order(const void *pa, const void *pb)
{
    const struct sched_job *a = pa, *b = pb;

    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (a->seconds < b->seconds || a->seconds > b->seconds)
        return a->seconds > b->seconds ? -1 : 1;
    if (a->gang != b->gang)
        return a->gang > b->gang ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static void sort_queue(struct scheduler *s)
{
    if (s->unsorted)
        qsort(s->queue + s->first, s->n - s->first, sizeof *s->queue, by_order);
    s->unsorted = 0;
}

void sched_add(struct scheduler *s, const struct sched_job *job)
{
    struct sched_job *j;

    BUG_ON(job->gang < 1 || job->gang > GANG_MAX);
    s->queue = mem_grow(s->queue, &s->cap, s->n + 1, sizeof *s->queue);
    j = &s->queue[s->n++];
    *j = *job;
    if (j->gang > sched_widest(s)) {
        j->seconds *= (double)j->gang / sched_widest(s);
        j->gang = sched_widest(s);
    }
    s->unsorted = 1;
}

void sched_clear(struct scheduler *s)
{
    s->first = s->n = 0;
    s->unsorted = 0;
}

/* Remove queue[i], keeping the order. */
static void drop(struct scheduler *s, size_t i)
{
    if (i == s->first) {
        s->first++;
    } else {
        memmove(s->queue + i, s->queue + i + 1,
                (s->n - i - 1) * sizeof *s->queue);
        s->n--;
    }
    if (s->first == s->n)
        s->first = s->n = 0;
}

int sched_remove(struct scheduler *s, int64_t id)
{
    for (size_t i = s->first; i < s->n; i++)
        if (s->queue[i].id == id) {
            drop(s, i);
            return 1;
        }
    return 0;
}

/* Slots by node, increasing: those of a node, or of all. */
#define ALL (-1)

static int first(const struct scheduler *s, int node)
{
    return node == ALL ? 0 : s->first_of[node];
}

static int end(const struct scheduler *s, int node)
{
    return node == ALL ? s->n_slots : s->first_of[node + 1];
}

/* The node with the fewest free slots that still holds a gang of g, so that
 * wide holes stay wide; -1: none. */
static int best_node(const struct scheduler *s, int g)
{
    int best = -1;

    for (int i = 0; i < s->n_nodes; i++)
        if (s->free[i] >= g && (best < 0 || s->free[i] < s->free[best]))
            best = i;
    return best;
}

static void start(struct scheduler *s, size_t i, int node, double now,
                  struct sched_start *out)
{
    int member = 0;

    out->job = s->queue[i];
    for (int k = first(s, node); k < end(s, node) && member < out->job.gang;
         k++) {
        struct slot *slot = &s->slot[s->of_node[k]];
        if (slot->busy)
            continue;
        slot->busy = 1;
        s->free[slot->node]--;
        slot->until = now + out->job.seconds;
        out->slot[member++] = s->of_node[k];
    }
    BUG_ON(member != out->job.gang);
    s->n_free -= member;
    drop(s, i);
}

static int by_time(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;

    return *a < *b ? -1 : *a > *b;
}

/* Where and when a gang of g will find room, and how many slots of that node
 * others may keep beyond that time. */
struct reservation {
    int node, spare;
    double when;
};

static struct reservation reserve(struct scheduler *s, int g, double now)
{
    struct reservation best = {ALL, 0, -1};
    int across = g > s->widest;

    for (int node = across ? ALL : 0; node < (across ? 0 : s->n_nodes);
         node++) {
        int n = 0, after = 0;
        double when;

        if (end(s, node) - first(s, node) < g)
            continue;
        for (int i = first(s, node); i < end(s, node); i++) {
            const struct slot *slot = &s->slot[s->of_node[i]];
            s->scratch[n++] =
                slot->busy && slot->until > now ? slot->until : now;
        }
        qsort(s->scratch, (size_t)n, sizeof *s->scratch, by_time);
        when = s->scratch[g - 1];
        while (after < n && s->scratch[after] <= when)
            after++;
        if (best.when < 0 || when < best.when)
            best = (struct reservation){node, after - g, when};
    }
    return best;
}

static int reserved(const struct reservation *r, int node)
{
    return r->node == ALL || r->node == node;
}

/* A node where this job can start without delaying the reservation. */
static int backfill_node(const struct scheduler *s, const struct sched_job *j,
                         const struct reservation *r, double now)
{
    int best = -1;

    for (int i = 0; i < s->n_nodes; i++) {
        if (s->free[i] < j->gang)
            continue;
        if (reserved(r, i) && now + j->seconds > r->when && j->gang > r->spare)
            continue;
        if (best < 0 || s->free[i] < s->free[best])
            best = i;
    }
    return best;
}

int sched_next(struct scheduler *s, double now, struct sched_start *out)
{
    struct reservation r;
    int node, here = 0, elsewhere = 0, g;

    if (s->first == s->n || !s->n_free)
        return 0;
    sort_queue(s);
    g = s->queue[s->first].gang;
    node = best_node(s, g);
    if (node >= 0 || (g > s->widest && g <= s->n_free)) {
        start(s, s->first, node >= 0 ? node : ALL, now, out);
        return 1;
    }
    r = reserve(s, g, now);
    for (int i = 0; i < s->n_nodes; i++) {
        int *room = reserved(&r, i) ? &here : &elsewhere;

        if (s->free[i] > *room)
            *room = s->free[i];
    }
    for (size_t i = s->first + 1; i < s->n; i++) {
        const struct sched_job *j = &s->queue[i];

        /* a long queue is mostly jobs that fit nowhere: see that fast */
        if (j->gang > elsewhere &&
            (j->gang > here ||
             (j->gang > r.spare && now + j->seconds > r.when)))
            continue;
        node = backfill_node(s, j, &r, now);
        if (node >= 0) {
            start(s, i, node, now, out);
            return 1;
        }
    }
    return 0;
}

void sched_release(struct scheduler *s, int slot)
{
    BUG_ON(slot < 0 || slot >= s->n_slots || !s->slot[slot].busy);
    s->slot[slot].busy = 0;
    s->free[s->slot[slot].node]++;
    s->n_free++;
}

size_t sched_queued(const struct scheduler *s)
{
    return s->n - s->first;
}

int sched_free_slots(const struct scheduler *s)
{
    return s->n_free;
}

int sched_room(const struct scheduler *s, int node)
{
    return s->free[node];
}

void sched_span(struct scheduler *s)
{
    s->span = 1;
}

int sched_widest(const struct scheduler *s)
{
    return s->span ? s->n_slots : s->widest;
}
