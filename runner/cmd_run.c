/* cmd_run: run a study, alone or as one rank of mpirun. */
#include "base/log.h"
#include "runner/cmd.h"
#include "runner/coordinator.h"
#include "runner/net.h"
#include "runner/proto.h"
#include "runner/signals.h"
#include "runner/supervisor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SLOTS 1024
#define MAX_PRIORITY 1000

struct args {
    const char *db, *checkpoints, *time_limit, *priority, *device, *bind;
    double grace, hang, tail, stand_in, disk;
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

/* One number a study: what was given ("2,1,1"), or the earlier the higher. */
static int parse_priorities(int priority[STUDIES_MAX], const char *given, int n,
                            struct err *e)
{
    const char *at = given;

    for (int i = 0; i < n; i++) {
        char part[16];
        size_t len;
        int64_t value;

        priority[i] = n - i;
        if (!given)
            continue;
        len = strcspn(at, ",");
        snprintf(part, sizeof part, "%.*s", (int)len, at);
        at += len;
        if (len >= sizeof part || str_to_i64(part, &value) ||
            value < -MAX_PRIORITY || value > MAX_PRIORITY ||
            (*at == ',') != (i + 1 < n))
            return err_set(e, ERR_USAGE,
                           "--priority %s: one number between %d and %d "
                           "expected for each study, as in 2,1",
                           given, -MAX_PRIORITY, MAX_PRIORITY);
        priority[i] = (int)value;
        at += *at == ',';
    }
    return 0;
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
    o->db = a->db;
    o->checkpoints = a->checkpoints;
    o->slots = (int)a->slots;
    o->grace = a->grace;
    o->hang = a->hang;
    o->tail = a->tail > 0 ? a->tail : INFINITY;
    o->disk = a->disk >= 0 ? a->disk : INFINITY;
    o->stand_in = a->stand_in;
    o->replace = a->replace;
    if (a->bind && affinity_parse(&o->bind, a->bind, e))
        return err_prefix(e, "--bind ");
    o->device = -1;
    if (a->device) {
        enum device_kind kind;

        if (device_parse(&kind, a->device, e))
            return err_prefix(e, "--device: ");
        o->device = (int)kind;
    }
    return 0;
}

static int be_rank(const struct run_options *o)
{
    struct net *net;
    struct err e;
    int code;

    signals_install();
    if (net_open(&net, &e))
        return opts_fail(&e);
    log_init(log_level(), net_size(net) > 1 ? net_rank(net) : -1, NULL);
    code = net_rank(net) == 0 ? coordinator_run(net, o)
                              : supervisor_run(net, o->slots);
    net_close(net);
    return code;
}

static int cmd_main(const struct command *self, int argc, char **argv)
{
    struct args a = {
        .grace = 30, .hang = 300, .tail = 20, .slots = 1, .disk = -1};
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
        {"disk", 0, OPT_DOUBLE, &a.disk, "BYTES",
         "most that checkpoints and trunks may take at once (no limit)"},
        {"tail", 0, OPT_DOUBLE, &a.tail, "S",
         "when slots idle, widen runs with more than S seconds left (20; 0: "
         "never)"},
        {"priority", 0, OPT_STRING, &a.priority, "N,N...",
         "of each study, higher goes first (the order of the command line)"},
        {"bind", 0, OPT_STRING, &a.bind, "HOW",
         "where children run: auto, none, spread, numa (docs/running.md)"},
        {"device", 0, OPT_STRING, &a.device, "NAME",
         "auto, cpu, cuda (docs/gpu.md); else as the study says (auto)"},
        {"replace", 0, OPT_FLAG, &a.replace, NULL,
         "the study file may have changed since it first ran"},
        {"stand-in", 0, OPT_DOUBLE, &a.stand_in, "SPEED",
         "do not train: sleep as long as predicted, divided by SPEED"},
        OPT_END,
    };
    struct run_options o = {.argc = argc, .argv = argv};
    int priority[STUDIES_MAX], rc;
    const char **args;
    struct err e;

    /* opts_parse moves arguments about; the record wants them as given */
    o.argv = malloc((size_t)argc * sizeof *o.argv);
    if (!o.argv)
        return ERR_ENV;
    memcpy(o.argv, argv, (size_t)argc * sizeof *o.argv);
    rc = opts_parse(self, opts, argc, argv, &args, &o.n_study, 1, STUDIES_MAX,
                    &e);
    if (!rc)
        rc = check(&o, &a, &e) ||
                     parse_priorities(priority, a.priority, o.n_study, &e)
                 ? -1
                 : 0;
    o.study = args;
    o.priority = priority;
    if (rc)
        rc = rc > 0 ? 0 : opts_fail(&e);
    else
        rc = be_rank(&o);
    free(o.argv);
    return rc;
}

const struct command cmd_run = {
    .name = "run",
    .synopsis = "run STUDY... --db FILE [--slots N] [--time-limit TIME]",
    .summary = "run studies, or go on with them (alone or under mpirun)",
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
        "  mpirun -n 8 loglog run first.yaml second.yaml --db results.db\n"
        "\n"
        "Several studies share the slots and the database.  Runs of the first\n"
        "start first; where its stages leave slots idle those of the next "
        "fill\n"
        "them.  With --priority 1,1 none goes before the other.\n"
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
