/* lock: see lock.h. */
#include "db/lock.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* From the kernel's magic.h and the file systems' own sources. */
static const struct {
    unsigned long magic;
    const char *name;
} networks[] = {
    {0x6969, "NFS"},        {0x0BD00BD0, "Lustre"},   {0x47504653, "GPFS"},
    {0x19830326, "BeeGFS"}, {0x00C36400, "Ceph"},     {0xFF534D42, "CIFS"},
    {0xFE534D42, "SMB2"},   {0x517B, "SMB"},          {0x01021997, "9P"},
    {0x65735546, "FUSE"},   {0x01161970, "GFS2"},     {0x7461636F, "OCFS2"},
    {0x5346414F, "AFS"},    {0x20030528, "OrangeFS"}, {0xAAD7AAEA, "PanFS"},
    {0x013111A8, "IBRIX"},  {0x786F4256, "vboxsf"},
};

const char *lock_network_name(unsigned long magic)
{
    for (size_t i = 0; i < ARRAY_LEN(networks); i++)
        if (networks[i].magic == (magic & 0xFFFFFFFFul))
            return networks[i].name;
    return NULL;
}

int lock_is_network(const char *path)
{
    char copy[PATH_MAX];
    struct statfs fs;
    const char *name;

    snprintf(copy, sizeof copy, "%s", path);
    if (statfs(path, &fs) && statfs(dirname(copy), &fs))
        return 0;
    name = fault_at("network-fs") ? "a made-up network"
                                  : lock_network_name((unsigned long)fs.f_type);
    if (name)
        log_info("%s is on %s: rollback journal, every commit synced", path,
                 name);
    return name != NULL;
}

static void lock_name(char name[PATH_MAX + 8], const char *path)
{
    snprintf(name, PATH_MAX + 8, "%s.lock", path);
}

void lock_owner(char text[LOCK_TEXT], const char *path)
{
    char name[PATH_MAX + 8];
    ssize_t n = 0;
    int fd;

    lock_name(name, path);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        /* a killed writer leaves its name, but not its lock */
        if (flock(fd, LOCK_SH | LOCK_NB))
            n = read(fd, text, LOCK_TEXT - 1);
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
}

static void write_owner(int fd)
{
    char host[256] = "?", day[32], text[LOCK_TEXT];
    const char *job = getenv("SLURM_JOB_ID");
    time_t t = time(NULL);
    struct tm tm;

    gethostname(host, sizeof host - 1);
    gmtime_r(&t, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%SZ", &tm);
    snprintf(text, sizeof text, "host %.200s, pid %ld%s%.64s, since %s\n", host,
             (long)getpid(), job ? ", job " : "", job ? job : "", day);
    /* It is for people only; the lock holds without it. */
    if (ftruncate(fd, 0) || file_write_all(fd, text, strlen(text), NULL))
        log_warn("the lock file could not be written: %s", strerror(errno));
}

int lock_take(const char *path, struct err *e)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    char name[PATH_MAX + 8], owner[LOCK_TEXT];
    int fd;

    lock_name(name, path);
    /* Somebody may only be looking (lock_owner); ask again. */
    fd = file_lock(name, e);
    for (int i = 0; fd == -2 && i < 5; i++) {
        nanosleep(&pause, NULL);
        fd = file_lock(name, e);
    }
    if (fd == -2) {
        lock_owner(owner, path);
        return err_set(e, ERR_DB, "%s: another process writes it (%s)", path,
                       owner[0] ? owner : "it has not said who");
    }
    if (fd < 0 && (errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP))
        return err_set(e, ERR_DB,
                       "%s: this file system keeps no locks (Lustre: mount it "
                       "with -o flock); put the database on another one",
                       path);
    if (fd < 0) {
        if (e)
            e->cls = ERR_DB;
        return -1;
    }
    write_owner(fd);
    return fd;
}

void lock_release(int fd)
{
    if (fd < 0)
        return;
    if (ftruncate(fd, 0))
        log_debug("the lock file could not be emptied: %s", strerror(errno));
    file_unlock(fd);
}
