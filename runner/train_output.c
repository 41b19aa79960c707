/* train_output: see train_output.h. */
#include "runner/train_output.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "sweep/flops.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAY_SECONDS 5.0

/* Bytes of memory that are this process's own, without what the kernel can
 * read from files again: the program, the data. */
static double own_bytes(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    double bytes = 0;
    char line[256];

    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "RssAnon:", 8) || !strncmp(line, "RssShmem:", 9))
            bytes += 1024 * strtod(strchr(line, ':') + 1, NULL);
    if (f)
        fclose(f);
    return bytes;
}

/* Called while the run has all of its memory. */
static void weigh(struct train_output *o)
{
    o->bytes = fmax(o->bytes, own_bytes() - o->bytes_before);
}

/* ,"key":value with every digit; null for what is no number. */
static void put(FILE *f, const char *key, double v)
{
    char text[STR_DOUBLE];

    fprintf(f, ",\"%s\":%s", key, isfinite(v) ? str_double(text, v) : "null");
}

static int on_step(void *ctx, const struct step_report *r)
{
    struct train_output *o = ctx;

    if (o->file) {
        fprintf(o->file,
                "{\"event\":\"step\",\"step\":%" PRId64 ",\"tokens\":%" PRId64,
                r->step, r->tokens);
        put(o->file, "loss", r->loss);
        put(o->file, "lr", r->lr);
        put(o->file, "grad_norm", r->grad_norm);
        put(o->file, "seconds", r->seconds);
        fputs("}\n", o->file);
    }
    if (r->step == o->spec->steps)
        weigh(o);
    if (clock_now() - o->said > SAY_SECONDS || r->step == o->spec->steps) {
        o->said = clock_now();
        log_info("step %" PRId64 " of %" PRId64
                 ": loss %.4f, lr %.3g, gradient norm %.3g, %.1f ms a step",
                 r->step, o->spec->steps, r->loss, r->lr, r->grad_norm,
                 1e3 * r->seconds);
    }
    return 0;
}

/* Of token files without the bytes of their text there are none. */
static const char *bits(char out[32], double bpb)
{
    if (isfinite(bpb))
        snprintf(out, 32, "%.4f bits per byte", bpb);
    else
        snprintf(out, 32, "bits per byte unknown");
    return out;
}

static int on_eval(void *ctx, const struct eval_report *r)
{
    struct train_output *o = ctx;
    char text[32];

    if (o->file) {
        fprintf(o->file,
                "{\"event\":\"eval\",\"set\":\"%s\",\"step\":%" PRId64
                ",\"tokens\":%" PRId64 ",\"eval_tokens\":%" PRId64,
                o->set_name[r->set], r->step, r->tokens, r->eval_tokens);
        put(o->file, "loss", r->loss);
        put(o->file, "bpb", r->bpb);
        put(o->file, "seconds", r->seconds);
        fputs("}\n", o->file);
    }
    weigh(o);
    log_info("step %" PRId64 ", %s: loss %.4f, %s", r->step,
             o->set_name[r->set], r->loss, bits(text, r->bpb));
    return 0;
}

static int on_position(void *ctx, const struct position_report *r)
{
    struct train_output *o = ctx;

    if (o->file) {
        fprintf(o->file,
                "{\"event\":\"positions\",\"set\":\"%s\",\"from\":%" PRId64
                ",\"to\":%" PRId64,
                o->set_name[r->set], r->first, r->last);
        put(o->file, "loss", r->loss);
        put(o->file, "bpb", r->bpb);
        fputs("}\n", o->file);
    }
    if (o->file == stdout)
        return 0;
    if (r->first == 1)
        printf("%-16s %16s %12s %12s\n", o->set_name[r->set], "positions",
               "nats/token", "bits/byte");
    printf("%-16s %7" PRId64 " to %5" PRId64 " %12.4f ", "", r->first, r->last,
           r->loss);
    if (isfinite(r->bpb))
        printf("%12.4f\n", r->bpb);
    else
        printf("%12s\n", "unknown");
    return 0;
}

static int on_start(void *ctx, int64_t step)
{
    struct train_output *o = ctx;

    o->startup = clock_now() - o->began;
    if (step)
        log_info("going on from step %" PRId64 " of %" PRId64, step,
                 o->spec->steps);
    if (o->file)
        fprintf(o->file,
                "{\"event\":\"start\",\"run\":%" PRId64 ",\"step\":%" PRId64
                ",\"steps\":%" PRId64 "}\n",
                spec_id(o->spec), step, o->spec->steps);
    return 0;
}

static const char *const end_name[] = {
    [TRAIN_DONE] = "done",
    [TRAIN_STOPPED] = "stopped",
    [TRAIN_DIVERGED] = "diverged",
    [TRAIN_NO_MEMORY] = "no memory",
};

/* What the run needs, with the copy that a checkpoint is written from. */
static double planned_bytes(const struct train_output *o,
                            const struct train_result *r)
{
    return run_bytes(o->spec, 1) +
           (r->checkpoint_seconds > 0 ? run_checkpoint_bytes(o->spec) : 0);
}

static void write_end(const struct train_output *o,
                      const struct train_result *r)
{
    fprintf(o->file,
            "{\"event\":\"end\",\"end\":\"%s\",\"steps\":%" PRId64
            ",\"tokens\":%" PRId64,
            end_name[r->end], r->steps, r->tokens);
    put(o->file, "loss", r->loss);
    put(o->file, "bpb", r->bpb);
    put(o->file, "epochs", r->epochs);
    put(o->file, "startup_seconds", o->startup);
    put(o->file, "train_seconds", r->train_seconds);
    put(o->file, "data_seconds", r->data_seconds);
    put(o->file, "eval_seconds", r->eval_seconds);
    put(o->file, "checkpoint_seconds", r->checkpoint_seconds);
    put(o->file, "bytes", o->bytes);
    put(o->file, "planned_bytes", planned_bytes(o, r));
    put(o->file, "flops", run_flops(o->spec));
    fputs("}\n", o->file);
}

/* What was not stepping, and the memory. */
static void print_costs(const struct train_output *o,
                        const struct train_result *r)
{
    double all = r->train_seconds + r->eval_seconds + r->checkpoint_seconds;
    char startup[STR_DOUBLE], taken[STR_DOUBLE], planned[STR_DOUBLE];

    if (!(all > 0))
        return;
    printf("start-up %s; of the time since, evaluation %.1f %%, waiting for "
           "data %.2f %%, checkpoints %.1f %%; memory %s, planned %s\n",
           str_seconds(startup, o->startup), 100 * r->eval_seconds / all,
           100 * r->data_seconds / all, 100 * r->checkpoint_seconds / all,
           str_bytes(taken, o->bytes), str_bytes(planned, planned_bytes(o, r)));
}

void train_output_end(const struct train_output *o,
                      const struct train_result *r)
{
    char took[STR_DOUBLE], text[32];

    if (o->file)
        write_end(o, r);
    if (o->file == stdout)
        return;
    print_costs(o, r);
    printf("%s%s%s after %" PRId64 " steps, %" PRId64 " tokens, %s training",
           end_name[r->end], r->text[0] ? ": " : "", r->text, r->steps,
           r->tokens, str_seconds(took, r->train_seconds));
    if (isfinite(r->loss))
        printf(": loss %.4f, %s on %s", r->loss, bits(text, r->bpb),
               o->set_name[0]);
    printf("\n");
}

struct observer train_output_observer(struct train_output *o, int by_position)
{
    return (struct observer){.ctx = o,
                             .on_step = on_step,
                             .on_eval = on_eval,
                             .on_start = on_start,
                             .on_position = by_position ? on_position : NULL};
}

void train_output_begin(struct train_output *o)
{
    o->said = clock_now();
    o->bytes_before = own_bytes();
}
