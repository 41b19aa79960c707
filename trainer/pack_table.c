/* pack_table: see pack_table.h. */
#include "trainer/pack_table.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEP ((size_t)1 << 20)

int pack_table_open(struct pack_table *t, const char *dir, struct err *e)
{
    char path[PATH_MAX];

    memset(t, 0, sizeof *t);
    if (snprintf(path, sizeof path, "%s/table.XXXXXX", dir) >= (int)sizeof path)
        return err_set(e, ERR_USAGE, "%.200s: path too long", dir);
    t->fd = mkostemp(path, O_CLOEXEC);
    if (t->fd < 0)
        return err_errno(e, "%s", path);
    unlink(path);
    t->open = 1;
    snprintf(t->dir, sizeof t->dir, "%.255s", dir);
    return 0;
}

int pack_table_room(struct pack_table *t, size_t n, size_t size, struct err *e)
{
    size_t bytes = n * size;
    void *at;
    int rc;

    BUG_ON(!t->open || (size && n > SIZE_MAX / 2 / size));
    if (bytes <= t->bytes)
        return 0;
    bytes += bytes / 2;
    bytes += STEP - bytes % STEP;
    do
        rc = posix_fallocate(t->fd, 0, (off_t)bytes);
    while (rc == EINTR);
    if (rc)
        return err_set(e, ERR_ENV, "%s: a table of %zu bytes: %s", t->dir,
                       bytes, strerror(rc));
    at = t->at
             ? mremap(t->at, t->bytes, bytes, MREMAP_MAYMOVE)
             : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
    if (at == MAP_FAILED)
        return err_errno(e, "%s: a table of %zu bytes", t->dir, bytes);
    t->at = at;
    t->bytes = bytes;
    return 0;
}

void pack_table_close(struct pack_table *t)
{
    if (!t->open)
        return;
    if (t->at)
        munmap(t->at, t->bytes);
    close(t->fd);
    memset(t, 0, sizeof *t);
}
