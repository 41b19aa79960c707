/* device: the engine of a GPU, if there is one, loaded at run time.
 *
 * The program has no NVIDIA library among its own.  device_open looks for
 * libloglog_cuda.so (or libloglog_cuemu.so, the emulated one, for tests) in
 * $LOGLOG_PLUGINS if that is set, else beside the program and in
 * ../lib/loglog, and asks it for the table of trainer/cuda/engine.h. */
#ifndef LOGLOG_TRAINER_DEVICE_H
#define LOGLOG_TRAINER_DEVICE_H

#include "base/err.h"
#include "sweep/device_kind.h"
#include "trainer/cuda/engine.h"

/* The engine for this kind.  Returns 0 with *api, which is NULL for the CPU:
 * when that was asked for, or by DEVICE_AUTO when there is no GPU, and then
 * *e says in one line why not (ERR_ENV); otherwise *e is untouched.  -1 when
 * a GPU was demanded and cannot be had, with the cause and what to do.
 * *api is good until the process ends.  Not collective: a gang has to agree
 * on what its members found. */
int device_open(const struct engine_api **api, enum device_kind kind,
                struct err *e);

/* The same of a given plugin file. */
int device_load(const struct engine_api **api, const char *path, struct err *e);

/* Do the first n processes of a node, one a device, have a device each?  uuid
 * are those of the devices in the order of the processes' places; -1 with
 * ERR_USAGE and what to do when two are the same. */
int device_distinct(const char *const *uuid, int n, struct err *e);

#endif
