/* data_sets: see data_sets.h. */
#include "runner/data_sets.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int data_has_manifest(const char *dir)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof path, "%s/manifest.json", dir) <
               (int)sizeof path &&
           file_exists(path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **data_sets_below(const char *path, size_t *n)
{
    DIR *dir = opendir(path);
    char inner[PATH_MAX], **sets = NULL;
    struct dirent *d;
    size_t cap = 0;

    *n = 0;
    while (dir && (d = readdir(dir))) {
        if (d->d_name[0] == '.' ||
            snprintf(inner, sizeof inner, "%s/%s", path, d->d_name) >=
                (int)sizeof inner ||
            !data_has_manifest(inner))
            continue;
        sets = mem_grow(sets, &cap, *n + 1, sizeof *sets);
        sets[(*n)++] = xstrdup(inner);
    }
    if (dir)
        closedir(dir);
    if (*n)
        qsort(sets, *n, sizeof *sets, by_name);
    return sets;
}
