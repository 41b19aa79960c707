/* sow: see sow.h. */
#include "trainer/sow.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define SOWERS 4
#define SMALL (1 << 18) /* parameters, below which a thread does not pay */

/* Tensors are taken one by one. */
struct field {
    struct model *m;
    int64_t seed;
    atomic_int taken;
};

/* The last of the table first, for it is large: no thread should be left with
 * it alone. */
static void *work(void *arg)
{
    struct field *f = arg;
    int n = model_table(f->m)->n;

    for (int i; (i = atomic_fetch_add(&f->taken, 1)) < n;)
        model_init_tensor(f->m, f->seed, (i + n - 1) % n);
    return NULL;
}

static int cores(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

void sow(struct model *m, int64_t seed, int threads)
{
    struct field f = {.m = m, .seed = seed};
    pthread_t helper[SOWERS - 1];
    int n = 0;

    if (!threads)
        threads = model_size(m) < SMALL ? 1 : cores();
    while (n < SOWERS - 1 && n < threads - 1 &&
           !pthread_create(&helper[n], NULL, work, &f))
        n++;
    work(&f);
    while (n > 0)
        pthread_join(helper[--n], NULL);
}
