/* header: see header.h. */
#include "db/header.h"

#include "db/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

int header_check(const char *path, enum store_mode mode, struct err *e)
{
    static const char magic[16] = "SQLite format 3";
    char beside[PATH_MAX];
    uint8_t head[100];
    struct stat st;
    ssize_t n;
    int fd;

    if (stat(path, &st)) {
        if (errno == ENOENT && mode == STORE_WRITE)
            return 0;
        return err_set(e, ERR_DB, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_DB, "%s: not a database file", path);
    snprintf(beside, sizeof beside, "%s-journal", path);
    if (access(beside, F_OK) == 0)
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(e, ERR_DB, "%s: %s", path, strerror(errno));
    n = read(fd, head, sizeof head);
    close(fd);
    if (n == 0 && mode == STORE_WRITE)
        return 0;
    if (n < (ssize_t)sizeof head || memcmp(head, magic, sizeof magic))
        return err_set(e, ERR_DB, "%s: not a loglog database", path);
    if (big_endian(head + 68) != 0 && big_endian(head + 68) != STORE_APP_ID)
        return err_set(e, ERR_DB, "%s: an SQLite database of another program",
                       path);
    return 0;
}
