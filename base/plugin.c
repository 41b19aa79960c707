/* plugin: see plugin.h. */
#include "base/plugin.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

int plugin_find(char path[PATH_MAX], const char *name, const char *fix,
                struct err *e)
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
                   "%s",
                   name, fix);
}

int plugin_symbol(void **symbol, const char *path, const char *entry,
                  const char *fix, struct err *e)
{
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!lib)
        return err_set(e, ERR_ENV, "%s; %s", dlerror(), fix);
    *symbol = dlsym(lib, entry);
    if (*symbol)
        return 0;
    dlclose(lib);
    return err_set(e, ERR_ENV, "%s is not a plugin of this program", path);
}

int plugin_open(const void **table, const char *name, int abi, size_t bytes,
                const char *fix, struct err *e)
{
    char path[PATH_MAX], entry[64];
    plugin_entry *ask;
    size_t have = 0;
    void *symbol;

    snprintf(entry, sizeof entry, "loglog_%s", name);
    if (plugin_find(path, name, fix, e) ||
        plugin_symbol(&symbol, path, entry, fix, e))
        return -1;
    memcpy(&ask, &symbol, sizeof ask);
    *table = ask(abi);
    if (*table)
        memcpy(&have, *table, sizeof have);
    if (have == bytes)
        return 0;
    return err_set(e, ERR_ENV,
                   "%s is of another version than this program; build both "
                   "together",
                   path);
}
