/* workers: see workers.h. */
#include "runner/workers.h"

#include "base/mem.h"
#include "trainer/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void workers_init(struct workers *w, int ranks)
{
    memset(w, 0, sizeof *w);
    w->n = ranks;
    w->rank = xcalloc((size_t)ranks, sizeof *w->rank);
}

void workers_release(struct workers *w)
{
    free(w->rank);
    free(w->slot_rank);
    free(w->slot_node);
    free(w->slot_place);
    memset(w, 0, sizeof *w);
}

int workers_missing(const struct workers *w)
{
    for (int i = 0; i < w->n; i++)
        if (!w->rank[i].there)
            return i;
    return -1;
}

/* Number the nodes and lay out the slots. */
static void complete(struct workers *w)
{
    for (int i = 0; i < w->n; i++) {
        struct worker *me = &w->rank[i];

        me->node = -1;
        for (int k = 0; k < i && me->node < 0; k++)
            if (w->rank[k].hello.node == me->hello.node)
                me->node = w->rank[k].node;
        if (me->node < 0)
            me->node = w->n_nodes++;
        me->first = w->n_slots;
        w->n_slots += me->hello.slots;
    }
    w->slot_rank = xcalloc((size_t)w->n_slots, sizeof(int));
    w->slot_node = xcalloc((size_t)w->n_slots, sizeof(int));
    w->slot_place = xcalloc((size_t)w->n_slots, sizeof(int));
    for (int i = 0; i < w->n; i++)
        for (int k = 0; k < w->rank[i].hello.slots; k++) {
            w->slot_rank[w->rank[i].first + k] = i;
            w->slot_node[w->rank[i].first + k] = w->rank[i].node;
        }
    for (int i = 0; i < w->n_slots; i++)
        for (int k = 0; k < i; k++)
            w->slot_place[i] += w->slot_node[k] == w->slot_node[i];
}

int workers_hello(struct workers *w, int rank, const struct msg_hello *m,
                  struct err *e)
{
    BUG_ON(rank < 0 || rank >= w->n || w->rank[rank].there);
    if (m->magic != PROTO_MAGIC || m->version != PROTO_VERSION ||
        m->spec_size != (int32_t)sizeof(struct run_spec))
        return err_set(e, ERR_ENV,
                       "rank %d on %s runs another build of loglog (%s): "
                       "install one build on all nodes",
                       rank, m->host, m->commit);
    w->rank[rank].there = 1;
    w->rank[rank].hello = *m;
    if (workers_missing(w) >= 0)
        return 0;
    complete(w);
    return 1;
}

int workers_slot(const struct workers *w, int rank, int local)
{
    if (rank < 0 || rank >= w->n || local < 0 ||
        local >= w->rank[rank].hello.slots)
        return -1;
    return w->rank[rank].first + local;
}

int workers_local(const struct workers *w, int slot)
{
    return slot - w->rank[w->slot_rank[slot]].first;
}

int workers_places(const struct workers *w, int slot)
{
    int n = 0;

    for (int i = 0; i < w->n_slots; i++)
        n += w->slot_node[i] == w->slot_node[slot];
    return n;
}

int workers_device(struct workers *w, int rank, const struct msg_device *m)
{
    BUG_ON(rank < 0 || rank >= w->n || !w->rank[rank].there);
    w->rank[rank].told = 1;
    w->rank[rank].device = *m;
    for (int i = 0; i < w->n; i++)
        if (!w->rank[i].told)
            return 0;
    return 1;
}

int workers_devices_check(const struct workers *w, struct err *e)
{
    const char **uuid;
    int rc = 0;

    for (int i = 0; i < w->n; i++)
        if (!w->rank[i].device.found)
            return err_set(e, ERR_ENV, "rank %d on %s: %s", i,
                           w->rank[i].hello.host, w->rank[i].device.why);
    uuid = xcalloc((size_t)w->n_slots, sizeof *uuid);
    for (int node = 0; node < w->n_nodes && !rc; node++) {
        const char *host = "";
        int n = 0;

        for (int s = 0; s < w->n_slots; s++) {
            const struct worker *r = &w->rank[w->slot_rank[s]];
            if (w->slot_node[s] != node)
                continue;
            host = r->hello.host;
            uuid[n++] =
                r->device.uuid[w->slot_place[s] % r->device.n % PROTO_DEVICES];
        }
        rc = device_distinct(uuid, n, e);
        if (rc)
            err_prefix(e, "%s: ", host);
    }
    free(uuid);
    return rc;
}

int workers_crowded(const struct workers *w, char *text, size_t room)
{
    for (int node = 0; node < w->n_nodes; node++) {
        int slots = 0, cores = 0;
        const char *host = "";

        for (int i = 0; i < w->n; i++) {
            const struct msg_hello *h = &w->rank[i].hello;
            if (w->rank[i].node != node)
                continue;
            host = h->host;
            slots += h->slots;
            cores = h->cores;
            if (h->cpus < h->slots && h->cpus < h->cores) {
                snprintf(text, room,
                         "rank %d on %s has %d slots but is bound to %d "
                         "core%s of %d: mpirun --bind-to none, or run --bind "
                         "spread, frees it",
                         i, host, h->slots, h->cpus, h->cpus == 1 ? "" : "s",
                         h->cores);
                return 1;
            }
        }
        if (slots > cores) {
            snprintf(text, room, "%s has %d slots on %d core%s", host, slots,
                     cores, cores == 1 ? "" : "s");
            return 1;
        }
    }
    return 0;
}
