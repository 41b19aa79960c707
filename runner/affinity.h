/* affinity: on which cores a child runs.
 *
 * A child has one thread.  The slots of a machine share its cores evenly, slots
 * with neighbouring numbers, and so the members of a gang, close together
 * (hwloc_distrib).  On a machine with one NUMA node the kernel's scheduler does
 * as well, and may move a child out of the way of others' work; on several, a
 * child that wanders leaves its memory behind.
 *
 * A child that trains on a device does best on the cores of the NUMA node that
 * the device is attached to; there it goes, and may use all of them. */
#ifndef LOGLOG_RUNNER_AFFINITY_H
#define LOGLOG_RUNNER_AFFINITY_H

#include "base/err.h"

#include <stddef.h>

enum affinity {
    AFFINITY_AUTO,   /* NUMA, if there are several nodes and the launcher has
                        not bound us */
    AFFINITY_NONE,   /* as the launcher left it */
    AFFINITY_SPREAD, /* a slot's share of the cores, whatever the launcher did
                      */
    AFFINITY_NUMA    /* the NUMA nodes of that share */
};

/* A slot: `place` of the `places` on this machine, with the device whose PCI
 * address is `pci` ("0000:17:00.0"; "": none, or not known). */
struct affinity_slot {
    int place, places;
    const char *pci;
};

/* "auto", "none", "spread", "numa"; refused when this build has no hwloc and
 * it would be needed. */
int affinity_parse(enum affinity *how, const char *text, struct err *e);

/* Bind this process as this slot.  text: what was done ("cores 0-3"), ""
 * nothing.  -1: it cannot be bound. */
int affinity_bind(enum affinity how, const struct affinity_slot *slot,
                  char *text, size_t room, struct err *e);
/* The same without binding: only what would be done. */
int affinity_say(enum affinity how, const struct affinity_slot *slot,
                 char *text, size_t room, struct err *e);

#endif
