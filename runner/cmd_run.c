/* cmd_run: run a study, alone or as one rank of mpirun. */
#include "base/log.h"
#include "runner/cmd.h"
#include "runner/coordinator.h"
#include "runner/net.h"
#include "runner/signals.h"
#include "runner/supervisor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SLOTS 1024

struct args {
    const char *study, *db, *checkpoints, *time_limit;
    double grace, hang, tail, stand_in;
    int64_t slots;
    int replace;
};

/* "90", "90s", "15m", "2h", "1:30:00", "10:00" as seconds. */
static int parse_time(const char *text, double *seconds, struct err *e)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    double total = 0, part;
    char copy[32], *save = NULL;
    size_t len = strlen(text);
    int parts = 0;

    if (len && len < sizeof copy) {
        snprintf(copy, sizeof copy, "%s", text);
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (copy[len - 1] == units[i].unit) {
                copy[len - 1] = '\0';
                if (!str_to_double(copy, &part) && part > 0) {
                    *seconds = part * units[i].seconds;
                    return 0;
                }
            }
        for (char *p = strtok_r(copy, ":", &save); p;
             p = strtok_r(NULL, ":", &save)) {
            if (str_to_double(p, &part) || part < 0 || ++parts > 3)
                goto bad;
            total = total * 60 + part;
        }
        if (total > 0) {
            *seconds = total;
            return 0;
        }
    }
bad:
    return err_set(e, ERR_USAGE,
                   "--time-limit: '%s' is no time (90, 15m, 2h, 1:30:00)",
                   text);
}

static int check(struct run_options *o, const struct args *a, struct err *e)
{
    if (!a->db)
        return err_set(e, ERR_USAGE,
                       "run: --db FILE is needed (it is made if "
                       "it is not there)");
    if (a->slots < 1 || a->slots > MAX_SLOTS)
        return err_set(e, ERR_USAGE, "--slots: between 1 and %d", MAX_SLOTS);
    if (a->grace < 0 || a->hang <= 0 || a->stand_in < 0 || a->tail < 0)
        return err_set(e, ERR_USAGE,
                       "--grace, --hang, --tail and --stand-in are positive");
    if (a->time_limit && parse_time(a->time_limit, &o->time_limit, e))
        return -1;
    o->study = a->study;
    o->db = a->db;
    o->checkpoints = a->checkpoints;
    o->slots = (int)a->slots;
    o->grace = a->grace;
    o->hang = a->hang;
    o->tail = a->tail > 0 ? a->tail : INFINITY;
    o->stand_in = a->stand_in;
    o->replace = a->replace;
    return 0;
}

static int cmd_main(const struct command *self, int argc, char **argv)
{
    struct args a = {.grace = 30, .hang = 300, .tail = 20, .slots = 1};
    const struct opt opts[] = {
        {"db", 0, OPT_STRING, &a.db, "FILE", "results database"},
        {"slots", 0, OPT_INT, &a.slots, "N", "runs at once in each rank (1)"},
        {"checkpoints", 0, OPT_STRING, &a.checkpoints, "DIR",
         "where checkpoints go (FILE.ckpt)"},
        {"time-limit", 0, OPT_STRING, &a.time_limit, "TIME",
         "stop in order before so much time is over: 90, 15m, 2h, 1:30:00"},
        {"grace", 0, OPT_DOUBLE, &a.grace, "S",
         "seconds kept for stopping in order (30)"},
        {"hang", 0, OPT_DOUBLE, &a.hang, "S",
         "a run that is silent for so long, and 30 steps, has hung (300)"},
        {"tail", 0, OPT_DOUBLE, &a.tail, "S",
         "when slots idle, widen runs with more than S seconds left (20; 0: "
         "never)"},
        {"replace", 0, OPT_FLAG, &a.replace, NULL,
         "the study file may have changed since it first ran"},
        {"stand-in", 0, OPT_DOUBLE, &a.stand_in, "SPEED",
         "do not train: sleep as long as predicted, divided by SPEED"},
        OPT_END,
    };
    struct run_options o = {.argc = argc, .argv = argv};
    struct net *net;
    const char **args;
    struct err e;
    int n, code;

    /* opts_parse moves arguments about; the record wants them as given */
    o.argv = malloc((size_t)argc * sizeof *o.argv);
    if (!o.argv)
        return ERR_ENV;
    memcpy(o.argv, argv, (size_t)argc * sizeof *o.argv);
    n = opts_parse(self, opts, argc, argv, &args, &n, 1, 1, &e);
    if (n) {
        free(o.argv);
        return n > 0 ? 0 : opts_fail(&e);
    }
    a.study = args[0];
    if (check(&o, &a, &e)) {
        free(o.argv);
        return opts_fail(&e);
    }
    signals_install();
    if (net_open(&net, &e)) {
        free(o.argv);
        return opts_fail(&e);
    }
    log_init(log_level(), net_size(net) > 1 ? net_rank(net) : -1, NULL);
    code = net_rank(net) == 0 ? coordinator_run(net, &o)
                              : supervisor_run(net, o.slots);
    net_close(net);
    free(o.argv);
    return code;
}

const struct command cmd_run = {
    .name = "run",
    .synopsis = "run STUDY --db FILE [--slots N] [--time-limit TIME]",
    .summary = "run a study, or go on with one (alone or under mpirun)",
    .help =
        "Plans the stages of the study file, trains their runs, fits the "
        "laws,\n"
        "registers the predictions and checks them.  The same command goes on\n"
        "with a study that was interrupted, however that happened; results "
        "are\n"
        "the same, bit for bit.\n"
        "\n"
        "  loglog run study.yaml --db results.db --slots 4\n"
        "  mpirun -n 8 loglog run study.yaml --db results.db\n"
        "\n"
        "SIGINT, SIGTERM, SIGUSR1, SIGUSR2 and --time-limit stop in order:\n"
        "every run writes a checkpoint and the exit status is 75.  A second\n"
        "SIGINT ends at once.  Under Slurm the end of the job is known by\n"
        "itself.  Exit status 1: some runs failed, or a fit was refused.\n"
        "\n"
        "On several nodes the data and the checkpoints must be on a file\n"
        "system that all of them see; the database needs only the first.\n",
    .main = cmd_main,
};
