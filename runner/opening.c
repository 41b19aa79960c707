/* opening: what the coordinator does before its loop: the study, its data, the
 * database, and the other ranks. */
#include "runner/coordinator_impl.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/query.h"
#include "runner/version.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int make_checkpoints(struct coordinator *c, struct err *e)
{
    char beside[PROTO_PATH];

    if (snprintf(beside, sizeof beside, "%s.ckpt", c->o->db) >=
        (int)sizeof beside)
        return err_set(e, ERR_USAGE, "%s: path too long", c->o->db);
    if (absolute(c->checkpoints, c->o->checkpoints ? c->o->checkpoints : beside,
                 e))
        return -1;
    return file_mkdirs(c->checkpoints, e);
}

/* What every child must know of the study. */
static int make_setup(struct tenant *t, const struct coordinator *c,
                      struct err *e)
{
    struct msg_setup *m = &t->setup;

    m->study = (int32_t)(t - c->tenant);
    m->log_level = (int32_t)log_level();
    m->bind = (int32_t)c->o->bind;
    m->stand_in = c->o->stand_in;
    m->device = (int32_t)devices_asked(c, t);
    for (int i = 0; i < DEVICE_CHOICES; i++)
        m->how[i] = t->study.how[i];
    m->checkpoint_seconds = (double)t->study.checkpoint_seconds;
    m->n_valid = t->study.n_valid;
    memcpy(m->checkpoints, c->checkpoints, sizeof m->checkpoints);
    if (absolute(m->train, t->study.train, e))
        return -1;
    for (int i = 0; i < t->study.n_valid; i++)
        if (absolute(m->valid[i], t->study.valid[i].path, e))
            return -1;
    return 0;
}

static int read_data(struct tenant *t, int stand_in, struct err *e)
{
    if (!stand_in)
        return study_check_data(&t->study, e) ||
                       study_data_read(&t->data, &t->study, e)
                   ? -1
                   : 0;
    t->data.train_tokens = 1e12;
    snprintf(t->data.data, sizeof t->data.data, "%s", "5746d01d5746d01d");
    return 0;
}

/* Everything about the study that can be wrong before the database is
 * touched. */
static int read_study(struct tenant *t, const struct coordinator *c,
                      const char *path, struct err *e)
{
    if (study_read(&t->study, path, e) || read_data(t, c->o->stand_in > 0, e) ||
        make_setup(t, c, e))
        return -1;
    for (const struct tenant *other = c->tenant; other < t; other++)
        if (!strcmp(other->study.name, t->study.name))
            return err_set(e, ERR_USAGE, "%s: study '%s' is also that of %s",
                           path, t->study.name, other->study.file);
    return 0;
}

static int read_studies(struct coordinator *c, struct err *e)
{
    c->tenant = xcalloc((size_t)c->o->n_study, sizeof *c->tenant);
    for (; c->n_tenant < c->o->n_study; c->n_tenant++) {
        struct tenant *t = &c->tenant[c->n_tenant];

        t->priority = c->o->priority[c->n_tenant];
        if (read_study(t, c, c->o->study[c->n_tenant], e))
            return -1;
    }
    return 0;
}

static int read_pace(void *ctx, int n, const char *const *v)
{
    struct coordinator *c = ctx;
    double real, predicted;

    (void)n;
    if (v[0] && v[1] && !str_to_double(v[0], &real) &&
        !str_to_double(v[1], &predicted) && predicted > 0) {
        c->real += real;
        c->predicted += predicted;
    }
    return 0;
}

/* How the attempts of earlier launches compare with their predictions, so that
 * the time left is right from the first line on. */
static int earlier_pace(struct coordinator *c, const struct tenant *t,
                        struct err *e)
{
    struct str sql;
    int rc;

    if (c->o->stand_in > 0)
        return 0; /* at a speed of its own each time */
    str_init(&sql);
    str_addf(&sql,
             "SELECT sum(a.gang * (a.train_seconds + a.eval_seconds + "
             "a.checkpoint_seconds)), sum(r.predicted_seconds * "
             "(a.steps - a.resumed_step) / "
             "(r.steps - coalesce(r.trunk_step, 0))) "
             "FROM attempts a JOIN runs r USING (run) WHERE r.study_id = "
             "%" PRId64 " AND a.steps > a.resumed_step "
             "AND a.train_seconds > 0 AND a.device <> 'stand-in'",
             t->id);
    rc = db_each(c->db, sql.text, read_pace, c, e);
    str_release(&sql);
    return rc;
}

static int name_builds(void *ctx, int n, const char *const *v)
{
    const struct tenant *t = ctx;

    (void)n;
    if (v[0])
        log0_warn("study '%s' has runs of other builds (%s; this is %s): "
                  "`loglog query` with @provenance says which",
                  t->study.name, v[0], version_commit());
    return 0;
}

/* Results of two builds in one table are comparable only as far as the builds
 * are: said, not refused. */
static int other_builds(struct tenant *t, struct coordinator *c, struct err *e)
{
    struct str sql;
    int rc;

    str_init(&sql);
    str_addf(&sql,
             "SELECT group_concat(DISTINCT commit_id) FROM attempts WHERE "
             "commit_id <> '%s' AND run IN (SELECT run FROM runs WHERE "
             "study_id = %" PRId64 ")",
             version_commit(), t->id);
    rc = db_each(c->db, sql.text, name_builds, t, e);
    str_release(&sql);
    return rc;
}

/* Find or make it in the database, and see where it stands.  *recovered: the
 * attempts that a launch before has left open. */
static int enter(int *recovered, struct tenant *t, struct coordinator *c,
                 struct err *e)
{
    struct str resolved;
    int rc;

    str_init(&resolved);
    study_print(&resolved, &t->study);
    rc = db_study_put(&t->id, c->db, t->study.name, resolved.text,
                      c->o->replace, e);
    str_release(&resolved);
    return rc || db_recover(recovered, c->db, t->id, e) ||
                   db_event(c->db, t->id, 0, "start", c->argv, e) ||
                   earlier_pace(c, t, e) || other_builds(t, c, e) ||
                   study_run_open(&t->run, &t->study, c->db, t->id, &t->data,
                                  &c->cost, e)
               ? -1
               : 0;
}

int coordinator_open(struct coordinator *c, struct err *e)
{
    int all = 0;

    join_argv(c);
    if (make_checkpoints(c, e) || read_studies(c, e) ||
        store_open(&c->db, c->o->db, STORE_WRITE, e))
        return -1;
    cost_default(&c->cost);
    ledger_init(&c->ledger, c->db);
    for (int i = 0; i < c->n_tenant; i++) {
        int n = 0;

        c->tenant[i].ready = 1;
        if (enter(&n, &c->tenant[i], c, e))
            return -1;
        all += n;
    }
    if (all)
        log0_info("%d attempt%s of a launch that was killed: going on from "
                  "the last checkpoints",
                  all, all == 1 ? "" : "s");
    return 0;
}

static int all_on_devices(const struct coordinator *c)
{
    for (int i = 0; i < c->n_tenant; i++)
        if (c->tenant[i].device == DEVICE_CPU)
            return 0;
    return 1;
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
        for (int k = 0; k < c->n_tenant; k++)
            net_send(c->net, i, MSG_SETUP, &c->tenant[k].setup,
                     sizeof c->tenant[k].setup);
    if (devices_agree(c, e))
        return -1;
    c->on = (struct width_slots){c->workers.n_slots, c->workers.n_nodes,
                                 c->workers.slot_node};
    c->sched = sched_create(c->on.n_slots, c->on.node, c->on.n_nodes);
    if (all_on_devices(c)) /* members meet by NCCL, wherever they are */
        sched_span(c->sched);
    if (store_slots(c->db, c->on.n_slots, e))
        return -1;
    for (int i = 0; i < c->n_tenant; i++)
        log0_info("study '%s': %d slot%s on %d node%s", c->tenant[i].study.name,
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
