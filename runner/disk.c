/* disk: see disk.h. */
#include "runner/disk.h"

#include "base/str.h"
#include "runner/run_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

double disk_room(const struct disk *d)
{
    return d->budget - d->needed - d->left_by_others;
}

int disk_keep(const struct disk *d, double bytes)
{
    return disk_room(d) - d->trunks >= bytes ? DISK_KEEP : 1;
}

static double bytes_in(const char *path)
{
    struct dirent *entry;
    DIR *dir = opendir(path);
    double sum = 0;
    struct stat st;

    while (dir && (entry = readdir(dir)))
        if (!run_dir_is_trunk(entry->d_name) &&
            !fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
            S_ISREG(st.st_mode))
            sum += (double)st.st_size;
    if (dir)
        closedir(dir);
    return sum;
}

double disk_left(const char *root, void *ctx,
                 int (*at_work)(void *ctx, int64_t run))
{
    struct dirent *entry;
    DIR *dir = opendir(root);
    double sum = 0;

    while (dir && (entry = readdir(dir))) {
        char path[RUN_DIR];
        int64_t run;

        if (str_to_i64(entry->d_name, &run) || at_work(ctx, run))
            continue;
        run_dir_path(path, root, run);
        sum += bytes_in(path);
    }
    if (dir)
        closedir(dir);
    return sum;
}
