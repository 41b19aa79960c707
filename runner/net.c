/* net: see net.h.  Whether a launcher started this process is read from its
 * environment: initialising MPI without one costs a quarter of a second and
 * can fail on a login node. */
#include "runner/net.h"

#include "base/mem.h"
#include "runner/net_wire.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A message to oneself. */
struct note {
    struct note *next;
    int tag;
    size_t len;
    char body[];
};

struct net {
    int rank, size;
    struct wire *wire; /* NULL: this process is the whole job */
    struct note *first, **last;
};

/* Open MPI, PMIx (srun --mpi=pmix), PMI-1/2 (srun, MPICH's hydra). */
static int have_launcher(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK",
                                        "PMI_RANK", "PMI_FD"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (getenv(names[i]))
            return 1;
    return 0;
}

int net_open(struct net **out, struct err *e)
{
    struct net *net = xcalloc(1, sizeof *net);

    net->size = 1;
    net->last = &net->first;
    if (have_launcher() && wire_open(&net->wire, &net->rank, &net->size, e)) {
        free(net);
        return -1;
    }
    *out = net;
    return 0;
}

int net_rank(const struct net *net)
{
    return net->rank;
}

int net_size(const struct net *net)
{
    return net->size;
}

void net_send(struct net *net, int to, int tag, const void *msg, size_t len)
{
    struct note *n;

    BUG_ON(to < 0 || to >= net->size || len > NET_MAX);
    if (to != net->rank) {
        wire_send(net->wire, to, tag, msg, len);
        return;
    }
    n = xmalloc(sizeof *n + len);
    n->next = NULL;
    n->tag = tag;
    n->len = len;
    memcpy(n->body, msg, len);
    *net->last = n;
    net->last = &n->next;
}

int net_recv(struct net *net, int *from, int *tag, void *msg, size_t *len)
{
    struct note *n = net->first;

    if (!n)
        return net->wire ? wire_recv(net->wire, from, tag, msg, len) : 0;
    *from = net->rank;
    *tag = n->tag;
    *len = n->len;
    memcpy(msg, n->body, n->len);
    net->first = n->next;
    if (!net->first)
        net->last = &net->first;
    free(n);
    return 1;
}

void net_close(struct net *net)
{
    if (!net)
        return;
    if (net->wire)
        wire_close(net->wire);
    for (struct note *n = net->first, *next; n; n = next) {
        next = n->next;
        free(n);
    }
    free(net);
}

void net_abort(struct net *net, int code)
{
    if (net && net->wire)
        wire_abort(net->wire, code);
    _exit(code);
}

const char *net_library(void)
{
    return wire_library();
}
