/* writer: see writer.h. */
#include "trainer/writer.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct writer {
    const struct run_spec *spec;
    const struct checkpoint_share *share;
    size_t n;
    float *copy; /* CHECKPOINT_BLOCKS * n; NULL until there was a need */

    pthread_t thread;
    int started; /* the thread exists and was not joined */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int finished; /* guarded by lock */

    /* the thread's while it runs */
    char path[PATH_MAX];
    struct checkpoint_state state;
    const float *block[CHECKPOINT_BLOCKS];
    struct timespec begun;
    struct written result;
};

struct writer *writer_create(const struct run_spec *spec,
                             const struct checkpoint_share *share, size_t n)
{
    struct writer *w = xcalloc(1, sizeof *w);
    pthread_condattr_t attr;

    w->spec = spec;
    w->share = share;
    w->n = n;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attr);
    pthread_condattr_destroy(&attr);
    return w;
}

void writer_destroy(struct writer *w)
{
    if (!w)
        return;
    if (w->started)
        pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w->copy);
    free(w);
}

int writer_busy(const struct writer *w)
{
    return w->started;
}

static double since(const struct timespec *t0)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)(t.tv_sec - t0->tv_sec) +
           1e-9 * (double)(t.tv_nsec - t0->tv_nsec);
}

static void *run(void *arg)
{
    struct writer *w = arg;

    w->result = (struct written){.step = w->state.step};
    w->result.failed =
        (w->share ? checkpoint_share_write(&w->result.seal, w->path, w->share,
                                           w->spec, &w->state, w->block,
                                           &w->result.err)
                  : checkpoint_write(w->path, w->spec, &w->state, w->block,
                                     w->n, &w->result.err)) != 0;
    w->result.seconds = since(&w->begun);
    pthread_mutex_lock(&w->lock);
    w->finished = 1;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Signals are for the thread that trains. */
static int start_thread(struct writer *w)
{
    sigset_t all, was;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    rc = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return rc;
}

int writer_start(struct writer *w, const char *path,
                 const struct checkpoint_state *state,
                 const float *const block[CHECKPOINT_BLOCKS], int stays)
{
    int borrowed, rc;

    BUG_ON(w->started);
    clock_gettime(CLOCK_MONOTONIC, &w->begun);
    if (!w->copy && !stays)
        w->copy = malloc(CHECKPOINT_BLOCKS * w->n * sizeof(float));
    borrowed = !w->copy;
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++) {
        w->block[b] = borrowed ? block[b] : w->copy + (size_t)b * w->n;
        if (!borrowed)
            memcpy(w->copy + (size_t)b * w->n, block[b], w->n * sizeof(float));
    }
    snprintf(w->path, sizeof w->path, "%s", path);
    w->state = *state;
    w->finished = 0;
    w->started = 1;
    rc = start_thread(w);
    if (rc) {
        w->result = (struct written){.step = state->step, .failed = 1};
        errno = rc;
        err_errno(&w->result.err, "%s: no thread to write it", path);
        w->started = 2; /* nothing to join */
        w->finished = 1;
    }
    return borrowed && !stays;
}

int writer_done(struct written *r, struct writer *w, int wait_ms)
{
    struct timespec until;
    int finished, rc = 0;

    if (!w->started)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_mutex_lock(&w->lock);
    while (!w->finished && wait_ms > 0 && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    finished = w->finished;
    pthread_mutex_unlock(&w->lock);
    if (!finished)
        return 0;
    if (w->started == 1)
        pthread_join(w->thread, NULL);
    w->started = 0;
    *r = w->result;
    return 1;
}
