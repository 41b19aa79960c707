/* plugin: a library of this program that is loaded at run time, so that the
 * program itself needs nothing of what it is linked with.
 *
 * libloglog_NAME.so is looked for in $LOGLOG_PLUGINS if that is set, else
 * beside the program and in ../lib/loglog. */
#ifndef LOGLOG_BASE_PLUGIN_H
#define LOGLOG_BASE_PLUGIN_H

#include "base/err.h"

#include <limits.h>
#include <stddef.h>

/* The file of the plugin NAME; -1 (ERR_ENV) when there is none.  fix: what to
 * do then, as the end of a sentence. */
int plugin_find(char path[PATH_MAX], const char *name, const char *fix,
                struct err *e);

/* Load it and look up a symbol.  It stays loaded until the process ends. */
int plugin_symbol(void **symbol, const char *path, const char *entry,
                  const char *fix, struct err *e);

/* Both for a plugin whose symbol loglog_NAME is a plugin_entry: a function that
 * returns its table for this ABI, or NULL.  A table begins with its size, a
 * size_t, which must be `bytes`: the two were built together. */
typedef const void *plugin_entry(int abi);
int plugin_open(const void **table, const char *name, int abi, size_t bytes,
                const char *fix, struct err *e);

#endif
