/* net_self: the wire of a build without MPI.  There is none: a launcher that
 * starts several of us is told so, instead of getting several whole studies
 * that fight for one database. */
#include "runner/net_wire.h"

#include "base/mem.h"

#include <unistd.h>

int wire_open(struct wire **w, int *rank, int *size, struct err *e)
{
    (void)w;
    (void)rank;
    (void)size;
    return err_set(e, ERR_ENV,
                   "this build has no MPI, so it cannot run under mpirun or "
                   "srun: build with -DLOGLOG_MPI=ON, or use --slots");
}

void wire_send(struct wire *w, int to, int tag, const void *msg, size_t len)
{
    (void)w;
    (void)to;
    (void)tag;
    (void)msg;
    (void)len;
    BUG_ON(1);
}

int wire_recv(struct wire *w, int *from, int *tag, void *msg, size_t *len)
{
    (void)w;
    (void)from;
    (void)tag;
    (void)msg;
    (void)len;
    BUG_ON(1);
}

void wire_close(struct wire *w)
{
    (void)w;
}

void wire_abort(struct wire *w, int code)
{
    (void)w;
    _exit(code);
}

const char *wire_library(void)
{
    return "no MPI";
}
