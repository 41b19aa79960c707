/* device: see device.h. */
#include "trainer/device.h"

#include "base/mem.h"
#include "base/plugin.h"

#include <limits.h>
#include <string.h>

int device_load(const struct engine_api **api, const char *path, struct err *e)
{
    engine_entry *entry;
    void *symbol;

    if (plugin_symbol(&symbol, path, ENGINE_ENTRY,
                      "are the CUDA libraries installed and in "
                      "LD_LIBRARY_PATH?",
                      e))
        return -1;
    memcpy(&entry, &symbol, sizeof entry);
    *api = entry(ENGINE_ABI);
    if (*api && (*api)->bytes == sizeof **api)
        return 0;
    *api = NULL;
    return err_set(e, ERR_ENV,
                   "%s is of another version than this program; build both "
                   "together",
                   path);
}

/* The plugin, and that it has a device. */
static int open_plugin(const struct engine_api **api, const char *name,
                       struct err *e)
{
    char path[PATH_MAX];
    int n;

    if (plugin_find(path, name,
                    "build it where nvcc and NCCL are (LOGLOG_CUDA=ON) or name "
                    "its folder in LOGLOG_PLUGINS",
                    e) ||
        device_load(api, path, e))
        return -1;
    if (!(*api)->devices(&n, e))
        return 0;
    *api = NULL;
    return err_prefix(e, "%s: ", path);
}

int device_open(const struct engine_api **api, enum device_kind kind,
                struct err *e)
{
    *api = NULL;
    if (kind == DEVICE_CPU)
        return 0;
    if (!open_plugin(api, kind == DEVICE_CUEMU ? "cuemu" : "cuda", e))
        return 0;
    return kind == DEVICE_AUTO ? 0 : -1;
}

int device_distinct(const char *const *uuid, int n, struct err *e)
{
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++)
            if (!strcmp(uuid[i], uuid[j]))
                return err_set(e, ERR_USAGE,
                               "processes %d and %d of this node have the same "
                               "GPU (%s): start one process a GPU, each with "
                               "its own (srun --gpus-per-task=1 or "
                               "--gpu-bind=single:1)",
                               i, j, uuid[i]);
    return 0;
}
