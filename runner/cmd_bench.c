/* cmd_bench: measured throughput against the measured peak of this machine.
 * One table of modes; a mode prints rows as it measures them. */
#include "base/mem.h"
#include "base/str.h"
#include "db/bench.h"
#include "runner/bench_fits.h"
#include "runner/bench_gpu.h"
#include "runner/bench_sched.h"
#include "runner/cmd.h"
#include "trainer/backend.h"
#include "trainer/bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the command line says to every mode. */
struct bench_opts {
    int json, profile;
    int64_t d_model;                /* 0: the default table */
    int64_t n_layer, vocab, tokens; /* 0: as in the table */
    int64_t steps;
    int64_t rows;  /* of --db */
    int64_t ranks; /* with --train, beside one */
    int64_t dtype;
    enum device_kind device; /* of --gpu */
};

struct mode {
    const char *name, *help;
    int (*run)(const struct bench_opts *o, struct err *e);
};

/* Case i of the table, or the one asked for; -1 when there is no more. */
static int next_case(struct bench_case *c, int i, const struct bench_opts *o)
{
    if (i >= (o->d_model ? 1 : BENCH_CASES))
        return -1;
    if (o->d_model)
        bench_case_for(c, o->d_model);
    else
        *c = bench_cases[i];
    if (o->n_layer)
        c->model.n_layer = o->n_layer;
    if (o->vocab)
        c->model.vocab = o->vocab;
    if (o->tokens)
        c->tokens = o->tokens;
    c->dtype = o->dtype;
    return 0;
}

/* --------------------------------------------------------------- train */

/* A row a group; with `all`, a row for each kind of work in it. */
static void print_shares(const struct bench_step *r, int all)
{
    for (int g = 0; g < BENCH_GROUPS; g++) {
        printf("  %-24s %5.1f %%", bench_group_name[g],
               100 * r->group_share[g]);
        if (r->group_speed[g] > 0)
            printf(" %7.1f GFLOP/s %5.1f %% of the peak",
                   r->group_speed[g] * 1e-9,
                   100 * r->group_speed[g] / r->peak_flops);
        printf("\n");
        for (int k = 0; all && k < BENCH_KINDS; k++)
            if ((int)bench_group_of(k) == g)
                printf("    %-22s %5.1f %%\n", bench_kind_name(k),
                       100 * r->share[k]);
    }
}

static void json_shares(const struct bench_step *r, int all)
{
    char v[STR_DOUBLE];

    printf(",\"group\":{");
    for (int g = 0; g < BENCH_GROUPS; g++)
        printf("%s\"%s\":%s", g ? "," : "", bench_group_name[g],
               str_double(v, r->group_share[g]));
    printf("}");
    if (!all)
        return;
    printf(",\"share\":{");
    for (int k = 0; k < BENCH_KINDS; k++)
        printf("%s\"%s\":%s", k ? "," : "", bench_kind_name(k),
               str_double(v, r->share[k]));
    printf("}");
}

static void train_json(const struct bench_case *c, const struct bench_step *r,
                       const struct bench_opts *o)
{
    /* clang-format off */
    const struct { const char *name; double value; } field[] = {
        {"d_model", (double)c->model.d_model},
        {"n_layer", (double)c->model.n_layer},
        {"vocab", (double)c->model.vocab},
        {"seq_len", (double)c->model.seq_len},
        {"tokens", (double)c->tokens},
        {"threads", 1},
        {"ms", r->ms}, {"ms_min", r->ms_min}, {"ms_max", r->ms_max},
        {"cpu_ms", r->cpu_ms},
        {"gflops", r->flops / r->ms * 1e-6},
        {"peak_gflops", r->peak_flops * 1e-9},
        {"percent", 100 * r->flops / (r->ms * 1e-3) / r->peak_flops},
        {"cpu_percent", 100 * r->flops / (r->cpu_ms * 1e-3) / r->peak_flops},
        {"tokens_per_s", (double)c->tokens / (r->ms * 1e-3)},
        {"gflop_a_step", r->flops * 1e-9},
        {"startup_ms", r->startup_ms}};
    /* clang-format on */
    char v[STR_DOUBLE];

    printf("{\"dtype\":\"%s\",\"backend\":\"%s\"", dtype_name(c->dtype),
           r->backend);
    for (size_t i = 0; i < ARRAY_LEN(field); i++)
        printf(",\"%s\":%s", field[i].name, str_double(v, field[i].value));
    json_shares(r, o->profile);
    printf("}\n");
}

static void train_text(const struct bench_case *c, const struct bench_step *r)
{
    double s = r->ms * 1e-3;

    printf("%7lld %7lld %6lld %6lld  %-5s %-12s %9.2f %8.2f-%-8.2f %7.1f %6.1f"
           " %5.1f %9.0f %8.2f %5.1f %8.1f\n",
           (long long)c->model.d_model, (long long)c->model.n_layer,
           (long long)c->model.vocab, (long long)c->tokens,
           dtype_name(c->dtype), r->backend, r->ms, r->ms_min, r->ms_max,
           r->flops / s * 1e-9, r->peak_flops * 1e-9,
           100 * r->flops / s / r->peak_flops, (double)c->tokens / s, r->cpu_ms,
           100 * r->flops / (r->cpu_ms * 1e-3) / r->peak_flops, r->startup_ms);
}

/* The same steps by o->ranks processes, as one run and as one run each, beside
 * one process: in turns, for a core is not always as fast, and the medians of
 * the turns and of their ratios. */
static int ranks_rows(const struct bench_case *c, const struct bench_opts *o,
                      struct err *e)
{
    enum { TURNS = 7 };
    struct {
        double ms[TURNS], rate[TURNS], times[TURNS];
    } of[2];
    char ms[STR_DOUBLE], rate[STR_DOUBLE], times[STR_DOUBLE];
    int n = (int)o->ranks;

    for (int t = 0; t < TURNS; t++) {
        struct bench_ranks one, many;

        if (bench_ranks(&one, c, 1, 1, (int)o->steps, e))
            return -1;
        for (int one_run = 0; one_run < 2; one_run++) {
            if (bench_ranks(&many, c, n, one_run, (int)o->steps, e))
                return -1;
            of[one_run].ms[t] = many.ms;
            of[one_run].rate[t] = many.tokens_s;
            of[one_run].times[t] = many.tokens_s / one.tokens_s;
        }
    }
    for (int one_run = 1; one_run >= 0; one_run--) {
        double m = bench_median(of[one_run].ms, TURNS);
        double r = bench_median(of[one_run].rate, TURNS);
        double x = bench_median(of[one_run].times, TURNS);

        if (o->json)
            printf("{\"dtype\":\"%s\",\"d_model\":%lld,\"tokens\":%lld,"
                   "\"threads\":%d,\"runs\":%d,\"ms\":%s,"
                   "\"tokens_per_s\":%s,\"speedup\":%s}\n",
                   dtype_name(c->dtype), (long long)c->model.d_model,
                   (long long)c->tokens, n, one_run ? 1 : n, str_double(ms, m),
                   str_double(rate, r), str_double(times, x));
        else
            printf("  %d ranks, %-15s %9.2f ms a step, %9.0f tokens/s, %.2f "
                   "times one\n",
                   n, one_run ? "one run" : "a run each", m, r, x);
        fflush(stdout);
    }
    return 0;
}

static int run_train(const struct bench_opts *o, struct err *e)
{
    struct bench_case c;
    struct bench_step r;

    if (!o->json)
        printf("d_model n_layer  vocab tokens  dtype backend       ms a step"
               "   least-most    GFLOP/s   peak     %%  tokens/s   CPU ms     "
               "%% start ms\n");
    for (int i = 0; !next_case(&c, i, o); i++) {
        if (bench_step(&r, &c, (int)o->steps, e))
            return -1;
        if (o->json) {
            train_json(&c, &r, o);
        } else {
            train_text(&c, &r);
            print_shares(&r, o->profile);
        }
        fflush(stdout);
        if (o->ranks > 1 && ranks_rows(&c, o, e))
            return -1;
    }
    return 0;
}

/* ---------------------------------------------------------------- gemm */

static void gemm_row(const struct bench_case *c, const struct bench_gemm *g,
                     int json)
{
    static const char *const product[] = {"forward", "dx", "dw"};
    char v[STR_DOUBLE];

    if (!json) {
        printf("%7lld %-6s %6lld %6lld %6lld", (long long)c->model.d_model,
               g->layer, (long long)g->m, (long long)g->n, (long long)g->k);
        for (int i = 0; i < 3; i++)
            printf("  %6.1f %5.1f %%", g->flops_per_s[i] * 1e-9,
                   100 * g->flops_per_s[i] / g->peak_flops);
        printf("\n");
        return;
    }
    printf("{\"d_model\":%lld,\"layer\":\"%s\",\"m\":%lld,\"n\":%lld,"
           "\"k\":%lld,\"dtype\":\"%s\"",
           (long long)c->model.d_model, g->layer, (long long)g->m,
           (long long)g->n, (long long)g->k, dtype_name(c->dtype));
    for (int i = 0; i < 3; i++)
        printf(",\"%s_gflops\":%s", product[i],
               str_double(v, g->flops_per_s[i] * 1e-9));
    printf(",\"peak_gflops\":%s}\n", str_double(v, g->peak_flops * 1e-9));
}

static int run_gemm(const struct bench_opts *o, struct err *e)
{
    struct bench_gemm rows[BENCH_LAYERS];
    struct bench_case c;

    if (!o->json)
        printf("d_model layer      m      n      k  forward GFLOP/s      dX"
               "               dW\n");
    for (int i = 0; !next_case(&c, i, o); i++) {
        if (bench_gemm(rows, &c, e))
            return -1;
        for (int j = 0; j < BENCH_LAYERS; j++)
            gemm_row(&c, &rows[j], o->json);
        fflush(stdout);
    }
    return 0;
}

/* ----------------------------------------------------------------- fit */

static int run_fit(const struct bench_opts *o, struct err *e)
{
    return bench_fits(o->json, e);
}

/* ------------------------------------------------------------ the table */

/* In the current directory: it is its disk that counts. */
static int run_db(const struct bench_opts *o, struct err *e)
{
    const int64_t runs = o->rows / 2000 > 1000 ? o->rows / 2000 : 1000;
    struct db_bench b;
    char path[64];

    snprintf(path, sizeof path, "loglog-bench-%ld.db", (long)getpid());
    if (db_bench(&b, path, runs < o->rows ? runs : o->rows, o->rows, e))
        return -1;
    db_bench_print(stdout, &b, o->json);
    return 0;
}

static int run_sched(const struct bench_opts *o, struct err *e)
{
    (void)e;
    bench_sched(o->json);
    return 0;
}

static int run_gpu(const struct bench_opts *o, struct err *e)
{
    return bench_gpu(o->device, (int)o->steps, o->json, e);
}

static const struct mode modes[] = {
    {"train", "whole training steps (the default)", run_train},
    {"gemm", "the products of each linear layer", run_gemm},
    {"gpu", "whole training steps on a GPU, beside what plan predicts",
     run_gpu},
    {"fit", "surface fits, their starts and resamples", run_fit},
    {"db", "the results database, on the disk of this directory", run_db},
    {"sched", "the scheduler: microseconds a run, and how well it packs",
     run_sched},
};
#define N_MODES (int)ARRAY_LEN(modes)

static int check(struct bench_opts *o, const char *dtype, const char *device,
                 struct err *e)
{
    static const char *const names[] = {"fp32", "bf16"};
    const struct {
        const char *name;
        int64_t value, least, most;
    } ranges[] = {
        {"d-model", o->d_model, 0, 8192}, {"layers", o->n_layer, 0, 256},
        {"vocab", o->vocab, 0, 1 << 20},  {"tokens", o->tokens, 0, 1 << 20},
        {"steps", o->steps, 5, 100000},   {"rows", o->rows, 1000, 1000000000},
        {"ranks", o->ranks, 1, 8}};

    o->dtype = -1;
    for (int64_t d = DTYPE_FP32; d <= DTYPE_BF16; d++)
        if (!strcmp(dtype, dtype_name(d)))
            o->dtype = d;
    if (o->dtype < 0) {
        const char *near = str_nearest(dtype, names, ARRAY_LEN(names));

        return err_set(e, ERR_USAGE, "--dtype %s: fp32 or bf16 expected%s%s",
                       dtype, near ? ", did you mean " : "", near ? near : "");
    }
    if (device_parse(&o->device, device, e))
        return -1;
    if (o->device != DEVICE_CUDA && o->device != DEVICE_CUEMU)
        return err_set(e, ERR_USAGE, "--device: cuda or cuemu expected");
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (ranges[i].value < ranges[i].least ||
            ranges[i].value > ranges[i].most)
            return err_set(e, ERR_USAGE, "--%s: %lld to %lld expected",
                           ranges[i].name, (long long)ranges[i].least,
                           (long long)ranges[i].most);
    if (o->d_model % 8)
        return err_set(e, ERR_USAGE, "--d-model: a multiple of 8 expected");
    if (o->ranks & (o->ranks - 1))
        return err_set(e, ERR_USAGE, "--ranks: 1, 2, 4 or 8 expected");
    if (o->tokens % bench_cases[0].model.seq_len)
        return err_set(e, ERR_USAGE, "--tokens: a multiple of %lld expected",
                       (long long)bench_cases[0].model.seq_len);
    return 0;
}

static int bench_main(const struct command *self, int argc, char **argv)
{
    struct bench_opts o = {.steps = 9, .rows = 1000000, .ranks = 1};
    const char *dtype = "fp32", *device = "cuda", **args;
    int on[N_MODES] = {0}, n_args, any = 0, rc;
    struct err e;
    struct opt opts[N_MODES + 12];
    const struct opt more[] = {
        {"d-model", 0, OPT_INT, &o.d_model, "N", "one width, not the table"},
        {"layers", 0, OPT_INT, &o.n_layer, "N", "layers of each model"},
        {"vocab", 0, OPT_INT, &o.vocab, "N", "vocabulary of each model"},
        {"tokens", 0, OPT_INT, &o.tokens, "N", "tokens of a step"},
        {"dtype", 0, OPT_STRING, &dtype, "TYPE", "fp32 (default) or bf16"},
        {"steps", 0, OPT_INT, &o.steps, "N", "steps timed, at least 5 (9)"},
        {"rows", 0, OPT_INT, &o.rows, "N",
         "with --db: step rows; 2e7 are of 10,000 runs (1e6)"},
        {"ranks", 0, OPT_INT, &o.ranks, "N",
         "with --train: also 2, 4 or 8 processes, in one run and in one each"},
        {"device", 0, OPT_STRING, &device, "NAME",
         "with --gpu: cuda, or cuemu, the emulator of the tests"},
        {"profile", 0, OPT_FLAG, &o.profile, NULL,
         "with --train: where the time goes"},
        {"json", 0, OPT_FLAG, &o.json, NULL, "one JSON object a row"},
        OPT_END};

    for (int i = 0; i < N_MODES; i++)
        opts[i] = (struct opt){modes[i].name, 0,    OPT_FLAG,
                               &on[i],        NULL, modes[i].help};
    memcpy(opts + N_MODES, more, sizeof more);
    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 0, 0, &e);
    if (rc > 0)
        return 0;
    if (rc < 0 || check(&o, dtype, device, &e))
        return opts_fail(&e);
    for (int i = 0; i < N_MODES; i++)
        any |= on[i];
    on[0] |= !any;
    for (int i = 0; i < N_MODES; i++)
        if (on[i] && modes[i].run(&o, &e))
            return opts_fail(&e);
    return 0;
}

const struct command cmd_bench = {
    .name = "bench",
    .synopsis =
        "bench [--train] [--gemm] [--gpu] [--fit] [--db] [--d-model N]\n"
        "             [--dtype TYPE] [--ranks N] [--profile] [--rows N] "
        "[--json]",
    .summary = "measure this machine's throughput against its peak",
    .help =
        "Time whole training steps (gradient, clipping, AdamW, packing) on "
        "one\n"
        "thread, at five widths or at one, and compare with the peak of fused\n"
        "multiply-adds on registers, measured in between.  Stop other work\n"
        "first: the median, the least and the most are wall time.  Below each\n"
        "model: the shares of matrix products, attention, what is done to "
        "rows\n"
        "(norms, SwiGLU, cross entropy) and to parameters (clipping, AdamW).\n"
        "The last two columns are processor time, which other work hardly\n"
        "touches.\n"
        "\n"
        "    loglog bench --train --profile --ranks 2\n"
        "    loglog bench --gemm --d-model 256 --json\n",
    .main = bench_main,
};
