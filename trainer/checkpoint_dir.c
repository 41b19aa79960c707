/* checkpoint_dir: the files of one run in a directory of checkpoints; see
 * checkpoint.h. */
#include "trainer/checkpoint.h"

#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID_DIGITS 16
#define STEP_DIGITS 12

struct entry {
    int64_t step;
    enum checkpoint_kind kind;
};

struct listing {
    struct entry *entry;
    size_t n, cap;
};

/* "<id>-<step>.ckpt" or ".trunk" into *out; 0 for any other name. */
static int parse_name(struct entry *out, const char *name, const char *id)
{
    const char *p = name + ID_DIGITS + 1;
    char *end;

    if (strncmp(name, id, ID_DIGITS) || name[ID_DIGITS] != '-' ||
        strspn(p, "0123456789") < STEP_DIGITS)
        return 0;
    out->step = strtoll(p, &end, 10);
    out->kind = !strcmp(end, ".trunk") ? CHECKPOINT_TRUNK : CHECKPOINT_LAST;
    return !strcmp(end, ".trunk") || !strcmp(end, ".ckpt");
}

/* Newest first. */
static int by_step(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->step != y->step)
        return x->step < y->step ? 1 : -1;
    return (int)x->kind - (int)y->kind;
}

/* A file_write_with of this run that did not come to its end. */
static int is_leftover(const char *name, const char *id)
{
    return !strncmp(name, id, ID_DIGITS) && strstr(name, ".tmp");
}

static void list(struct listing *l, const char *dir,
                 const struct run_spec *spec, int remove_leftovers)
{
    DIR *d = opendir(dir);
    char id[ID_DIGITS + 1], path[PATH_MAX];
    struct dirent *f;

    *l = (struct listing){0};
    snprintf(id, sizeof id, "%016" PRIx64, (uint64_t)spec_id(spec));
    while (d && (f = readdir(d))) {
        struct entry found;

        if (parse_name(&found, f->d_name, id)) {
            l->entry = mem_grow(l->entry, &l->cap, l->n + 1, sizeof found);
            l->entry[l->n++] = found;
        } else if (remove_leftovers && is_leftover(f->d_name, id) &&
                   snprintf(path, sizeof path, "%s/%s", dir, f->d_name) <
                       (int)sizeof path) {
            unlink(path);
        }
    }
    if (d)
        closedir(d);
    if (l->n)
        qsort(l->entry, l->n, sizeof *l->entry, by_step);
}

static int same_spec(const struct run_spec *a, const struct run_spec *b)
{
    struct str ta, tb;
    int same;

    str_init(&ta);
    str_init(&tb);
    spec_print(&ta, a);
    spec_print(&tb, b);
    same = !strcmp(ta.text, tb.text);
    str_release(&ta);
    str_release(&tb);
    return same;
}

/* 1 if this file is a usable checkpoint of this run. */
static int usable(struct checkpoint *c, const char *path,
                  const struct run_spec *spec, size_t n)
{
    struct err why;

    if (checkpoint_open(c, path, &why)) {
        /* What cannot be read today may be readable tomorrow. */
        int removed = why.cls == ERR_USAGE && !unlink(path);
        log_warn("%s; %s", why.text, removed ? "removed" : "ignored");
        return 0;
    }
    if (same_spec(&c->spec, spec) && c->n == n)
        return 1;
    log_warn("%s: checkpoint of another run; ignored", path);
    checkpoint_close(c);
    return 0;
}

int checkpoint_find(struct checkpoint *c, enum checkpoint_kind *kind,
                    const char *dir, const struct run_spec *spec, size_t n)
{
    struct listing l;
    char path[PATH_MAX];
    int found = 0;

    list(&l, dir, spec, 1);
    for (size_t i = 0; i < l.n && !found; i++) {
        *kind = l.entry[i].kind;
        found =
            !checkpoint_path(path, dir, spec, l.entry[i].step, *kind, NULL) &&
            usable(c, path, spec, n);
    }
    free(l.entry);
    return found;
}

void checkpoint_prune(const char *dir, const struct run_spec *spec, int keep)
{
    struct listing l;
    char path[PATH_MAX];

    list(&l, dir, spec, 0);
    for (size_t i = 0; i < l.n; i++)
        if (l.entry[i].kind == CHECKPOINT_LAST && keep-- <= 0 &&
            !checkpoint_path(path, dir, spec, l.entry[i].step, CHECKPOINT_LAST,
                             NULL))
            unlink(path);
    free(l.entry);
}
