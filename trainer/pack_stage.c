/* pack_stage: see pack_stage.h. */
#include "trainer/pack_stage.h"

#include "base/file.h"
#include "trainer/shard_format.h"
#include "trainer/shard_manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What pack writes, by depth below OUT (0) and below a set (1). */
static const char *const ours[2][8] = {
    {PACK_NOTES, PACK_NOTES ".tmp*", "*.raw", NULL},
    {SHARD_MANIFEST, SHARD_MANIFEST ".tmp*", SHARD_TOKEN_BYTES,
     SHARD_TOKEN_BYTES ".tmp*", SHARD_TOKEN_TEXT, SHARD_TOKEN_TEXT ".tmp*",
     "shard-*.tok", NULL},
};

static int is_ours(const char *name, int depth)
{
    for (int i = 0; ours[depth][i]; i++)
        if (!fnmatch(ours[depth][i], name, 0))
            return 1;
    return 0;
}

/* Look at everything in `path`, removing it or not.  A thing that pack did
 * not make is refused. */
static int sweep(const char *path, int depth, int remove_it, struct err *e)
{
    DIR *dir = opendir(path);
    char inner[PATH_MAX];
    struct dirent *d;
    struct stat st;
    int rc = 0;

    if (!dir)
        return err_errno(e, "%s", path);
    while (!rc && (d = readdir(dir))) {
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        if (snprintf(inner, sizeof inner, "%s/%s", path, d->d_name) >=
                (int)sizeof inner ||
            lstat(inner, &st))
            rc = err_errno(e, "%s", path);
        else if (S_ISDIR(st.st_mode) && depth == 0)
            rc = sweep(inner, 1, remove_it, e);
        else if (!S_ISREG(st.st_mode) || !is_ours(d->d_name, depth))
            rc = err_set(e, ERR_USAGE,
                         "%s: not made by data pack; nothing was replaced",
                         inner);
        else if (remove_it && unlink(inner))
            rc = err_errno(e, "%s", inner);
    }
    closedir(dir);
    if (!rc && remove_it && rmdir(path))
        return err_errno(e, "%s", path);
    return rc;
}

/* Check all, then remove all: never half of a foreign directory. */
static int remove_packed(const char *path, struct err *e)
{
    return sweep(path, 0, 0, e) || sweep(path, 0, 1, e) ? -1 : 0;
}

int pack_stage_remove_set(const char *dir, struct err *e)
{
    return sweep(dir, 1, 1, e);
}

static int is_empty(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    if (!dir)
        return 0;
    while (n <= 2 && readdir(dir))
        n++;
    closedir(dir);
    return n <= 2;
}

static int make_and_lock(struct pack_stage *s, struct err *e)
{
    if (mkdir(s->dir, 0777) && errno != EEXIST)
        return err_errno(e, "%s", s->dir);
    s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->fd < 0)
        return err_errno(e, "%s", s->dir);
    if (!flock(s->fd, LOCK_EX | LOCK_NB))
        return 0;
    close(s->fd);
    s->fd = -1;
    if (errno == EWOULDBLOCK)
        return err_set(e, ERR_ENV, "%s: another process is packing this",
                       s->out);
    return err_errno(e, "%s: lock", s->dir);
}

int pack_stage_begin(struct pack_stage *s, const char *out, struct err *e)
{
    char parent[PATH_MAX];
    size_t len = strlen(out);

    s->fd = -1;
    while (len > 1 && out[len - 1] == '/')
        len--;
    if (!len || len > sizeof s->out - 32)
        return err_set(e, ERR_USAGE, "'%.200s': not a directory name", out);
    snprintf(s->out, sizeof s->out, "%.*s", (int)len, out);
    snprintf(s->dir, sizeof s->dir, "%.*s.packing", (int)len, out);
    snprintf(parent, sizeof parent, "%s", s->out);
    if (file_mkdirs(dirname(parent), e) || make_and_lock(s, e))
        return -1;
    if (is_empty(s->dir))
        return 0;
    /* What an attempt that was killed left: removed, made anew, locked. */
    if (!remove_packed(s->dir, e)) {
        close(s->fd);
        return make_and_lock(s, e);
    }
    close(s->fd);
    s->fd = -1;
    return -1;
}

/* The hash of set `name` of `dir`; "" when there is none. */
static void set_hash(char sha[65], const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct manifest m;

    sha[0] = '\0';
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path ||
        manifest_read(&m, path, NULL))
        return;
    memcpy(sha, m.info.sha256, sizeof m.info.sha256);
    manifest_release(&m);
}

/* Every set of directory a is in b, with the same tokens. */
static int contains(const char *a, const char *b)
{
    DIR *dir = opendir(a);
    struct dirent *d;
    int same = 1;

    if (!dir)
        return 0;
    while (same && (d = readdir(dir))) {
        char x[65], y[65];
        if (d->d_name[0] == '.' || is_ours(d->d_name, 0))
            continue;
        set_hash(x, a, d->d_name);
        set_hash(y, b, d->d_name);
        same = x[0] && !strcmp(x, y);
    }
    closedir(dir);
    return same;
}

/* Put the new directory where the old one is. */
static int exchange(const struct pack_stage *s, struct err *e)
{
    char old[PATH_MAX + 8];

    if (!renameat2(AT_FDCWD, s->dir, AT_FDCWD, s->out, RENAME_EXCHANGE))
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return err_errno(e, "%s", s->out);
    snprintf(old, sizeof old, "%s.old", s->out);
    if (rename(s->out, old) || rename(s->dir, s->out) || rename(old, s->dir))
        return err_errno(e, "%s", s->out);
    return 0;
}

int pack_stage_install(struct pack_stage *s, int force, int *unchanged,
                       struct err *e)
{
    *unchanged = 0;
    if (!file_exists(s->out) || is_empty(s->out))
        return rename(s->dir, s->out) ? err_errno(e, "%s", s->out) : 0;
    if (sweep(s->out, 0, 0, e))
        return -1;
    if (contains(s->dir, s->out) && contains(s->out, s->dir)) {
        *unchanged = 1;
        return 0;
    }
    if (!force)
        return err_set(e, ERR_USAGE,
                       "%s: holds packed sets with other content; --force "
                       "replaces them",
                       s->out);
    return exchange(s, e);
}

void pack_stage_end(struct pack_stage *s)
{
    if (s->fd < 0)
        return;
    if (file_exists(s->dir))
        remove_packed(s->dir, NULL);
    close(s->fd);
    s->fd = -1;
}
