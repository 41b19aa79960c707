/* opening: what the coordinator does before its loop: the study, its data, the
 * database, and the other ranks. */
#include "runner/coordinator_impl.h"

#include "base/file.h"
#include "base/log.h"
#include "runner/clock.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HELLO_SECONDS 60.0 /* for all ranks to be there */

static void join_argv(struct coordinator *c)
{
    size_t n = 0;

    for (int i = 0; i < c->o->argc && n < sizeof c->argv; i++)
        n += (size_t)snprintf(c->argv + n, sizeof c->argv - n, "%s%s",
                              i ? " " : "loglog ", c->o->argv[i]);
}

static int absolute(char out[PROTO_PATH], const char *path, struct err *e)
{
    char cwd[PATH_MAX] = "";

    if (path[0] != '/' && !getcwd(cwd, sizeof cwd))
        return err_errno(e, "current directory");
    if (snprintf(out, PROTO_PATH, "%s%s%s", cwd, cwd[0] ? "/" : "", path) >=
        PROTO_PATH)
        return err_set(e, ERR_USAGE, "%s: path too long", path);
    return 0;
}

/* What every child must know. */
static int make_setup(struct coordinator *c, struct err *e)
{
    struct msg_setup *m = &c->setup;
    char beside[PROTO_PATH];

    m->log_level = (int32_t)log_level();
    m->stand_in = c->o->stand_in;
    m->checkpoint_seconds = (double)c->study.checkpoint_seconds;
    m->n_valid = c->study.n_valid;
    if (snprintf(beside, sizeof beside, "%s.ckpt", c->o->db) >=
        (int)sizeof beside)
        return err_set(e, ERR_USAGE, "%s: path too long", c->o->db);
    if (absolute(m->train, c->study.train, e) ||
        absolute(m->checkpoints, c->o->checkpoints ? c->o->checkpoints : beside,
                 e))
        return -1;
    for (int i = 0; i < c->study.n_valid; i++) {
        c->set_name[i] = c->study.valid[i].name;
        if (absolute(m->valid[i], c->study.valid[i].path, e))
            return -1;
    }
    return file_mkdirs(m->checkpoints, e);
}

static int read_data(struct coordinator *c, struct err *e)
{
    if (c->o->stand_in <= 0)
        return study_check_data(&c->study, e) ||
                       study_data_read(&c->data, &c->study, e)
                   ? -1
                   : 0;
    c->data.train_tokens = 1e12;
    snprintf(c->data.data, sizeof c->data.data, "%s", "5746d01d5746d01d");
    return 0;
}

int coordinator_open(struct coordinator *c, struct err *e)
{
    struct str resolved;
    int rc, recovered = 0;

    join_argv(c);
    if (study_read(&c->study, c->o->study, e) || read_data(c, e) ||
        make_setup(c, e) || store_open(&c->db, c->o->db, STORE_WRITE, e))
        return -1;
    str_init(&resolved);
    study_print(&resolved, &c->study);
    rc = db_study_put(&c->study_id, c->db, c->study.name, resolved.text,
                      c->o->replace, e);
    str_release(&resolved);
    cost_default(&c->cost);
    ledger_init(&c->ledger, c->db, c->set_name);
    if (rc || db_recover(&recovered, c->db, c->study_id, e) ||
        db_event(c->db, c->study_id, 0, "start", c->argv, e) ||
        study_run_open(&c->run, &c->study, c->db, c->study_id, &c->data,
                       &c->cost, e))
        return -1;
    if (recovered)
        log0_info("%d attempt%s of a launch that was killed: going on from "
                  "the last checkpoints",
                  recovered, recovered == 1 ? "" : "s");
    return 0;
}

int coordinator_meet(struct coordinator *c, struct err *e)
{
    double until = clock_now() + HELLO_SECONDS;
    char text[256];

    while (workers_missing(&c->workers) >= 0 && !c->broken) {
        coordinator_listen(c);
        if (clock_now() > until)
            return err_set(e, ERR_ENV, "rank %d did not come within %.0f s",
                           workers_missing(&c->workers), HELLO_SECONDS);
    }
    if (c->broken) {
        *e = c->fatal;
        return -1;
    }
    if (c->o->stand_in <= 0 && workers_crowded(&c->workers, text, sizeof text))
        log0_warn("%s", text);
    for (int i = 0; i < c->workers.n; i++)
        net_send(c->net, i, MSG_SETUP, &c->setup, sizeof c->setup);
    c->on = (struct width_slots){c->workers.n_slots, c->workers.n_nodes,
                                 c->workers.slot_node};
    c->sched = sched_create(c->on.n_slots, c->on.node, c->on.n_nodes);
    log0_info("study '%s': %d slot%s on %d node%s", c->study.name,
              c->on.n_slots, c->on.n_slots == 1 ? "" : "s", c->on.n_nodes,
              c->on.n_nodes == 1 ? "" : "s");
    return 0;
}

double coordinator_deadline(const struct run_options *o)
{
    const char *slurm = getenv("SLURM_JOB_END_TIME");
    double end = INFINITY, at;

    if (o->time_limit > 0)
        end = clock_now() + o->time_limit - o->grace;
    if (slurm && !str_to_double(slurm, &at) && at > 0) {
        at = clock_now() + (at - clock_wall()) - o->grace;
        end = at < end ? at : end;
    }
    return end;
}
