/* published_set: one file of LOGLOG_PUBLISHED as points. */
#ifndef LOGLOG_TESTS_ANALYSIS_PUBLISHED_SET_H
#define LOGLOG_TESTS_ANALYSIS_PUBLISHED_SET_H

#include "analysis/import.h"
#include "base/file.h"
#include "base/mem.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>

/* Into p, or skip the test. */
static inline void read_set(struct points *p, const char *name, const char *map,
                            const char *where)
{
    const char *folder = getenv("LOGLOG_PUBLISHED");
    char path[1024];
    struct err e;

    points_init(p);
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "", name);
    if (!folder || !file_exists(path)) {
        print_message("skipped: no %s in LOGLOG_PUBLISHED\n", name);
        skip();
    }
    ok(points_import(p, path, map, where, &e));
}

#endif
