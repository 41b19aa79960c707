/* comm: see comm.h.  Chooses the implementation and calls it. */
#include "trainer/comm.h"

#include "base/mem.h"
#include "trainer/comm_impl.h"

#include <string.h>

int comm_open(struct comm **c, int member, int size, const char *name,
              double peer_seconds, struct err *e)
{
    if (size < 1 || size > COMM_MAX || member < 0 || member >= size)
        return err_set(e, ERR_USAGE,
                       "member %d of a gang of %d: 1 to %d members expected",
                       member, size, COMM_MAX);
    if (size == 1)
        return comm_self_open(c, e);
    if (!name || !*name)
        return err_set(e, ERR_USAGE, "a gang of %d needs a name to meet under",
                       size);
    if (!strncmp(name, "tcp:", 4))
        return comm_tcp_open(c, member, size, name, peer_seconds, e);
    return comm_shm_open(c, member, size, name, peer_seconds, e);
}

void comm_close(struct comm *c)
{
    if (c)
        c->ops->close(c);
}

int comm_member(const struct comm *c)
{
    return c->member;
}

int comm_size(const struct comm *c)
{
    return c->size;
}

int comm_alloc(struct comm_array *a, struct comm *c, struct err *e)
{
    BUG_ON(a->element == 0);
    for (int m = 0; m < c->size; m++)
        BUG_ON(a->bound[m] > a->bound[m + 1]);
    return c->ops->alloc(a, c, e);
}

int comm_share(struct comm *c, struct comm_array *const *a, int n,
               struct err *e)
{
    return c->ops->share(c, a, n, e);
}

int comm_agree(struct comm *c, unsigned *bits, char *text, struct err *e)
{
    return c->ops->agree(c, bits, text, e);
}

void comm_beat(struct comm *c)
{
    c->ops->beat(c);
}

void comm_fail(struct comm *c, const struct err *e)
{
    c->ops->fail(c, e);
}
