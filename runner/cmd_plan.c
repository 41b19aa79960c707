/* cmd_plan: every run of a study with what it costs, before it is paid. */
#include "base/mem.h"
#include "runner/cmd.h"
#include "runner/measure.h"
#include "runner/plan_device.h"
#include "runner/plan_view.h"
#include "sweep/axis.h"

#include <sched.h>
#include <stdlib.h>

/* Budgets whose profile has fewer sizes than asked for. */
static void print_short(const struct plan_view *v, int k)
{
    const struct stage_view *st = &v->stage[k];
    const struct stage *s = &v->study.stage[k];
    int first = 1;

    for (int b = 0; s->kind == STAGE_ISOFLOP && b < s->flops.n; b++) {
        int n = 0;
        for (size_t i = st->first; i < st->first + st->n; i++)
            n += axis_same(v->row[i].budget, s->flops.value[b]) &&
                 v->row[i].extension == 0 && v->row[i].seed == s->seed[0];
        if (n == 0 || n >= s->sizes)
            continue;
        if (first)
            printf("%-10s the shape rule has fewer than %d sizes at:", "",
                   s->sizes);
        printf("%s %.3g (%d)", first ? "" : ",", s->flops.value[b], n);
        first = 0;
    }
    if (!first)
        printf("\n");
}

static void print_price(const struct plan_view *v, const struct plan_totals *t)
{
    const struct price *all = &t->price, *left = &t->price_left;

    printf("price      %.3g %s-hours, %.3g kWh at %.3g W", all->hours,
           v->device->unit, all->kwh, v->watts);
    if (v->money > 0)
        printf(", %.3g at %.3g an hour", all->money, v->money);
    if (left->hours < all->hours && v->money > 0)
        printf("; left: %.3g, %.3g and %.3g", left->hours, left->kwh,
               left->money);
    else if (left->hours < all->hours)
        printf("; left: %.3g and %.3g", left->hours, left->kwh);
    printf("\n");
}

static void print_disk(const struct plan_view *v)
{
    char a[STR_DOUBLE], b[STR_DOUBLE], c[STR_DOUBLE];

    printf("disk       at most %s of checkpoints",
           str_bytes(a, v->disk.checkpoints));
    if (v->disk.trunks > 0)
        printf(" and %s of trunks at once", str_bytes(b, v->disk.trunks));
    printf("; about %s of results\n", str_bytes(c, v->disk.database));
}

/* Where times and memory of a GPU come from. */
static void print_gpu(const struct plan_view *v)
{
    if (v->gpu.runs)
        printf("prediction %zu runs on %d %s each: bytes and flops of the "
               "kernels are counted, speeds\n           are the data sheet's "
               "times what an H100 reached of them: MFU\n"
               "           %.3g to %.3g %%, communication at most %.3g %% of a "
               "step\n",
               v->gpu.runs, v->gpu.gang, v->chip->name, 100 * v->gpu.least_mfu,
               100 * v->gpu.most_mfu, 100 * v->gpu.most_communication);
    if (v->gpu.not_had)
        printf("prediction %zu runs cannot be had there, and are priced at "
               "%.0f %% of the peak: %s\n",
               v->gpu.not_had, 100 * PRICE_MFU, v->gpu.why.text);
}

static void print_text(const struct plan_view *v)
{
    char a[STR_DOUBLE], b[STR_DOUBLE];
    struct plan_totals t;

    plan_view_totals(&t, v);
    plan_rows_text(stdout, v->row, v->n);
    printf("\n");
    for (int k = 0; k < v->study.n_stage; k++) {
        const struct stage_view *st = &v->stage[k];
        const struct stage *s = &v->study.stage[k];
        if (s->kind == STAGE_PREDICT) {
            printf("%-10s fits what is above and registers %d prediction%s\n",
                   s->name, s->flops.n, s->flops.n == 1 ? "" : "s");
            continue;
        }
        printf("%-10s %4zu runs  %9.3g flops  %8s on one slot, ", s->name,
               st->n, st->flops, str_seconds(a, st->seconds));
        if (st->seconds_left > 0)
            printf("%8s %son %d%s%s\n", str_seconds(b, st->makespan),
                   st->from == FROM_DB ? "left " : "", v->slots,
                   st->note ? "; " : "", st->note ? st->note : "");
        else
            printf("nothing left\n");
        if (st->trunk_saved > 0)
            printf("%-10s trunks spare %.3g of these flops (%.0f %%)\n", "",
                   st->trunk_saved, 100 * st->trunk_saved / st->flops);
        print_short(v, k);
        if (s->extend && st->from != FROM_DB)
            printf("%-10s may be extended up to %d times a budget, not "
                   "counted here\n",
                   "", s->extend);
        if (s->n_confirm && st->from != FROM_DB)
            printf("%-10s the best of each budget is trained with %d seed%s "
                   "more, not counted here\n",
                   "", s->n_confirm, s->n_confirm == 1 ? "" : "s");
    }
    for (int f = 0; f < PLAN_FLAGS; f++)
        if (t.flagged[f])
            printf("%-10s %4zu runs: %s\n", plan_flag_name[f], t.flagged[f],
                   plan_flag_why[f]);
    if (v->data_note.len)
        printf("data       %s\n", v->data_note.text);
    printf("total      %4zu runs  %9.3g flops, %.3g with head and causal "
           "attention\n",
           t.runs, t.flops, t.flops_exact);
    if (t.trunk_saved > 0)
        printf("trunks     spare %.3g of these flops (%.0f %%)\n",
               t.trunk_saved, 100 * t.trunk_saved / t.flops);
    printf("time       %s on one slot; left: %s on %d slot%s\n",
           str_seconds(a, t.seconds), str_seconds(b, t.makespan), v->slots,
           v->slots == 1 ? "" : "s");
    print_gpu(v);
    print_price(v, &t);
    printf("memory     at most %s a run%s\n", str_bytes(a, t.bytes),
           v->device->bytes > 0 && t.bytes > v->device->bytes
               ? ", more than one device has"
               : "");
    print_disk(v);
}

static json_t *stages_json(const struct plan_view *v)
{
    static const char *const from[] = {
        [FROM_STUDY] = "planned",
        [FROM_DB] = "stored",
        [FROM_EQUATIONS] = "estimate",
    };
    json_t *list = json_array();

    for (int k = 0; k < v->study.n_stage; k++) {
        const struct stage_view *st = &v->stage[k];
        const struct stage *s = &v->study.stage[k];
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:s?, s:i, s:f, s:f, s:f, s:f, s:i, "
                      "s:f}",
                      "stage", s->name, "kind", stage_kind_name(s->kind),
                      "from", from[st->from], "note", st->note, "runs",
                      (int)st->n, "flops", st->flops, "seconds", st->seconds,
                      "seconds_left", st->seconds_left, "makespan",
                      st->makespan, "extend", s->extend, "trunk_saved_flops",
                      st->trunk_saved));
    }
    return list;
}

/* What it costs, as an object. */
static json_t *price_json(const struct plan_view *v, const struct price *p)
{
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:o}", "device",
                     v->device->name, "hours", p->hours, "kwh", p->kwh, "watts",
                     v->watts, "price_per_hour", v->money, "money",
                     v->money > 0 ? json_real(p->money) : json_null());
}

static void print_json(const struct plan_view *v)
{
    json_t *runs = json_array(), *flagged = json_object(), *o;
    struct plan_totals t;

    plan_view_totals(&t, v);
    for (size_t i = 0; i < v->n; i++)
        json_array_append_new(runs, plan_row_json(&v->row[i]));
    for (int f = 0; f < PLAN_FLAGS; f++)
        json_object_set_new(flagged, plan_flag_name[f],
                            json_integer((json_int_t)t.flagged[f]));
    o = json_pack(
        "{s:s, s:i, s:s?, s:o, s:s?, s:o, s:o, s:{s:i, s:f, s:f, s:f, s:f, "
        "s:f, s:f, s:f, s:o, s:o, s:o, s:{s:f, s:f, s:f}}}",
        "study", v->study.name, "slots", v->slots, "data",
        v->data_known ? v->data.data : NULL, "train_tokens",
        v->data_known ? json_real(v->data.train_tokens) : json_null(), "note",
        v->data_note.len ? v->data_note.text : NULL, "stages", stages_json(v),
        "runs", runs, "totals", "runs", (int)t.runs, "flops", t.flops,
        "flops_exact", t.flops_exact, "seconds", t.seconds, "seconds_left",
        t.seconds_left, "makespan", t.makespan, "trunk_saved_flops",
        t.trunk_saved, "bytes", t.bytes, "flagged", flagged, "price",
        price_json(v, &t.price), "price_left", price_json(v, &t.price_left),
        "disk", "checkpoints", v->disk.checkpoints, "trunks", v->disk.trunks,
        "database", v->disk.database);
    BUG_ON(!o);
    json_dumpf(o, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(o);
}

static int usable_cores(void)
{
    cpu_set_t set;

    if (!sched_getaffinity(0, sizeof set, &set) && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    return 1;
}

struct price_opts {
    const char *device;
    double speed, mfu, money, watts; /* mfu, watts < 0: not given */
    int measure;
};

/* Throughput and prices as asked for. */
static int set_price(struct plan_view *v, const struct price_opts *o,
                     struct err *e)
{
    str_init(&v->data_note); /* the view may be released from here on */
    v->device = o->device ? device_find(o->device, e) : &devices[0];
    if (!v->device)
        return -1;
    if (!(o->speed >= 0))
        return err_set(e, ERR_USAGE, "--speed: flops a second expected");
    if (!(o->money >= 0))
        return err_set(e, ERR_USAGE, "--price: of an hour, expected");
    if (!(o->mfu < 0) && !(o->mfu > 0 && o->mfu <= 1))
        return err_set(e, ERR_USAGE,
                       "--mfu: a share above 0, up to 1, "
                       "expected");
    if (!(o->mfu < 0) && (!(v->device->peak > 0) || o->speed > 0))
        return err_set(e, ERR_USAGE,
                       "--mfu: of a --device with a known peak, and without "
                       "--speed");
    if (o->measure && (o->speed > 0 || v->device->peak > 0))
        return err_set(e, ERR_USAGE,
                       "--measure: without --speed and --device: it times "
                       "this machine");
    v->measure = o->measure;
    v->watts = o->watts < 0 ? v->device->watts : o->watts;
    v->money = o->money;
    if (o->speed > 0)
        v->cost = (struct cost_model){
            .n = 1, .d_model = {1}, .flops_per_s = {o->speed}};
    else if (v->device->peak > 0)
        cost_device(&v->cost, v->device, o->mfu < 0 ? PRICE_MFU : o->mfu);
    else if (o->measure)
        measure_init(&v->cost);
    else
        cost_default(&v->cost);
    if (o->device && !(o->speed > 0) && o->mfu < 0 &&
        gpu_chip_find(&v->chip, o->device, NULL))
        v->chip = NULL; /* a share of its peak, then */
    return 0;
}

static int plan_main(const struct command *self, int argc, char **argv)
{
    int json = 0, csv = 0, n_args, rc;
    int64_t slots = usable_cores();
    const char *db = NULL, **args;
    struct price_opts price = {.mfu = -1, .money = 0, .watts = -1};
    struct plan_device_opts one = {.gpus = 1};
    struct plan_view *v;
    struct err e;
    const struct opt opts[] = {
        {"db", 0, OPT_STRING, &db, "FILE",
         "show what is done, and what is left"},
        {"slots", 'n', OPT_INT, &slots, "N",
         "slots to pack the runs on (cores)"},
        {"speed", 0, OPT_DOUBLE, &price.speed, "F",
         "exact flops a second of one slot, instead of the table"},
        {"measure", 0, OPT_FLAG, &price.measure, NULL,
         "time steps of the study's models here, instead of the table"},
        {"device", 0, OPT_STRING, &price.device, "NAME",
         "a slot is one of these: core, h100, h200, h800, a100, ..."},
        {"mfu", 0, OPT_DOUBLE, &price.mfu, "F",
         "share of the device's peak that training reaches, instead of a "
         "prediction"},
        {"price", 0, OPT_DOUBLE, &price.money, "P", "of a device's hour"},
        {"watts", 0, OPT_DOUBLE, &price.watts, "W",
         "of a device, instead of its maker's figure"},
        {"gpus", 0, OPT_INT, &one.gpus, "N",
         "without STUDY: one run on so many of the device (1)"},
        {"flops", 0, OPT_DOUBLE, &one.flops, "C", "of that run, M D"},
        {"width", 0, OPT_INT, &one.width, "N",
         "its d_model (that of DeepSeek LLM Eq. 4)"},
        {"layers", 0, OPT_INT, &one.layers, "N", "its depth (width / 100)"},
        {"batch", 0, OPT_DOUBLE, &one.batch, "TOKENS",
         "its batch (DeepSeek LLM Eq. 1)"},
        {"seq-len", 0, OPT_INT, &one.seq_len, "N", "its seq_len (4096)"},
        {"vocab", 0, OPT_INT, &one.vocab, "N", "its vocabulary (102400)"},
        {"json", 0, OPT_FLAG, &json, NULL, "one JSON object"},
        {"csv", 0, OPT_FLAG, &csv, NULL, "the runs as CSV"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 0, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (!n_args) {
        one.device = price.device;
        one.json = json;
        return plan_device(&one, &e) ? opts_fail(&e) : 0;
    }
    if (slots < 1 || slots > 1000000) {
        err_set(&e, ERR_USAGE, "--slots: 1 to 1000000 expected");
        return opts_fail(&e);
    }
    v = xcalloc(1, sizeof *v);
    v->slots = (int)slots;
    rc = set_price(v, &price, &e) || plan_view_read(v, args[0], db, &e)
             ? opts_fail(&e)
             : 0;
    if (!rc && csv)
        plan_rows_csv(stdout, v->row, v->n);
    else if (!rc && json)
        print_json(v);
    else if (!rc)
        print_text(v);
    plan_view_release(v);
    free(v);
    return rc;
}

const struct command cmd_plan = {
    .name = "plan",
    .synopsis =
        "plan STUDY [--db FILE] [--slots N] [--device NAME [--mfu F]] "
        "[--measure | --speed F] [--price P] [--watts W] [--json | --csv]",
    .summary = "every run of a study, and what it costs",
    .help =
        "Prints each run with its size, tokens, compute, memory and predicted "
        "time, the runs\nthat can hardly be trained well and why, and totals "
        "with the makespan.  Nothing is\nrun and nothing is written.\n\n"
        "Compute is M D (DeepSeek LLM Eq. 2) on the tokens a run really sees. "
        " Times come\nfrom a table of what one core gave quickstart's runs; "
        "--measure "
        "times a few steps of\nthe study's own models on this machine "
        "(seconds; stop other work), "
        "--speed gives\none.  With --device and a100, h100, h200 or b200 "
        "times, "
        "MFU, memory and communication\nare predicted from the counted bytes "
        "and flops of each kernel (docs/gpu.md), for the\nstudy's `gang` of "
        "GPUs; with --mfu, or another device, times are that share (0.4) of\n"
        "the dense bf16 peak that its maker states.  Hours are of one device, "
        "energy is its\npower at full load for all of them, money is what "
        "--price says.\nStages that "
        "wait for results are "
        "estimated with the equations of DeepSeek LLM and\nmarked so.\n\n"
        "  loglog plan study.yaml\n"
        "  loglog plan study.yaml --db study.db --slots 64 --json\n"
        "  loglog plan examples/deepseek-paper.yaml --slots 256 \\\n"
        "      --device h100 --mfu 0.4 --price 2.5\n"
        "\n"
        "Without STUDY, one run on GPUs: step time, MFU, memory and "
        "communication, predicted\nfrom the bytes and flops of each kernel "
        "(docs/gpu.md).\n\n"
        "  loglog plan --device h100 --gpus 64 --flops 1e20\n"
        "  loglog plan --device h100 --gpus 8 --flops 1e22 --width 4096 "
        "--layers 30\n",
    .main = plan_main,
};
