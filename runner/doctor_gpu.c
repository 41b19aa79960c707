/* doctor_gpu: see doctor_gpu.h.
 *
 * Nothing is asked of a driver in this process: what has a context cannot
 * fork, and a driver that hangs must not hang us. */
#include "runner/doctor_gpu.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "runner/bench_gpu.h"
#include "runner/doctor_cudnn.h"
#include "trainer/adamw.h"
#include "trainer/device.h"
#include "trainer/model.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS 20
#define TIMED 9     /* steps of the table of throughput */
#define MEMBERS 4   /* most of the gang */
#define NEAR 0.02   /* nats between a device and the CPU */
#define LIMIT_S 100 /* of a part */

/* What the processes leave for us to read; shared. */
struct board {
    enum device_kind kind;
    int devices;
    struct engine_device device;
    char built[64];
    double loss[MEMBERS][STEPS], norm[MEMBERS][STEPS], want[STEPS];
    unsigned char id[ENGINE_ID_BYTES];
    atomic_int id_made;
    int gang;
    int skipped;    /* what was to be tried is not to be had */
    struct err err; /* of the process that failed, or why it is skipped */
};

/* --- processes --- */

/* Call f(board, member) in n processes; 0 when all return 0 in time. */
static int in_processes(struct board *b, int n, double limit,
                        int (*f)(struct board *b, int member))
{
    double until = clock_now() + limit;
    pid_t pid[MEMBERS];
    int left = n, bad = 0, status;

    fflush(NULL);
    for (int m = 0; m < n; m++) {
        pid[m] = fork();
        if (!pid[m]) {
            int rc = f(b, m);
            fflush(NULL);
            _exit(rc ? 1 : 0);
        }
        left -= pid[m] < 0;
        bad |= pid[m] < 0;
    }
    while (left) {
        for (int m = 0; m < n; m++)
            if (pid[m] > 0 && waitpid(pid[m], &status, WNOHANG) == pid[m]) {
                pid[m] = 0;
                left--;
                bad |= !WIFEXITED(status) || WEXITSTATUS(status);
                if (WIFSIGNALED(status) && !b->err.text[0])
                    err_set(&b->err, ERR_FAILED, "killed by signal %d",
                            WTERMSIG(status));
            }
        if (left && clock_now() > until) {
            err_set(&b->err, ERR_FAILED, "not done after %.0f s", limit);
            for (int m = 0; m < n; m++)
                if (pid[m] > 0)
                    kill(pid[m], SIGKILL);
            until = INFINITY;
        }
        clock_sleep(0.005);
    }
    return bad ? -1 : 0;
}

static int look(struct board *b, int member)
{
    const struct engine_api *api;

    (void)member;
    if (device_open(&api, b->kind, &b->err) ||
        api->devices(&b->devices, &b->err) ||
        api->describe(&b->device, 0, &b->err))
        return -1;
    snprintf(b->built, sizeof b->built, "%s", api->built);
    return 0;
}

static int kernels(struct board *b, int member)
{
    const struct engine_api *api;

    (void)member;
    if (device_open(&api, b->kind, &b->err))
        return -1;
    return api->selftest ? api->selftest()
                         : err_set(&b->err, ERR_ENV, "not built in");
}

/* --- training --- */

/* Two layers of two heads in groups; an odd seq_len, so that no tile fits. */
static struct run_spec spec_of(void)
{
    struct run_spec s;

    spec_defaults(&s);
    s.model.vocab = 101;
    s.model.seq_len = 41;
    s.model.d_model = 64;
    s.model.n_layer = 2;
    s.model.n_head = 2;
    s.model.n_kv_head = 1;
    s.model.d_ff = 96;
    s.model.init_std = 0.05;
    s.dtype = DTYPE_BF16;
    s.optim.lr = 3e-3;
    s.batch_tokens = MEMBERS * 41;
    return s;
}

/* Rows in which the next token mostly follows from the last. */
static void batch(int32_t *t, const struct run_spec *s, int step, int64_t rows)
{
    int64_t width = s->model.seq_len + 1;
    struct rng r = {(uint64_t)step, RNG_TEST, 0};

    for (int64_t i = 0; i < rows * width; i++)
        t[i] = i % width && i % 5
                   ? (int32_t)((t[i - 1] * 3 + 1) % s->model.vocab)
                   : (int32_t)rng_next_below(&r, (uint64_t)s->model.vocab);
}

static double clipped(const struct run_spec *s, double norm)
{
    return norm > s->optim.clip ? s->optim.clip / norm : 1;
}

static int train_device_steps(struct board *b, int member)
{
    struct run_spec s = spec_of();
    int64_t rows = MEMBERS / b->gang, width = s.model.seq_len + 1;
    struct engine_options o = {.device = member,
                               .rows = rows,
                               .micro_rows = 1,
                               .member = member,
                               .gang = b->gang,
                               .peer_seconds = 20};
    int32_t *t = xmalloc((size_t)(MEMBERS * width) * sizeof *t);
    double nats[MEMBERS];
    const struct engine_api *api;
    struct engine *g;

    if (device_open(&api, b->kind, &b->err) || api->create(&g, &s, &o, &b->err))
        return -1;
    if (member == 0 && b->gang > 1) {
        if (api->gang_id(b->id, &b->err))
            return -1;
        atomic_store(&b->id_made, 1);
    }
    while (b->gang > 1 && !atomic_load(&b->id_made))
        clock_sleep(0.001);
    if (api->join(g, b->id, &b->err) || api->init(g, 1, &b->err))
        return -1;
    for (int step = 0; step < STEPS; step++) {
        double *norm = &b->norm[member][step];

        batch(t, &s, step, MEMBERS);
        if (api->zero(g, &b->err) ||
            api->grad(g, nats, t + member * rows * width, rows,
                      (float)(1 / (double)s.batch_tokens), 1, &b->err) ||
            api->norm(g, norm, &b->err) ||
            api->step(g, s.optim.lr, clipped(&s, *norm), step + 1, &b->err))
            return -1;
        b->loss[member][step] = 0;
        for (int64_t r = 0; r < rows; r++)
            b->loss[member][step] += nats[r] / (double)s.batch_tokens;
    }
    api->destroy(g);
    free(t);
    return 0;
}

static int train_cpu_steps(struct board *b, int member)
{
    struct run_spec s = spec_of();
    int32_t *t = xmalloc((size_t)(MEMBERS * (s.model.seq_len + 1)) * sizeof *t);
    float *grad, *m, *v;
    double *square;
    struct model *model;
    size_t n, blocks;

    (void)member;
    if (model_create(&model, &s, &b->err))
        return -1;
    model_init(model, 1);
    n = model_size(model);
    blocks = (n + ADAMW_BLOCK - 1) / ADAMW_BLOCK;
    grad = mem_tensor(3 * n * sizeof *grad);
    if (!grad)
        return err_set(&b->err, ERR_ENV, "no memory");
    m = grad + n;
    v = m + n;
    square = xcalloc(blocks, sizeof *square);
    for (int step = 0; step < STEPS; step++) {
        double nats = 0, sum = 0;

        batch(t, &s, step, MEMBERS);
        memset(grad, 0, n * sizeof *grad);
        model_grad(model, grad, &nats, t, MEMBERS,
                   (float)(1 / (double)s.batch_tokens));
        grad_block_norms(square, grad, n, 0, blocks);
        for (size_t i = 0; i < blocks; i++)
            sum += square[i];
        adamw_update(model_params(model), m, v, grad, model_table(model),
                     &s.optim, s.optim.lr, clipped(&s, sqrt(sum)), step + 1, 0,
                     n);
        model_refresh(model);
        b->want[step] = nats / (double)s.batch_tokens;
    }
    model_destroy(model);
    mem_tensor_free(grad);
    free(square);
    free(t);
    return 0;
}

/* The largest difference of the gang's losses to the CPU's; NaN counts. */
static double difference(const struct board *b)
{
    double worst = 0;

    for (int step = 0; step < STEPS; step++) {
        double loss = 0, d;

        for (int m = 0; m < b->gang; m++)
            loss += b->loss[m][step];
        d = fabs(loss - b->want[step]);
        worst = d <= worst ? worst : isfinite(d) ? d : INFINITY;
    }
    return worst;
}

/* --- throughput --- */

static int throughput(struct board *b, int member)
{
    (void)member;
    return bench_gpu(b->kind, b->kind == DEVICE_CUEMU ? 1 : TIMED, 0, &b->err);
}

/* --- attention by cuDNN --- */

static int cudnn(struct board *b, int member)
{
    const struct engine_api *api;
    int rc;

    (void)member;
    if (device_open(&api, b->kind, &b->err))
        return -1;
    rc = doctor_cudnn(api, b->kind == DEVICE_CUEMU, &b->err);
    b->skipped = rc > 0;
    return rc < 0 ? -1 : 0;
}

/* --- all of it --- */

static int part(struct board *b, const char *name, int bad, const char *text)
{
    printf("%-8s %s%s%s\n", bad ? "FAILED" : "ok", name,
           text[0] || bad ? ": " : "", bad ? b->err.text : text);
    b->err.text[0] = '\0';
    return bad != 0;
}

static int compare(struct board *b, int gang, const char *name)
{
    char text[128];
    int bad;

    b->gang = gang;
    bad = in_processes(b, gang, LIMIT_S, train_device_steps);
    if (!bad && !(difference(b) < NEAR))
        bad = err_set(&b->err, ERR_FAILED,
                      "the loss differs by %.3g nats from the CPU's",
                      difference(b));
    for (int step = 0; step < STEPS && !bad; step++)
        for (int m = 1; m < gang; m++)
            if (b->norm[m][step] != b->norm[0][step])
                bad = err_set(&b->err, ERR_FAILED,
                              "members disagree on the gradient's norm");
    snprintf(text, sizeof text,
             "%d steps on %d device%s, loss %.3f to %.3f, within %.4f nats of "
             "the CPU",
             STEPS, gang, gang > 1 ? "s" : "", b->want[0], b->want[STEPS - 1],
             bad ? 0 : difference(b));
    return part(b, name, bad, text);
}

static int run_all(struct board *b)
{
    double begun = clock_now();
    char took[STR_DOUBLE];
    int bad, rc, gang = b->devices < MEMBERS ? b->devices : MEMBERS;

    bad = part(b, "kernels against references in double",
               in_processes(b, 1, LIMIT_S, kernels), "");
    if (in_processes(b, 1, LIMIT_S, train_cpu_steps))
        return part(b, "training on the CPU", 1, "");
    bad |= compare(b, 1, "training");
    while (MEMBERS % gang)
        gang--;
    if (gang > 1)
        bad |= compare(b, gang, "NCCL");
    else
        printf("%-8s NCCL: one device is no gang\n", "skipped");
    rc = in_processes(b, 1, LIMIT_S, cudnn);
    if (b->skipped) {
        printf("%-8s cuDNN's attention: %s\n", "skipped", b->err.text);
        b->err.text[0] = '\0';
    } else {
        bad |= part(b, "cuDNN's attention against flash", rc, "");
    }
    bad |= part(b, "throughput", in_processes(b, 1, LIMIT_S, throughput),
                b->kind == DEVICE_CUEMU ? "of the emulator, says nothing" : "");
    printf("verdict: the GPU code is %s on %d x %s (%s)\n",
           bad ? "NOT right" : "right", b->devices, b->device.name,
           str_seconds(took, clock_now() - begun));
    return bad;
}

int doctor_gpu(enum device_kind kind, struct err *e)
{
    struct board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char size[STR_DOUBLE];
    int rc;

    if (b == MAP_FAILED)
        return err_errno(e, "shared memory");
    b->kind = kind;
    b->gang = 1;
    rc = in_processes(b, 1, LIMIT_S, look);
    if (rc) {
        err_set(e, ERR_ENV, "%s", b->err.text);
    } else {
        printf("%-8s %d x %s, compute capability %d.%d, %s; plugin %s\n", "ok",
               b->devices, b->device.name, b->device.major, b->device.minor,
               str_bytes(size, (double)b->device.bytes), b->built);
        rc = run_all(b);
    }
    munmap(b, sizeof *b);
    return rc;
}
