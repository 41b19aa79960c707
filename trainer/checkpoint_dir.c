/* checkpoint_dir: the files of one run in a directory of checkpoints; see
 * checkpoint.h. */
#include "trainer/checkpoint_impl.h"

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
    int gang; /* a share of so many; 0: a file or an index */
    int member;
};

struct listing {
    struct entry *entry;
    size_t n, cap;
};

/* "<id>-<step>.ckpt" or ".trunk", with the ".<member>of<gang>" of a share or
 * without, into *out; 0 for any other name. */
static int parse_name(struct entry *out, const char *name, const char *id)
{
    const char *p = name + ID_DIGITS + 1, *tail;
    char *end;
    int used = 0;

    *out = (struct entry){.gang = 0};
    if (strncmp(name, id, ID_DIGITS) || name[ID_DIGITS] != '-' ||
        strspn(p, "0123456789") < STEP_DIGITS)
        return 0;
    out->step = strtoll(p, &end, 10);
    out->kind = !strncmp(end, ".trunk", 6) ? CHECKPOINT_TRUNK : CHECKPOINT_LAST;
    if (strncmp(end, ".trunk", 6) && strncmp(end, ".ckpt", 5))
        return 0;
    tail = end + (out->kind == CHECKPOINT_TRUNK ? 6 : 5);
    if (!*tail)
        return 1;
    return sscanf(tail, ".%2dof%2d%n", &out->member, &out->gang, &used) == 2 &&
           used && !tail[used] && out->gang > 0;
}

/* Newest first. */
static int by_step(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->step != y->step)
        return x->step < y->step ? 1 : -1;
    if (x->kind != y->kind)
        return (int)x->kind - (int)y->kind;
    return x->gang - y->gang;
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

/* Shares of the checkpoint at `path`; 0: a file; -1: there is none. */
static int shares_of(const char *path)
{
    struct checkpoint_header h;
    struct file_map map;
    int n = -1;

    if (file_map(&map, path, NULL))
        return -1;
    if (map.len >= sizeof h) {
        memcpy(&h, map.data, sizeof h);
        if (!checkpoint_check_header(&h, path, NULL))
            n = (int)h.shares;
    }
    file_unmap(&map);
    return n;
}

/* Shares that no index means: of attempts that ended before it was written, of
 * a checkpoint that was removed, or of a gang of another size. */
static void sweep_shares(const struct listing *l, const char *dir,
                         const struct run_spec *spec)
{
    char path[PATH_MAX], share[PATH_MAX];

    for (size_t i = 0; i < l->n; i++) {
        const struct entry *x = &l->entry[i];

        if (x->gang &&
            !checkpoint_path(path, dir, spec, x->step, x->kind, NULL) &&
            !checkpoint_share_path(share, path, x->member, x->gang, NULL) &&
            shares_of(path) != x->gang)
            unlink(share);
    }
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
            !l.entry[i].gang &&
            !checkpoint_path(path, dir, spec, l.entry[i].step, *kind, NULL) &&
            usable(c, path, spec, n);
    }
    sweep_shares(&l, dir, spec);
    free(l.entry);
    return found;
}

void checkpoint_remove(const char *path)
{
    int n = shares_of(path);
    char share[PATH_MAX];

    unlink(path); /* first: shares without an index are none */
    for (int m = 0; m < n; m++)
        if (!checkpoint_share_path(share, path, m, n, NULL))
            unlink(share);
}

void checkpoint_prune(const char *dir, const struct run_spec *spec, int keep)
{
    struct listing l;
    char path[PATH_MAX];

    list(&l, dir, spec, 0);
    for (size_t i = 0; i < l.n; i++)
        if (!l.entry[i].gang && l.entry[i].kind == CHECKPOINT_LAST &&
            keep-- <= 0 &&
            !checkpoint_path(path, dir, spec, l.entry[i].step, CHECKPOINT_LAST,
                             NULL))
            checkpoint_remove(path);
    sweep_shares(&l, dir, spec);
    free(l.entry);
}
