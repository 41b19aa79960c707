/* affinity: see affinity.h. */
#include "runner/affinity.h"

#include "base/mem.h"
#include "base/str.h"

#ifdef LOGLOG_HAVE_HWLOC
#include <hwloc.h>
#endif

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [AFFINITY_AUTO] = "auto",
    [AFFINITY_NONE] = "none",
    [AFFINITY_SPREAD] = "spread",
    [AFFINITY_NUMA] = "numa",
};

int affinity_parse(enum affinity *how, const char *text, struct err *e)
{
    const char *near = str_nearest(text, names, ARRAY_LEN(names));

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(text, names[i])) {
            *how = (enum affinity)i;
#ifndef LOGLOG_HAVE_HWLOC
            if (*how == AFFINITY_SPREAD || *how == AFFINITY_NUMA)
                return err_set(e, ERR_USAGE,
                               "%s: this build has no hwloc; install "
                               "libhwloc-dev and build again, or bind by the "
                               "launcher",
                               text);
#endif
            return 0;
        }
    return err_set(e, ERR_USAGE,
                   "'%s': auto, none, spread or numa expected%s%s", text,
                   near ? ", did you mean " : "", near ? near : "");
}

#ifdef LOGLOG_HAVE_HWLOC

/* auto: what it is here. */
static enum affinity decide(hwloc_topology_t topology)
{
    hwloc_const_cpuset_t all = hwloc_topology_get_allowed_cpuset(topology);
    hwloc_cpuset_t now = hwloc_bitmap_alloc();
    int free = !hwloc_get_cpubind(topology, now, HWLOC_CPUBIND_PROCESS) &&
               hwloc_bitmap_isincluded(all, now),
        nodes = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);

    hwloc_bitmap_free(now);
    return free && nodes > 1 ? AFFINITY_NUMA : AFFINITY_NONE;
}

/* The share of slot `place`, the caller's to free. */
static hwloc_cpuset_t share(hwloc_topology_t topology, int place, int places)
{
    hwloc_cpuset_t *set = xcalloc((size_t)places, sizeof(hwloc_cpuset_t)), mine;
    hwloc_obj_t root = hwloc_get_root_obj(topology);

    hwloc_distrib(topology, &root, 1, set, (unsigned)places, INT_MAX, 0);
    mine = set[place];
    set[place] = NULL;
    for (int i = 0; i < places; i++)
        hwloc_bitmap_free(set[i]);
    free(set);
    return mine;
}

static void widen_to_nodes(hwloc_topology_t topology, hwloc_cpuset_t set)
{
    hwloc_nodeset_t nodes = hwloc_bitmap_alloc();

    hwloc_cpuset_to_nodeset(topology, set, nodes);
    hwloc_cpuset_from_nodeset(topology, set, nodes);
    hwloc_bitmap_free(nodes);
}

/* The cores next to a device; NULL when hwloc does not know it. */
static hwloc_cpuset_t beside(hwloc_topology_t topology, const char *pci)
{
    hwloc_obj_t device =
        pci && *pci ? hwloc_get_pcidev_by_busidstring(topology, pci) : NULL;
    hwloc_obj_t near =
        device ? hwloc_get_non_io_ancestor_obj(topology, device) : NULL;

    return near && near->cpuset && !hwloc_bitmap_iszero(near->cpuset)
               ? hwloc_bitmap_dup(near->cpuset)
               : NULL;
}

/* What this slot gets, the caller's to free; NULL: it stays as it is. */
static hwloc_cpuset_t choose(hwloc_topology_t topology, enum affinity how,
                             const struct affinity_slot *slot)
{
    hwloc_cpuset_t set;

    if (how == AFFINITY_AUTO)
        how = decide(topology);
    if (how == AFFINITY_NONE)
        return NULL;
    set = beside(topology, slot->pci);
    if (set)
        return set;
    set = share(topology, slot->place, slot->places);
    if (how == AFFINITY_NUMA)
        widen_to_nodes(topology, set);
    return set;
}

/* The topology, with PCI devices where one is asked for: looking for them takes
 * longer than all the rest. */
static int read_machine(hwloc_topology_t *topology, const char *pci,
                        struct err *e)
{
    if (hwloc_topology_init(topology))
        return err_set(e, ERR_ENV, "hwloc cannot start");
    if (pci && *pci)
        hwloc_topology_set_io_types_filter(*topology,
                                           HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    if (!hwloc_topology_load(*topology))
        return 0;
    hwloc_topology_destroy(*topology);
    return err_set(e, ERR_ENV, "hwloc cannot read this machine");
}

static int place(enum affinity how, const struct affinity_slot *slot, int bind,
                 char *text, size_t room, struct err *e)
{
    hwloc_topology_t topology;
    hwloc_cpuset_t set;
    char list[64];
    int rc = 0;

    text[0] = '\0';
    if (how == AFFINITY_NONE || slot->place < 0 || slot->place >= slot->places)
        return 0;
    if (read_machine(&topology, slot->pci, e))
        return -1;
    set = choose(topology, how, slot);
    if (set) {
        hwloc_bitmap_list_snprintf(list, sizeof list, set);
        if (bind)
            rc = hwloc_set_cpubind(topology, set, HWLOC_CPUBIND_PROCESS);
        if (rc)
            rc = err_errno(e, "cores %s", list);
        else
            snprintf(text, room, "cores %s", list);
        hwloc_bitmap_free(set);
    }
    hwloc_topology_destroy(topology);
    return rc;
}

#else

static int place(enum affinity how, const struct affinity_slot *slot, int bind,
                 char *text, size_t room, struct err *e)
{
    (void)how;
    (void)slot;
    (void)bind;
    (void)room;
    (void)e;
    text[0] = '\0';
    return 0;
}

#endif

int affinity_bind(enum affinity how, const struct affinity_slot *slot,
                  char *text, size_t room, struct err *e)
{
    return place(how, slot, 1, text, room, e);
}

int affinity_say(enum affinity how, const struct affinity_slot *slot,
                 char *text, size_t room, struct err *e)
{
    return place(how, slot, 0, text, room, e);
}
