/* comm_impl: private to the files comm*.c. */
#ifndef LOGLOG_TRAINER_COMM_IMPL_H
#define LOGLOG_TRAINER_COMM_IMPL_H

#include "trainer/comm.h"

/* One way of being a gang; each does what comm.h says of the function of the
 * same name.  An implementation's struct begins with a struct comm. */
struct comm_ops {
    int (*alloc)(struct comm_array *a, struct comm *c, struct err *e);
    int (*share)(struct comm *c, struct comm_array *const *a, int n,
                 struct err *e);
    int (*agree)(struct comm *c, unsigned *bits, char *text, struct err *e);
    void (*beat)(struct comm *c);
    void (*fail)(struct comm *c, const struct err *e);
    void (*close)(struct comm *c);
};

struct comm {
    const struct comm_ops *ops;
    int member, size;
};

int comm_self_open(struct comm **c, struct err *e);
int comm_shm_open(struct comm **c, int member, int size, const char *name,
                  double peer_seconds, struct err *e);
int comm_tcp_open(struct comm **c, int member, int size, const char *name,
                  double peer_seconds, struct err *e);

#endif
