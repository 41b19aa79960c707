/* Draws of a bootstrap from a file. */
#include "analysis/boot_draws.h"

#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int boot_draws_read(size_t **draw, size_t *resamples, size_t *per,
                    const char *path, size_t n_groups, struct err *e)
{
    char *text = NULL, *at;
    size_t len, n = 0, cap = 0, in_line = 0;
    int line = 1, rc = -1;

    *draw = NULL;
    *resamples = *per = 0;
    if (file_read(&text, &len, path, (size_t)1 << 30, e))
        return -1;
    for (at = text;; at++) {
        if (isdigit((unsigned char)*at)) {
            char *end;
            unsigned long long v = strtoull(at, &end, 10);
            if (v >= n_groups) {
                err_set(e, ERR_USAGE, "%s:%d: index %llu, expected 0 to %zu",
                        path, line, v, n_groups - 1);
                goto out;
            }
            *draw = mem_grow(*draw, &cap, n + 1, sizeof(**draw));
            (*draw)[n++] = (size_t)v;
            in_line++;
            at = end;
        }
        if (*at == '\n' || *at == '\0') {
            if (in_line > 0 && *per > 0 && in_line != *per) {
                err_set(e, ERR_USAGE,
                        "%s:%d: %zu indices, expected %zu as in the lines "
                        "above",
                        path, line, in_line, *per);
                goto out;
            }
            if (in_line > 0) {
                *per = in_line;
                ++*resamples;
            }
            in_line = 0;
            line++;
            if (*at == '\0')
                break;
        } else if (!strchr(" \t\r,;[]", *at)) {
            err_set(e, ERR_USAGE, "%s:%d: unexpected '%c', expected numbers",
                    path, line, *at);
            goto out;
        }
    }
    if (*resamples == 0) {
        err_set(e, ERR_USAGE, "%s: no resamples in it", path);
        goto out;
    }
    rc = 0;
out:
    free(text);
    if (rc) {
        free(*draw);
        *draw = NULL;
    }
    return rc;
}
