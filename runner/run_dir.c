/* run_dir: see run_dir.h. */
#include "runner/run_dir.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void run_dir_path(char path[RUN_DIR], const char *root, int64_t run)
{
    snprintf(path, RUN_DIR, "%s/%" PRId64, root, run);
}

/* <16 hex digits>-<12 digits>.ckpt; -1 for any other name. */
static int64_t step_of(const char *name)
{
    int64_t step;
    int used = 0;

    if (sscanf(name, "%*16[0-9a-f]-%12" SCNd64 ".ckpt%n", &step, &used) != 1 ||
        !used || name[used])
        return -1;
    return step;
}

int64_t run_dir_newest(const char *root, int64_t run)
{
    char path[RUN_DIR];
    struct dirent *entry;
    int64_t newest = 0;
    DIR *dir;

    run_dir_path(path, root, run);
    dir = opendir(path);
    if (!dir)
        return 0;
    while ((entry = readdir(dir)))
        if (step_of(entry->d_name) > newest)
            newest = step_of(entry->d_name);
    closedir(dir);
    return newest;
}

void run_dir_trunk(char path[RUN_DIR], const char *root, int64_t run,
                   int64_t step)
{
    snprintf(path, RUN_DIR,
             "%s/%" PRId64 "/%016" PRIx64 "-%012" PRId64 ".trunk", root, run,
             (uint64_t)run, step);
}

int run_dir_is_trunk(const char *name)
{
    return strstr(name, ".trunk") != NULL; /* or a share of one */
}

static void clear(const char *path, int keep_trunks)
{
    struct dirent *entry;
    DIR *dir = opendir(path);

    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
            !(keep_trunks && run_dir_is_trunk(entry->d_name)))
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(path);
}

void run_dir_keep_trunks(const char *root, int64_t run)
{
    char path[RUN_DIR];

    run_dir_path(path, root, run);
    clear(path, 1);
}

void run_dir_remove(const char *root, int64_t run)
{
    char path[RUN_DIR];

    run_dir_path(path, root, run);
    clear(path, 0);
}
