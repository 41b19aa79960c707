/* device: see device.h. */
#include "trainer/device.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kind_name[] = {[DEVICE_CPU] = "cpu",
                                        [DEVICE_AUTO] = "auto",
                                        [DEVICE_CUDA] = "cuda",
                                        [DEVICE_CUEMU] = "cuemu"};

int device_parse(enum device_kind *kind, const char *name, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_name); i++)
        if (!strcmp(name, kind_name[i])) {
            *kind = (enum device_kind)i;
            return 0;
        }
    return err_set(e, ERR_USAGE,
                   "no device \"%s\"; expected cpu, auto, cuda or cuemu", name);
}

/* The folder of this program, or "" when it cannot be told. */
static void own_folder(char folder[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    char *end;

    folder[n > 0 ? n : 0] = 0;
    end = strrchr(folder, '/');
    if (end)
        *end = 0;
}

/* The first place where the plugin is; -1 when there is none. */
static int find(char path[PATH_MAX], const char *name, struct err *e)
{
    const char *given = getenv("LOGLOG_PLUGINS");
    static const char *const beside[] = {"", "/../lib/loglog"};
    char folder[PATH_MAX];
    int n;

    if (given) {
        n = snprintf(path, PATH_MAX, "%s/libloglog_%s.so", given, name);
        if (n < PATH_MAX && !access(path, R_OK))
            return 0;
        return err_set(e, ERR_ENV, "no libloglog_%s.so in LOGLOG_PLUGINS (%s)",
                       name, given);
    }
    own_folder(folder);
    for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
        n = snprintf(path, PATH_MAX, "%s%s/libloglog_%s.so", folder, beside[i],
                     name);
        if (n < PATH_MAX && !access(path, R_OK))
            return 0;
    }
    return err_set(e, ERR_ENV,
                   "no libloglog_%s.so beside the program or in ../lib/loglog; "
                   "build it where nvcc and NCCL are (LOGLOG_CUDA=ON) or name "
                   "its folder in LOGLOG_PLUGINS",
                   name);
}

int device_load(const struct engine_api **api, const char *path, struct err *e)
{
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    engine_entry *entry;
    void *symbol;

    if (!lib)
        return err_set(e, ERR_ENV,
                       "%s; are the CUDA libraries installed and "
                       "in LD_LIBRARY_PATH?",
                       dlerror());
    symbol = dlsym(lib, ENGINE_ENTRY);
    if (!symbol) {
        dlclose(lib);
        return err_set(e, ERR_ENV, "%s is not a plugin of this program", path);
    }
    memcpy(&entry, &symbol, sizeof entry);
    *api = entry(ENGINE_ABI);
    if (*api && (*api)->bytes == sizeof **api)
        return 0;
    dlclose(lib);
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

    if (find(path, name, e) || device_load(api, path, e))
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
                               "GPU (%s); give each its own, for example with "
                               "srun --gpus-per-task=1 or "
                               "--gpu-bind=single:1",
                               i, j, uuid[i]);
    return 0;
}
