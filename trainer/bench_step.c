/* bench_step: whole training steps, on one rank or on several; see bench.h. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "trainer/adamw.h"
#include "trainer/bench_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEER_SECONDS 60.0

int bench_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_median(const double *x, int n)
{
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

double bench_peak_of(const struct backend *be)
{
    double best = 0;

    for (int i = 0; i < 5; i++) {
        double t = clock_now(), flops = be->peak(20000);

        t = clock_now() - t;
        best = fmax(best, flops / t);
    }
    return best;
}

double bench_peak(int64_t dtype)
{
    return bench_peak_of(backend_pick(dtype));
}

/* ------------------------------------------------------------- a step */

void bench_release(struct bench *b)
{
    model_destroy(b->m);
    free(b->tokens);
}

/* The gang's arrays, as train_cpu.c shares them out. */
static int common_memory(struct bench *b, struct err *e)
{
    struct comm_array *own[] = {&b->nodes, &b->m1,     &b->v1,
                                &b->norms, &b->params, &b->grad};
    size_t blocks = (b->n + ADAMW_BLOCK - 1) / ADAMW_BLOCK;
    int g = comm_size(b->comm);

    b->norms.element = sizeof(double);
    b->nodes.element = b->params.element = sizeof(float);
    for (int i = 0; i <= g; i++) {
        size_t at = blocks * (size_t)i / (size_t)g;

        b->norms.bound[i] = at;
        b->params.bound[i] = at * ADAMW_BLOCK < b->n ? at * ADAMW_BLOCK : b->n;
        b->nodes.bound[i] = (size_t)i * b->n;
    }
    b->m1 = b->v1 = b->grad = b->params;
    for (size_t i = 0; i < (g > 1 ? 6 : 4); i++)
        if (comm_alloc(own[i], b->comm, e))
            return -1;
    if (g == 1) {
        b->params.data = model_params(b->m);
        b->grad.data = b->nodes.data;
    }
    return 0;
}

/* The parameters of the gang are those of the model. */
static int refresh(struct bench *b, struct err *e)
{
    struct comm_array *shared[] = {&b->params};

    if (comm_share(b->comm, shared, 1, e))
        return -1;
    if (comm_size(b->comm) > 1)
        memcpy(model_params(b->m), b->params.data, b->n * sizeof(float));
    model_refresh(b->m);
    return 0;
}

int bench_open(struct bench *b, const struct bench_case *c, struct comm *comm,
               struct err *e)
{
    const struct run_spec spec = {.model = c->model, .dtype = c->dtype};
    int64_t width = c->model.seq_len + 1, g = comm_size(comm);

    *b = (struct bench){.comm = comm,
                        .rows = c->tokens / c->model.seq_len / g,
                        .scale = 1 / (float)c->tokens};
    reduce_init(&b->reduce, (int)g, (int)g);
    if (model_create(&b->m, &spec, e))
        return -1;
    b->n = model_size(b->m);
    b->tokens = xcalloc((size_t)(b->rows * width), sizeof *b->tokens);
    for (int64_t i = 0; i < b->rows * width; i++)
        b->tokens[i] =
            (int32_t)rng_below(1 + (uint64_t)comm_member(comm), RNG_TEST,
                               (uint64_t)i, (uint64_t)c->model.vocab);
    if (common_memory(b, e)) {
        bench_release(b);
        return -1;
    }
    if (g == 1) {
        model_init(b->m, 1);
        return 0;
    }
    if (comm_member(comm) == 0) {
        model_draw(b->m, 1, 0, b->n);
        memcpy(b->params.data, model_params(b->m), b->n * sizeof(float));
    }
    if (refresh(b, e)) {
        bench_release(b);
        return -1;
    }
    return 0;
}

int bench_one_step(struct bench *b, struct err *e)
{
    static const struct optim_spec o = {
        .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    struct comm_array *nodes[] = {&b->nodes}, *norms[] = {&b->norms};
    int me = comm_member(b->comm), g = comm_size(b->comm);
    float *own = (float *)b->nodes.data + b->nodes.bound[me];
    size_t from = b->params.bound[me], to = b->params.bound[me + 1];
    double nats, norm = 0, at[3];

    model_grad_anew(b->m, own, &nats, b->tokens, b->rows, b->scale);
    at[0] = clock_now();
    if (comm_share(b->comm, nodes, 1, e))
        return -1;
    if (g > 1)
        reduce_floats(b->grad.data, b->nodes.data, b->n, &b->reduce, from, to);
    grad_block_norms(b->norms.data, b->grad.data, b->n, b->norms.bound[me],
                     b->norms.bound[me + 1]);
    if (comm_share(b->comm, norms, 1, e))
        return -1;
    for (size_t i = 0; i < b->norms.bound[g]; i++)
        norm += ((const double *)b->norms.data)[i];
    at[1] = clock_now();
    adamw_update(b->params.data, b->m1.data, b->v1.data, b->grad.data,
                 model_table(b->m), &o, 1e-3, 1 / fmax(1, sqrt(norm)), ++b->t,
                 from, to);
    at[2] = clock_now();
    b->seconds[BENCH_CLIP] += at[1] - at[0];
    b->seconds[BENCH_ADAMW] += at[2] - at[1];
    return refresh(b, e);
}

/* ------------------------------------------------------------ one rank */

/* Weights of the matrices of the layers and the head. */
static double matmul_weights(const struct model_spec *s)
{
    double d = (double)s->d_model, hd = d / (double)s->n_head;
    double qkv = hd * (double)(s->n_head + 2 * s->n_kv_head);

    return (double)s->n_layer * d * (qkv + d + 3 * (double)s->d_ff) +
           (double)s->vocab * d;
}

/* Flops of a step by group. */
static void step_flops(double flops[BENCH_GROUPS], const struct bench_case *c)
{
    const struct model_spec *s = &c->model;

    memset(flops, 0, BENCH_GROUPS * sizeof *flops);
    flops[BENCH_GEMM] = 6 * matmul_weights(s) * (double)c->tokens;
    flops[BENCH_ATTENTION] =
        6 * (double)(s->n_layer * s->seq_len * s->d_model) * (double)c->tokens;
}

/* Where the time of all steps went. */
static void shares(struct bench_step *r, const struct bench_case *c,
                   const double *seconds)
{
    double flops[BENCH_GROUPS], total = 0;

    for (int k = 0; k < BENCH_KINDS; k++)
        total += seconds[k];
    for (int k = 0; k < BENCH_KINDS; k++) {
        r->share[k] = seconds[k] / total;
        r->group_share[bench_group_of(k)] += r->share[k];
    }
    step_flops(flops, c);
    for (int g = 0; g < BENCH_GROUPS; g++) {
        double s = r->group_share[g] * r->ms * 1e-3;

        r->group_speed[g] = s > 0 ? flops[g] / s : 0;
        r->flops += flops[g];
    }
}

/* One step that is not counted, then `steps` of ms[] each, and cpu_ms[] of
 * processor time, both sorted; the peak between them when *peak is wanted. */
static int time_steps(double *ms, double *cpu_ms, double *peak, struct bench *b,
                      int steps, struct err *e)
{
    if (bench_one_step(b, e))
        return -1;
    memset(b->seconds, 0, sizeof b->seconds);
    model_profile(b->m, peak ? b->seconds : NULL);
    for (int i = 0; i < steps; i++) {
        double t, cpu;

        if (peak)
            *peak = fmax(*peak, bench_peak_of(model_backend(b->m)));
        t = clock_now();
        cpu = clock_thread();
        if (bench_one_step(b, e))
            return -1;
        ms[i] = 1e3 * (clock_now() - t);
        cpu_ms[i] = 1e3 * (clock_thread() - cpu);
    }
    qsort(ms, (size_t)steps, sizeof *ms, bench_by_value);
    qsort(cpu_ms, (size_t)steps, sizeof *cpu_ms, bench_by_value);
    return 0;
}

/* The second time that this process gets memory for the model and draws and
 * packs its weights, as for each run but the first of a process of a study. */
static int time_startup(double *ms, const struct bench_case *c, struct err *e)
{
    for (int turn = 0; turn < 2; turn++) {
        struct comm *self;
        struct bench b;
        double t = clock_now();
        int rc = comm_open(&self, 0, 1, NULL, PEER_SECONDS, e);

        if (rc)
            return rc;
        rc = bench_open(&b, c, self, e);
        *ms = 1e3 * (clock_now() - t);
        if (!rc)
            bench_release(&b);
        comm_close(self);
        if (rc)
            return rc;
    }
    return 0;
}

int bench_step(struct bench_step *r, const struct bench_case *c, int steps,
               struct err *e)
{
    double *ms = xcalloc(2 * (size_t)steps, sizeof *ms), *cpu = ms + steps;
    struct comm *self;
    struct bench b;
    int rc;

    *r = (struct bench_step){0};
    rc = time_startup(&r->startup_ms, c, e) ||
         comm_open(&self, 0, 1, NULL, PEER_SECONDS, e);
    if (rc) {
        free(ms);
        return -1;
    }
    rc = bench_open(&b, c, self, e);
    if (!rc) {
        rc = time_steps(ms, cpu, &r->peak_flops, &b, steps, e);
        r->backend = model_backend(b.m)->name;
        r->ms = bench_median(ms, steps);
        r->cpu_ms = bench_median(cpu, steps);
        r->ms_min = ms[0];
        r->ms_max = ms[steps - 1];
        shares(r, c, b.seconds);
        bench_release(&b);
    }
    comm_close(self);
    free(ms);
    return rc;
}

/* -------------------------------------------------------- several ranks */

/* What the members tell their parent. */
struct told {
    double ms[COMM_MAX];
    struct err why[COMM_MAX];
};

static int member(double *ms, const struct bench_case *c, int me, int ranks,
                  int one_run, int steps, const char *name, struct err *e)
{
    double *each = xcalloc(2 * (size_t)steps, sizeof *each);
    struct comm *gang, *self = NULL;
    unsigned none = 0;
    struct bench b;
    int rc = comm_open(&gang, me, ranks, name, PEER_SECONDS, e);

    if (rc)
        return rc;
    rc = comm_open(&self, 0, 1, NULL, PEER_SECONDS, e) ||
         bench_open(&b, c, one_run ? gang : self, e) ||
         comm_agree(gang, &none, NULL, e) /* all begin together */ ||
         time_steps(each, each + steps, NULL, &b, steps, e);
    if (!rc)
        *ms = bench_median(each, steps);
    free(each);
    return rc ? -1 : 0; /* the process ends here: the kernel tidies up */
}

int bench_ranks(struct bench_ranks *r, const struct bench_case *c, int ranks,
                int one_run, int steps, struct err *e)
{
    struct told *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int rc = 0, started = 0, status;
    pid_t pid[COMM_MAX];
    char name[64];

    if (told == MAP_FAILED)
        return err_set(e, ERR_ENV, "no shared memory");
    snprintf(name, sizeof name, "loglog-bench-%ld", (long)getpid());
    fflush(NULL);
    for (; started < ranks; started++) {
        pid[started] = fork();
        if (pid[started] < 0)
            break;
        if (pid[started] > 0)
            continue;
        rc = member(&told->ms[started], c, started, ranks, one_run, steps, name,
                    &told->why[started]);
        _exit(rc ? 1 : 0);
    }
    if (started < ranks)
        rc = err_set(e, ERR_ENV, "cannot start process %d of %d", started + 1,
                     ranks);
    *r = (struct bench_ranks){0};
    for (int i = 0; i < started; i++) {
        if (waitpid(pid[i], &status, 0) != pid[i] || status) {
            if (!rc)
                rc = err_set(e, ERR_ENV, "rank %d: %s", i,
                             told->why[i].text[0] ? told->why[i].text
                                                  : "it died");
            continue;
        }
        r->ms = fmax(r->ms, told->ms[i]);
        r->tokens_s += (double)c->tokens / told->ms[i] * 1e3;
    }
    comm_forget(name);
    if (one_run)
        r->tokens_s = (double)c->tokens / r->ms * 1e3;
    munmap(told, sizeof *told);
    return rc;
}
