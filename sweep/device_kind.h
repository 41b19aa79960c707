/* device_kind: what a run is to be trained on, as people name it. */
#ifndef LOGLOG_SWEEP_DEVICE_KIND_H
#define LOGLOG_SWEEP_DEVICE_KIND_H

#include "base/err.h"

enum device_kind {
    DEVICE_CPU,
    DEVICE_AUTO, /* a GPU when there is one, else the CPU */
    DEVICE_CUDA,
    DEVICE_CUEMU, /* the GPU's code on the CPU, for tests */
    DEVICE_KINDS
};

/* "cpu", "auto", "cuda" or "cuemu"; -1 with *e for anything else. */
int device_parse(enum device_kind *kind, const char *name, struct err *e);
const char *device_name(enum device_kind kind);

#endif
