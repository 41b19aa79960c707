/* gang: see gang.h. */
#include "runner/gang.h"

#include "base/log.h"
#include "trainer/comm.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PREFIX "loglog"
#define SHM_DIR "/dev/shm"
#define FIRST_PORT 20000 /* below those that systems give away */
#define PORTS 10000

void gang_name(char name[PROTO_NAME], int64_t pid, int64_t run, int64_t attempt)
{
    snprintf(name, PROTO_NAME, PREFIX ".%u.%" PRId64 ".%" PRIx64 ".%" PRId64,
             (unsigned)geteuid(), pid, (uint64_t)run, attempt);
}

void gang_address(char name[PROTO_NAME], const char *host)
{
    uint64_t word[2] = {0, 0};

    if (getrandom(word, sizeof word, 0) != (ssize_t)sizeof word)
        log_warn("no random numbers for the address of a gang");
    snprintf(name, PROTO_NAME, "tcp:%s:%d:%016" PRIx64, host,
             FIRST_PORT + (int)(word[0] % PORTS), word[1]);
}

int gang_member(const struct gang *g, int slot)
{
    for (int i = 0; i < g->size; i++)
        if (g->slot[i] == slot)
            return i;
    return -1;
}

int gang_end(struct gang *g, int member)
{
    if (g->ended[member])
        return -1;
    g->ended[member] = 1;
    return --g->at_work == 0;
}

int gang_sweep(void)
{
    DIR *dir = opendir(SHM_DIR);
    struct dirent *entry;
    int n = 0;

    if (!dir)
        return 0;
    while ((entry = readdir(dir))) {
        unsigned uid;
        int pid, used = 0;

        if (sscanf(entry->d_name, PREFIX ".%u.%d.%n", &uid, &pid, &used) != 2 ||
            !used || uid != (unsigned)geteuid() || pid <= 0)
            continue;
        if (kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        comm_forget(entry->d_name);
        n++;
    }
    closedir(dir);
    return n;
}
