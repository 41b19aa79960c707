/* gate: the barrier of a gang on one machine, and who of it still lives.
 * Private to comm_shm.c.
 *
 * All meetings are one barrier in shared memory: a count of who arrived and a
 * turn that the last one moves on.  Waiting spins for some microseconds and
 * then sleeps on a futex, waking now and then to look after the others.  Each
 * member holds an open-file-description lock on byte `member` of the shared
 * object: the kernel drops it when the process ends, be it a zombie or not, so
 * a dead member is seen without signals, parents or process ids.  A member
 * that lives but hangs stops counting its beat. */
#ifndef LOGLOG_TRAINER_GATE_H
#define LOGLOG_TRAINER_GATE_H

#include "base/err.h"
#include "trainer/comm.h"

#include <stdatomic.h>
#include <stdint.h>

/* What a member shows the others. */
struct gate_slot {
    _Alignas(64) _Atomic uint64_t beat;
    _Atomic uint32_t joined;
    /* of comm_agree; two, as one may be read while the next is written */
    unsigned bits[2];
    char text[2][COMM_TEXT];
};

enum { GATE_FINE, GATE_FAILING, GATE_FAILED };

/* In shared memory, zero at first. */
struct gate_head {
    _Atomic uint32_t ready; /* the head is filled in */
    int32_t size;
    _Alignas(64) _Atomic uint32_t arrived; /* at this turn's barrier */
    _Alignas(64) _Atomic uint32_t turn;    /* the futex */
    _Atomic uint32_t state;                /* `why` is set when GATE_FAILED */
    struct err why;
    struct gate_slot slot[COMM_MAX];
};

/* One member's view. */
struct gate {
    struct gate_head *head;
    int fd; /* of the shared object, for the locks */
    int member, size;
    int spin; /* 0 when members outnumber the processors */
    double peer_seconds;
    double looked;           /* when this member last looked */
    uint64_t beat[COMM_MAX]; /* last seen of each other one ... */
    double still[COMM_MAX];  /* ... and for how long it did not change */
};

/* Take this member's lock; -1 when another process has it. */
int gate_lock(int fd, int member);
/* Does some other process hold this member's lock? */
int gate_locked(int fd, int member);

/* Join: this member has its lock and the head mapped. */
void gate_init(struct gate *g, struct gate_head *head, int fd, int member,
               int size, double peer_seconds);
/* Wait until all are here.  -1 when one of them died, hangs, or failed. */
int gate_meet(struct gate *g, struct err *e);
void gate_beat(struct gate *g);
/* Say why the gang is over, once, and wake whoever waits. */
void gate_fail(struct gate *g, const struct err *why);

#endif
