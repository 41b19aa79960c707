/* train_device: training on a GPU; see train_impl.h.  The engine
 * (cuda/engine.h) does the work, and its members meet by NCCL; the gang's
 * comm carries the losses, decisions and failures. */
#include "trainer/train_impl.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVAL_ROWS 64 /* most windows of an evaluation at a time */

static struct engine_options options_of(const struct train *t, int devices)
{
    const struct train_env *env = t->env;
    int64_t rows = t->batches.rows, m = env->member, g = env->gang;

    return (struct engine_options){
        .device = env->place % devices,
        .recompute = env->recompute,
        .attention = env->attention,
        .no_graphs = env->no_graphs,
        .micro_rows = env->micro_rows,
        .rows = rows * (m + 1) / g - rows * m / g,
        .member = env->member,
        .gang = env->gang,
        .peer_seconds = env->peer_seconds,
    };
}

int train_device_find(struct train *t, struct err *e)
{
    struct engine_options o;
    const struct engine_api *api;
    int n;

    if (device_open(&api, t->env->device, e))
        return -1;
    if (!api) /* *e says why */
        return -1;
    if (api->devices(&n, e))
        return -1;
    o = options_of(t, n);
    if (api->check(t->spec, &o, e))
        return -1;
    t->api = api;
    return 0;
}

/* Member 0's identity of the gang, to all. */
static int meet(struct train *t, struct err *e)
{
    struct comm_array id = {.element = ENGINE_ID_BYTES};

    for (int m = 1; m <= comm_size(t->comm); m++)
        id.bound[m] = 1;
    if (comm_alloc(&id, t->comm, e) ||
        (t->env->member == 0 && t->api->gang_id(id.data, e)) ||
        comm_share(t->comm, (struct comm_array *[]){&id}, 1, e))
        return -1;
    return t->api->join(t->engine, id.data, e);
}

/* What this member of a gang writes of a checkpoint. */
static int take_share(struct train *t, struct err *e)
{
    int gang = t->env->gang, n, m;
    const struct engine_piece *p = t->api->pieces(t->engine, &n);
    struct checkpoint_piece *mine = xcalloc((size_t)n + 1, sizeof *mine);

    t->share =
        (struct checkpoint_share){.member = t->env->member, .gang = gang};
    t->share.piece = mine;
    for (int i = 0; i < n; i++)
        if (!p[i].everywhere || t->env->member == 0) {
            mine[t->share.n_piece++] =
                (struct checkpoint_piece){(uint64_t)p[i].at, (uint64_t)p[i].n};
            t->share.n += (size_t)p[i].n;
        }
    t->seals.element = sizeof(uint64_t);
    for (m = 0; m <= gang; m++)
        t->seals.bound[m] = (size_t)m;
    return comm_alloc(&t->seals, t->comm, e);
}

static int device_open_run(struct train *t, struct err *e)
{
    struct engine_options o;
    struct err why;
    int64_t rows;
    int n, rc;

    if (t->api->devices(&n, e))
        return -1;
    o = options_of(t, n);
    rc = t->api->create(&t->engine, t->spec, &o, &why);
    if (rc < 0) {
        *e = why;
        return -1;
    }
    rc = train_agree_room(t, rc, &why, e);
    if (rc)
        return rc;
    if (t->env->member == 0 && t->api->note(t->engine)[0])
        log_warn("%s", t->api->note(t->engine));
    t->n = t->api->size(t->engine);
    t->eval_at_once = t->api->micro_rows(t->engine);
    if (t->eval_at_once > EVAL_ROWS)
        t->eval_at_once = EVAL_ROWS;
    t->row_nats.element = sizeof(double);
    for (int m = 0; m <= o.gang; m++)
        t->row_nats.bound[m] = (size_t)(t->batches.rows * m / o.gang);
    t->first_row = (int64_t)t->row_nats.bound[t->env->member];
    rows = (int64_t)t->row_nats.bound[t->env->member + 1] - t->first_row;
    t->loader =
        rows ? loader_create(&t->batches, t->first_row, rows, t->spec->steps)
             : NULL;
    if (rows && !t->loader)
        return err_set(e, ERR_ENV, "no memory for a batch");
    if (comm_alloc(&t->row_nats, t->comm, e))
        return -1;
    if (o.gang > 1 && t->env->checkpoint_dir && take_share(t, e))
        return -1;
    return o.gang > 1 ? meet(t, e) : 0;
}

static void device_close(struct train *t)
{
    if (t->host)
        t->api->host_free(t->host);
    if (t->engine && t->failed)
        t->api->give_up(t->engine);
    if (t->engine)
        t->api->destroy(t->engine);
    free(t->share.piece);
}

/* Its pieces of the checkpoint, by way of pinned memory. */
static int load_pieces(struct train *t, const struct checkpoint *c,
                       struct err *e)
{
    int n;
    const struct engine_piece *p = t->api->pieces(t->engine, &n);
    size_t local = n ? (size_t)(p[n - 1].local + p[n - 1].n) : 0;
    float *host = t->api->host_alloc(CHECKPOINT_BLOCKS * local + 1);
    int rc;

    if (!host)
        return err_set(e, ERR_ENV, "no pinned memory for a checkpoint");
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        for (int i = 0; i < n; i++) {
            checkpoint_copy(host + (size_t)b * local + p[i].local, c, b,
                            (size_t)p[i].at, (size_t)p[i].n);
            comm_beat(t->comm);
        }
    rc = t->api->load(t->engine, host, e);
    t->api->host_free(host);
    return rc;
}

static int device_begin(struct train *t, const struct checkpoint *c,
                        struct err *e)
{
    return c ? load_pieces(t, c, e) : t->api->init(t->engine, t->spec->seed, e);
}

/* Into pinned memory, from where they are written while training goes on. */
static int device_blocks(const float *block[CHECKPOINT_BLOCKS], int *stays,
                         struct train *t, struct err *e)
{
    size_t n = t->share.gang ? t->share.n : t->n;
    unsigned failed = 0;

    *stays = 1;
    if (!t->host) {
        t->host = t->api->host_alloc(CHECKPOINT_BLOCKS * n + 1);
        failed = !t->host;
    }
    if (comm_agree(t->comm, &failed, NULL, e))
        return -1;
    if (failed)
        return err_set(e, ERR_ENV, "no pinned memory for a checkpoint");
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        block[b] = t->host + (size_t)b * n;
    return t->api->save(t->engine, t->host, e);
}

/* Rows are summed in their order, whoever had them. */
static int device_gradient(double *nats, double *norm, struct train *t,
                           struct err *e)
{
    struct comm_array *shared[] = {&t->row_nats};
    int64_t step = t->state.step + 1;
    struct fault_here here = {t->env->run_id, step, t->env->attempt,
                              t->env->member};
    int64_t from = (int64_t)t->row_nats.bound[t->env->member];
    int64_t rows = (int64_t)t->row_nats.bound[t->env->member + 1] - from;
    double *own = (double *)t->row_nats.data + from;
    const double *all = t->row_nats.data;

    t->tokens = t->loader ? loader_take(t->loader, step) : NULL;
    if (t->api->zero(t->engine, e) ||
        t->api->grad(t->engine, own, t->tokens, rows,
                     (float)(1 / (double)t->spec->batch_tokens), 1, e) ||
        t->api->norm(t->engine, norm, e))
        return -1;
    if (rows && fault_at_here("nan", &here))
        own[0] = NAN;
    if (comm_share(t->comm, shared, 1, e))
        return -1;
    *nats = 0;
    for (int64_t i = 0; i < t->batches.rows; i++)
        *nats += all[i];
    return 0;
}

static int device_update(struct train *t, double lr, double scale,
                         struct err *e)
{
    return t->api->step(t->engine, lr, scale, t->state.step + 1, e);
}

static int device_losses(void *ctx, double *nats, const int32_t *tokens,
                         int64_t windows, const struct eval_set *s,
                         struct err *e)
{
    struct train *t = ctx;

    BUG_ON(s->parts != 1);

    return t->api->eval(t->engine, nats, tokens, windows, e);
}

const struct train_ops train_device = {
    .open = device_open_run,
    .close = device_close,
    .begin = device_begin,
    .blocks = device_blocks,
    .gradient = device_gradient,
    .update = device_update,
    .losses = device_losses,
};
