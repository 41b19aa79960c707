/* file: see file.h. */
#include "base/file.h"

#include "base/fault.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int file_write_all(int fd, const void *data, size_t len, struct err *e)
{
    const char *p = data;

    while (len) {
        ssize_t n =
            fault_at("write") ? (errno = ENOSPC, -1) : write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "write");
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sync_dir(const char *path, struct err *e)
{
    char copy[PATH_MAX];
    int fd, rc;

    snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "%s", path);
    rc = fsync(fd);
    close(fd);
    /* Some network file systems cannot sync a directory; the rename stands. */
    return rc && errno != EINVAL ? err_errno(e, "%s", path) : 0;
}

int file_write_with(const char *path,
                    int (*fill)(int fd, void *ctx, struct err *e), void *ctx,
                    struct err *e)
{
    char tmp[PATH_MAX];
    int fd;

    if (snprintf(tmp, sizeof tmp, "%s.tmp%ld", path, (long)getpid()) >=
        (int)sizeof tmp)
        return err_set(e, ERR_ENV, "%s: path too long", path);
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_errno(e, "%s", path);
    if (fill(fd, ctx, e)) {
        err_prefix(e, "%s: ", path);
        goto fail;
    }
    if (fsync(fd)) {
        err_errno(e, "%s", path);
        goto fail;
    }
    if (close(fd)) {
        fd = -1;
        err_errno(e, "%s", path);
        goto fail;
    }
    fd = -1;
    if (rename(tmp, path)) {
        err_errno(e, "%s", path);
        goto fail;
    }
    return sync_dir(path, e);
fail:
    if (fd >= 0)
        close(fd);
    unlink(tmp);
    return -1;
}

struct bytes {
    const void *data;
    size_t len;
};

static int fill_bytes(int fd, void *ctx, struct err *e)
{
    const struct bytes *b = ctx;

    return file_write_all(fd, b->data, b->len, e);
}

int file_write(const char *path, const void *data, size_t len, struct err *e)
{
    struct bytes b = {data, len};

    return file_write_with(path, fill_bytes, &b, e);
}

int file_read(char **data, size_t *len, const char *path, size_t max,
              struct err *e)
{
    struct file_map m;

    if (file_map(&m, path, e))
        return -1;
    if (m.len > max) {
        err_set(e, ERR_USAGE, "%s: %zu bytes, at most %zu expected", path,
                m.len, max);
        file_unmap(&m);
        return -1;
    }
    *data = xmalloc(m.len + 1);
    memcpy(*data, m.data, m.len);
    (*data)[m.len] = '\0';
    *len = m.len;
    file_unmap(&m);
    return 0;
}

int file_map(struct file_map *m, const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *p;

    m->data = (const uint8_t *)"";
    m->len = 0;
    if (fd < 0)
        return err_errno(e, "%s", path);
    if (fstat(fd, &st)) {
        err_errno(e, "%s", path);
        close(fd);
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(e, ERR_USAGE, "%s: not a regular file", path);
    }
    if (st.st_size == 0) {
        close(fd);
        return 0;
    }
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return err_errno(e, "%s: mmap", path);
    m->data = p;
    m->len = (size_t)st.st_size;
    return 0;
}

void file_unmap(struct file_map *m)
{
    if (m->len)
        munmap((void *)(uintptr_t)m->data, m->len);
    m->data = (const uint8_t *)"";
    m->len = 0;
}

int file_mkdirs(const char *path, struct err *e)
{
    char p[PATH_MAX];

    if (snprintf(p, sizeof p, "%s", path) >= (int)sizeof p)
        return err_set(e, ERR_ENV, "%s: path too long", path);
    for (char *s = p + 1; *s; s++) {
        if (*s != '/')
            continue;
        *s = '\0';
        if (mkdir(p, 0777) && errno != EEXIST)
            return err_errno(e, "%s", p);
        *s = '/';
    }
    if (mkdir(p, 0777) && errno != EEXIST)
        return err_errno(e, "%s", p);
    return 0;
}

int file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int file_lock(const char *path, struct err *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        return err_errno(e, "%s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (errno == EWOULDBLOCK) {
        close(fd);
        return -2;
    }
    err_errno(e, "%s: lock", path);
    close(fd);
    return -1;
}

void file_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}
