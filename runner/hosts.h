/* hosts: the machines that mpirun is told to use, and what it is told when some
 * of them are gone.
 *
 * They come from mpirun's own options (--host, --hostfile and their other
 * spellings) or from the allocation of Slurm or PBS.  While all answer mpirun's
 * options stay as they were given, but that the hosts of PBS are always named:
 * an mpirun without PBS's library (Debian's) would not know them.  When some do
 * not answer, the others are named with --host, and -n shrinks with the slots.
 */
#ifndef LOGLOG_RUNNER_HOSTS_H
#define LOGLOG_RUNNER_HOSTS_H

#include "base/err.h"

struct host {
    char name[256];
    int slots; /* 0: not said; mpirun counts its cores */
    int dead;
};

struct hosts {
    struct host *host;
    int n;     /* 0: this machine alone */
    int named; /* mpirun has to be told of them in any case */
};

/* From mpirun's options opt[0..n_opt), else from the environment; *e names a
 * host file that cannot be read. */
int hosts_read(struct hosts *h, char *const *opt, int n_opt, struct err *e);
void hosts_release(struct hosts *h);

/* "n[01-03,7],m": the names, for each of them `found`; -1: not such a list. */
int hosts_expand(const char *list, void (*found)(void *ctx, const char *name),
                 void *ctx);

/* mpirun's options without the dead hosts: NULL-terminated, one block to
 * free, which borrows the strings of opt. */
char **hosts_options(const struct hosts *h, char *const *opt, int n_opt);
/* Options that start one process on host i alone; the same. */
char **hosts_probe(const struct hosts *h, int i, char *const *opt, int n_opt);

#endif
