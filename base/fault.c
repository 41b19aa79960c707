/* fault: see fault.h.  The count of passes per fault is this module's state;
 * it exists only in a process that has LOGLOG_FAULT set.  Threads may ask. */
#include "base/fault.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULT_MAX 16

struct fault {
    char name[32];
    int64_t n, every;
    struct fault_here where; /* -1: anywhere */
    int64_t passes;
};

static struct {
    int count;
    struct fault fault[FAULT_MAX];
} state;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of passes */

static void set_key(struct fault *f, const char *key, int64_t value)
{
    const struct {
        const char *key;
        int64_t *slot;
    } keys[] = {
        {"n", &f->n},
        {"every", &f->every},
        {"run", &f->where.run},
        {"step", &f->where.step},
        {"attempt", &f->where.attempt},
        {"rank", &f->where.rank},
    };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!strcmp(key, keys[i].key)) {
            *keys[i].slot = value;
            return;
        }
    fprintf(stderr, "loglog: LOGLOG_FAULT: unknown key '%s'\n", key);
    exit(2);
}

static void load(void)
{
    const char *env = getenv("LOGLOG_FAULT");
    char *copy, *save = NULL, *inner = NULL;

    if (!env || !*env)
        return;
    copy = xstrdup(env);
    for (char *item = strtok_r(copy, ",", &save);
         item && state.count < FAULT_MAX; item = strtok_r(NULL, ",", &save)) {
        struct fault *f = &state.fault[state.count++];
        char *part = strtok_r(item, ":", &inner);

        *f = (struct fault){.n = 1, .where = {-1, -1, -1, -1}};
        snprintf(f->name, sizeof f->name, "%s", part ? part : "");
        while ((part = strtok_r(NULL, ":", &inner))) {
            char *eq = strchr(part, '=');
            if (eq)
                *eq = '\0';
            set_key(f, part, eq ? strtoll(eq + 1, NULL, 10) : 1);
        }
    }
    free(copy);
}

static int matches(int64_t wanted, int64_t is)
{
    return wanted < 0 || wanted == is;
}

int fault_at_here(const char *name, const struct fault_here *here)
{
    int hit = 0;

    pthread_once(&once, load);
    if (!state.count)
        return 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < state.count; i++) {
        struct fault *f = &state.fault[i];
        if (strcmp(f->name, name) || !matches(f->where.run, here->run) ||
            !matches(f->where.step, here->step) ||
            !matches(f->where.attempt, here->attempt) ||
            !matches(f->where.rank, here->rank))
            continue;
        f->passes++;
        if (f->every || f->passes == f->n)
            hit = 1;
    }
    pthread_mutex_unlock(&lock);
    return hit;
}

int fault_at(const char *name)
{
    static const struct fault_here nowhere = {-1, -1, -1, -1};

    return fault_at_here(name, &nowhere);
}

void fault_kill(const char *name)
{
    if (!fault_at(name))
        return;
    fprintf(stderr, "loglog: LOGLOG_FAULT: %s\n", name);
    raise(SIGKILL);
}
