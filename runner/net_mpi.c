/* net_mpi: the wire over MPI.
 *
 * One thread, MPI_THREAD_FUNNELED, no blocking call between Init and
 * Finalize: matched probe, then an Imrecv that is tested until it is there
 * (a blocking receive would spin, and hang for ever on a sender that died in
 * between); Isend from a copy that lives until its request completes.  No
 * communicator but a duplicate of the world is ever made. */
#include "runner/net_wire.h"

#include "base/mem.h"
#include "runner/net.h"

#include <mpi.h>
#if defined(OPEN_MPI) && __has_include(<mpi-ext.h>)
#include <mpi-ext.h>
#endif

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct outgoing {
    struct outgoing *next;
    MPI_Request request;
    char body[];
};

struct wire {
    MPI_Comm comm;
    struct outgoing *out; /* sends that have not completed */
    /* the one receive in flight; order is kept because there is one only */
    int receiving;
    MPI_Request in;
    int in_from, in_tag, in_len;
    char in_body[NET_MAX];
};

int wire_open(struct wire **out, int *rank, int *size, struct err *e)
{
    int provided = 0;
    struct wire *w;

    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) !=
        MPI_SUCCESS)
        return err_set(e, ERR_ENV, "MPI_Init failed");
    w = xcalloc(1, sizeof *w);
    MPI_Comm_dup(MPI_COMM_WORLD, &w->comm);
    MPI_Comm_rank(w->comm, rank);
    MPI_Comm_size(w->comm, size);
    *out = w;
    return 0;
}

/* Free the sends that are out. */
static void reap_sends(struct wire *w)
{
    for (struct outgoing **at = &w->out; *at;) {
        struct outgoing *o = *at;
        int done = 0;

        MPI_Test(&o->request, &done, MPI_STATUS_IGNORE);
        if (!done) {
            at = &o->next;
            continue;
        }
        *at = o->next;
        free(o);
    }
}

void wire_send(struct wire *w, int to, int tag, const void *msg, size_t len)
{
    struct outgoing *o = xmalloc(sizeof *o + len);

    memcpy(o->body, msg, len);
    MPI_Isend(o->body, (int)len, MPI_BYTE, to, tag, w->comm, &o->request);
    o->next = w->out;
    w->out = o;
}

/* Begin the receive of the next message, if one has arrived. */
static void begin_receive(struct wire *w)
{
    MPI_Message message;
    MPI_Status status;
    int there = 0;

    MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, w->comm, &there, &message,
                &status);
    if (!there)
        return;
    MPI_Get_count(&status, MPI_BYTE, &w->in_len);
    BUG_ON(w->in_len < 0 || w->in_len > NET_MAX);
    w->in_from = status.MPI_SOURCE;
    w->in_tag = status.MPI_TAG;
    MPI_Imrecv(w->in_body, w->in_len, MPI_BYTE, &message, &w->in);
    w->receiving = 1;
}

int wire_recv(struct wire *w, int *from, int *tag, void *msg, size_t *len)
{
    int done = 0;

    reap_sends(w);
    if (!w->receiving)
        begin_receive(w);
    if (!w->receiving)
        return 0;
    MPI_Test(&w->in, &done, MPI_STATUS_IGNORE);
    if (!done)
        return 0;
    w->receiving = 0;
    *from = w->in_from;
    *tag = w->in_tag;
    *len = (size_t)w->in_len;
    memcpy(msg, w->in_body, (size_t)w->in_len);
    return 1;
}

void wire_close(struct wire *w)
{
    const struct timespec ms = {0, 1000000};

    for (reap_sends(w); w->out; reap_sends(w))
        nanosleep(&ms, NULL);
    MPI_Comm_free(&w->comm);
    MPI_Finalize();
    free(w);
}

void wire_abort(struct wire *w, int code)
{
    MPI_Abort(w->comm, code);
    _exit(code);
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

/* ULFM (fault tolerance of Open MPI 5) is for information: nothing here uses
 * it. */
const char *wire_library(void)
{
#if defined(OPEN_MPI)
    return "Open MPI " TEXT(OMPI_MAJOR_VERSION) "." TEXT(
        OMPI_MINOR_VERSION) "." TEXT(OMPI_RELEASE_VERSION)
#else
    return "MPI " TEXT(MPI_VERSION) "." TEXT(MPI_SUBVERSION)
#endif
#if defined(OMPI_HAVE_MPI_EXT_FTMPI) && OMPI_HAVE_MPI_EXT_FTMPI
        ", with ULFM";
#else
        ", without ULFM";
#endif
}
