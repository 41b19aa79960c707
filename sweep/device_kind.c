/* device_kind: see device_kind.h. */
#include "sweep/device_kind.h"

#include "base/str.h"

#include <string.h>

static const char *const names[] = {[DEVICE_CPU] = "cpu",
                                    [DEVICE_AUTO] = "auto",
                                    [DEVICE_CUDA] = "cuda",
                                    [DEVICE_CUEMU] = "cuemu"};

int device_parse(enum device_kind *kind, const char *name, struct err *e)
{
    const char *near;

    for (int i = 0; i < DEVICE_KINDS; i++)
        if (!strcmp(name, names[i])) {
            *kind = (enum device_kind)i;
            return 0;
        }
    near = str_nearest(name, names, DEVICE_KINDS);
    return err_set(e, ERR_USAGE,
                   "no device '%.40s': cpu, auto, cuda or cuemu expected%s%s%s",
                   name, near ? " (did you mean '" : "", near ? near : "",
                   near ? "'?)" : "");
}

const char *device_name(enum device_kind kind)
{
    return names[kind];
}
