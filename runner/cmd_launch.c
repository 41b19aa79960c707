/* cmd_launch: mpirun, started again after the loss of a rank or node. */
#include "base/mem.h"
#include "base/str.h"
#include "runner/cmd.h"
#include "runner/launch.h"
#include "runner/signals.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct args {
    const char *mpirun;
    int64_t tries;
    double pause, exit_by, probe;
};

/* Everything before "--" that is not an option of ours is mpirun's.  The two
 * parts of argv; -1 when there is no "--". */
static int find_split(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--"))
            return i;
    return -1;
}

/* Is argv[i] an option of ours, and how many words does it take? */
static int ours(const struct opt *opts, const char *arg)
{
    size_t len = strcspn(arg, "=");

    if (strncmp(arg, "--", 2))
        return 0;
    for (const struct opt *o = opts; o->name; o++)
        if (strlen(o->name) == len - 2 && !strncmp(o->name, arg + 2, len - 2))
            return arg[len] == '=' ? 1 : 2;
    return 0;
}

/* The database that `run` will write: its --db. */
static const char *find_db(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--db") && i + 1 < argc)
            return argv[i + 1];
        if (!strncmp(argv[i], "--db=", strlen("--db=")))
            return argv[i] + strlen("--db=");
    }
    return NULL;
}

/* this-program run ... */
static char **make_run(char **run, int n_run, char self[PATH_MAX])
{
    char **out = xcalloc((size_t)n_run + 2, sizeof *out);

    out[0] = self;
    for (int i = 0; i < n_run; i++)
        out[i + 1] = run[i];
    return out;
}

static int cmd_main(const struct command *self, int argc, char **argv)
{
    struct args a = {
        .mpirun = "mpirun", .tries = 5, .pause = 1, .exit_by = 20, .probe = 15};
    const struct opt opts[] = {
        {"mpirun", 0, OPT_STRING, &a.mpirun, "PROGRAM", "mpirun to use"},
        {"tries", 0, OPT_INT, &a.tries, "N",
         "starts in a row without progress before giving up (5)"},
        {"pause", 0, OPT_DOUBLE, &a.pause, "S",
         "seconds before the first restart, then doubled (1)"},
        {"exit-by", 0, OPT_DOUBLE, &a.exit_by, "S",
         "seconds mpirun has to end once the job is over (20)"},
        {"probe", 0, OPT_DOUBLE, &a.probe, "S",
         "seconds that a host has to answer after a loss (15; 0: not asked)"},
        OPT_END,
    };
    char path[PATH_MAX], **mine, **mpi, **run;
    int split = find_split(argc, argv), n_mine = 1, n_mpi = 0, n, rc;
    struct launch_options o;
    const char **args;
    struct err e;
    ssize_t len;

    mine = xcalloc((size_t)argc + 1, sizeof *mine);
    mpi = xcalloc((size_t)argc + 1, sizeof *mpi);
    mine[0] = argv[0];
    for (int i = 1; i < (split < 0 ? argc : split);) {
        int words = ours(opts, argv[i]);
        if (split < 0 || words) {
            for (int k = 0; k < (words ? words : 1) && i < argc; k++)
                mine[n_mine++] = argv[i++];
        } else {
            mpi[n_mpi++] = argv[i++];
        }
    }
    rc = opts_parse(self, opts, n_mine, mine, &args, &n, 0, 0, &e);
    if (!rc &&
        (split < 0 || split + 1 >= argc || strcmp(argv[split + 1], "run")))
        rc = err_set(&e, ERR_USAGE,
                     "launch: expected -- run STUDY --db FILE; "
                     "usage: loglog %s",
                     self->synopsis);
    o.db = rc ? NULL : find_db(argc - split, argv + split);
    if (!rc && !o.db)
        rc = err_set(&e, ERR_USAGE, "launch: run needs --db FILE");
    if (!rc && (a.tries < 1 || a.tries > INT_MAX || a.pause < 0 ||
                a.exit_by <= 0 || a.probe < 0))
        rc = err_set(
            &e, ERR_USAGE,
            "launch: --tries, --pause, --exit-by and --probe are positive");
    len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (!rc && len < 0)
        rc = err_errno(&e, "/proc/self/exe");
    if (rc) {
        free(mine);
        free(mpi);
        return rc > 0 ? 0 : opts_fail(&e);
    }
    path[len] = '\0';
    run = make_run(argv + split + 1, argc - split - 1, path);
    o.mpirun = a.mpirun;
    o.opt = mpi;
    o.n_opt = n_mpi;
    o.run = run;
    o.probe = a.probe;
    o.tries = (int)a.tries;
    o.pause = a.pause;
    o.exit_by = a.exit_by;
    signals_install();
    rc = launch(&o);
    free(run);
    free(mine);
    free(mpi);
    return rc;
}

const struct command cmd_launch = {
    .name = "launch",
    .synopsis = "launch [-n W] [mpirun options] -- run STUDY --db FILE ...",
    .summary = "mpirun, started again after the loss of a rank or node",
    .help =
        "Starts `mpirun ... loglog run ...` and watches it.  When a rank or a\n"
        "node is lost, mpirun ends the job; launch starts it again, and the\n"
        "study goes on from its checkpoints, until the database says that it\n"
        "is finished.  An mpirun that hangs in its exit is killed, and what\n"
        "it left in /tmp and /dev/shm is removed.  Before each new start "
        "every\n"
        "host (of --host, --hostfile, or the allocation of Slurm or PBS) is\n"
        "asked, and those that do not answer are left out; -n shrinks with\n"
        "the slots.  Options that are not listed below are passed to mpirun.\n"
        "\n"
        "  loglog launch -n 8 --bind-to none -- run study.yaml --db "
        "results.db\n"
        "\n"
        "Exit status: as of `loglog run`.  SIGINT, SIGTERM and SIGUSR1 stop\n"
        "the study in order (75).\n",
    .main = cmd_main,
};
