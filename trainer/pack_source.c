/* pack_source: see pack_source.h. */
#include "trainer/pack_source.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "trainer/pack_stream.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define DEPTH_MAX 128

static void add_file(struct pack_files *files, const char *path, size_t root,
                     int set)
{
    struct pack_file *f;

    files->file =
        mem_grow(files->file, &files->cap, files->n + 1, sizeof *files->file);
    f = &files->file[files->n++];
    f->path = xstrdup(path);
    f->name = f->path + root;
    f->set = set;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory but "." and "..", sorted. */
static int list(char ***names, size_t *n, const char *path, struct err *e)
{
    DIR *dir = opendir(path);
    struct dirent *d;
    size_t cap = 0;

    *names = NULL;
    *n = 0;
    if (!dir)
        return err_errno(e, "%s", path);
    while ((errno = 0, d = readdir(dir))) {
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        *names = mem_grow(*names, &cap, *n + 1, sizeof **names);
        (*names)[(*n)++] = xstrdup(d->d_name);
    }
    if (errno) {
        err_errno(e, "%s", path);
        closedir(dir);
        return -1;
    }
    closedir(dir);
    if (*n)
        qsort(*names, *n, sizeof **names, by_name);
    return 0;
}

static int walk(struct pack_files *files, struct str *path, size_t root,
                int set, int depth, struct err *e);

static int walk_entry(struct pack_files *files, struct str *path, size_t root,
                      int set, int depth, struct err *e)
{
    struct stat st, link;

    if (lstat(path->text, &link) || (stat(path->text, &st) && errno != ENOENT))
        return err_errno(e, "%s", path->text);
    if (S_ISDIR(link.st_mode))
        return walk(files, path, root, set, depth + 1, e);
    if (S_ISREG(link.st_mode) || (S_ISLNK(link.st_mode) && S_ISREG(st.st_mode)))
        add_file(files, path->text, root, set);
    else
        files->other++;
    return 0;
}

static int walk(struct pack_files *files, struct str *path, size_t root,
                int set, int depth, struct err *e)
{
    size_t n, len = path->len;
    char **names;
    int rc = 0;

    if (depth > DEPTH_MAX)
        return err_set(e, ERR_USAGE, "%s: more than %d directories deep",
                       path->text, DEPTH_MAX);
    rc = list(&names, &n, path->text, e);
    for (size_t i = 0; i < n; i++) {
        if (!rc) {
            str_addf(path, "/%s", names[i]);
            rc = walk_entry(files, path, root, set, depth, e);
            path->len = len;
            path->text[len] = '\0';
        }
        free(names[i]);
    }
    free(names);
    return rc;
}

int pack_files_add(struct pack_files *files, const char *path, int set,
                   struct err *e)
{
    struct stat st;
    struct str p;
    int rc;

    if (stat(path, &st))
        return err_errno(e, "%s", path);
    str_init(&p);
    str_add(&p, path);
    while (p.len > 1 && p.text[p.len - 1] == '/')
        p.text[--p.len] = '\0';
    if (S_ISDIR(st.st_mode)) {
        rc = walk(files, &p, p.len + 1, set, 0, e);
    } else if (S_ISREG(st.st_mode)) {
        const char *slash = strrchr(p.text, '/');
        add_file(files, p.text, slash ? (size_t)(slash + 1 - p.text) : 0, set);
        rc = 0;
    } else {
        rc = err_set(e, ERR_USAGE, "%s: neither a file nor a directory", path);
    }
    str_release(&p);
    return rc;
}

void pack_files_release(struct pack_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        free(files->file[i].path);
    free(files->file);
    memset(files, 0, sizeof *files);
}

int pack_file_each(const struct pack_files *files, size_t k,
                   int (*document)(void *ctx, const uint8_t *text, size_t n,
                                   int64_t offset, struct err *e),
                   void *ctx, struct err *e)
{
    const char *path = files->file[k].path;
    struct file_map map;
    size_t at = 0;
    int rc = 0;

    if (pack_is_compressed(path) || pack_is_json_lines(path))
        return pack_stream_each(path, files->text_field, document, ctx, e);
    if (file_map(&map, path, e))
        return -1;
    if (map.len)
        madvise((void *)(uintptr_t)map.data, map.len, MADV_SEQUENTIAL);
    while (at < map.len && !rc) {
        const uint8_t *nul = memchr(map.data + at, 0, map.len - at);
        size_t end = nul ? (size_t)(nul - map.data) : map.len;

        rc = document(ctx, map.data + at, end - at, (int64_t)at, e);
        at = end + 1;
    }
    file_unmap(&map);
    return rc;
}

size_t pack_invalid_utf8(const uint8_t *text, size_t n, size_t *first)
{
    size_t bad = 0, i = utf8_prefix(text, n);

    for (*first = i; i < n; i += utf8_prefix(text + i, n - i)) {
        bad++;
        i++;
    }
    return bad;
}
