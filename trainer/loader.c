/* loader: see loader.h.
 *
 * Step t lies in slot t mod `slots`.  The steps [taken, next) are in the ring;
 * step `taken` is in use, so the thread may fill up to taken + slots - 1. */
#include "trainer/loader.h"

#include "base/fault.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define RING_BYTES ((size_t)4 << 20)
#define SLOTS_MAX 64
#define SLOW_NS 5000000

struct loader {
    const struct batches *b;
    int64_t from, rows, last;
    int64_t next, taken; /* steps; taken 0: none yet */
    int64_t slots;
    size_t slot_tokens;
    int32_t *ring;
    int threaded, stop, asleep;
    double waited;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled, used;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

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
    pthread_cond_init(&l->filled, NULL);
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

static void *read_ahead(void *arg)
{
    struct loader *l = arg;

    pthread_mutex_lock(&l->lock);
    while (!l->stop && l->next <= l->last) {
        int64_t t = l->next;

        if (t >= l->taken + l->slots) { /* until half of it is free */
            while (!l->stop && l->next - l->taken > l->slots / 2) {
                l->asleep = 1;
                pthread_cond_wait(&l->used, &l->lock);
            }
            l->asleep = 0;
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        load(l, t);
        pthread_mutex_lock(&l->lock);
        l->next = t + 1;
        pthread_cond_signal(&l->filled);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

const int32_t *loader_take(struct loader *l, int64_t t)
{
    double begun;

    BUG_ON(t < 1 || t > l->last || (l->taken && t != l->taken + 1));
    if (!l->taken) {
        l->next = l->taken = t;
        l->threaded = !pthread_create(&l->thread, NULL, read_ahead, l);
    }
    if (!l->threaded) {
        begun = now();
        load(l, t);
        l->waited += now() - begun;
        l->taken = t;
        return slot(l, t);
    }
    pthread_mutex_lock(&l->lock);
    l->taken = t;
    if (l->asleep && l->next - t <= l->slots / 2)
        pthread_cond_signal(&l->used);
    if (l->next <= t) {
        begun = now();
        while (l->next <= t)
            pthread_cond_wait(&l->filled, &l->lock);
        l->waited += now() - begun;
    }
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
    if (l->threaded) {
        pthread_mutex_lock(&l->lock);
        l->stop = 1;
        pthread_cond_signal(&l->used);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->filled);
    pthread_cond_destroy(&l->used);
    mem_tensor_free(l->ring);
    free(l);
}
