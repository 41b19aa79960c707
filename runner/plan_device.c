/* plan_device: see plan_device.h. */
#include "runner/plan_device.h"

#include "base/mem.h"
#include "base/str.h"
#include "sweep/flops.h"
#include "sweep/gpu_model.h"
#include "sweep/shape.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

/* The run: what the paper would choose where nothing else is said. */
static int make_spec(struct run_spec *s, const struct plan_device_opts *o,
                     struct err *e)
{
    static const struct shape_rule paper = {.head_dim = 128,
                                            .aspect = 100,
                                            .ff_multiple = 256,
                                            .kv_group = 1,
                                            .max_d_model = 65536};
    double batch = o->batch > 0 ? o->batch : deepseek_batch(o->flops);
    double whole;

    spec_defaults(s);
    s->dtype = DTYPE_BF16;
    s->model.vocab = o->vocab ? o->vocab : 102400;
    s->model.seq_len = o->seq_len ? o->seq_len : 4096;
    if (o->width && o->width % paper.head_dim)
        return err_set(e, ERR_USAGE, "--width: a multiple of %lld expected",
                       (long long)paper.head_dim);
    if (o->width)
        shape_for_width(&s->model, &paper, o->width);
    else
        shape_for_M(&s->model, &paper, deepseek_M(o->flops));
    if (o->layers)
        s->model.n_layer = o->layers;
    whole = (double)s->model.seq_len * (double)o->gpus;
    s->batch_tokens =
        (int64_t)(fmax(round(batch / whole), 1) * whole); /* rows for all */
    s->steps = steps_for_flops(s, o->flops);
    s->optim.lr = deepseek_lr(o->flops);
    return 0;
}

static void print_text(const struct run_spec *s, const struct gpu_prediction *p,
                       const struct gpu_kernel *k, size_t n,
                       const struct plan_device_opts *o)
{
    double hours = p->seconds * (double)s->steps / 3600;
    char a[STR_DOUBLE];
    struct model_count c;

    model_count(&c, &s->model);
    printf("A prediction: bytes and flops of the kernels are counted, speeds "
           "are those of the\ndata sheet times what an H100 reached of them "
           "(docs/gpu.md).\n\n");
    printf("model      %" PRId64 " layers of %" PRId64 ", %.3g parameters, "
           "%.3g flops a token (M), vocab %" PRId64 "\n",
           s->model.n_layer, s->model.d_model, c.params, c.M, s->model.vocab);
    printf("run        %.3g tokens in %" PRId64 " steps of %" PRId64
           " tokens, %.3g flops (M D)\n",
           (double)spec_tokens(s), s->steps, s->batch_tokens, run_flops(s));
    printf("device     %" PRId64 " x %s, %" PRId64 " micro-batches of %" PRId64
           " sequences each%s\n",
           o->gpus, o->device, p->micros, p->micro_rows,
           p->recompute ? ", activations computed again" : "");
    printf("memory     %s a GPU:", str_bytes(a, p->bytes.total));
    printf(" weights %s,", str_bytes(a, p->bytes.weights));
    printf(" gradient %s,", str_bytes(a, p->bytes.gradient));
    printf(" masters and moments %s,", str_bytes(a, p->bytes.state));
    printf("\n           activations %s,", str_bytes(a, p->bytes.activations));
    printf(" the rest %s\n", str_bytes(a, p->bytes.scratch));
    printf("step       %s:", str_seconds(a, p->seconds));
    printf(" kernels %s,", str_seconds(a, p->compute));
    printf(" communication %s,", str_seconds(a, p->communication));
    printf(" of which %s is not hidden\n", str_seconds(a, p->exposed));
    printf("MFU        %.1f %%\n", 100 * p->mfu);
    printf("time       %s, %.4g GPU hours\n\n", str_seconds(a, 3600 * hours),
           hours * (double)o->gpus);
    printf("%-22s %9s %12s %12s\n", "kernel", "launches", "bytes", "flops");
    for (size_t i = 0; i < n; i++)
        printf("%-22s %9.0f %12.4g %12.4g%s\n", k[i].name, k[i].launches,
               k[i].bytes, k[i].flops, k[i].per_step ? "  a step" : "");
    printf("(of a micro-batch on one GPU, or of the end of a step)\n");
}

static void print_json(const struct run_spec *s, const struct gpu_prediction *p,
                       const struct gpu_kernel *k, size_t n,
                       const struct plan_device_opts *o)
{
    json_t *kernels = json_array(), *out;
    struct model_count c;

    model_count(&c, &s->model);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(kernels,
                              json_pack("{s:s, s:b, s:f, s:f, s:f}", "kernel",
                                        k[i].name, "per_step", k[i].per_step,
                                        "launches", k[i].launches, "bytes",
                                        k[i].bytes, "flops", k[i].flops));
    out = json_pack(
        "{s:b, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:b, "
        "s:{s:f, s:f, s:f, s:f, s:f, s:f}, s:f, s:f, s:f, s:f, s:f, s:f, s:o}",
        "prediction", 1, "device", o->device, "gpus", (json_int_t)o->gpus,
        "n_layer", (json_int_t)s->model.n_layer, "d_model",
        (json_int_t)s->model.d_model, "params", c.params, "M", c.M, "flops",
        run_flops(s), "batch_tokens", (json_int_t)s->batch_tokens, "steps",
        (json_int_t)s->steps, "micro_batch", (json_int_t)p->micro_rows,
        "micro_batches", (json_int_t)p->micros, "recompute", p->recompute,
        "bytes", "weights", p->bytes.weights, "gradient", p->bytes.gradient,
        "state", p->bytes.state, "activations", p->bytes.activations, "scratch",
        p->bytes.scratch, "total", p->bytes.total, "step_seconds", p->seconds,
        "compute_seconds", p->compute, "communication_seconds",
        p->communication, "exposed_seconds", p->exposed, "mfu", p->mfu,
        "seconds", p->seconds * (double)s->steps, "kernels", kernels);
    BUG_ON(!out);
    json_dumpf(out, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(out);
}

int plan_device(const struct plan_device_opts *o, struct err *e)
{
    struct gpu_kernel k[GPU_KERNELS];
    const struct gpu_chip *chip;
    struct gpu_prediction p;
    struct run_spec s;
    size_t n;

    if (!o->device)
        return err_set(e, ERR_USAGE,
                       "plan: a STUDY, or --device and --flops, expected");
    if (!(o->flops > 0) || o->gpus < 1 || o->gpus > 1000000)
        return err_set(e, ERR_USAGE,
                       "plan: without a STUDY --flops and 1 to 1000000 --gpus "
                       "are needed");
    if (o->width < 0 || o->layers < 0 || o->seq_len < 0 || o->vocab < 0 ||
        o->batch < 0)
        return err_set(e, ERR_USAGE, "plan: sizes above 0 expected");
    if (gpu_chip_find(&chip, o->device, e) || make_spec(&s, o, e) ||
        gpu_predict(&p, chip, &s, (int)o->gpus, e))
        return -1;
    n = gpu_kernels(k, &s, p.micro_rows, (int)o->gpus, p.recompute);
    if (o->json)
        print_json(&s, &p, k, n, o);
    else
        print_text(&s, &p, k, n, o);
    return 0;
}
