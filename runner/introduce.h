/* introduce: what a rank tells the coordinator about itself and its machine. */
#ifndef LOGLOG_RUNNER_INTRODUCE_H
#define LOGLOG_RUNNER_INTRODUCE_H

#include "runner/net.h"
#include "trainer/device.h"

/* Send MSG_HELLO: host, node, cores, slots, build. */
void introduce_rank(struct net *net, int slots);

/* Look for devices of this kind and send MSG_DEVICE. */
void introduce_device(struct net *net, enum device_kind kind);

#endif
