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

static const struct {
    const char *key, *value[4];
} choices[] = {
    [DEVICE_ATTENTION] = {"attention", {"auto", "materialised", "cudnn"}},
    [DEVICE_RECOMPUTE] = {"recompute", {"auto", "off", "on"}},
    [DEVICE_GRAPHS] = {"graphs", {"on", "off"}},
};

int device_choice_parse(int *value, enum device_choice which, const char *name,
                        struct err *e)
{
    const char *const *v = choices[which].value;
    int i;

    for (i = 0; v[i]; i++)
        if (!strcmp(name, v[i])) {
            *value = i;
            return 0;
        }
    return err_set(e, ERR_USAGE, "%s: '%.40s': %s%s%s or %s expected",
                   choices[which].key, name, v[0], i > 2 ? ", " : "",
                   i > 2 ? v[1] : "", v[i - 1]);
}

const char *device_choice_name(enum device_choice which, int value)
{
    return value < 0 || value > 3 ? NULL : choices[which].value[value];
}
