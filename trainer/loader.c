/* loader: see loader.h.
 *
 * Step t lies in slot t mod `slots`.  The steps [taken, next) are in the ring
 * or being read; step `taken` is in use, so threads may fill the ring up to
 * step taken + slots - 1.  Of the threads the first `wanted` work, the others
 * sleep. */
#include "trainer/loader.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define RING_BYTES ((size_t)4 << 20)
#define SLOTS_MAX 64
#define READERS 8
#define SLOW_NS 5000000

struct reader {
    struct loader *l;
    int number;
    pthread_t thread;
};

struct loader {
    const struct batches *b;
    int64_t from, rows, last;
    int64_t next, taken; /* steps */
    int begun;           /* of the caller alone */
    int64_t slots;
    int64_t filled[SLOTS_MAX]; /* the step that a slot holds */
    size_t slot_tokens;
    int32_t *ring;
    int readers, wanted, least; /* threads, at work, to stay at work */
    int stop, full;             /* full: until half of it is free */
    double waited;
    struct reader reader[READERS];
    pthread_mutex_t lock;
    pthread_cond_t arrived, used;
};

struct loader *loader_create(const struct batches *b, int64_t from,
                             int64_t rows, int64_t last)
{
    struct loader *l = xcalloc(1, sizeof *l);
    size_t bytes;

    l->b = b;
    l->from = from;
    l->rows = rows;
    l->last = last;
    l->slot_tokens = (size_t)(rows * (b->seq_len + 1));
    bytes = l->slot_tokens * sizeof *l->ring + 1;
    l->slots = (int64_t)(RING_BYTES / bytes);
    l->slots = l->slots < 2 ? 2 : l->slots > SLOTS_MAX ? SLOTS_MAX : l->slots;
    l->ring = mem_tensor((size_t)l->slots * bytes);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->arrived, NULL);
    pthread_cond_init(&l->used, NULL);
    if (l->ring)
        return l;
    loader_destroy(l);
    return NULL;
}

static int32_t *slot(const struct loader *l, int64_t t)
{
    return l->ring + (size_t)(t % l->slots) * l->slot_tokens;
}

static void load(struct loader *l, int64_t t)
{
    static const struct timespec slow = {0, SLOW_NS};

    if (fault_at("slow-read"))
        nanosleep(&slow, NULL);
    batches_read(slot(l, t), l->b, t, l->from, l->rows);
}

/* Is there a step for this reader to read? */
static int has_work(const struct reader *r)
{
    const struct loader *l = r->l;

    return r->number < l->wanted && !l->full && l->next <= l->last;
}

static void *read_ahead(void *arg)
{
    struct reader *r = arg;
    struct loader *l = r->l;
    int64_t t;

    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->stop && !has_work(r))
            pthread_cond_wait(&l->used, &l->lock);
        if (l->stop)
            break;
        t = l->next++;
        if (l->next >= l->taken + l->slots) {
            l->full = 1;
            l->wanted -= l->wanted > l->least;
        }
        pthread_mutex_unlock(&l->lock);
        load(l, t);
        pthread_mutex_lock(&l->lock);
        l->filled[t % l->slots] = t;
        pthread_cond_signal(&l->arrived);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

void loader_begin(struct loader *l, int64_t t)
{
    l->begun = 1;
    l->next = t;
    l->taken = t - 1; /* nothing is in use */
    l->wanted = READERS;
    l->least = 0; /* the first step is waited for */
    for (int i = 0; i < READERS; i++) {
        struct reader *r = &l->reader[l->readers];

        *r = (struct reader){.l = l, .number = l->readers};
        l->readers += !pthread_create(&r->thread, NULL, read_ahead, r);
    }
}

/* Step t, without a thread. */
static void take_now(struct loader *l, int64_t t)
{
    double begun = clock_now();

    load(l, t);
    l->waited += clock_now() - begun;
    l->taken = t;
}

/* Until step t is there; waiting is a reason to ask for more at a time. */
static void wait_for(struct loader *l, int64_t t)
{
    double begun = clock_now();

    l->least += l->least < READERS;
    l->wanted = l->wanted > l->least ? l->wanted : l->least;
    pthread_cond_broadcast(&l->used);
    while (l->filled[t % l->slots] != t)
        pthread_cond_wait(&l->arrived, &l->lock);
    l->waited += clock_now() - begun;
}

const int32_t *loader_take(struct loader *l, int64_t t)
{
    BUG_ON(t < 1 || t > l->last || (l->begun && t != l->taken + 1));
    if (!l->begun)
        loader_begin(l, t);
    if (!l->readers) {
        take_now(l, t);
        return slot(l, t);
    }
    pthread_mutex_lock(&l->lock);
    l->taken = t;
    if (!l->least)
        l->least = 1;
    if (l->full && l->next - t <= l->slots / 2) {
        l->full = 0;
        pthread_cond_broadcast(&l->used);
    }
    if (l->filled[t % l->slots] != t)
        wait_for(l, t);
    pthread_mutex_unlock(&l->lock);
    return slot(l, t);
}

double loader_waited(const struct loader *l)
{
    return l->waited;
}

void loader_destroy(struct loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = 1;
    pthread_cond_broadcast(&l->used);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->readers; i++)
        pthread_join(l->reader[i].thread, NULL);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->arrived);
    pthread_cond_destroy(&l->used);
    mem_tensor_free(l->ring);
    free(l);
}
