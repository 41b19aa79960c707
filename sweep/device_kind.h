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

/* How a GPU is to do it, whatever the result's rounding; 0 is the default of
 * each.  In the order of the enums of trainer/cuda/engine.h. */
enum device_choice {
    DEVICE_ATTENTION, /* auto (flash where head_dim allows it), materialised,
                         cudnn */
    DEVICE_RECOMPUTE, /* auto (where it does not fit otherwise), off, on */
    DEVICE_GRAPHS,    /* on, off */
    DEVICE_CHOICES
};

/* The value of a name; -1 with "PARAM: ...". */
int device_choice_parse(int *value, enum device_choice which, const char *name,
                        struct err *e);
/* NULL: there is no such value. */
const char *device_choice_name(enum device_choice which, int value);

#endif
