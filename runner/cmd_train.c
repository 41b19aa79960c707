/* cmd_train: one run in this process, with the trainer that studies use. */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/cmd.h"
#include "runner/signals.h"
#include "runner/train_output.h"
#include "sweep/flops.h"
#include "sweep/shape.h"
#include "trainer/cuda/engine.h"
#include "trainer/shard.h"
#include "trainer/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPEC_MAX (1 << 20)

struct args {
    struct opt_list set, valid;
    const char *spec, *train, *out, *checkpoints, *device, *recompute,
        *attention;
    double flops, checkpoint_seconds;
    int64_t width, micro_batch;
    int print, no_graphs, by_position;
};

/* --- the spec --- */

static int apply_set(struct run_spec *s, const char *item, struct err *e)
{
    const char *eq = strchr(item, '=');
    char key[64];

    if (!eq || (size_t)(eq - item) >= sizeof key)
        return err_set(e, ERR_USAGE, "--set %s: expected key=value", item);
    snprintf(key, sizeof key, "%.*s", (int)(eq - item), item);
    if (spec_set(s, key, eq + 1, e))
        return err_prefix(e, "--set %s: ", item);
    return 0;
}

static int read_spec(struct run_spec *s, const char *path, struct err *e)
{
    char *text;
    size_t len;
    int rc;

    if (file_read(&text, &len, path, SPEC_MAX, e))
        return -1;
    rc = spec_parse(s, text, e);
    free(text);
    return rc ? err_prefix(e, "%s: ", path) : 0;
}

/* Defaults, then the file, then what a width and a budget imply, each only
 * where --set says nothing else. */
static int make_spec(struct run_spec *s, const struct args *a, struct err *e)
{
    static const struct shape_rule rule = {.head_dim = 16,
                                           .aspect = 32,
                                           .ff_multiple = 16,
                                           .kv_group = 1,
                                           .max_d_model = 1 << 16};

    spec_defaults(s);
    if (a->spec && read_spec(s, a->spec, e))
        return -1;
    if (a->width) {
        if (a->width < rule.head_dim || a->width % rule.head_dim)
            return err_set(e, ERR_USAGE, "--width: a multiple of %" PRId64,
                           rule.head_dim);
        shape_for_width(&s->model, &rule, a->width);
    }
    for (int i = 0; i < a->set.n; i++)
        if (apply_set(s, a->set.value[i], e))
            return -1;
    if (a->flops > 0 && s->batch_tokens > 0 && s->model.d_model > 0)
        s->steps = steps_for_flops(s, a->flops);
    return 0;
}

/* --- the data --- */

/* NAME=DIR, or DIR under its own name: a layout ('FILE:u16,vocab=256') has its
 * '=' behind a colon. */
static void split_set(struct train_env *env, struct train_output *o, int i,
                      char *name, size_t room, const char *item)
{
    size_t n = strcspn(item, "=:/");

    if (item[n] == '=' && n < room) {
        snprintf(name, room, "%.*s", (int)n, item);
        env->valid_path[i] = item + n + 1;
    } else {
        snprintf(name, room, i ? "valid%d" : "valid", i + 1);
        env->valid_path[i] = item;
    }
    o->set_name[i] = name;
}

/* The identity of the data; a spec that names other data is refused. */
static int identify(struct run_spec *s, const struct train_env *env,
                    struct err *e)
{
    struct shard_set *train = NULL, *valid[TRAIN_SETS] = {NULL};
    char id[SPEC_DATA_ID];
    int rc = -1;

    if (shard_open(&train, env->train_path, e))
        return -1;
    for (int i = 0; i < env->n_valid; i++)
        if (shard_open(&valid[i], env->valid_path[i], e))
            goto out;
    if (shard_check_data(train, valid, env->n_valid, e))
        goto out;
    shard_data_id(id, train, valid, env->n_valid);
    if (s->data[0] && strcmp(s->data, id)) {
        err_set(e, ERR_USAGE, "the spec wants the data %s, these are %s",
                s->data, id);
        goto out;
    }
    memcpy(s->data, id, sizeof s->data);
    rc = spec_check(s, e);
out:
    for (int i = 0; i < env->n_valid; i++)
        shard_close(valid[i]);
    shard_close(train);
    return rc;
}

/* --- the device --- */

static int pick_device(struct train_env *env, const struct args *a,
                       struct err *e)
{
    if (device_parse(&env->device, a->device, e))
        return err_prefix(e, "--device: ");
    if (a->micro_batch < 0)
        return err_set(e, ERR_USAGE, "--micro-batch: sequences, 0 or more");
    env->micro_rows = a->micro_batch;
    env->no_graphs = a->no_graphs;
    return device_choice_parse(&env->recompute, DEVICE_RECOMPUTE, a->recompute,
                               e) ||
                   device_choice_parse(&env->attention, DEVICE_ATTENTION,
                                       a->attention, e)
               ? -1
               : 0;
}

/* --- the command --- */

static int run(const struct args *a, struct err *e)
{
    char names[TRAIN_SETS][32];
    struct train_output out = {.began = clock_now()};
    struct train_env env = {.train_path = a->train,
                            .n_valid = a->valid.n,
                            .checkpoint_dir = a->checkpoints,
                            .checkpoint_seconds = a->checkpoint_seconds,
                            .gang = 1,
                            .attempt = 1,
                            .stop = signals_flag()};
    const struct observer obs = train_output_observer(&out, a->by_position);
    struct train_result result;
    struct run_spec spec;
    int rc;

    if (a->valid.n > TRAIN_SETS)
        return err_set(e, ERR_USAGE, "train: at most %d validation sets",
                       TRAIN_SETS);
    if (pick_device(&env, a, e) || make_spec(&spec, a, e))
        return -1;
    for (int i = 0; i < a->valid.n; i++)
        split_set(&env, &out, i, names[i], sizeof names[i], a->valid.value[i]);
    if ((a->train && identify(&spec, &env, e)) ||
        (a->checkpoints && file_mkdirs(a->checkpoints, e)))
        return -1;
    if (a->print) {
        struct str text;
        str_init(&text);
        spec_print(&text, &spec);
        fputs(text.text, stdout);
        str_release(&text);
        return 0;
    }
    env.run_id = spec_id(&spec);
    out.spec = &spec;
    out.file = !a->out                ? NULL
               : !strcmp(a->out, "-") ? stdout
                                      : fopen(a->out, "ae");
    if (a->out && !out.file)
        return err_errno(e, "%s", a->out);
    train_output_begin(&out);
    rc = train(&result, &spec, &env, &obs, e);
    if (!rc)
        train_output_end(&out, &result);
    if (out.file && out.file != stdout && fclose(out.file) && !rc)
        rc = err_errno(e, "%s", a->out);
    if (rc)
        return -1;
    return result.end == TRAIN_DONE      ? 0
           : result.end == TRAIN_STOPPED ? EXIT_RESUMABLE
                                         : ERR_FAILED;
}

static int cmd_main(const struct command *self, int argc, char **argv)
{
    struct args a = {.checkpoint_seconds = 60,
                     .device = "auto",
                     .recompute = "auto",
                     .attention = "auto"};
    const struct opt opts[] = {
        {"train", 0, OPT_STRING, &a.train, "DIR", "packed training set"},
        {"valid", 0, OPT_LIST, &a.valid, "[NAME=]DIR",
         "packed validation set; may be given several times"},
        {"set", 0, OPT_LIST, &a.set, "KEY=VALUE",
         "one key of the run's spec (optim.lr=3e-3)"},
        {"spec", 0, OPT_STRING, &a.spec, "FILE",
         "a spec to begin with, as --print shows it"},
        {"width", 0, OPT_INT, &a.width, "N",
         "d_model; depth and heads by the usual rule"},
        {"flops", 0, OPT_DOUBLE, &a.flops, "C", "steps for this compute (M D)"},
        {"out", 'o', OPT_STRING, &a.out, "FILE",
         "append every report as a JSON line; - is stdout"},
        {"checkpoints", 0, OPT_STRING, &a.checkpoints, "DIR",
         "where checkpoints go, and where to go on from"},
        {"checkpoint-seconds", 0, OPT_DOUBLE, &a.checkpoint_seconds, "S",
         "seconds between checkpoints (60)"},
        {"device", 0, OPT_STRING, &a.device, "NAME",
         "auto (default), cpu or cuda (docs/gpu.md)"},
        {"micro-batch", 0, OPT_INT, &a.micro_batch, "N",
         "sequences at a time on a GPU (as many as fit)"},
        {"no-graphs", 0, OPT_FLAG, &a.no_graphs, NULL,
         "launch a GPU's kernels one by one, not as CUDA graphs"},
        {"recompute", 0, OPT_STRING, &a.recompute, "WHEN",
         "activations again on the way back: auto (to fit), on, off"},
        {"attention", 0, OPT_STRING, &a.attention, "HOW",
         "on a GPU: auto (flash where head_dim allows it), materialised, "
         "cudnn"},
        {"by-position", 0, OPT_FLAG, &a.by_position, NULL,
         "the last losses also by position in the window (CPU)"},
        {"print", 0, OPT_FLAG, &a.print, NULL,
         "print the whole spec and train nothing"},
        OPT_END,
    };
    const char **args;
    struct err e;
    int n, rc;

    rc = opts_parse(self, opts, argc, argv, &args, &n, 0, 0, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (!a.train && !a.print) {
        err_set(&e, ERR_USAGE, "train: --train DIR is needed");
        return opts_fail(&e);
    }
    signals_install();
    rc = run(&a, &e);
    return rc < 0 ? opts_fail(&e) : rc;
}

const struct command cmd_train = {
    .name = "train",
    .synopsis = "train --train DIR --valid DIR [--width N] [--flops C] "
                "[--set KEY=VALUE ...]",
    .summary = "one run, without a study",
    .help = "The trainer of `loglog run`, in this process.  What is not set "
            "has the\ndefaults of the paper; --print shows all keys.\n"
            "\n"
            "  loglog train --train data/train --valid data/valid --width 64 "
            "\\\n"
            "      --flops 1e11 --set optim.lr=3e-3 --set batch_tokens=2048\n"
            "\n"
            "SIGINT and SIGTERM write a checkpoint and exit with 75; the same\n"
            "command goes on from it.\n",
    .main = cmd_main,
};
